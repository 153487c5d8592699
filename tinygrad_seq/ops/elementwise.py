"""Elementwise arithmetic, powers, exponentials, comparisons and conversions.

x and y broadcast as in NumPy; every function returns an array of the broadcast shape.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.backend import Array, backend_of, convert, get_backend, values, xp
from ..engine.primitive import primitive
from ..engine.tensor import Tensor

# The derivative of the larger of two: all to the larger, half to each where they are equal.


def _share(x: Any, y: Any) -> Any:
    """Return 1 where x > y, 1/2 where x = y, 0 where x < y, in x's dtype (no gradient)."""
    x, y = values(x), values(y)
    dtype = x.dtype if hasattr(x, "dtype") else y.dtype
    return (x > y).astype(dtype) * 0.5 + (x >= y).astype(dtype) * 0.5


def check_floats(name: str, x: Array) -> None:
    """Nothing; raises TypeError unless x is of a floating dtype."""
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: x is {x.dtype}, expected floats; convert it with .astype")


@primitive(x=lambda g: g, y=lambda g: g)
def add(x: Array, y: Array) -> Array:
    """x + y."""
    return x + y


@primitive(x=lambda g: g, y=lambda g: -g)
def sub(x: Array, y: Array) -> Array:
    """x - y."""
    return x - y


@primitive(x=lambda g, y: g * y, y=lambda g, x: g * x)
def mul(x: Array, y: Array) -> Array:
    """x · y."""
    return x * y


@primitive(x=lambda g, y: g / y, y=lambda g, y, out: -g * out / y)
def div(x: Array, y: Array) -> Array:
    """x / y; floats, for integers too."""
    return x / y


@primitive(x=lambda g: -g)
def neg(x: Array) -> Array:
    """-x."""
    return -x


@primitive(
    x=lambda g, x, y: g * y * x ** (_exponent(x, y) - 1),
    y=lambda g, x, out: g * out * _log(_without_zero(x)),
)
def pow(x: Array, y: Array) -> Array:
    """x to the power y. At x = 0 its derivative with respect to y is 0, as it is for y > 0."""
    return x**y


def _exponent(x: Any, y: Any) -> Any:
    """Return y with 1 in place of 0 where x is 0 too: 0 · 0 to the power -1 is to be 0."""
    if hasattr(y, "shape"):
        return where((values(x) == 0) & (values(y) == 0), 1.0, y)
    return y or 1.0


def _without_zero(x: Any) -> Any:
    """Return x with 1 in place of 0: a power or logarithm whose factor is 0 there stays finite."""
    return where(values(x) == 0, 1.0, x) if hasattr(x, "shape") else x or 1.0


def _log(x: Any) -> Any:
    return log(x) if hasattr(x, "shape") else math.log(x)


@primitive(x=lambda g, x: g * sign(x))
def abs(x: Array) -> Array:
    """|x|. Its derivative is 0 at 0."""
    return xp(x).abs(x)


@primitive()
def sign(x: Array) -> Array:
    """-1, 0 or 1. Its derivative is 0."""
    return xp(x).sign(x)


@primitive(x=lambda g, out: g * 0.5 / out)
def sqrt(x: Array) -> Array:
    """√x."""
    return xp(x).sqrt(x)


@primitive(x=lambda g, out: g * out)
def exp(x: Array) -> Array:
    """e to the power x."""
    return xp(x).exp(x)


@primitive(x=lambda g, out: g * (out + 1))
def expm1(x: Array) -> Array:
    """exp(x) - 1, exact near 0."""
    return xp(x).expm1(x)


@primitive(x=lambda g, x: g / x)
def log(x: Array) -> Array:
    """Natural logarithm of x."""
    return xp(x).log(x)


@primitive(x=lambda g, x: g / (x + 1))
def log1p(x: Array) -> Array:
    """log(1 + x), exact near 0."""
    return xp(x).log1p(x)


@primitive(x=lambda g, x: g * cos(x))
def sin(x: Array) -> Array:
    """Sine of x in radians."""
    return xp(x).sin(x)


@primitive(x=lambda g, x: -g * sin(x))
def cos(x: Array) -> Array:
    """Cosine of x in radians."""
    return xp(x).cos(x)


@primitive(x=lambda g, x, y: g * _share(x, y), y=lambda g, x, y: g * _share(y, x))
def maximum(x: Array, y: Array) -> Array:
    """The larger of x and y; NaN if either is. Equal values share the gradient."""
    return xp(x if hasattr(x, "shape") else y).maximum(x, y)


@primitive(x=lambda g, x, y: g * _share(y, x), y=lambda g, x, y: g * _share(x, y))
def minimum(x: Array, y: Array) -> Array:
    """The smaller of x and y; NaN if either is. Equal values share the gradient."""
    return xp(x if hasattr(x, "shape") else y).minimum(x, y)


@primitive(
    x=lambda g, condition: where(condition, g, 0.0), y=lambda g, condition: where(condition, 0.0, g)
)
def where(condition: Array, x: Array, y: Array) -> Array:
    """x where the condition holds, y elsewhere.

    condition: booleans (or 0 and not 0), an array of x's backend
    """
    return xp(condition).where(condition, x, y)


@primitive(x=lambda g, x, min, max: g * _inside(x, min, max))
def clip(x: Array, min: float | Array | None = None, max: float | Array | None = None) -> Array:
    """x, and min or max where x is beyond them. Nothing flows back from beyond.

    min, max: numbers or arrays without gradient; None for no bound
    """
    return xp(x).clip(x, _bound("min", min, x), _bound("max", max, x))


def _bound(name: str, bound: Any, x: Array) -> Any:
    """Return a bound in x's dtype. Raises TypeError for an array of another floating dtype."""
    if not hasattr(bound, "dtype") or bound.dtype == x.dtype:
        return bound
    if bound.dtype.kind == x.dtype.kind == "f":
        raise TypeError(f"clip: {name} is {bound.dtype}, expected {x.dtype}; convert it")
    return bound.astype(x.dtype)


def _inside(x: Any, low: Any, high: Any) -> Any:
    x = values(x)
    inside = x == x  # NaN is nowhere
    if low is not None:
        inside = inside & (x >= low)
    if high is not None:
        inside = inside & (x <= high)
    return inside.astype(x.dtype)


@primitive(x=lambda g, x: astype(g, values(x).dtype))
def _astype(x: Array, dtype: Any) -> Array:
    if np.dtype(dtype).kind not in "fiub":
        raise TypeError(f"astype: dtype is {np.dtype(dtype)}, expected real numbers or booleans")
    return x.astype(dtype)


def astype(x: Tensor, dtype: Any) -> Tensor:
    """x in another dtype, copied; the gradient comes back in x's own, none from integers."""
    return _astype(x if np.dtype(dtype).kind == "f" else _without_history(x), dtype)


def _without_history(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


@primitive(x=lambda g, x: to_backend(g, backend_of(values(x)).name))
def to_backend(x: Array, name: str) -> Array:
    """x on the backend of this name; the gradient comes back to x's own."""
    return convert(x, get_backend(name))


# ---- without derivatives -------------------------------------------------------------------------


@primitive()
def equal(x: Array, y: Array) -> Array:
    """Whether x = y."""
    return x == y


@primitive()
def not_equal(x: Array, y: Array) -> Array:
    """Whether x ≠ y."""
    return x != y


@primitive()
def less(x: Array, y: Array) -> Array:
    """Whether x < y."""
    return x < y


@primitive()
def less_equal(x: Array, y: Array) -> Array:
    """Whether x ≤ y."""
    return x <= y


@primitive()
def greater(x: Array, y: Array) -> Array:
    """Whether x > y."""
    return x > y


@primitive()
def greater_equal(x: Array, y: Array) -> Array:
    """Whether x ≥ y."""
    return x >= y


@primitive()
def isfinite(x: Array) -> Array:
    """Whether x is neither NaN nor infinite."""
    return xp(x).isfinite(x)


@primitive()
def invert(x: Array) -> Array:
    """Not x, for booleans; every bit the other way, for integers."""
    return xp(x).invert(x)


@primitive()
def bitwise_and(x: Array, y: Array) -> Array:
    """Both x and y, for booleans; bit by bit, for integers."""
    return x & y


@primitive()
def bitwise_or(x: Array, y: Array) -> Array:
    """x or y or both, for booleans; bit by bit, for integers."""
    return x | y
