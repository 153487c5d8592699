"""Writes into arrays that a graph has kept raise at backward; other writes do not."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.engine import writes


def leaf(shape=(4,)):
    return tg.tensor(np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape), requires_grad=True)


def assert_noticed(loss):
    with pytest.raises(RuntimeError, match="written into"):
        loss.backward()


def through_data(x, y):
    y.data[0] = 9


def through_all_of_data(x, y):
    y.data[...] = 9


def in_place_operator(x, y):
    data = y.data
    data *= 2


def in_place_on_the_attribute(x, y):
    y.data += 1


def through_a_view(x, y):
    y.data[1:][::2][0] = 9


def through_a_reshaped_view(x, y):
    y.reshape(2, 2).data[1, 1] = 9


def through_a_detached_tensor(x, y):
    y.detach().data[2] = 9


def item_of_a_detached_tensor(x, y):
    y.detach()[2] = 9.0


def through_dlpack(x, y):
    np.from_dlpack(y.detach())[3] = 9


def into_the_leaf(x, y):
    x.data[0] = 9


def item_of_the_leaf(x, y):
    with tg.no_grad():
        x[0] = 9.0


def ufunc_with_out(x, y):
    np.negative(y.data, out=y.data)


def to_nan(x, y):
    y.data[0] = np.nan


WRITES = [
    through_data,
    through_all_of_data,
    in_place_operator,
    in_place_on_the_attribute,
    through_a_view,
    through_a_reshaped_view,
    through_a_detached_tensor,
    item_of_a_detached_tensor,
    through_dlpack,
    into_the_leaf,
    item_of_the_leaf,
    ufunc_with_out,
    to_nan,
]


@pytest.mark.parametrize("touched_before", [False, True])
@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__)
def test_writes_after_the_forward_pass_are_noticed(write, touched_before):
    x = leaf()
    y = ops.exp(x * 1.0)
    if touched_before:  # so that it was lent before the graph kept it
        assert x.data is not None
        assert y.data is not None
    loss = (y * y * x).sum()
    write(x, y)
    assert_noticed(loss)
    assert x.grad is None


def test_writes_into_the_array_that_a_tensor_shares():
    array = np.ones(4)
    for view in (array, array[1:], array[::2], array.reshape(2, 2)):
        x = tg.Tensor(view, requires_grad=True)
        loss = (x * x).sum()
        view[-1] += 1
        assert_noticed(loss)
    x = tg.Tensor(array[1:], requires_grad=True)
    loss = (x * x).sum()
    array[2] = 7  # the owner, not the view that was given
    assert_noticed(loss)


def test_writes_into_arrays_given_to_ops():
    x = leaf()
    factor, rows, mask = np.ones(4), np.array([0, 1]), np.array([True, False, True, False])
    table = leaf((4, 2))
    for array, value, loss in (
        (factor, 2.0, x * factor),
        (factor, 3.0, ops.div(x, factor)),
        (factor, 4.0, factor @ x),
        (factor, 5.0, ops.mul(x, y=factor)),
        (rows, 2, x[rows]),
        (rows, 1, table[rows, rows]),
        (rows, 3, ops.take_rows(table, rows)),
        (rows, 0, ops.take_rows(table, rows, sparse=True)),
        (mask, True, ops.where(mask, x, 0.0)),
        (mask, False, ops.masked_fill(x, mask, 0.0)),
        (factor, 6.0, ops.clip(x, 0.0, factor)),
        (factor, 8.0, ops.einsum("i,i->", x, factor)),
    ):
        total = loss.sum()
        array[...] = value
        assert_noticed(total)


def test_writes_into_targets_cannot_reach_a_loss():
    x, targets = leaf((2, 3)), np.array([0, 1])
    wanted = tg.grad(ops.cross_entropy(x, targets), x)
    loss = ops.cross_entropy(x, targets)
    targets[...] = 2
    np.testing.assert_array_equal(tg.grad(loss, x), wanted)
    loss = ops.cross_entropy_rows(x, targets).sum()
    targets[...] = 1
    assert_noticed(loss)


def test_it_is_noticed_with_create_graph_and_by_grad():
    x = leaf()
    loss = (x * x).sum()
    x.data[0] = 5
    with pytest.raises(RuntimeError, match=r"mul: .*written into"):
        tg.grad(loss, x, create_graph=True)


def test_it_is_noticed_at_the_second_order():
    x = leaf()
    g = tg.grad((x**3).sum(), x, create_graph=True)
    x.data[0] = 5
    with pytest.raises(RuntimeError, match="written into"):
        tg.grad(g.sum(), x)


def test_the_line_of_the_op_is_named_inside_detect_anomaly():
    x = leaf()
    with tg.detect_anomaly():
        loss = (x * x).sum()
    x.data[0] = 5
    with pytest.raises(RuntimeError, match=r"made at .*test_writes\.py:\d+"):
        loss.backward()


def test_on_every_backend(backend_name):
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = (x * x).sum()
    x.data[1:] = 5
    assert_noticed(loss)
    loss = (x * x).sum()
    loss.backward()
    assert x.grad.tolist() == [2, 10, 10]


# ---- what must not be noticed --------------------------------------------------------------------


def test_writing_then_forward():
    x = leaf()
    for _ in range(3):
        x.data[0] += 1
        with tg.no_grad():
            x[1] = 7.0
        (x * x).sum().backward()
    assert x.grad.tolist()[0] == 2 * (2 + 3 + 4)


def test_writing_after_backward():
    x = leaf()
    y = x * x
    y.sum().backward()
    x.data[...] = 0
    y.data[...] = 0
    x.grad.data[...] = 0
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2] * 4


def test_writing_into_an_unrelated_array():
    x, other = leaf(), leaf()
    mine = np.ones(4)
    shared = tg.Tensor(mine)
    loss = (x * x).sum()
    other.data[...] = 0
    mine[...] = 3
    shared[0] = 8.0
    loss.backward()
    assert x.grad.tolist() == [2, 4, 6, 8]


def test_writing_into_a_copy():
    x = leaf()
    source = np.ones(4)
    y = tg.tensor(source)
    loss = (x * x * y).sum()
    source[...] = 5
    x.copy().detach().data[...] = 5
    x.detach().numpy().copy()[...] = 5
    loss.backward()
    assert x.grad.tolist() == [2, 4, 6, 8]


def test_writing_into_what_the_rules_do_not_need():
    x = leaf()
    y = x + 1  # the derivative of a sum keeps nothing
    loss = (y * 3).sum()
    y.data[...] = 0
    x.data[...] = 0
    loss.backward()
    assert x.grad.tolist() == [3] * 4


def test_reading_is_not_writing():
    x = leaf()
    y = ops.tanh(x)
    loss = (y * x).sum()
    assert x.data.sum() == 10
    assert y.detach().numpy().shape == np.asarray(y.detach()).shape == np.from_dlpack(x.data).shape
    loss.backward()
    assert x.grad is not None


def test_arrays_handed_out_refuse_writes():
    x = leaf().detach()
    for array in (x.numpy(), np.asarray(x)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_assigning_data_leaves_an_earlier_graph_as_it_was():
    x = leaf()
    loss = (x * x).sum()
    x.data = np.zeros(4)
    loss.backward()
    assert x.grad.tolist() == [2, 4, 6, 8]
    with pytest.raises(ValueError, match=r"expected float64\(4,\)"):
        x.data = np.zeros(4, np.float32)


def test_a_loan_ends_with_the_last_view() -> None:
    p = tg.tensor(np.ones(3), requires_grad=True)
    held = p.data[1:]
    part = held[:1]
    del held
    assert id(p.array) in writes.loans
    del part
    assert id(p.array) not in writes.loans


def test_a_write_during_a_loan_that_has_ended_is_noticed() -> None:
    p = tg.tensor(np.ones(3), requires_grad=True)
    y = ops.exp(p * 1.0) + ops.sin(p)
    p.data *= 2.0
    assert id(p.array) not in writes.loans
    with pytest.raises(RuntimeError, match="sin"):
        y.sum().backward()


def test_a_loan_that_has_ended_without_a_write_is_forgotten() -> None:
    p = tg.tensor(np.ones(3), requires_grad=True)
    y = ops.sin(p)
    assert p.data.sum() == 3.0
    y.sum().backward()
    np.testing.assert_allclose(p.grad.numpy(), np.cos(np.ones(3)))


def test_nodes_made_during_a_loan_keep_what_they_saw() -> None:
    p = tg.tensor(np.ones(3), requires_grad=True)
    held = p.data
    held[0] = 7.0
    y = ops.sin(p)
    del held
    y.sum().backward()
    np.testing.assert_allclose(p.grad.numpy(), np.cos([7.0, 1.0, 1.0]))


def test_data_is_set_only_by_what_differs() -> None:
    p = tg.tensor(np.ones((2, 2)))
    p.data += 1.0
    p.data = p.data.T[::-1]
    np.testing.assert_array_equal(p.numpy(), np.full((2, 2), 2.0))
    with pytest.raises(ValueError, match="data is"):
        p.data = np.ones(3)
