"""Ops along rows, products and shapes: inside a compiled step each equals the loop."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import ops
from tinygrad_seq.machine import runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

T, B, H = 3, 4, 19
RNG = np.random.default_rng(1)


def leaf(*shape, dtype="float64"):
    return tg.Tensor((RNG.standard_normal(shape) * 0.5).astype(dtype), requires_grad=True)


W, V, BIAS, SUMMARY, MASK = leaf(H, H), leaf(H), leaf(H), leaf(B, H), RNG.random((B, H)) < 0.5
LEAVES = [W, V, BIAS, SUMMARY]
PLACED = slice(3, 8)

OPS = {  # of a, b (B, H); what they give is (B, H), (B, n) or (B,)
    "sum": lambda a, b: ops.sum(a * b, axis=-1) + a.sum(axis=1),
    "mean": lambda a, b: a - ops.mean(a, axis=-1, keepdims=True),
    "max": lambda a, b: ops.max(a, axis=1, keepdims=True) * b,
    "min": lambda a, b: ops.min(a, axis=-1),
    "var": lambda a, b: a / ops.sqrt(ops.var(b, axis=-1, keepdims=True) + 1e-3),
    "std": lambda a, b: a / ops.std(b, axis=1, ddof=1, keepdims=True),
    "softmax": lambda a, b: ops.softmax(a) * b,
    "log_softmax": lambda a, b: ops.log_softmax(a, axis=1),
    "logsumexp": lambda a, b: ops.logsumexp(a, axis=-1, keepdims=True) + b,
    "layer_norm": lambda a, b: ops.layer_norm(a, (H,), V, BIAS),
    "matmul": lambda a, b: ops.tanh(a @ W) @ W.T,
    "matmul with a vector": lambda a, b: (a @ V)[:, None] * b,
    "linear": lambda a, b: ops.linear(a, W, BIAS) * ops.linear(b, W),
    "split": lambda a, b: ops.concat(ops.split(a, [3, 8], axis=1)[::-1], axis=-1),
    "slices": lambda a, b: a[:, 2:9] * b[:, -8:-1] + a[..., 1:2],
    "slices that overlap": lambda a, b: a[:, 2:9][:, 1:5] * a[:, 4:8] + b[:, 3:7],
    "of a number repeated": lambda a, b: (
        ops.sum(ops.broadcast_to(a[:, 1:2], (B, H)), axis=-1)
        * ops.max(ops.broadcast_to(b[:, :1], (B, H))[:, 2:], axis=-1)
    ),
    "place": lambda a, b: ops.place(a[:, :5], (B, H), (slice(None), PLACED)) + b,
    "shapes": lambda a, b: (
        ops.expand_dims(a[:, 0], 1) * ops.squeeze(ops.reshape(b[:, 1], (B, 1)), 1)[:, None]
        + ops.broadcast_to(a[:, 2:3], (B, H))
    ),
    "a column as a number": lambda a, b: a[:, 3] * b[:, 4] + ops.sum(a, axis=1),
    "where": lambda a, b: ops.where(MASK, a, b) + ops.masked_fill(a, ~MASK, -1.0),
    "an encoder's summary": lambda a, b: a * SUMMARY + SUMMARY,
    "numbers": lambda a, b: a * V[0] + (b * W[1:2]) * 2.5,
}


def scanned(functions):
    """Outputs of a step with these functions in it, gradients, the step."""
    rng = np.random.default_rng(3)
    x, h = (tg.Tensor(rng.standard_normal(s), requires_grad=True) for s in ((T, B, H), (B, H)))

    def step(h, x):
        outs = tuple(f(h + 0.5 * x, x * BIAS) for f in functions)
        rows = sum(o if o.ndim == 2 and o.shape[1] == H else 0.0 for o in outs)
        return ops.tanh(0.3 * h + 0.2 * rows), outs

    final, outs = tg.scan(step, x, h)
    weights = [rng.standard_normal(o.shape) for o in outs]
    loss = (final * final).sum() + sum((o * w).sum() for o, w in zip(outs, weights, strict=True))
    return [final, *outs], tg.grad(loss, [x, h, *LEAVES], allow_unused=True), (step, x, h)


@pytest.mark.parametrize("names", [sorted(OPS)[i::5] for i in range(5)], ids=lambda names: names[0])
def test_inside_a_compiled_step_it_equals_the_loop(names):
    functions = [OPS[name] for name in names]
    found, grads, call = scanned(functions)
    with tg.unrolled():
        wanted, expected, _ = scanned(functions)
    assert tg.explain(*call).reason is None
    for name, a, b in zip(["state", *names], found, wanted, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-11, atol=1e-13, err_msg=name)
    for i, (a, b) in enumerate(zip(grads, expected, strict=True)):
        if b is not None:
            np.testing.assert_allclose(a.array, b.array, rtol=1e-9, atol=1e-12, err_msg=str(i))


def test_sums_of_a_row_wait_for_no_factor():
    """Layer norm's gradient has three sums of a row: two of them at once, the third is 0."""

    def step(h, x):
        h = ops.layer_norm(x + h, (H,))
        return h, h

    x, h = leaf(T, B, H), leaf(B, H)
    told = tg.explain(step, x, h)
    assert told.source.rpartition("def chunk")[2].count("= loop") == 1  # two sums, in one loop
    found = tg.grad((tg.scan(step, x, h)[1] ** 3).sum(), [x, h])
    with tg.unrolled():
        wanted = tg.grad((tg.scan(step, x, h)[1] ** 3).sum(), [x, h])
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-9, atol=1e-12)


def test_a_row_s_sum_taken_apart_is_its_sum():
    """Parts with factors that are row sums themselves, signs, quotients, numbers beside rows."""

    def step(h, x):
        s, m = ops.sum(x * h, axis=-1, keepdims=True), ops.mean(x, axis=-1, keepdims=True)
        rows = x * s - (h / (2 + s * s) - (-x) * m) + (x - m) * s + s
        return ops.tanh(h + ops.sum(rows, axis=-1, keepdims=True)), rows * ops.sum(
            rows * s, axis=1
        )[:, None]

    x, h = leaf(T, B, H), leaf(B, H)
    found = []
    for context in (tg.enable_grad(), tg.unrolled()):
        with context:
            final, y = tg.scan(step, x, h)
            found.append([final, y, *tg.grad((y * y).sum() + final.sum(), [x, h])])
    assert tg.explain(step, x, h).reason is None
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-9, atol=1e-11)
