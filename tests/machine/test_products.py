"""Packed products against NumPy: any shape, strides, groups, transposed weights, sums in place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq.machine import runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
if runtime.available():
    from tinygrad_seq.machine import products
    from tinygrad_seq.machine.processor import BYTES, PROCESSOR, REGISTERS

DTYPES = ["f4", "f8"]
sizes = st.integers(1, 75)


def address(array):
    return array.ctypes.data


def function(name, dtype):
    return getattr(runtime.library(dtype), f"{name}_{dtype}").ctypes


def numbers(dtype, *shape):
    random = np.random.default_rng(sum(shape))
    return random.integers(-8, 8, shape).astype(dtype)  # whose sums of products are exact


def packed(weight, transposed=False, threads=2):
    """The panels of a weight (K, N), or (N, K) transposed, as pack writes them."""
    dtype = weight.dtype.str[1:]
    K, N = weight.shape[::-1] if transposed else weight.shape
    out = np.full(products.packed_size(K, N, weight.itemsize), np.nan, dtype)
    table = np.array([1, address(weight), K, N, int(transposed), address(out)], np.int64)
    for k in range(threads):
        function("pack", dtype)(k, address(table), threads, 0, 0)
    return out


@settings(max_examples=60)
@given(sizes, sizes, sizes, st.booleans(), st.sampled_from(DTYPES), st.integers(0, 3))
def test_product_is_numpys(rows, K, N, transposed, dtype, spare):
    a = numbers(dtype, rows, K + spare)
    weight = numbers(dtype, K, N)
    panels = packed(weight.T.copy() if transposed else weight, transposed)
    out = np.full((rows, N + spare), 7, dtype)
    call = function("rows_times_packed", dtype)
    arguments = (K, address(panels), address(out), 0, N + spare, N)
    call(address(a), 0, K + spare, 1, rows, *arguments, 0, 0)
    np.testing.assert_array_equal(out[:, :N], a[:, :K] @ weight)
    call(address(a), 0, K + spare, 1, rows, *arguments, 1, 0)
    np.testing.assert_array_equal(out[:, :N], 2 * (a[:, :K] @ weight))
    np.testing.assert_array_equal(out[:, N:], 7)  # nothing is written beside the result


@settings(max_examples=30)
@given(st.integers(1, 4), sizes, sizes, sizes, st.booleans(), st.sampled_from(DTYPES))
def test_groups_of_rows(groups, rows, K, N, apart, dtype):
    batch = rows + 2 * apart  # a part of the batch at each of some time steps
    a, weight = numbers(dtype, groups, batch, K), numbers(dtype, K, N)
    panels = packed(weight)
    out = np.zeros((groups, batch, N), dtype)
    function("rows_times_packed", dtype)(
        address(a), batch * K, K, groups, rows, K, address(panels),
        address(out), batch * N, N, N, 0, 0,
    )  # fmt: skip
    np.testing.assert_array_equal(out[:, :rows], a[:, :rows] @ weight)
    assert not out[:, rows:].any()


@settings(max_examples=40)
@given(sizes, sizes, sizes, st.sampled_from(DTYPES))
def test_outer_products_are_added(K, M, N, dtype):
    a, g, out = numbers(dtype, K, M), numbers(dtype, K, N), np.full((M, N), np.nan, dtype)
    panel_columns = products.packed_size(1, 1, out.itemsize)
    panel = np.empty((K, panel_columns), dtype)
    for add in (0, 1):
        for p in range(-(-N // panel_columns)):
            function("pack_rows", dtype)(address(g), N, K, p, address(panel))
            function("add_outer", dtype)(
                address(a), M, K, M, address(panel), address(out), N, p, add
            )
        np.testing.assert_array_equal(out, (1 + add) * (a.T @ g))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_inf_stay_in_their_row(dtype):
    a, weight = numbers(dtype, 9, 5), numbers(dtype, 5, 7)
    a[2, 3], a[4, 1] = np.nan, np.inf
    panels = packed(weight)
    out = np.empty((9, 7), dtype)
    function("rows_times_packed", dtype)(
        address(a), 0, 5, 1, 9, 5, address(panels), address(out), 0, 7, 7, 0, 0
    )
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(out, a @ weight)


def test_tile_fits_the_registers():
    taken = products.MR * products.NV + products.NV + 1
    assert taken <= REGISTERS[PROCESSOR]
    assert BYTES in (16, 32, 64)


@pytest.mark.parametrize("width", [16, 32])
def test_narrower_vectors_compute_the_same(width):
    """Tiles as processors without AVX-512 have them."""
    if width > BYTES:
        pytest.skip("this processor has none of them")
    source = f"""
from numba import cfunc
from tinygrad_seq.machine.products import micro_kernel
from tinygrad_seq.machine.vectors import word
kernel = micro_kernel("f4", 5, 2, {width})

@cfunc("void(int64,int64,int64,int64,int64)", cache=True)
def tile(K, table, columns, row, add):
    kernel(word(table, 0), row, 1, word(table, 1), {width // 2}, word(table, 2), columns, K,
           columns, add)
"""
    K, columns = 9, width // 2 - 1
    a, panel = numbers("f4", 5, K), numbers("f4", K, width // 2)
    out = np.zeros((6, columns), np.float32)
    table = np.array([address(a), address(panel), address(out)], np.int64)
    runtime.load(source).tile.ctypes(K, address(table), columns, K, 0)
    np.testing.assert_array_equal(out[:5], a @ panel[:, :columns])
    assert not out[5].any()
