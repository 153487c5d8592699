"""Ops that are made of others: defined in ops, or by a rule where it depends on what they take."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...tracing.trace import Symbol, Untraceable
from .expressions import Value
from .normalise import Normaliser, definitions, last_axis, rule


def _mean(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    total = ops.sum(x, axis, keepdims)
    return total / (x.size // total.size)


def _var(x: Tensor, axis: Any, ddof: int, keepdims: bool) -> Tensor:
    centred = x - _mean(x, axis, True)
    total = ops.sum(centred * centred, axis, keepdims)
    return total / (x.size // total.size - ddof)


def _clip(x: Tensor, min: Any, max: Any) -> Tensor:  # noqa: A002 - the op's own names
    x = x if min is None else ops.maximum(x, min)
    return x if max is None else ops.minimum(x, max)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product = ops.matmul(x, ops.transpose(weight))
    return product if bias is None else product + bias


def _is_true(x: Any) -> Any:
    return x if isinstance(x, Tensor) and x.dtype.kind == "b" else ops.not_equal(x, 0.0)


definitions.update(
    bitwise_and=lambda x, y: _is_true(x) * _is_true(y),
    bitwise_or=lambda x, y: ops.maximum(_is_true(x), _is_true(y)),
    clip=_clip,
    invert=lambda x: ops.equal(x, 0.0),
    linear=_linear,
    logsigmoid=lambda x: -ops.softplus(-x),
    isfinite=lambda x: ops.equal(x - x, 0.0),
    mean=_mean,
    min=lambda x, axis, keepdims: -ops.max(-x, axis, keepdims),
    std=lambda x, axis, ddof, keepdims: ops.sqrt(_var(x, axis, ddof, keepdims)),
    var=_var,
)


@rule("astype")
def _astype(n: Normaliser, x: Symbol, dtype: Any) -> Value:
    to_boolean = np.dtype(dtype).kind == "b" and x.dtype.kind != "b"
    return n.elementwise("not_equal", x, 0.0) if to_boolean else n.rows(x)


@rule("to_backend")
def _to_backend(n: Normaliser, x: Symbol, name: str) -> Value:
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


@rule("softplus")
def _softplus(n: Normaliser, x: Any, beta: float, threshold: float) -> Value:
    apply, value = n.graph.apply, n.rows(x)
    scaled = apply("mul", value, beta)
    soft = apply("div", apply("softplus", scaled), beta)
    return apply("where", apply("greater", scaled, threshold), value, soft)


@rule("sum")
def _sum(n: Normaliser, x: Symbol, axis: Any, keepdims: bool) -> Value:
    chosen = range(len(x.shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    value, axes = n.rows(x), sorted(a % len(x.shape) for a in chosen)
    if all(x.shape[a] == 1 for a in axes) and (not value.rows or 0 not in axes or n.batch > 1):
        return value
    if not value.rows and value.width:
        raise Untraceable(f"sum over axes {axes} of {x.shape}")
    if 1 in axes and x.shape[1] > 1:
        value = n.graph.row_sum(value, x.shape[1])
    return n.graph.batch_sum(value, n.batch) if 0 in axes else value


@rule("max")
def _max(n: Normaliser, x: Symbol, axis: Any, keepdims: bool) -> Value:
    last_axis("max", x, axis)
    return n.graph.row_max(n.rows(x))
