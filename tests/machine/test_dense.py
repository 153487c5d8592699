"""Large products on our own threads equal NumPy's, for any layout, with and without a bias."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.machine import runtime
from tinygrad_seq.machine.products import dense


@pytest.fixture(autouse=True)
def _nothing_is_small(monkeypatch):
    monkeypatch.setattr(dense, "SMALL", 1)


def normal(*shape, seed=0, dtype="float64"):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


LAYOUTS = {
    "plain": lambda a: a,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "strided": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "one row for all": lambda a: np.broadcast_to(a[:1], a.shape),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 5, 2), (13, 7, 33), (40, 64, 65), (25, 300, 31)])
def test_products(sizes, layout, dtype):
    m, k, n = sizes
    x, y = LAYOUTS[layout](normal(m, k, dtype=dtype)), LAYOUTS[layout](normal(k, n, dtype=dtype))
    for bias in (None, normal(n, seed=1, dtype=dtype)):
        exact = x.astype(float) @ y.astype(float) + (0 if bias is None else bias)
        found = dense.product(x, y, bias)
        assert found.dtype == dtype
        tolerance = 1e-12 if dtype == "float64" else 2e-5
        np.testing.assert_allclose(found, exact, rtol=tolerance, atol=tolerance * k**0.5)


@pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
def test_rows_do_not_depend_on_the_others_nor_on_threads():
    x, y, before = normal(50, 40), normal(40, 33), tg.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            tg.set_num_threads(threads)
            found.append(dense.product(x, y))
    finally:
        tg.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


@pytest.mark.parametrize(("x", "y"), [((3, 4), (5, 6)), ((0, 4), (4, 5)), ((4, 0), (0, 5))])
def test_shapes_that_do_not_fit_or_are_empty(x, y):
    if x[1] != y[0]:
        with pytest.raises(ValueError, match="matmul"):
            dense.product(np.zeros(x), np.zeros(y))
    else:
        np.testing.assert_array_equal(
            dense.product(np.zeros(x), np.zeros(y)), np.zeros((x[0], y[1]))
        )


def test_linear_of_many_rows_and_its_gradients():
    leaves = [
        tg.Tensor(a, requires_grad=True) for a in (normal(4, 9, 20), normal(31, 20), normal(31))
    ]
    x, w, b = (t.array for t in leaves)
    y = ops.linear(*leaves)
    np.testing.assert_allclose(y.array, x @ w.T + b, rtol=1e-12, atol=1e-12)
    g = normal(4, 9, 31, seed=3)
    dx, dw, db = (t.array for t in tg.grad(y, leaves, g))
    np.testing.assert_allclose(dx, g @ w, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(dw, np.tensordot(g, x, ((0, 1), (0, 1))), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(db, g.sum(axis=(0, 1)), rtol=1e-11, atol=1e-12)
