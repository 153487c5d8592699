"""Shapes: views, joins and cuts. Each op stands beside its adjoint, so derivatives stay inside."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..engine.backend import Array, xp
from ..engine.primitive import primitive, several_outputs
from ..engine.tensor import Tensor


@primitive(x=lambda g, x_shape: reshape(g, x_shape))
def reshape(x: Array, shape: int | Sequence[int]) -> Array:
    """x in another shape of as many elements; one length may be -1."""
    return x.reshape(shape)


def _inverse(axes: Sequence[int] | None) -> list[int] | None:
    return None if axes is None else np.argsort([a % len(axes) for a in axes]).tolist()


@primitive(x=lambda g, axes: transpose(g, _inverse(axes)))
def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    """x with its axes in this order; reversed where None."""
    return x.transpose(axes)


@primitive(x=lambda g, axis1, axis2: swapaxes(g, axis1, axis2))
def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """x with two axes exchanged."""
    return x.swapaxes(axis1, axis2)


@primitive(x=lambda g, x_shape: reshape(g, x_shape))
def expand_dims(x: Array, axis: int | Sequence[int]) -> Array:
    """x with an axis of length 1 at each of these places."""
    return xp(x).expand_dims(x, axis)


@primitive(x=lambda g, x_shape: reshape(g, x_shape))
def squeeze(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """x without these axes, which must have length 1; without all such where None."""
    return x.squeeze(axis)


@primitive(x=lambda g: g)
def broadcast_to(x: Array, shape: Sequence[int]) -> Array:
    """x repeated along axes of length 1 and new leading axes, to this shape (a view)."""
    return xp(x).broadcast_to(x, shape)


@primitive(x=lambda g, axis: flip(g, axis))
def flip(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """x in reverse order along the axis (or axes; all where None)."""
    return xp(x).flip(x, axis)


# ---- joining and cutting -------------------------------------------------------------------------


@primitive(xs=lambda g, xs_shape, axis: _cut_like(g, xs_shape, axis))
def _concat(*xs: Array, axis: int) -> Array:
    return xp(xs[0]).concatenate(xs, axis=axis)


def concat(xs: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The arrays one after the other along an axis that they have.

    Raises TypeError for an axis that is no integer, ValueError for no arrays.
    """
    axis = operator.index(axis)
    return _concat(*_several("concat", xs), axis=axis)


def _cut_like(g: Any, shapes: tuple[tuple[int, ...], ...], axis: int) -> Any:
    ends = list(accumulate(shape[axis] for shape in shapes))
    return split(g, ends[:-1], axis=axis)


@several_outputs
@primitive(x=lambda g, axis: concat(g, axis=axis))
def split(x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> Array:
    """Parts of x along the axis, views: so many equal ones, or cut at these indices.

    Raises ValueError if the axis has no equal parts of that number, or for unsorted indices.
    """
    n = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or n % indices_or_sections:
            raise ValueError(
                f"split: {n} along axis {axis} is not {indices_or_sections} equal parts"
            )
        cuts = [i * (n // indices_or_sections) for i in range(indices_or_sections + 1)]
    else:
        cuts = [0, *[slice(operator.index(i)).indices(n)[1] for i in indices_or_sections], n]
        if cuts != sorted(cuts):
            raise ValueError(f"split: indices are {indices_or_sections}, expected ascending ones")
    lead = (slice(None),) * (axis % x.ndim)
    return tuple([x[(*lead, slice(a, b))] for a, b in pairwise(cuts)])


@primitive(xs=lambda g, axis: unbind(g, axis))
def _stack(*xs: Array, axis: int) -> Array:
    return xp(xs[0]).stack(xs, axis=axis)


def stack(xs: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Arrays of one shape along a new axis."""
    return _stack(*_several("stack", xs), axis=axis)


@several_outputs
@primitive(x=lambda g, axis: stack(g, axis=axis))
def unbind(x: Array, axis: int = 0) -> Array:
    """The slices of x along the axis, views without it: one node for all, so T slices cost O(T)."""
    if x.ndim == 0:
        raise ValueError("unbind: x has no axes")
    return tuple(xp(x).moveaxis(x, axis, 0))


def _several(name: str, xs: Sequence[Any]) -> Sequence[Any]:
    if hasattr(xs, "dtype"):  # one array: its slices
        return unbind(xs)
    if not len(xs):
        raise ValueError(f"{name}: no arrays, expected at least one")
    return xs


# ---- padding and repeating -----------------------------------------------------------------------


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    pairs = np.broadcast_to(np.asarray(pad_width, dtype=np.int64), (ndim, 2))
    return [(int(before), int(after)) for before, after in pairs]


@primitive(x=lambda g, x_shape, pad_width: _inner(g, x_shape, pad_width))
def pad(x: Array, pad_width: Any, constant_values: float = 0.0) -> Array:
    """x with borders of a constant.

    pad_width: lengths (before, after) for each axis, or one pair or one number for all
    """
    return xp(x).pad(x, _widths(pad_width, x.ndim), constant_values=constant_values)


def _inner(g: Any, shape: tuple[int, ...], pad_width: Any) -> Any:
    starts = [before for before, _ in _widths(pad_width, len(shape))]
    return g[tuple(slice(a, a + n) for a, n in zip(starts, shape, strict=True))]


@primitive(x=lambda g, x_shape, reps: _sum_of_tiles(g, x_shape, reps))
def tile(x: Array, reps: int | Sequence[int]) -> Array:
    """x repeated so many times along each axis."""
    return xp(x).tile(x, reps)


def _sum_of_tiles(g: Any, shape: tuple[int, ...], reps: int | Sequence[int]) -> Any:
    times = (reps,) if isinstance(reps, int) else tuple(reps)
    ndim = max(len(times), len(shape))
    times = (1,) * (ndim - len(times)) + times
    lengths = (1,) * (ndim - len(shape)) + tuple(shape)
    tiles = tuple(n for pair in zip(times, lengths, strict=True) for n in pair)
    return reshape(reshape(g, tiles).sum(axis=tuple(range(0, 2 * ndim, 2))), shape)


def iterate(x: Tensor) -> Iterator[Tensor]:
    """The slices of x along its first axis, all made by one node.

    Raises TypeError if x has no axes.
    """
    if x.ndim == 0:
        raise TypeError("iteration over a tensor without axes")
    return iter(unbind(x))
