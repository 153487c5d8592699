"""Clipping: PyTorch's values, large numbers, row-sparse gradients, and gradients not finite."""

import math

import numpy as np
import pytest
from golden.optim_cases import CLIPS
from golden.store import DTYPES, read

import tinygrad_seq as tg
from tinygrad_seq import ops, optim

TOLERANCE = {"float32": 1e-5, "float64": 1e-11}


def with_gradients(*arrays):
    leaves = [tg.tensor(np.zeros_like(a), requires_grad=True) for a in arrays]
    for p, array in zip(leaves, arrays, strict=True):
        p.grad = tg.tensor(array)
    return leaves


def sparse_table(values=((3.0, 0.0), (1.0, 2.0), (1.0, 2.0))):
    """Return a table (5, 2) with a row-sparse gradient: row 4 is given twice."""
    table = tg.tensor(np.ones((5, 2)), requires_grad=True)
    taken = ops.take_rows(table, np.array([0, 4, 4]), sparse=True)
    (taken * tg.tensor(np.array(values))).sum().backward()
    return table


def is_sparse(tensor):
    """Whether it is row-sparse and its dense array has not been made."""
    return type(tensor).__name__ == "RowSparseTensor" and tensor._dense is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CLIPS, ids=lambda case: case.name)
def test_clipped_gradients_are_pytorchs(case, dtype):
    given = case.gradients(dtype)
    leaves = dict(zip(given, with_gradients(*given.values()), strict=True))
    before = {name: p.grad for name, p in leaves.items()}
    norm = getattr(optim, case.function)(leaves.values(), **case.options)
    wanted = dict(read(case.file, case.name, dtype))
    if case.function == "clip_grad_norm_":
        assert isinstance(norm, float)
        assert norm == pytest.approx(wanted.pop("norm").item(), rel=TOLERANCE[dtype])
    else:
        assert norm is None
    for name, p in leaves.items():
        assert str(p.grad.dtype) == dtype
        assert p.grad.shape == p.shape
        np.testing.assert_allclose(p.grad.numpy(), wanted[name], rtol=TOLERANCE[dtype])
        np.testing.assert_array_equal(before[name].numpy(), given[name])  # not written into


@pytest.mark.parametrize("power", [0.5, 1, 2, 3, math.inf])
@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e30])
def test_norm_of_large_and_small_numbers_in_float32(power, scale):
    g = (np.arange(1, 7) * scale).astype(np.float32)
    wanted = np.linalg.norm(g.astype(np.float64) / scale, power) * scale
    found = optim.clip_grad_norm_(with_gradients(g[:2], g[2:].reshape(2, 2)), 1.0, power)
    assert found == pytest.approx(wanted, rel=1e-6)


def test_norm_of_large_numbers_in_float64():
    p = with_gradients(np.array([3e200, -4e200]))
    assert optim.clip_grad_norm_(p, 10.0) == pytest.approx(5e200)
    np.testing.assert_allclose(p[0].grad.numpy(), [6, -8])


@pytest.mark.parametrize("power", [1, 2, math.inf])
def test_row_sparse_gradients_stay_so(power):
    table = sparse_table()
    dense = np.zeros((5, 2))
    dense[0], dense[4] = (3, 0), (2, 4)
    other = np.array([1.0, -2.0])
    (plain,) = with_gradients(other)
    wanted = np.linalg.norm(np.concatenate([dense.ravel(), other]), power)
    before = table.grad
    assert optim.clip_grad_norm_([table, plain], 0.5, power) == pytest.approx(wanted)
    assert is_sparse(table.grad)
    np.testing.assert_allclose(table.grad.numpy(), dense * 0.5 / (wanted + 1e-6))
    np.testing.assert_allclose(plain.grad.numpy(), other * 0.5 / (wanted + 1e-6))
    np.testing.assert_array_equal(before.numpy(), dense)


def test_row_sparse_values_are_clipped_after_adding():
    table = sparse_table()
    optim.clip_grad_value_([table], 2.5)
    assert is_sparse(table.grad)
    np.testing.assert_array_equal(table.grad.numpy()[[0, 1, 4]], [[2.5, 0], [0, 0], [2, 2.5]])


def test_gradients_within_bounds_are_left_as_they_are():
    leaves = [sparse_table(), *with_gradients(np.array([1.0]))]
    before = [p.grad for p in leaves]
    optim.clip_grad_norm_(leaves, 100.0)
    optim.clip_grad_value_(leaves, 100.0)
    assert all(p.grad is g for p, g in zip(leaves, before, strict=True))
    assert is_sparse(before[0])


def test_parameters_without_gradient_are_left_out():
    p = tg.tensor([1.0], requires_grad=True)
    assert optim.clip_grad_norm_([p], 1.0) == 0.0
    assert optim.clip_grad_norm_([], 1.0) == 0.0
    assert optim.clip_grad_norm_(with_gradients(np.zeros((0, 2))), 1.0) == 0.0
    optim.clip_grad_value_([p], 1.0)
    assert p.grad is None


def test_a_parameter_given_twice_counts_once():
    (p,) = with_gradients(np.array([3.0, 4.0]))
    assert optim.clip_grad_norm_([p, p], 1.0) == 5.0
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-6)


def test_one_tensor_and_a_generator_are_taken():
    (p,) = with_gradients(np.array([3.0, 4.0]))
    assert optim.clip_grad_norm_(p, 10.0) == 5.0
    assert optim.clip_grad_norm_((q for q in [p]), 10.0) == 5.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("power", [1, 2, math.inf])
def test_gradients_not_finite(bad, dtype, power):
    leaves = with_gradients(*np.ones((3, 2), dtype), np.array(bad, dtype))
    leaves[1].grad = tg.tensor(np.array([1, bad], dtype))
    before = [p.grad for p in leaves]
    with pytest.raises(FloatingPointError, match=r"clip_grad_norm_: .* parameters \[1, 3\] are"):
        optim.clip_grad_norm_(leaves, 0.1, power)
    norm = optim.clip_grad_norm_(leaves, 0.1, power, error_if_nonfinite=False)
    assert math.isnan(norm) if math.isnan(bad) else norm == math.inf
    with pytest.raises(FloatingPointError, match=r"clip_grad_value_: .* parameters \[1, 3\] are"):
        optim.clip_grad_value_(leaves, 0.1)
    assert all(p.grad is g for p, g in zip(leaves, before, strict=True))
    optim.clip_grad_value_(leaves, 0.1, error_if_nonfinite=False)
    found = [p.grad.numpy().tolist() for p in leaves]
    edge = bad if math.isnan(bad) else math.copysign(0.1, bad)
    np.testing.assert_allclose(found[1], [0.1, edge], rtol=1e-6)


def test_infinity_of_a_sparse_gradient_is_named():
    table = sparse_table(((1.0, math.inf), (0.0, 0.0), (0.0, 0.0)))
    before = table.grad
    with pytest.raises(FloatingPointError, match=r"parameters \[0\] are not finite"):
        optim.clip_grad_norm_([table], 1.0)
    assert table.grad is before


def test_a_norm_beyond_floats_is_said_to_be_that():
    leaves = with_gradients(np.full(9, 1e308))
    with pytest.raises(FloatingPointError, match="norm is inf: the gradients are finite"):
        optim.clip_grad_norm_(leaves, 1.0, 1)
    assert leaves[0].grad.numpy()[0] == 1e308


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda p: optim.clip_grad_norm_([p], -1.0), ValueError, "max_norm is -1.0"),
        (lambda p: optim.clip_grad_norm_([p], math.nan), ValueError, "max_norm is nan"),
        (lambda p: optim.clip_grad_norm_([p], "1"), TypeError, "max_norm is '1'"),
        (lambda p: optim.clip_grad_norm_([p], 1.0, 0), ValueError, "norm_type is 0.0"),
        (lambda p: optim.clip_grad_norm_([p], 1.0, math.nan), ValueError, "norm_type is nan"),
        (lambda p: optim.clip_grad_norm_([p, 3], 1.0), TypeError, r"parameters\[1\] is a int"),
        (lambda p: optim.clip_grad_norm_(None, 1.0), TypeError, "parameters is a NoneType"),
        (lambda p: optim.clip_grad_value_([p], -1.0), ValueError, "clip_value is -1.0"),
        (lambda p: optim.clip_grad_value_([p], math.inf), ValueError, "clip_value is inf"),
        (lambda p: optim.clip_grad_value_(["p"], 1.0), TypeError, r"parameters\[0\] is a str"),
    ],
)
def test_bad_input(call, error, named):
    (p,) = with_gradients(np.array([3.0, 4.0]))
    with pytest.raises(error, match=named):
        call(p)
    np.testing.assert_array_equal(p.grad.numpy(), [3.0, 4.0])
