"""Every op of the table: value, derivatives of orders 1 and 2, dtypes, layouts, backends."""

import numpy as np
import pytest

import tinygrad_seq as tg
from ops.cases import (
    elementwise_cases,
    indexing_cases,
    loss_cases,
    product_cases,
    reduction_cases,
    shape_cases,
)
from tinygrad_seq import ops
from tinygrad_seq.engine.backend import NUMPY, convert, get_backend
from tinygrad_seq.engine.primitive import registry
from tinygrad_seq.testing import check_grads

MODULES = (
    elementwise_cases,
    reduction_cases,
    shape_cases,
    indexing_cases,
    product_cases,
    loss_cases,
)
CASES = [case for module in MODULES for case in module.CASES]
DIFFERENTIABLE = [case for case in CASES if case.differentiable]
TOLERANCE = {"float64": 1e-12, "float32": 3e-6, "float16": 8e-3}


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def test_every_op_is_in_the_table():
    known = {case.op for case in CASES}
    declared = {
        n for n, op in registry.items() if op.forward.__module__.startswith("tinygrad_seq.")
    }
    assert declared | set(ops.__all__) - {"RowSparseTensor"} == known


def test_names_of_cases_are_unique():
    names = [case.name for case in CASES]
    assert [name for name in set(names) if names.count(name) > 1] == []


def outputs(case, leaves):
    outs = case.function(*leaves)
    return outs if isinstance(outs, tuple) else (outs,)


def leaves_of(case, arrays):
    wanted = case.differentiable
    return [tg.Tensor(a, requires_grad=n in wanted) for n, a in enumerate(arrays)]


def weights(outs):
    """Return a cotangent for each result that has a gradient, none of it 0."""
    rng = np.random.default_rng(5)
    drawn = [rng.uniform(0.5, 1.5, o.shape).astype(o.dtype) for o in outs if o.requires_grad]
    backends = [get_backend(o.backend) for o in outs if o.requires_grad]
    return [tg.Tensor(convert(np.asarray(w), b)) for w, b in zip(drawn, backends, strict=True)]


def gradients(case, leaves, create_graph=False):
    """Return the gradients of the leaves, None where nothing flows."""
    outs = outputs(case, leaves)
    gs = weights(outs)
    inputs = [leaf for leaf in leaves if leaf.requires_grad]
    tops = [o for o in outs if o.requires_grad]
    if not tops:
        return [None] * len(inputs)
    return tg.grad(tops, inputs, gs, create_graph=create_graph, allow_unused=True)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@every(CASES)
def test_value_and_dtype(case, dtype):
    arrays = case.arrays(dtype)
    wanted = case.reference(*map(exact, arrays))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    outs = outputs(case, leaves_of(case, arrays))
    assert len(outs) == len(wanted)
    fixed = case.op == "one_hot"
    for out, value in zip(outs, map(np.asarray, wanted), strict=True):
        assert out.dtype == (dtype if value.dtype == np.float64 and not fixed else value.dtype)
        assert out.shape == value.shape
        assert isinstance(out.array, np.ndarray)
        tolerance = TOLERANCE[dtype]
        np.testing.assert_allclose(out.array, value, rtol=tolerance, atol=tolerance)


@every(DIFFERENTIABLE)
def test_derivatives_of_two_orders(case):
    check_grads(lambda *xs: case.function(*xs), leaves_of(case, case.arrays()))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@every(DIFFERENTIABLE)
def test_gradients_keep_shape_and_dtype(case, dtype):
    arrays = case.arrays(dtype)
    leaves = leaves_of(case, arrays)
    wanted = gradients(case, leaves_of(case, [exact(a) for a in arrays]))
    for create_graph in (False, True):
        found = gradients(case, leaves, create_graph)
        inputs = [leaf for leaf in leaves if leaf.requires_grad]
        for g, right, x in zip(found, wanted, inputs, strict=True):
            assert (g is None) == (right is None)
            if g is not None:
                assert (g.shape, g.dtype) == (x.shape, x.dtype)
                if dtype == "float32":
                    np.testing.assert_allclose(g.array, right.array, rtol=2e-5, atol=2e-5)


def exact(array):
    return array.astype(float) if array.dtype.kind == "f" else array


def transposed(a):
    return np.array(a.T, order="C").T


def every_second(a):
    return np.repeat(a, 2, -1)[..., ::2] if a.ndim else a


def backwards(a):
    flipped = (slice(None, None, -1),) * a.ndim
    return np.asarray(a[flipped]).copy()[flipped] if a.ndim else a


@pytest.mark.parametrize("layout", [transposed, every_second, backwards])
@every([case for case in CASES if any(np.prod(i.shape) > 1 for i in case.inputs)])
def test_layout_makes_no_difference(case, layout):
    plain, strided = case.arrays(), [layout(a) for a in case.arrays()]
    one, other = leaves_of(case, plain), leaves_of(case, strided)
    for a, b in zip(outputs(case, one), outputs(case, other), strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-13, atol=1e-13)
    for a, b in zip(gradients(case, one), gradients(case, other), strict=True):
        if a is not None:
            np.testing.assert_allclose(a.array, b.array, rtol=1e-13, atol=1e-13)


def orders_0_to_2(case, backend):
    """Return the results, gradients and gradients of gradients, on the host."""
    leaves = leaves_of(case, [convert(a, backend) for a in case.arrays()])
    found = [*outputs(case, leaves), *gradients(case, leaves)]
    if case.differentiable:
        first = [g for g in gradients(case, leaves, create_graph=True) if g is not None]
        found += first
        tops = [g for g in first if g.requires_grad]
        if tops:
            inputs = [leaf for leaf in leaves if leaf.requires_grad]
            found += tg.grad(tops, inputs, weights(tops), allow_unused=True)
    places = {t.backend for t in found if t is not None}
    assert places <= {backend.name, "numpy" if case.op == "to_backend" else backend.name}
    return [None if t is None else convert(t.array, NUMPY) for t in found]


@every(CASES)
def test_backends_agree(case, backend_name):
    wanted = orders_0_to_2(case, NUMPY)
    found = orders_0_to_2(case, get_backend(backend_name))
    tolerance = 1e-10 if backend_name == "cupy" else 1e-13
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None and not (case.op == "dropout" and backend_name == "cupy"):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
