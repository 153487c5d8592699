"""Cells as users write them, one step each: (name, step, widths of inputs, of states, parameters).

A step takes (state, inputs, parameters); the tests close over the parameters.
"""

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import ops

D, H = 5, 7


def layer_norm_lstm(state, xs, p):
    h, c = state
    a = ops.layer_norm(xs[0] @ p["wx"], (4 * H,), p["gx"], p["bx"])
    b = ops.layer_norm(h @ p["wh"], (4 * H,), p["gh"], p["bh"])
    i, f, g, o = ops.split(a + b, 4, axis=-1)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    h = ops.sigmoid(o) * ops.tanh(ops.layer_norm(c, (H,), p["gc"], p["bc"]))
    return (h, c), h


def peephole_zoneout(state, xs, p):
    x, keep = xs
    h, c = state
    i, f, g, o = ops.split(x @ p["wx"] + h @ p["wh"] + p["b"], 4, axis=-1)
    new = ops.sigmoid(f + c * p["pf"]) * c + ops.sigmoid(i + c * p["pi"]) * ops.tanh(g)
    hn = ops.sigmoid(o + new * p["po"]) * ops.tanh(new)
    new, hn = c + keep * (new - c), h + keep * (hn - h)
    return (hn, new), (hn, new * new)


def min_gru(state, xs, p):
    (h,) = state
    z, n = ops.split(ops.linear(xs[0], p["w"], p["b"]), 2, axis=-1)
    z = ops.sigmoid(z)
    h = h + z * (n - h)
    return (h,), h


def joined(state, xs, p):
    """One product of [x, h], slices, a transposed weight, a scalar parameter."""
    (h,) = state
    a = ops.concat([xs[0], h], axis=-1) @ p["w"].T
    h = ops.tanh(a[:, :H]) * p["scale"] + a[:, H:] * 0.3
    return (h,), h[:, 2:4]


def several(state, xs, p):
    """Several outputs, a constant for each sequence, a row of numbers, means and variances."""
    h, total = state
    h = ops.tanh(xs[0] @ p["w"] + h * p["u"] + p["summary"])
    mean, var = ops.mean(h, axis=-1, keepdims=True), ops.var(h, axis=-1, keepdims=True)
    n = (h - mean) / ops.sqrt(var + 1e-3)
    return (n, total + ops.sum(h, axis=-1, keepdims=True)), (n * n, var, mean)


def activations(state, xs, p):
    """Every elementwise op with a kernel."""
    (h,) = state
    a = xs[0] @ p["w"] + h
    b = ops.relu(a) + ops.leaky_relu(a, 0.1) + ops.elu(a) + ops.gelu(a)
    b = b + ops.softplus(a) + ops.logsigmoid(a) + ops.erf(a) + ops.clip(a, -0.4, 0.6)
    c = ops.exp(-ops.abs(a)) + ops.log(1.5 + a * a) + ops.log1p(a * a) + ops.expm1(-a * a)
    d = ops.where(a > 0.2, b, c) + ops.maximum(a, 0.1 * b) + ops.minimum(c, a) + a**3 / (1 + a**2)
    h = ops.tanh(0.1 * d - 0.2 * b + ops.sqrt(1 + c * c))
    return (h,), d * ops.sign(a)


def attention_free(state, xs, p):
    """Softmax along columns and a state of one column."""
    h, level = state
    weights = ops.softmax(xs[0] @ p["w"] + level * p["u"], axis=-1)
    level = 0.5 * level + ops.sum(weights * h, axis=-1, keepdims=True)
    h = ops.tanh(h * weights + level)
    return (h, level), ops.log_softmax(h, axis=-1) + ops.logsumexp(h, axis=-1, keepdims=True)


def two_products(state, xs, p):
    """Two dependent products in a step, one weight used twice."""
    (h,) = state
    r = ops.sigmoid(xs[0] @ p["wx"] + h @ p["w"])
    h = ops.tanh((r * h) @ p["w"] + ops.relu(xs[0] @ p["wx"]))
    return (h,), (h, r)


CELLS = {
    "layer_norm_lstm": (
        layer_norm_lstm, (D,), (H, H),
        {"wx": (D, 4 * H), "wh": (H, 4 * H), "gx": (4 * H,), "bx": (4 * H,), "gh": (4 * H,),
         "bh": (4 * H,), "gc": (H,), "bc": (H,)},
    ),
    "peephole_zoneout": (
        peephole_zoneout, (D, H), (H, H),
        {"wx": (D, 4 * H), "wh": (H, 4 * H), "b": (4 * H,), "pf": (H,), "pi": (H,), "po": (H,)},
    ),
    "min_gru": (min_gru, (D,), (H,), {"w": (2 * H, D), "b": (2 * H,)}),
    "joined": (joined, (D,), (H,), {"w": (2 * H, D + H), "scale": ()}),
    "several": (several, (D,), (H, 1), {"w": (D, H), "u": (H,), "summary": ("B", H)}),
    "activations": (activations, (D,), (H,), {"w": (D, H)}),
    "attention_free": (attention_free, (D,), (H, 1), {"w": (D, H), "u": (1, H)}),
    "two_products": (two_products, (D,), (H,), {"wx": (D, H), "w": (H, H)}),
}  # fmt: skip


def leaf(rng, shape, dtype):
    """A leaf of normal values."""
    values = rng.standard_normal(shape).astype(dtype)
    return tg.Tensor(np.ascontiguousarray(values) * values.dtype.type(0.6), requires_grad=True)


def make(name, steps, batch, dtype):
    """A step that closes over its parameters; its inputs, state and parameters, all leaves."""
    cell, widths, states, shapes = CELLS[name]
    rng = np.random.default_rng([steps, batch])
    xs = tuple(leaf(rng, (steps, batch, w), dtype) for w in widths)
    hs = tuple(leaf(rng, (batch, w), dtype) for w in states)
    p = {k: leaf(rng, tuple(batch if n == "B" else n for n in s), dtype) for k, s in shapes.items()}
    return lambda state, x: cell(state, x, p), xs, hs, list(p.values())
