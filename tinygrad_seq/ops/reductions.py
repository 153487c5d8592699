"""Sums, means, extremes and softmaxes along axes; NumPy's names, defaults and meanings."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from ..engine.backend import Array, values, xp
from ..engine.primitive import primitive
from .elementwise import check_floats, div, exp, where
from .shape import broadcast_to, flip, reshape

Axis: TypeAlias = "int | tuple[int, ...] | None"


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes reduced over, counted from 0. Raises ValueError for one out of range."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"axis is {a}, expected {-ndim} to {ndim - 1}")
    return tuple(a % ndim for a in axes)


def _with_axes(y: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Return the reduced y with the axes it lost (or kept) as axes of length 1."""
    axes = _axes(axis, len(shape))
    return reshape(y, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    return math.prod(shape[a] for a in _axes(axis, len(shape)))


def _degrees(shape: tuple[int, ...], axis: Axis, ddof: int) -> int:
    """Return n - ddof. Raises ValueError unless it is more than 0."""
    degrees = _count(shape, axis) - ddof
    if degrees < 1 <= math.prod(shape):
        raise ValueError(f"ddof is {ddof}, expected less than the {degrees + ddof} elements")
    return degrees


@primitive(x=lambda g, x_shape, axis: broadcast_to(_with_axes(g, x_shape, axis), x_shape))
def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Sum over the axes, in x's dtype."""
    return x.sum(axis=axis, keepdims=keepdims)


@primitive(
    x=lambda g, x_shape, axis: broadcast_to(
        _with_axes(g / _count(x_shape, axis), x_shape, axis), x_shape
    )
)
def mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Mean over the axes."""
    return x.mean(axis=axis, keepdims=keepdims)


@primitive(
    x=lambda g, x, axis, ddof: (
        _with_axes(g, x.shape, axis)
        * (x - mean(x, axis, keepdims=True))
        * (2 / _degrees(x.shape, axis, ddof))
    )
)
def var(x: Array, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Array:
    """Variance over the axes: Σ (x - mean)² / (n - ddof)."""
    _degrees(x.shape, axis, ddof)
    return x.var(axis=axis, ddof=ddof, keepdims=keepdims)


def _inverse(x: Any) -> Any:
    """Return 1 / x, and 0 where x is 0: equal elements have no direction to deviate in."""
    zero = (values(x) == 0).astype(values(x).dtype)
    return div(1 - zero, x + zero)


@primitive(
    x=lambda g, x, axis, ddof, out: (
        _with_axes(g * _inverse(out), x.shape, axis)
        * (x - mean(x, axis, keepdims=True))
        * (1 / _degrees(x.shape, axis, ddof))
    )
)
def std(x: Array, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Array:
    """Standard deviation over the axes: the square root of `var`."""
    _degrees(x.shape, axis, ddof)
    return x.std(axis=axis, ddof=ddof, keepdims=keepdims)


def _shared_among_equals(g: Any, x: Any, axis: Axis, out: Any) -> Any:
    """Return the cotangent of an extreme: g, in equal parts, where x is the extreme (or NaN)."""
    x, out = values(x), values(out)
    chosen = (x == _with_axes(out, x.shape, axis)) | (x != x)
    chosen = chosen.astype(x.dtype)
    return _with_axes(g, x.shape, axis) * (chosen / chosen.sum(axis=axis, keepdims=True))


@primitive(x=_shared_among_equals)
def max(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Largest element over the axes; equal ones share the gradient. NaN if there is one."""
    return x.max(axis=axis, keepdims=keepdims)


@primitive(x=_shared_among_equals)
def min(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Smallest element over the axes; equal ones share the gradient. NaN if there is one."""
    return x.min(axis=axis, keepdims=keepdims)


def _finite(x: Any) -> Any:
    """Return x with 0 in place of ±Inf and NaN."""
    return where(xp(values(x)).isfinite(values(x)), x, 0.0)


def _above_minus_inf(x: Any) -> Any:
    """Return x with 0 in place of -Inf: the weights of elements that are all -Inf are then 0."""
    return where(values(x) < float(np.finfo(x.dtype).min), 0.0, x)


@primitive(
    x=lambda g, x, axis, out: (
        _with_axes(g, x.shape, axis) * exp(x - _with_axes(_above_minus_inf(out), x.shape, axis))
    )
)
def logsumexp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """log Σ exp(x) over the axes, without overflow; -Inf where all elements are."""
    check_floats("logsumexp", x)
    top = _finite(x.max(axis=axis, keepdims=True))
    with np.errstate(divide="ignore"):
        out = xp(x).log(xp(x).exp(x - top).sum(axis=axis, keepdims=True)) + top
    return out if keepdims else out.squeeze(_axes(axis, x.ndim))


@primitive(x=lambda g, out, axis: out * (g - sum(g * out, axis, keepdims=True)))
def softmax(x: Array, axis: int = -1) -> Array:
    """exp(x) / Σ exp(x) along the axis, without overflow."""
    check_floats("softmax", x)
    e = xp(x).exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@primitive(x=lambda g, out, axis: g - exp(out) * sum(g, axis, keepdims=True))
def log_softmax(x: Array, axis: int = -1) -> Array:
    """x - log Σ exp(x) along the axis, without overflow."""
    check_floats("log_softmax", x)
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - xp(x).log(xp(x).exp(shifted).sum(axis=axis, keepdims=True))


@primitive(x=lambda g, x_shape, axis: _reverse_cumsum(g, x_shape, axis))
def cumsum(x: Array, axis: int | None = None) -> Array:
    """Running sum along the axis; of all elements in order where axis is None."""
    return xp(x).cumsum(x, axis=axis)


def _reverse_cumsum(g: Any, shape: tuple[int, ...], axis: int | None) -> Any:
    along = 0 if axis is None else axis
    return reshape(flip(cumsum(flip(g, along), along), along), shape)


@primitive()
def argmax(x: Array, axis: int | None = None) -> Array:
    """Index of the first largest element along the axis (of all, flattened, where None)."""
    return x.argmax(axis=axis)


@primitive()
def argmin(x: Array, axis: int | None = None) -> Array:
    """Index of the first smallest element along the axis (of all, flattened, where None)."""
    return x.argmin(axis=axis)


@primitive()
def all(x: Array, axis: Axis = None) -> Array:
    """Whether all elements over the axes are other than 0 or False."""
    return x.all(axis=axis)


@primitive()
def any(x: Array, axis: Axis = None) -> Array:
    """Whether any element over the axes is other than 0 or False."""
    return x.any(axis=axis)
