"""Row-sparse gradients, and the Numba kernel that adds rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.ops.rows import RowSparseTensor, add_rows_definition, add_rows_in_place


@settings(max_examples=60)
@given(
    st.integers(1, 6),
    st.lists(st.integers(0, 5), max_size=12),
    st.sampled_from([(), (1,), (3,), (2, 2), (0,)]),
    st.sampled_from(["float32", "float64", "float16"]),
)
def test_kernel_equals_its_definition(count, rows, row_shape, dtype):
    rows = np.array(rows, dtype=np.int64) % count
    rng = np.random.default_rng(len(rows))
    values = rng.integers(-4, 5, (len(rows), *row_shape)).astype(dtype)
    start = rng.integers(-4, 5, (count, *row_shape)).astype(dtype)
    fast, slow = start.copy(), start.copy()
    add_rows_in_place(fast, rows, values)
    add_rows_definition(slow, rows, values)
    np.testing.assert_array_equal(fast, slow)


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.int64])
def test_kernel_takes_any_layout(kind):
    total = np.zeros((3, 4))[:, ::2]
    rows = np.array([2, 0, 2, 9], kind)[:3]
    values = np.arange(12.0).reshape(2, 6).T[::2]
    add_rows_in_place(total, rows, values)
    np.testing.assert_array_equal(total, np.eye(3)[rows].T @ values)


def table(dtype=np.float64):
    return tg.tensor(np.arange(12, dtype=dtype).reshape(4, 3), requires_grad=True)


def test_gradient_stays_sparse_and_is_dense_on_demand(backend_name):
    w = tg.Tensor(table().to(backend_name).data, requires_grad=True)
    rows = tg.Tensor(tg.tensor(np.array([3, 1, 3])).to_backend(backend_name).data)
    taken = ops.take_rows(w, rows, sparse=True)
    (taken * taken).sum().backward()
    assert isinstance(w.grad, RowSparseTensor)
    assert (w.grad.shape, w.grad.dtype, w.grad.backend) == ((4, 3), np.float64, backend_name)
    distinct, sums = (tg.Tensor(a).to("numpy").numpy() for a in w.grad.coalesced())
    assert distinct.tolist() == [1, 3]
    host = w.detach().to("numpy").numpy()
    np.testing.assert_array_equal(sums, [2 * host[1], 4 * host[3]])
    wanted = np.zeros((4, 3))
    np.add.at(wanted, [3, 1, 3], 2 * host[[3, 1, 3]])
    np.testing.assert_array_equal(w.grad.to("numpy").numpy(), wanted)


def test_shape_and_dtype_do_not_make_the_dense_array():
    w = table(np.float32)
    ops.take_rows(w, np.array([0]), sparse=True).sum().backward()
    assert (w.grad.shape, w.grad.dtype) == ((4, 3), np.float32)
    w.grad.coalesced()
    assert w.grad._dense is None


def test_sums_of_sparse_gradients_stay_sparse():
    w = table()
    loss = ops.take_rows(w, np.array([0, 1]), sparse=True).sum()
    loss = loss + 2 * ops.take_rows(w, np.array([[1, 2]]), sparse=True).sum()
    loss.backward()
    ops.take_rows(w, np.array([2]), sparse=True).sum().backward()
    assert isinstance(w.grad, RowSparseTensor)
    distinct, sums = w.grad.coalesced()
    assert distinct.tolist() == [0, 1, 2]
    assert sums[:, 0].tolist() == [1, 3, 3]
    assert w.grad.numpy()[:, 0].tolist() == [1, 3, 3, 0]


def test_sparse_and_dense_uses_of_one_table_add_up_densely():
    for first_dense in (True, False):
        w = table()
        terms = [(w * 1.0).sum(), ops.take_rows(w, np.array([1, 1]), sparse=True).sum()]
        (terms[0] + terms[1] if first_dense else terms[1] + terms[0]).backward()
        assert not isinstance(w.grad, RowSparseTensor)
        assert w.grad.numpy()[:, 0].tolist() == [1, 3, 1, 1]


def test_sparse_then_dense_backward_accumulates():
    for dense_first in (True, False):
        w = table()
        for dense in (dense_first, not dense_first):
            (w.sum() if dense else ops.take_rows(w, np.array([1]), sparse=True).sum()).backward()
        assert w.grad.numpy()[:, 0].tolist() == [1, 2, 1, 1]


def test_gradient_of_a_computed_table_is_dense():
    w = table()
    ops.take_rows(2 * w, np.array([1]), sparse=True).sum().backward()
    assert w.grad.numpy()[:, 0].tolist() == [0, 2, 0, 0]


def test_sparse_gradient_shares_nothing_with_the_users_arrays():
    w, rows, g = table(), np.array([0, 1]), np.ones((2, 3))
    ops.take_rows(w, rows, sparse=True).backward(g)
    rows += 1
    g *= 7
    assert w.grad.numpy()[:, 0].tolist() == [1, 1, 0, 0]


def test_empty_lookup_leaves_an_empty_sparse_gradient():
    w = table()
    ops.take_rows(w, np.zeros(0, np.int64), sparse=True).sum().backward()
    assert w.grad.coalesced()[0].shape == (0,)
    assert not w.grad.numpy().any()


def test_one_hot_of_a_large_vocabulary_is_small():
    assert ops.one_hot(np.array([70_000]), 100_000).sum() == 1  # 40 GB as rows of an identity


def test_memory_of_a_dense_array_that_was_read_is_used_again():
    for value in (1.0, 2.0):
        w = table()
        (ops.take_rows(w, np.array([3]), sparse=True) * value).sum().backward()
        assert w.grad.numpy()[:, 0].tolist() == [0, 0, 0, value]
        assert not w.grad.array.flags.writeable
