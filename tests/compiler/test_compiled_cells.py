"""Compiled equals unrolled: results and all gradients, for cells as users write them."""

import numpy as np
import pytest
from compiled_cells import CELLS, make

import tinygrad_seq as tg
from tinygrad_seq.machine import runtime

TOLERANCE = {"float32": 2e-5, "float64": 1e-11}


def results(step, xs, hs, parameters, **options):
    """Everything that a scan gives, and the gradients of everything that went in."""
    final, outputs = tg.scan(step, xs, hs, **options)
    outs = [*final, *(outputs if isinstance(outputs, tuple) else (outputs,))]
    rng = np.random.default_rng(5)
    weights = [tg.Tensor(rng.standard_normal(o.shape).astype(o.dtype)) for o in outs]
    loss = sum((o * w).sum() for o, w in zip(outs, weights, strict=True))
    leaves = [*xs, *hs, *parameters]
    return outs, tg.grad(loss, leaves)


def assert_same(name, steps, batch, dtype, **options):
    step, xs, hs, parameters = make(name, steps, batch, dtype)
    found = results(step, xs, hs, parameters, **options)
    with tg.unrolled():
        wanted = results(step, xs, hs, parameters, **options)
    for part, (some, others) in enumerate(zip(found, wanted, strict=True)):
        for i, (a, b) in enumerate(zip(some, others, strict=True)):
            assert a.shape == b.shape
            assert a.dtype == b.dtype
            scale = max(1.0, float(np.abs(b.array).max(initial=0)))
            error = np.abs(a.array - b.array).max(initial=0) / scale
            assert error < TOLERANCE[dtype], (("result", "gradient")[part], i, error)


@pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_compiled(name):
    step, xs, hs, _ = make(name, 3, 4, "float32")
    assert tg.explain(step, xs, hs).reason is None


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("steps", "batch"), [(6, 4), (1, 3), (5, 1), (40, 37)])
@pytest.mark.parametrize("name", CELLS)
def test_compiled_equals_unrolled(name, steps, batch, dtype):
    assert_same(name, steps, batch, dtype)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_with_lengths_in_both_directions(name, reverse):
    assert_same(name, 6, 4, "float64", lengths=[6, 0, 1, 4], reverse=reverse)
