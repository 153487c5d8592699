"""Packed products against NumPy: any shape, strides, groups, transposed weights, sums in place."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq.machine import runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
if runtime.available():
    from tinygrad_seq.machine import native
    from tinygrad_seq.machine.processor import BYTES, PROCESSOR, REGISTERS
    from tinygrad_seq.machine.products import packed as products

DTYPES = ["f4", "f8"]
sizes = st.integers(1, 75)


def address(array):
    return array.ctypes.data


def function(name, dtype):
    address = products.library(dtype)[name]

    def call(*args):
        ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(args))(address)(*args)

    return call


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
        function("pack", dtype)(k, address(table), threads, 0)
    return out


@settings(max_examples=60)
@given(sizes, sizes, sizes, st.booleans(), st.sampled_from(DTYPES), st.integers(0, 3))
def test_product_is_numpys(rows, K, N, transposed, dtype, spare):
    a = numbers(dtype, rows, K + spare)
    weight = numbers(dtype, K, N)
    panels = packed(weight.T.copy() if transposed else weight, transposed)
    out = np.full((rows, N + spare), 7, dtype)
    call = function("rows_times_packed", dtype)
    arguments = (K, address(panels), address(out), N + spare, N)
    call(address(a), K + spare, rows, *arguments, 0, 0)
    np.testing.assert_array_equal(out[:, :N], a[:, :K] @ weight)
    call(address(a), K + spare, rows, *arguments, 1, 0)
    np.testing.assert_array_equal(out[:, :N], 2 * (a[:, :K] @ weight))
    np.testing.assert_array_equal(out[:, N:], 7)  # nothing is written beside the result


@pytest.mark.parametrize("dtype", DTYPES)
def test_more_rows_than_the_second_cache_holds(dtype):
    rows = products.MR * (2 * products.TILES + 1) + 1
    a, weight = numbers(dtype, rows, 5), numbers(dtype, 5, 3)
    out = np.full((rows, 3), np.nan, dtype)
    panels = packed(weight)
    function("rows_times_packed", dtype)(
        address(a), 5, rows, 5, address(panels), address(out), 3, 3, 0, 0
    )
    np.testing.assert_array_equal(out, a @ weight)


@settings(max_examples=30)
@given(st.integers(1, 4), sizes, sizes, st.integers(0, 3), st.sampled_from(DTYPES))
def test_copied_groups_of_rows(groups, rows, N, apart, dtype):
    a = numbers(dtype, groups, rows + apart, N)  # a part of the batch at each of some time steps
    own, back = np.full((groups, rows, N), np.nan, dtype), np.full_like(a, 7)
    call = function("copy_rows", dtype)
    whole = ((rows + apart) * N, N)
    call(address(a), *whole, address(own), rows * N, N, groups, rows, N)
    np.testing.assert_array_equal(own, a[:, :rows])
    call(address(own), rows * N, N, address(back), *whole, groups, rows, N)
    np.testing.assert_array_equal(back[:, :rows], own)
    assert (back[:, rows:] == 7).all()


@settings(max_examples=40)
@given(sizes, sizes, sizes, st.integers(1, 3), st.sampled_from(DTYPES))
def test_outer_products_are_added(K, M, N, parts, dtype):
    """As the steps do it: each part adds its own, panel by panel, and at the end all are summed."""
    a, g = numbers(dtype, parts, 2, K, M), numbers(dtype, parts, 2, K, N)
    panel_columns = products.packed_size(1, 1, a.itemsize)
    panel = np.empty((K, panel_columns), dtype)
    sums = np.full((parts, products.packed_size(M, N, a.itemsize) + 5), np.nan, dtype)
    out = np.full((M, N), np.nan, dtype)
    for part in range(parts):
        for add in (0, 1):
            for p in range(0, N, panel_columns):
                columns = min(panel_columns, N - p)
                source = address(g[part, add]) + p * g.itemsize
                function("pack_rows", dtype)(source, N, columns, K, address(panel))
                function("add_outer", dtype)(
                    address(a[part, add]), M, K, M, address(panel),
                    address(sums[part]) + p * M * g.itemsize, columns, add,
                )  # fmt: skip
    for part in range(parts):
        own = address(sums[part])
        function("sum_parts", dtype)(part, parts, own, sums.strides[0], M, N, address(out))
    np.testing.assert_array_equal(out, np.einsum("pqkm,pqkn->mn", a, g))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_inf_stay_in_their_row(dtype):
    a, weight = numbers(dtype, 9, 5), numbers(dtype, 5, 7)
    a[2, 3], a[4, 1] = np.nan, np.inf
    panels = packed(weight)
    out = np.empty((9, 7), dtype)
    function("rows_times_packed", dtype)(
        address(a), 5, 9, 5, address(panels), address(out), 7, 7, 0, 0
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
kernel = micro_kernel("f4", 5, 2, {width})

def tile(K, table, columns, row, add):
    kernel(word(table, 0), row, 1, word(table, 1), {width // 2}, word(table, 2), columns, K,
           columns, add)
"""
    K, columns = 9, width // 2 - 1
    a, panel = numbers("f4", 5, K), numbers("f4", K, width // 2)
    out = np.zeros((6, columns), np.float32)
    table = np.array([address(a), address(panel), address(out)], np.int64)
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5)
    kind(native.load(source)["tile"])(K, address(table), columns, K, 0)
    np.testing.assert_array_equal(out[:5], a @ panel[:, :columns])
    assert not out[5].any()
