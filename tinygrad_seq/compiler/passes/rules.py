"""Rules of ops that are made of simpler ones: activations, powers, logic, sums, softmaxes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..tracing.trace import Untraceable
from .expressions import Value
from .normalise import Normaliser, Operand, last_axis, rule

# ---- elementwise ---------------------------------------------------------------------------------


def _boolean(n: Normaliser, x: Any) -> Value:
    """Return 1 or 0 for what a condition is."""
    known = isinstance(x, Operand) and x.symbol.dtype.kind == "b"
    return n.rows(x) if known else n.elementwise("not_equal", x, 0.0)


@rule("bitwise_and")
def _and(n: Normaliser, x: Any, y: Any) -> Value:
    return n.graph.apply("mul", _boolean(n, x), _boolean(n, y))


@rule("bitwise_or")
def _or(n: Normaliser, x: Any, y: Any) -> Value:
    return n.graph.apply("maximum", _boolean(n, x), _boolean(n, y))


@rule("invert")
def _not(n: Normaliser, x: Any) -> Value:
    return n.graph.apply("sub", 1.0, _boolean(n, x))


@rule("astype")
def _astype(n: Normaliser, x: Operand, dtype: Any) -> Value:
    return _boolean(n, x) if np.dtype(dtype).kind == "b" else n.rows(x)


@rule("detach")
def _detach(n: Normaliser, x: Operand) -> Value:
    return n.rows(x)


@rule("to_backend")
def _to_backend(n: Normaliser, x: Operand, name: str) -> Value:
    if name != "numpy":
        raise Untraceable(f"a part of the step is on {name}")
    return n.rows(x)


@rule("pow")
def _pow(n: Normaliser, x: Any, y: Any) -> Value:
    apply = n.graph.apply
    if not isinstance(y, (int, float)) or 2 * y != int(2 * y) or not 0.5 <= abs(y) <= 8:
        return n.elementwise("pow", x, y)
    base, whole = n.rows(x), int(abs(y))
    factors = [base] * whole + [apply("sqrt", base)] * (whole != abs(y))
    power = functools.reduce(lambda a, b: apply("mul", a, b), factors)
    return power if y > 0 else apply("div", 1.0, power)


@rule("clip")
def _clip(n: Normaliser, x: Any, min: Any, max: Any) -> Value:  # noqa: A002 - the op's own names
    value = n.rows(x)
    value = value if min is None else n.graph.apply("maximum", value, n.rows(min))
    return value if max is None else n.graph.apply("minimum", value, n.rows(max))


@rule("leaky_relu")
def _leaky_relu(n: Normaliser, x: Any, negative_slope: float) -> Value:
    apply, value = n.graph.apply, n.rows(x)
    return apply("where", apply("greater", value, 0.0), value, apply("mul", value, negative_slope))


@rule("elu")
def _elu(n: Normaliser, x: Any, alpha: float) -> Value:
    apply, value = n.graph.apply, n.rows(x)
    below = apply("mul", apply("expm1", apply("minimum", value, 0.0)), alpha)
    return apply("where", apply("greater", value, 0.0), value, below)


@rule("softplus")
def _softplus(n: Normaliser, x: Any, beta: float, threshold: float) -> Value:
    apply, value = n.graph.apply, n.rows(x)
    scaled = apply("mul", value, beta)
    soft = apply("div", apply("softplus", scaled), beta)
    return apply("where", apply("greater", scaled, threshold), value, soft)


@rule("logsigmoid")
def _logsigmoid(n: Normaliser, x: Any) -> Value:
    apply = n.graph.apply
    return apply("neg", apply("softplus", apply("neg", n.rows(x))))


@rule("gelu")
def _gelu(n: Normaliser, x: Any) -> Value:
    apply, value = n.graph.apply, n.rows(x)
    share = apply("mul", apply("erf", apply("mul", value, 0.5**0.5)), 0.5)
    return apply("mul", value, apply("add", share, 0.5))


@rule("isfinite")
def _isfinite(n: Normaliser, x: Operand) -> Value:
    value = n.rows(x)
    return n.graph.apply("equal", n.graph.apply("sub", value, value), 0.0)


# ---- along rows, and over the batch --------------------------------------------------------------


def _axes(x: Operand, axis: Any) -> tuple[int, ...]:
    chosen = range(len(x.shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return tuple(sorted(a % len(x.shape) for a in chosen))


@rule("sum")
def _sum(n: Normaliser, x: Operand, axis: Any, keepdims: bool) -> Value:
    value, axes = n.rows(x), _axes(x, axis)
    if all(x.shape[a] == 1 for a in axes) and (not value.rows or 0 not in axes or n.batch > 1):
        return value
    if not value.rows and value.width:
        raise Untraceable(f"sum over axes {axes} of {x.shape}")
    if 1 in axes and x.shape[1] > 1:
        value = n.graph.row_sum(value, x.shape[1])
    return n.graph.batch_sum(value, n.batch) if 0 in axes else value


@rule("mean")
def _mean(n: Normaliser, x: Operand, axis: Any, keepdims: bool) -> Value:
    last_axis("mean", x, axis)
    return n.graph.row_mean(n.rows(x), x.shape[1])


@rule("var")
def _var(n: Normaliser, x: Operand, axis: Any, ddof: int, keepdims: bool) -> Value:
    last_axis("var", x, axis)
    g, width = n.graph, x.shape[1]
    centred = g.apply("sub", n.rows(x), g.row_mean(n.rows(x), width))
    return g.apply("div", g.row_sum(g.apply("mul", centred, centred), width), width - ddof)


@rule("std")
def _std(n: Normaliser, x: Operand, axis: Any, ddof: int, keepdims: bool) -> Value:
    return n.graph.apply("sqrt", _var(n, x, axis, ddof, keepdims))


@rule("max")
def _max(n: Normaliser, x: Operand, axis: Any, keepdims: bool) -> Value:
    last_axis("max", x, axis)
    return n.graph.row_max(n.rows(x))


@rule("min")
def _min(n: Normaliser, x: Operand, axis: Any, keepdims: bool) -> Value:
    last_axis("min", x, axis)
    g = n.graph
    return g.apply("neg", g.row_max(g.apply("neg", n.rows(x))))


def _exponentials(n: Normaliser, name: str, x: Operand, axis: Any) -> tuple[Value, Value, Value]:
    """Return x less its largest column, the exponentials of that, and their sum."""
    last_axis(name, x, axis)
    g, value = n.graph, n.rows(x)
    shifted = g.apply("sub", value, g.row_max(value))
    e = g.apply("exp", shifted)
    return shifted, e, g.row_sum(e, x.shape[1])


@rule("softmax")
def _softmax(n: Normaliser, x: Operand, axis: int) -> Value:
    _, e, total = _exponentials(n, "softmax", x, axis)
    return n.graph.apply("div", e, total)


@rule("log_softmax")
def _log_softmax(n: Normaliser, x: Operand, axis: int) -> Value:
    shifted, _, total = _exponentials(n, "log_softmax", x, axis)
    return n.graph.apply("sub", shifted, n.graph.apply("log", total))


@rule("logsumexp")
def _logsumexp(n: Normaliser, x: Operand, axis: Any, keepdims: bool) -> Value:
    _, _, total = _exponentials(n, "logsumexp", x, axis)
    return n.graph.apply("add", n.graph.apply("log", total), n.graph.row_max(n.rows(x)))
