"""Edges of the engine that once gave a wrong gradient, or none, without a word."""

import copy

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim


def leaf(values):
    return tg.tensor(np.asarray(values, np.float64), requires_grad=True)


def test_a_write_into_a_weight_that_a_checkpoint_closes_over_is_noticed():
    linear, x = nn.Linear(2, 2), tg.ones(1, 2).requires_grad_()
    y = tg.checkpoint(lambda a: ops.tanh(linear(a)), x).sum()
    with tg.no_grad():
        linear.weight[...] = 0.0
    with pytest.raises(RuntimeError, match="checkpoint"):
        y.backward()


def test_a_write_into_an_argument_in_a_list_is_noticed():
    a, b = leaf([1.0]), leaf([2.0])
    y = tg.checkpoint(lambda pair: ops.exp(pair[0]) * pair[1], [a, b])
    b.data[0] = 3.0
    with pytest.raises(RuntimeError, match="checkpoint"):
        y.backward()


def test_a_checkpoint_lets_its_inputs_go_after_the_backward_pass():
    x = leaf([1.0, 2.0])
    y = tg.checkpoint(ops.exp, x).sum()
    node = y.place[0]
    while node.op.name != "checkpoint":
        node = node.parents[0][0]
    y.backward()
    assert node.kept is None


def test_an_unused_output_under_create_graph():
    x = leaf([1.0, 2.0])
    _, q = tg.checkpoint(lambda a: (a[0:2] * 2.0, a[0:2] * a[:2]), x)
    g = tg.grad(q.sum(), x, create_graph=True)
    np.testing.assert_allclose(g.detach().numpy(), [2.0, 4.0])
    np.testing.assert_allclose(tg.grad(g.sum(), x).numpy(), [2.0, 2.0])


def test_retain_grad_twice_is_once():
    x = leaf([1.0])
    y = x * 1.0
    y.retain_grad()
    y.retain_grad()
    y.sum().backward()
    assert y.grad.tolist() == [1.0]


def test_a_cotangent_that_the_user_writes_into_is_noticed():
    x, g = leaf([1.0, 2.0]), np.array([1.0, 1.0])
    gx = tg.grad(x * x * x, x, g, create_graph=True)
    g[:] = 5.0
    with pytest.raises(RuntimeError, match="written into"):
        tg.grad(gx.sum(), x)


def test_grad_outputs_of_zero_are_not_a_default():
    x = leaf([3.0])
    assert tg.grad([x * x], [x], [tg.tensor(np.zeros(1))])[0].tolist() == [0.0]
    with pytest.raises(TypeError, match="sequence"):
        tg.grad([x * x], [x], tg.tensor(np.zeros(1)))


@pytest.mark.parametrize(
    "call",
    [
        lambda x, p: ops.leaky_relu(x, p),
        lambda x, p: ops.clip(x, p),
        lambda x, p: ops.softplus(x.detach(), beta=p),
    ],
)
def test_an_argument_without_a_derivative_is_refused(call):
    with pytest.raises(TypeError, match="has no derivative"):
        call(leaf([1.0]), leaf([0.5]))


def test_bounds_of_clip_keep_the_dtype():
    x = tg.tensor([1.0, -1.0])
    assert x.clip(np.zeros(2, np.float32)).dtype == np.float32
    assert x.clip(np.zeros(2, int)).dtype == np.float32
    with pytest.raises(TypeError, match="min is float64"):
        x.clip(np.zeros(2))


def test_bits_of_integers_are_numpy_s():
    x = tg.tensor([1, 2])
    assert (~x).tolist() == [-2, -3]
    assert (x & 2).tolist() == [0, 2]
    assert (2 | x).tolist() == [3, 2]
    assert (~(x > 1)).tolist() == [True, False]
    with pytest.raises(TypeError):
        ~tg.tensor([1.0])


def test_a_row_sparse_gradient_is_read_only_and_can_be_copied():
    table = nn.Embedding(4, 2, sparse=True)
    table([1, 1]).sum().backward()
    with pytest.raises(ValueError, match="read-only"):
        table.weight.grad.data[...] = 0.0
    same = copy.copy(table.weight.grad)
    np.testing.assert_array_equal(same.numpy(), table.weight.grad.numpy())
    optim.SGD(table.parameters(), lr=1.0).step()


def test_targets_out_of_range_are_not_read():
    with pytest.raises(IndexError, match="-1"):
        ops.cross_entropy_rows(leaf([[1.0, 2.0]]), np.array([-1]))


def test_ddof_needs_elements():
    with pytest.raises(ValueError, match="ddof is 1"):
        ops.var(leaf([1.0]), ddof=1)


def test_setting_elements_does_not_round():
    x, i = tg.tensor([1.0, 2.0]), tg.tensor([1, 2])
    x[0] = 3
    x[1] = 0.5
    i[0] = 5
    assert (x.tolist(), i.tolist()) == ([3.0, 0.5], [5, 2])
    with pytest.raises(TypeError, match="float64"):
        x[...] = np.zeros(2)
    with pytest.raises(TypeError, match="expected int64"):
        i[0] = 1.7


def test_lists_of_arrays_keep_their_dtype_and_shapes_may_be_tuples():
    assert tg.tensor([np.zeros(2), np.ones(2)]).dtype == np.float64
    assert tg.tensor([[0.0], [1.0]]).dtype == np.float32
    assert tg.zeros((2, 3)).shape == tg.ones(2, 3).shape == (2, 3)


def test_a_context_may_be_entered_again():
    context = tg.no_grad()
    for _ in range(2):
        with context, context:
            assert not tg.is_grad_enabled()
        assert tg.is_grad_enabled()


def test_a_leaf_frozen_after_the_forward_pass_gets_no_gradient():
    x = leaf([1.0])
    y = x * 2.0
    x.requires_grad_(False)
    y.backward()
    assert x.grad is None


def test_moving_a_module_lends_nothing():
    layer = nn.Linear(2, 2)
    layer(tg.ones(1, 2)).sum().backward()
    layer.to(np.float64)
    assert layer.weight.grad.dtype == np.float64
    assert id(layer.weight.grad.array) not in tg.engine.writes.loans
