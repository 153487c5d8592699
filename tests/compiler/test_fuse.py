"""Fused functions of rows: values and derivatives, shapes, closures, and what runs op by op."""

import logging
import threading

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.compiler import fuse as fuse_module
from tinygrad_seq.machine import runtime
from tinygrad_seq.testing import check_grads

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")


@pytest.fixture(autouse=True)
def _nothing_is_small(monkeypatch):
    monkeypatch.setattr(fuse_module, "SMALL", 1)


def normal(*shape, seed=0, dtype="float64"):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def layer_norm(x, weight, bias):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred * centred).mean(axis=-1, keepdims=True)
    return centred / ops.sqrt(variance + 1e-5) * weight + bias


def cross_entropy(x, targets):
    return -ops.pick(ops.log_softmax(x, -1), targets)


def gated(x, y, z):
    a, b = ops.split(x, 2, axis=-1)
    return ops.tanh(a) * ops.sigmoid(b) + y[:, None], ops.sum(z * a, axis=-1)


FUNCTIONS = {  # function, shapes of its arguments for N rows of width W
    "gelu": (ops.gelu, lambda n, w: [(n, w)]),
    "softmax": (lambda x: ops.softmax(x, -1), lambda n, w: [(n, w)]),
    "layer_norm": (layer_norm, lambda n, w: [(n, w), (w,), (w,)]),
    "residual": (lambda x, y, s: x + y * s, lambda n, w: [(n, w), (n, w), (1,)]),
    "numbers of rows": (
        lambda x, m: (x * m[:, None]).sum(axis=-1) / m,
        lambda n, w: [(n, w), (n,)],
    ),
    "one column": (lambda x, m: x * m + m, lambda n, w: [(n, w), (n, 1)]),
    "product": (lambda x, a: ops.relu(x @ a + 0.5), lambda n, w: [(n, w), (w, 3)]),
    "gates": (gated, lambda n, w: [(n, 2 * w), (n,), (n, w)]),
    "logsumexp": (lambda x: ops.logsumexp(x, -1), lambda n, w: [(n, w)]),
}
SIZES = [(1, 1), (1, 7), (5, 1), (7, 33), (40, 16), (3, 3)]


def outputs(function, leaves):
    outs = function(*leaves)
    return outs if isinstance(outs, tuple) else (outs,)


def gradients(function, leaves):
    """Results, gradients, and gradients of the gradients' squares."""
    outs = outputs(function, leaves)
    weights = [tg.Tensor(normal(*o.shape, seed=9, dtype=o.dtype)) for o in outs]
    first = tg.grad(outs, leaves, weights, create_graph=True)
    again = outputs(function, leaves)
    plain = tg.grad(again, leaves, weights)
    second = tg.grad([(g * g).sum() for g in first if g.requires_grad] or [first[0].sum()], leaves,
                     allow_unused=True) if any(g.requires_grad for g in first) else ()  # fmt: skip
    return [*outs, *plain, *first, *second]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_equals_its_definition_to_second_order(name, size, dtype):
    function, shapes = FUNCTIONS[name]
    arrays = [
        normal(*s, seed=i, dtype=dtype) + 2 * (len(s) == 1) for i, s in enumerate(shapes(*size))
    ]
    leaves = [tg.Tensor(a, requires_grad=True) for a in arrays]
    found = gradients(tg.fuse(function), leaves)
    for a, b in zip(found, gradients(function, leaves), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == dtype
            scale = max(1.0, np.abs(b.array).max())
            tolerance = 1e-11 if dtype == "float64" else 1e-4
            np.testing.assert_allclose(a.array / scale, b.array / scale, atol=tolerance)


def op_of(tensor):
    return tensor.place[0].op.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_is_one_node(name):
    function, shapes = FUNCTIONS[name]
    leaves = [tg.Tensor(normal(*s), requires_grad=True) for s in shapes(5, 7)]
    assert {op_of(o) for o in outputs(tg.fuse(function), leaves)} == {"fused"}
    with tg.unrolled():
        assert "fused" not in {op_of(o) for o in outputs(tg.fuse(function), leaves)}
    told = tg.explain(tg.fuse(function), *leaves)
    assert told.reason is None
    assert "column_loop" in told.source


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "classes"), [(1, 1), (5, 1), (6, 40), (3, 1000)])
def test_cross_entropy_picks_columns(rows, classes, dtype):
    targets = np.random.default_rng(0).integers(0, classes, rows)
    found = []
    for function in (tg.fuse(cross_entropy), ops.cross_entropy_rows):
        x = tg.Tensor(normal(rows, classes, dtype=dtype), requires_grad=True)
        losses = function(x, targets)
        (g,) = tg.grad(losses, [x], normal(rows, seed=1, dtype=dtype))
        found.append((losses.array, g.array))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6 if dtype == "float32" else 1e-13)
    x = tg.Tensor(normal(4, 5), requires_grad=True)
    check_grads(lambda x: tg.fuse(cross_entropy)(x, np.array([0, 4, 2, 2])), [x], order=2)


def test_cross_entropy_and_layer_norm_use_it():
    x = tg.Tensor(normal(64, 128, dtype="float32"), requires_grad=True)
    weight = tg.Tensor(normal(128, dtype="float32"), requires_grad=True)
    assert op_of(ops.layer_norm(x, (128,), weight)) == "fused"
    targets = np.arange(64)
    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            loss = ops.cross_entropy(
                ops.layer_norm(x, (128,), weight, eps=1e-3), targets, ignore_index=3
            )
            found.append([loss, *tg.grad(loss, [x, weight])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-4, atol=1e-6)
    with pytest.raises(IndexError, match="out of range"):
        ops.cross_entropy(x, targets + 100)


@pytest.mark.parametrize("shape", [(4, 3, 8), (2, 2, 3, 8), (8,)])
def test_leading_axes_are_flattened_and_come_back(shape):
    x = tg.Tensor(normal(*shape), requires_grad=True)
    numbers = tg.Tensor(normal(*shape[:-1]), requires_grad=True) if len(shape) > 1 else None

    def function(x, *rest):
        assert x.ndim == 2
        y = ops.softmax(x, -1)
        return y * rest[0][:, None] if rest else y

    leaves = [x] if numbers is None else [x, numbers]
    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            y = tg.fuse(function)(*leaves)
            found.append([y, *tg.grad((y * y).sum(), leaves)])
    for a, b in zip(*found, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.array, b.array, rtol=1e-12)
    assert found[0][0].shape == shape


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_empty_rows_equal_the_definition(shape):
    x = tg.Tensor(normal(*shape), requires_grad=True)
    y = tg.fuse(lambda x: ops.tanh(x) * 2)(x)
    assert y.shape == shape
    assert tg.grad(y.sum(), x).shape == shape


def test_layout_of_memory_does_not_matter():
    base = normal(12, 10)
    for array in (base[::2, ::-1], np.asfortranarray(base), base.T):
        x = tg.Tensor(array, requires_grad=True)
        y = tg.fuse(lambda x: ops.softmax(x, -1) * x)(x)
        plain = ops.softmax(x, -1) * x
        np.testing.assert_allclose(y.array, plain.array, rtol=1e-12)
        for a, b in zip(*(tg.grad((v * v).sum(), [x]) for v in (y, plain)), strict=True):
            np.testing.assert_allclose(a.array, b.array, rtol=1e-10, atol=1e-14)


def test_a_closure_that_changes_is_noticed():
    scale, factor = tg.Tensor(normal(7), requires_grad=True), 2.0
    x = tg.Tensor(normal(5, 7), requires_grad=True)
    fused = tg.fuse(lambda x: ops.tanh(x * scale) * factor)
    for _ in range(3):
        y = fused(x)
        np.testing.assert_allclose(y.array, np.tanh(x.array * scale.array) * factor, rtol=1e-12)
        (g,) = tg.grad(y.sum(), [scale])
        wanted = (factor * x.array * (1 - np.tanh(x.array * scale.array) ** 2)).sum(axis=0)
        np.testing.assert_allclose(g.array, wanted, rtol=1e-10)
        factor += 1.0
        scale = tg.Tensor(normal(7, seed=int(factor)), requires_grad=True)


def test_what_is_detached_has_no_gradient():
    x = tg.Tensor(normal(5, 7), requires_grad=True)
    (g,) = tg.grad(tg.fuse(lambda x: ops.tanh(x) * x.detach())(x).sum(), [x])
    np.testing.assert_allclose(g.array, (1 - np.tanh(x.array) ** 2) * x.array, rtol=1e-12)


def test_it_is_traced_once_for_what_it_depends_on(monkeypatch):
    calls, scale = [], tg.Tensor(normal(7), requires_grad=True)
    original = fuse_module.traced_rows
    monkeypatch.setattr(fuse_module, "traced_rows", lambda *a: calls.append(1) or original(*a))
    fused = tg.fuse(lambda x, k: x * scale * k)
    x = tg.Tensor(normal(5, 7), requires_grad=True)
    for k, traced in ((2.0, True), (2.0, False), (3.0, True), (2.0, False)):
        calls.clear()
        y = fused(x, k)
        assert bool(calls) == traced
        np.testing.assert_allclose(y.array, x.array * scale.array * k, rtol=1e-12)
        (g,) = tg.grad(y.sum(), [scale])
        np.testing.assert_allclose(g.array, x.array.sum(axis=0) * k, rtol=1e-10)


def test_options_and_plain_numbers_are_constants():
    fused = tg.fuse(lambda x, power, shift=0.0: x**power + shift)
    x = tg.Tensor(np.abs(normal(5, 7)))
    for power, shift in ((2, 1.0), (3, 1.0), (2, -1.0)):
        wanted = x.array**power + shift
        np.testing.assert_allclose(fused(x, power, shift=shift).array, wanted, rtol=1e-12)


def test_inside_a_scan_it_is_part_of_the_step():
    w = tg.Tensor(normal(4, 4), requires_grad=True)
    fused = tg.fuse(lambda h, x: ops.tanh(x + h))
    x, zeros = tg.Tensor(normal(5, 3, 4), requires_grad=True), tg.Tensor(np.zeros((3, 4)))
    found = []
    for function in (fused, fused.fused):
        y = tg.scan(lambda h, x, f=function: (f(h @ w, x), h), x, zeros)[1]
        assert op_of(y) == "scan"
        found.append([y, *tg.grad(y.sum(), [x, w])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a.array, b.array)


def test_in_no_grad_checkpoint_and_threads():
    x = tg.Tensor(normal(6, 9), requires_grad=True)
    fused = tg.fuse(layer_norm)
    w, b = tg.Tensor(normal(9), requires_grad=True), tg.Tensor(normal(9))
    wanted = layer_norm(x, w, b)
    with tg.no_grad():
        y = fused(x, w, b)
        assert y.place is None
        np.testing.assert_allclose(y.array, wanted.array, rtol=1e-12)
    y = tg.checkpoint(fused, x, w, b)
    for a, c in zip(tg.grad((y * y).sum(), [x, w]), tg.grad((wanted * wanted).sum(), [x, w]),
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(a.array, c.array, rtol=1e-9, atol=1e-12)
    found = [None] * 4

    def run(i):
        for _ in range(20):
            found[i] = fused(x, w, b).array.copy()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for y in found:
        np.testing.assert_array_equal(y, found[0])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_the_rows(threads):
    before = tg.get_num_threads()
    x, w = tg.Tensor(normal(7, 9), requires_grad=True), tg.Tensor(normal(9), requires_grad=True)
    try:
        tg.set_num_threads(threads)
        y = tg.fuse(layer_norm)(x, w, w)
        found = tg.grad((y * y).sum(), [x, w])
    finally:
        tg.set_num_threads(before)
    wanted = layer_norm(x, w, w)
    for a, b in zip(found, tg.grad((wanted * wanted).sum(), [x, w]), strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-9, atol=1e-12)


def mixes_rows(x):
    return x - x.mean(axis=0)


def branches(x):
    return x if float(x.sum()) > 0 else -x


def draws(x):
    return ops.dropout(x, 0.5)


@pytest.mark.parametrize("function", [mixes_rows, branches, draws, lambda x: ops.cumsum(x, axis=1)])
def test_what_cannot_be_compiled_runs_as_it_is_and_says_so_once(function, caplog):
    x = tg.Tensor(normal(4, 5), requires_grad=True)
    fused = tg.fuse(function)
    with caplog.at_level(logging.WARNING, "tinygrad_seq"):
        for _ in range(2):
            tg.manual_seed(0)
            y = fused(x)
            tg.manual_seed(0)
            np.testing.assert_array_equal(y.array, function(x).array)
    assert len([r for r in caplog.records if "runs op by op" in r.message]) <= 1
    assert tg.explain(fused, x).reason
    assert "op by op" in str(tg.explain(fused, x))


@pytest.mark.parametrize("dtype", ["float16", "int64"])
def test_other_dtypes_run_op_by_op(dtype):
    x = tg.Tensor(np.arange(12).reshape(3, 4).astype(dtype))
    y = tg.fuse(lambda x: x * x + x)(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.array, x.array * x.array + x.array)


def test_backends_agree(backend_name):
    x = tg.tensor(normal(4, 5), requires_grad=True)
    y = tg.fuse(layer_norm)(x, tg.tensor(normal(5)), tg.tensor(normal(5, seed=1)))
    assert y.backend == backend_name
    wanted = layer_norm(
        *(tg.Tensor(a).to("numpy") for a in (normal(4, 5), normal(5), normal(5, seed=1)))
    )
    np.testing.assert_allclose(
        y.detach().to("numpy").numpy(), wanted.to("numpy").numpy(), rtol=1e-10
    )


def test_errors_are_those_of_the_ops():
    fused = tg.fuse(lambda x, y: x + y)
    with pytest.raises(ValueError, match="add"):
        fused(tg.tensor(normal(3, 4)), tg.tensor(normal(3, 5)))
    with pytest.raises(TypeError, match="one dtype"):
        fused(tg.tensor(normal(3, 4)), tg.tensor(normal(3, 4, dtype="float32")))


def test_a_kept_array_that_is_written_into_is_noticed():
    array = normal(4, 5)
    x, w = tg.Tensor(array), tg.Tensor(normal(5), requires_grad=True)
    y = tg.fuse(lambda x, w: ops.tanh(x * w))(x, w)
    array[:] = 0
    with pytest.raises(RuntimeError, match="written into"):
        y.sum().backward()


def test_a_large_vector_beside_as_many_rows():
    """(N,) beside (N, N) is a vector or numbers of the rows, as the function uses it."""
    x, v = tg.Tensor(normal(6, 6)), tg.Tensor(normal(6), requires_grad=True)
    for function in (lambda x, v: x * v, lambda x, v: x * v[:, None]):
        y = tg.fuse(function)(x, v)
        assert op_of(y) == "fused"
        np.testing.assert_allclose(y.array, function(x, v).array, rtol=1e-14)
        for a, b in zip(*(tg.grad(t.sum(), [v]) for t in (y, function(x, v))), strict=True):
            np.testing.assert_allclose(a.array, b.array, rtol=1e-12)


@pytest.mark.parametrize("together", [lambda w: w, lambda w: w.detach()])
def test_a_tensor_in_two_places_is_not_taken_for_two_others(together):
    x, w, b = (tg.Tensor(normal(*s), requires_grad=True) for s in ((40, 7), (7,), (7,)))
    for weight, bias in ((w, together(w)), (w, b), (b, w)):
        with tg.unrolled():
            y = ops.layer_norm(x, (7,), weight, bias)
            expected = [y, *tg.grad((y * y).sum(), [x, weight])]
        y = ops.layer_norm(x, (7,), weight, bias)
        found = [y, *tg.grad((y * y).sum(), [x, weight])]
        for a, e in zip(found, expected, strict=True):
            assert np.allclose(a.detach().numpy(), e.detach().numpy(), rtol=1e-9, atol=1e-12)
