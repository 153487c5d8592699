"""Hooks on gradients, retain_grad, and gradients that share nothing with anything."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops


def leaf(data=(1.0, 2.0)):
    return tg.tensor(np.asarray(data, np.float64), requires_grad=True)


def test_hooks_run_in_order_and_replace_the_gradient():
    x = leaf()
    y = x * 3
    seen = []
    y.register_hook(lambda g: g * 2)
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert seen == [[2, 2]]
    assert x.grad.tolist() == [9, 9]


def test_a_hook_sees_the_whole_sum_once():
    x = leaf()
    calls = []
    x.register_hook(lambda g: calls.append(g.tolist()))
    (x * 2 + x * x).sum().backward()
    assert calls == [[4, 6]]


def test_a_leafs_hook_replaces_what_is_stored():
    x = leaf()
    x.register_hook(lambda g: g * 10)
    x.sum().backward()
    x.sum().backward()
    assert x.grad.tolist() == [20, 20]
    assert tg.grad(x.sum(), x).tolist() == [10, 10]


def test_hooks_on_one_of_several_outputs():
    x = leaf((1.0, 2.0, 3.0))
    parts = ops.unbind(x)
    parts[1].register_hook(lambda g: g * 5)
    (parts[0] + parts[1]).backward()
    assert x.grad.tolist() == [1, 5, 0]


def test_hooks_on_sliced_and_looked_up_tensors_see_dense_gradients():
    x = leaf((1.0, 2.0, 3.0))
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    x[1].backward()
    ops.take_rows(x, np.array([2]), sparse=True).sum().backward()
    assert seen == [[0, 1, 0], [0, 0, 1]]


def test_removed_hooks_are_not_called():
    x = leaf()
    handle = x.register_hook(lambda g: g * 10)
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_hooks_under_create_graph_are_differentiated():
    x = leaf()
    y = x * x
    handle = y.register_hook(lambda g: g * y)
    g = tg.grad(y.sum(), x, create_graph=True)  # 2x·x² = 2x³
    handle.remove()
    assert tg.grad(g.sum(), x).tolist() == [6, 24]


def test_a_hook_that_returns_something_else_is_refused():
    for wrong in (3.0, np.ones(2), leaf((1.0,)), leaf().astype(np.float32)):
        x = leaf()
        x.register_hook(lambda g, w=wrong: w)
        with pytest.raises(ValueError, match="expected None or a Tensor"):
            x.sum().backward()


def test_retain_grad_keeps_a_middle_gradient():
    x = leaf()
    y = x * 3
    y.retain_grad()
    z = (y * y).sum()
    z.backward(retain_graph=True)
    assert y.grad.tolist() == [6, 12]
    z.backward()
    assert y.grad.tolist() == [12, 24]


def test_retain_grad_on_a_leaf_changes_nothing():
    x = leaf()
    x.retain_grad()
    x.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_retain_grad_does_not_keep_the_tensor_alive():
    x = leaf()
    y = x * 3
    y.retain_grad()
    z = y.sum()
    del y
    z.backward()
    assert x.grad.tolist() == [3, 3]


def test_gradients_accumulate_over_backward_calls():
    x = leaf()
    for k in range(1, 4):
        (x * k).sum().backward()
    assert x.grad.tolist() == [6, 6]
    x.grad = None
    x.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_an_earlier_gradient_is_not_changed_by_a_later_backward():
    x = leaf()
    x.sum().backward()
    first = x.grad
    x.sum().backward()
    assert first.tolist() == [1, 1]


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_share_memory_with_nothing(create_graph):
    a, b, c, d = leaf(), leaf(), leaf(), leaf()
    seed = np.ones(2)
    seen = []
    d.register_hook(seen.append)
    y = a + b - (-c) + d.reshape(2, 1).reshape(2)
    y.retain_grad()
    y.backward(seed, create_graph=create_graph)
    arrays = [t.grad.array for t in (a, b, c, d, y)]
    arrays += [seed, a.array, y.array] + ([] if create_graph else [seen[0].array])
    for i, one in enumerate(arrays):
        for other in arrays[:i]:
            assert not np.shares_memory(one, other)


def test_gradients_of_one_grad_call_share_memory_with_nothing():
    a, b = leaf(), leaf()
    seed = np.ones(2)
    y = a + b
    found = [g.array for g in tg.grad(y, [a, b, a, y], seed)] + [seed]
    for i, one in enumerate(found):
        for other in found[:i]:
            assert not np.shares_memory(one, other)


def test_what_a_hook_returns_is_not_the_stored_gradient():
    x, mine = leaf(), leaf().detach()
    x.register_hook(lambda g: mine)
    x.sum().backward()
    x.grad.data[...] = 7
    assert mine.tolist() == [1, 2]


def test_a_hook_that_writes_into_its_argument_changes_nothing_else():
    a, b = leaf(), leaf()

    def spoil(g):
        g.data[...] = 100

    a.register_hook(spoil)
    (a + b).sum().backward()
    assert b.grad.tolist() == [1, 1]


def test_gradients_can_be_written_into():
    x = leaf()
    x.sum().backward()
    x.grad.data[...] = 5
    x.sum().backward()
    assert x.grad.tolist() == [6, 6]
