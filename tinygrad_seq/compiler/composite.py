"""Rules of elementwise ops that are made of simpler ones: activations, powers, logic, bounds."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .expressions import Value
from .normalise import Normaliser, Operand, rule
from .trace import Untraceable


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
