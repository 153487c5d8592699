"""Edges of values, dtypes and threads that once went wrong without a word."""

import pickle
import sys
import threading

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn, ops
from tinygrad_seq.engine.primitive import registry


def leaf(values):
    return tg.tensor(np.asarray(values, np.float64), requires_grad=True)


def test_a_checkpoint_that_returns_another_shape_the_second_time_is_refused():
    sizes = iter([2, 3, 3])
    y = tg.checkpoint(lambda a: a * np.ones(next(sizes)), leaf([1.0]))
    with pytest.raises(RuntimeError, match="checkpoint: run again"):
        y.sum().backward()


def test_lists_are_read_when_given():
    x, index, axes = leaf([[1.0, 2.0, 3.0]]), [0, 1], [1, 0]
    y = x[0, index].sum() + (ops.transpose(x, axes) * np.array([[1.0], [2.0], [3.0]])).sum()
    index[0], axes[:] = 2, [0, 1]
    y.backward()
    assert x.grad.tolist() == [[2.0, 3.0, 3.0]]


def test_ignored_rows_do_not_count_even_if_infinite():
    rows = leaf([[-np.inf, 1.0, 2.0], [0.0, 1.0, 2.0]])
    loss = ops.cross_entropy(rows, np.array([-100, 1]))
    np.testing.assert_allclose(loss.item(), ops.cross_entropy(rows[1:], np.array([1])).item())
    loss.backward()
    assert rows.grad[0].tolist() == [0.0, 0.0, 0.0]
    log_p = leaf([[-np.inf, -0.5], [-0.1, -2.0]])
    assert ops.nll_loss(log_p, np.array([-100, 0])).item() == pytest.approx(0.1)


def test_logsumexp_beside_infinity():
    x = leaf([np.inf, 5.0])
    with np.errstate(invalid="ignore"):
        x.logsumexp().backward()
    assert np.isnan(x.grad.numpy()[0])
    assert x.grad.numpy()[1] == 0.0


@pytest.mark.parametrize("op", [ops.softmax, ops.log_softmax, ops.logsumexp, ops.sigmoid])
def test_integers_have_no_softmax(op):
    with pytest.raises(TypeError, match="expected floats"):
        op(tg.tensor([1, 2]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: tg.tensor([1.0], dtype=complex),
        lambda: tg.zeros(2, dtype=complex),
        lambda: tg.tensor([1.0]).astype(complex),
        lambda: tg.tensor([1.0]).to(int),
        lambda: tg.tensor([1.0]) + 1j,
        lambda: tg.tensor(np.ones((1, 1)).view(np.matrix)),
        lambda: tg.tensor(np.ma.masked_array([1.0], [True])),
        lambda: tg.tensor([1.0]) * np.ma.masked_array([1.0], [True]),
    ],
)
def test_only_plain_real_numbers(make):
    with pytest.raises(TypeError):
        make()


def test_the_deviation_of_equal_elements_has_gradient_zero():
    x = leaf([2.0, 2.0])
    ops.std(x).backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_a_generator_function_without_gradients():
    @tg.no_grad()
    def values():
        yield tg.is_grad_enabled()
        yield tg.is_grad_enabled()

    for recorded in values():
        assert not recorded
        assert tg.is_grad_enabled()


def test_tensors_are_not_pickled():
    with pytest.raises(TypeError, match=r"tg\.save"):
        pickle.dumps(nn.Linear(1, 1))


def test_plain_numbers_are_cotangents_and_tensors_are_data():
    x = tg.tensor([1.0], requires_grad=True)
    (x * 3.0).backward(2.0)
    assert x.grad.tolist() == [6.0]
    x.data = tg.tensor([5.0])
    assert x.tolist() == [5.0]
    with pytest.raises(TypeError, match="data: got a list"):
        x.data = [1.0]


def test_binary_targets_may_be_booleans():
    x = tg.tensor([0.5, -1.0])
    expected = ops.binary_cross_entropy_with_logits(x, tg.tensor([1.0, 0.0])).item()
    for targets in ([1, 0], np.array([True, False]), tg.tensor([1, 0])):
        assert ops.binary_cross_entropy_with_logits(x, targets).item() == expected


def test_two_threads_may_be_the_first_to_call_a_fused_op():
    plans = registry["cross_entropy_rows"].plans
    lost = []

    def call():
        x = leaf([[1.0, 2.0]])
        lost.append(not ops.cross_entropy_rows(x, np.array([1])).requires_grad)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):
            plans.clear()
            threads = [threading.Thread(target=call) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not any(lost)
