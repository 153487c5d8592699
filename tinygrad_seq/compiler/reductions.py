"""Rules of ops that reduce rows, or the batch: sums, means, extremes, softmaxes."""

from __future__ import annotations

from typing import Any

from .expressions import Value
from .normalise import Normaliser, Operand, last_axis, rule
from .trace import Untraceable


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
