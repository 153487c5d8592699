"""Derivatives: any order, several uses, several outputs, unused ones, and what is refused."""

import copy
import math

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.testing import check_grads


def leaf(data, dtype=np.float64):
    return tg.tensor(np.asarray(data, dtype), requires_grad=True)


def nth_derivative(function, x, n):
    y = function(x)
    for _ in range(n):
        y = tg.grad(y.sum(), x, create_graph=True)
    return y.detach().numpy()


def fifth_of_tanh(x):
    t = np.tanh(x)
    return (1 - t * t) * (16 - 120 * t**2 + 120 * t**4)


@pytest.mark.parametrize(
    ("function", "fifth"),
    [
        (ops.sin, np.cos),
        (ops.exp, np.exp),
        (ops.tanh, fifth_of_tanh),
        (lambda x: x**7, lambda x: math.perm(7, 5) * x**2),
        (ops.log, lambda x: 24 / x**5),
        (lambda x: 1 / x, lambda x: -120 / x**6),
    ],
)
def test_fifth_derivative_equals_the_closed_form(function, fifth):
    x = leaf([0.3, 0.7, 1.9])
    np.testing.assert_allclose(nth_derivative(function, x, 5), fifth(x.data), rtol=1e-9)


def test_orders_up_to_4_of_a_network_equal_differences():
    rng = np.random.default_rng(0)
    x, w = leaf(rng.standard_normal((3, 2))), leaf(rng.standard_normal((2, 2)))
    check_grads(lambda x, w: ops.softmax(ops.tanh(x @ w)), [x, w], order=4)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.cross_entropy(x, np.array([1, 0, 2])),
        lambda x: tg.checkpoint(lambda x: ops.tanh(x) * ops.exp(x), x),
        lambda x: ops.take_rows(x, np.array([2, 2, 0]), sparse=True) ** 3,
        lambda x: x[np.array([2, 2, 0])] ** 3 * x[0],
        lambda x: ops.logsumexp(x, 0) * ops.std(x, 1)[0],
    ],
    ids=["fused", "checkpoint", "rows", "index", "reductions"],
)
def test_third_order_through(function):
    check_grads(function, [leaf(np.random.default_rng(1).standard_normal((3, 3)))], order=3)


def test_a_value_used_several_times_accumulates():
    x = leaf([2.0, 3.0])
    y = x * x
    (y + y * x + x).sum().backward()
    np.testing.assert_array_equal(x.grad, 2 * x.data + 3 * x.data**2 + 1)


def test_one_node_twice_in_one_op():
    x = leaf([2.0, 3.0])
    (ops.concat([x, x, 2 * x]) * np.array([1.0, 2, 3, 4, 5, 6])).sum().backward()
    assert x.grad.tolist() == [1 + 3 + 10, 2 + 4 + 12]


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("used", [(0,), (1,), (0, 2), (2, 0), (0, 1, 2)])
def test_unused_outputs_count_as_zero(used, lazy):
    x = leaf(np.arange(12.0).reshape(6, 2))
    wanted = np.zeros((6, 2))
    parts = ops.split(x, 3)
    loss = 0
    for k in used:
        loss = loss + (parts[k][1] if lazy else parts[k]).sum() * (k + 1)
        wanted[2 * k + (1 if lazy else 0) : 2 * k + 2] = k + 1
    loss.backward()
    np.testing.assert_array_equal(x.grad, wanted)
    check_grads(lambda x: ops.exp(ops.split(x, 3)[used[0]][0]), [x])


def test_lazy_cotangents_meet_dense_ones_of_0_d():
    x = leaf(2.0)
    (x[()] + x * 2 + x[...] + x * 3).backward()
    assert x.grad.item() == 7


def test_outputs_of_one_axis_are_arrays():
    for part in ops.unbind(leaf([1.0, 2.0])):
        assert isinstance(part.array, np.ndarray)


def test_grad_of_several_outputs_and_inputs():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    outs = [(x * y).sum(), x * 2]
    gx, gy = tg.grad(outs, [x, y], [None, np.array([10.0, 20.0])])
    assert gx.tolist() == [3 + 20, 4 + 40]
    assert gy.tolist() == [1, 2]
    assert x.grad is None


def test_grad_of_non_leaves_and_of_itself():
    x = leaf([1.0, 2.0])
    y = x * 3
    z = (y * y).sum()
    gy, gx, gz, again = tg.grad(z, [y, x, z, y])
    assert (gy.tolist(), gx.tolist(), gz.item()) == ([6, 12], [18, 36], 1)
    assert again.tolist() == [6, 12]


def test_grad_walks_only_what_leads_to_its_inputs():
    x, y = leaf([1.0]), leaf([1.0])
    calls = []
    side = y * 2
    side.register_hook(calls.append)
    tg.grad((x * side).sum(), x)
    assert calls == []


def test_unused_inputs_are_refused_or_none():
    x, y = leaf([1.0]), leaf([1.0])
    with pytest.raises(ValueError, match=r"do not depend on inputs \[1\]"):
        tg.grad(x.sum(), [x, y])
    gx, gy = tg.grad(x.sum(), [x, y], allow_unused=True)
    assert gx.tolist() == [1]
    assert gy is None


def test_backward_twice_is_refused_unless_retained():
    x = leaf([1.0, 2.0])
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert x.grad.tolist() == [4, 8]
    with pytest.raises(RuntimeError, match="freed"):
        loss.backward()
    with pytest.raises(RuntimeError, match="freed"):
        tg.grad(loss, x)
    assert x.grad.tolist() == [4, 8]


def test_a_shared_trunk_is_freed_too():
    x = leaf([1.0])
    trunk = ops.exp(x)
    first, second = trunk.sum(), (trunk * 2).sum()
    first.backward()
    with pytest.raises(RuntimeError, match="exp: the graph was freed"):
        second.backward()


def test_create_graph_retains_the_graph():
    x = leaf([3.0])
    y = (x**3).sum()
    y.backward(create_graph=True)
    y.backward(create_graph=True)
    assert x.grad.tolist() == [54]
    x.grad.sum().backward()
    assert x.grad.tolist() == [54 + 36]


@pytest.mark.parametrize(
    ("gradient", "error", "text"),
    [
        (None, ValueError, "only an output of one element"),
        (np.ones(3), ValueError, r"float64\(3,\), expected float64\(2,\)"),
        (np.ones(2, np.float32), ValueError, r"float32\(2,\), expected float64\(2,\)"),
        ([1.0, 1.0], TypeError, "list"),
    ],
)
def test_wrong_cotangents_are_refused(gradient, error, text):
    with pytest.raises(error, match=text):
        (leaf([1.0, 2.0]) * 2).backward(gradient)


def test_a_number_is_a_cotangent_of_no_axes():
    x = leaf(2.0)
    (x * x).backward(10.0)
    assert x.grad.item() == 40


def test_what_needs_no_gradient_is_refused():
    x = tg.tensor([1.0])
    with pytest.raises(RuntimeError, match="does not require"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="does not require"):
        x.register_hook(print)
    with pytest.raises(ValueError, match=r"inputs\[0\]"):
        tg.grad(leaf([1.0]).sum(), x)


@pytest.mark.parametrize("data", [[1, 2], [True], np.array([1], np.uint8)])
def test_whole_numbers_never_require_gradients(data):
    for make in (
        lambda: tg.tensor(data, requires_grad=True),
        lambda: tg.tensor(data).requires_grad_(),
        lambda: tg.Tensor(np.asarray(data), requires_grad=True),
    ):
        with pytest.raises(TypeError, match="only floating dtypes"):
            make()


def test_results_that_are_whole_numbers_have_no_history():
    x = leaf([1.5, 2.5])
    for y in (x.astype(np.int64), x.astype("int32"), x > 2, ops.argmax(x), ops.isfinite(x)):
        assert not y.requires_grad
    assert tg.checkpoint(lambda x: (x * 2, ops.argmax(x)), x)[1].requires_grad is False


def test_conversions_carry_gradients_back():
    x = leaf([1.5, 2.5], np.float32)
    y = x.to("float64") * np.array([1.0, 3.0])
    y.sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == (np.float32, [1, 3])


def test_tensors_are_made_of_numbers_only():
    for data in ("abc", None, np.array(["a"]), 1j, np.array([1j]), [object()]):
        with pytest.raises(TypeError):
            tg.tensor(data)
    for data in (np.array(["a"]), np.array([None]), 1.0, np.float64(1.0), [1.0]):
        with pytest.raises(TypeError):
            tg.Tensor(data)


def test_a_deep_copy_is_a_leaf_of_its_own():
    x = leaf([1.0, 2.0])
    x.sum().backward()
    twin = copy.deepcopy(x)
    (twin * 3).sum().backward()
    twin.data[0] = 9
    assert (x.grad.tolist(), twin.grad.tolist(), x.tolist()) == ([1, 1], [4, 4], [1, 2])
    assert not copy.deepcopy(x.detach()).requires_grad
    with pytest.raises(RuntimeError, match="detach it first"):
        copy.deepcopy(x * 2)


def test_dtypes_of_new_tensors():
    for data, dtype in (
        (1.0, "float32"),
        ([1.0, 2.0], "float32"),
        (np.array([1.0]), "float64"),
        (np.array([1.0], np.float16), "float16"),
        (np.float64(1), "float64"),
        (1, "int64"),
        ([True], "bool"),
    ):
        assert tg.tensor(data).dtype == dtype
