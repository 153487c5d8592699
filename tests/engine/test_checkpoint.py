"""checkpoint: the same values and gradients, less memory, any order, the same random numbers."""

import tracemalloc

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.testing import check_grads


def leaf(*shape, seed=0):
    drawn = np.random.default_rng(seed).standard_normal(shape)
    return tg.tensor(drawn, requires_grad=True)


def both(function, *args, leaves=()):
    """Return (value, gradients of args and leaves) without and with a checkpoint."""
    found = []
    for call in (function, lambda *a: tg.checkpoint(function, *a)):
        tg.manual_seed(3)
        outs = call(*args)
        outs = outs if isinstance(outs, tuple) else (outs,)
        loss = sum((o * (k + 1)).sum() for k, o in enumerate(outs) if o.requires_grad)
        gradients = tg.grad(loss, [*args, *leaves], retain_graph=True)
        found.append([t.detach().numpy() for t in (*outs, *gradients)])
    return found


def assert_same(found):
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_values_and_gradients_with_closed_over_parameters():
    w, b, x = leaf(3, 3), leaf(3, seed=1), leaf(2, 3, seed=2)
    inner = b * 2  # closed over, and not a leaf
    assert_same(both(lambda x: ops.tanh(x @ w + inner) @ w, x, leaves=[w, b]))


def test_dropout_draws_the_same_mask_again():
    x = leaf(50, 4)
    assert_same(both(lambda x: ops.dropout(ops.dropout(x * 2, 0.5) * x, 0.3), x))


def test_the_generator_goes_on_as_if_nothing_was_drawn_again():
    x = leaf(10)
    tg.manual_seed(1)
    y = tg.checkpoint(lambda x: ops.dropout(x, 0.5), x)
    state = tg.default_generator().state_dict()
    y.sum().backward()
    assert tg.default_generator().state_dict() == state


def test_several_outputs_of_which_some_are_unused():
    x = leaf(3)
    assert_same(both(lambda x: (x * 2, ops.exp(x), tg.tensor(1.0)), x))
    for k in range(2):
        y = tg.checkpoint(lambda x: (x * 2, ops.exp(x)), x)[k]
        wanted = [np.full(3, 2.0), np.exp(x.data)][k]
        np.testing.assert_allclose(tg.grad(y.sum(), x), wanted)


def test_slices_of_several_outputs():
    x = leaf(4, 2)
    first, second = tg.checkpoint(lambda x: (x * 2, ops.exp(x)), x)
    (first[0].sum() + second[1:, 0].sum()).backward()
    wanted = np.zeros((4, 2))
    wanted[0] = 2
    wanted[1:, 0] += np.exp(x.data[1:, 0])
    np.testing.assert_allclose(x.grad, wanted)


def test_nested_checkpoints():
    w, x = leaf(3, 3), leaf(2, 3, seed=1)

    def inner(h):
        return ops.dropout(ops.tanh(h @ w), 0.4)

    assert_same(both(lambda x: tg.checkpoint(inner, tg.checkpoint(inner, x)) * x, x, leaves=[w]))


def test_double_backward_through_nested_checkpoints():
    w = leaf(3, 3)

    def nested(x, w):
        return tg.checkpoint(lambda x: tg.checkpoint(lambda h: ops.tanh(h @ w), x) ** 2, x)

    check_grads(nested, [leaf(2, 3, seed=1), w], order=3)


def test_identity_and_the_same_argument_twice():
    x = leaf(3)
    assert_same(both(lambda x: x, x))
    assert tg.grad(tg.checkpoint(lambda a, b: a * b, x, x).sum(), x).tolist() == list(2 * x.data)


def test_sparse_gradients_inside():
    w = leaf(4, 2)
    rows = np.array([1, 1, 3])
    loss = tg.checkpoint(lambda w: ops.take_rows(w, rows, sparse=True) * 2, w).sum()
    loss.backward()
    assert w.grad.numpy()[:, 0].tolist() == [0, 4, 0, 2]


def test_no_graph_without_gradients():
    x = leaf(3)
    with tg.no_grad():
        assert not tg.checkpoint(ops.exp, x).requires_grad
    assert not tg.checkpoint(ops.exp, x.detach()).requires_grad


def test_twice_raises_unless_retained_and_results_must_be_tensors():
    y = tg.checkpoint(ops.exp, leaf(1)).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()
    with pytest.raises(TypeError, match="expected Tensors"):
        tg.checkpoint(lambda x: x.tolist(), leaf(1))


def test_a_write_into_an_argument_is_noticed():
    x = leaf(3)
    h = x * 2
    y = tg.checkpoint(ops.exp, h).sum()
    h.data[0] = 9.0
    with pytest.raises(RuntimeError, match="written into"):
        y.backward()


def kept_bytes(segment):
    """Return how much 40 steps hold until the backward pass, 5 by 5 through `segment`."""
    x = leaf(100, 100)

    def steps(h):
        for _ in range(5):
            h = ops.tanh(h * 1.1)
        return h

    tracemalloc.start()
    h = x
    for _ in range(8):
        h = segment(steps, h)
    held = tracemalloc.get_traced_memory()[0]
    h.sum().backward()
    tracemalloc.stop()
    return held


def test_memory_is_smaller():
    plain = kept_bytes(lambda f, h: f(h))
    assert kept_bytes(tg.checkpoint) < plain / 3
