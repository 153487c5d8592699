"""Indexing by slices, integers and booleans; the gradient costs what was read, not all of x."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.backend import Array, is_array, values, xp
from ..engine.graph import LazyCotangent
from ..engine.primitive import primitive
from ..engine.tensor import Tensor, index_of
from .elementwise import where


class _Placed(LazyCotangent):
    """The cotangent of x[index]: g at the index, zeros elsewhere, added up without the zeros."""

    def __init__(self, g: Array, shape: tuple[int, ...], index: Any) -> None:
        self.g, self.shape, self.index = g, shape, index

    def dense(self) -> Array:
        """Return the whole array, freshly made."""
        return _placed(self.g, self.shape, self.index)

    def add_to(self, total: Array) -> None:
        """Nothing; adds g into `total` at the index, in place."""
        _add_at(total, self.index, self.g)


def _is_basic(index: Any) -> bool:
    """Return whether the index reads no element twice: only slices, integers, None and dots."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None or p is Ellipsis or (isinstance(p, (int, slice)) and not isinstance(p, bool))
        for p in parts
    )


def _add_at(total: Array, index: Any, g: Array) -> None:
    if _is_basic(index):
        total[index] += g
    else:
        xp(total).add.at(total, index, g)


def _placed(g: Array, shape: tuple[int, ...], index: Any) -> Array:
    total = xp(g).zeros(shape, g.dtype)
    _add_at(total, index, g)
    return total


@primitive(x=lambda g, x_shape, index: _place_lazily(g, x_shape, index))
def _getitem(x: Array, index: Any) -> Array:
    return x[index]


def _place_lazily(g: Any, shape: tuple[int, ...], index: Any) -> Any:
    return place(g, shape, index) if isinstance(g, Tensor) else _Placed(g, shape, index)


@primitive(g=lambda g, index: getitem(g, index))
def place(g: Array, shape: tuple[int, ...], index: Any) -> Array:
    """Zeros of this shape with g added at the index: the adjoint of getitem."""
    return _placed(g, shape, index)


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index]: slices, integers, None, dots, booleans, arrays (or Tensors) of integers.

    Raises IndexError for an index out of range.
    """
    index = index_of(index)
    if isinstance(index, tuple):
        index = tuple(
            [
                np.asarray(i, int)
                if isinstance(i, list) and not i
                else np.asarray(i)
                if isinstance(i, list)
                else i
                for i in index
            ]
        )
    if isinstance(index, list):
        index = xp(values(x)).asarray(index if index else np.zeros(0, np.int64))
    return _getitem(x, index)


def masked_fill(x: Tensor, mask: Array, value: float) -> Tensor:
    """x with `value` where the mask holds; no gradient flows there.

    mask: booleans that broadcast to x's shape
    """
    return where(mask, value, x)


@primitive(x=lambda g, x_shape, columns: place_picked(g, columns, x_shape[1]))
def pick(x: Array, columns: Array) -> Array:
    """x[n, columns[n]]: one element of each row.

    x (N, C)   columns (N,), integers from 0 to C - 1   ->   (N,)
    Raises TypeError unless integers, IndexError if one is out of range.
    """
    _check_columns("pick", x.shape[:1], columns, x.shape[1])
    return x[xp(columns).arange(len(columns)), columns]


@primitive(g=lambda g, columns: pick(g, columns))
def place_picked(g: Array, columns: Array, count: int) -> Array:
    """Rows of `count` zeros with g[n] in column columns[n]: the adjoint of pick.

    g (N,)   columns (N,), integers from 0 to count - 1   ->   (N, count)
    Raises TypeError unless integers, IndexError if one is out of range.
    """
    _check_columns("place_picked", g.shape, columns, count)
    total = xp(g).zeros((len(columns), count), g.dtype)
    total[xp(columns).arange(len(columns)), columns] = g
    return total


def _check_columns(name: str, rows: tuple[int, ...], columns: Array, count: int) -> None:
    check_indices(name, columns, count)
    if columns.shape != rows:
        raise ValueError(f"{name}: columns are {columns.shape}, expected {rows}, one a row")


@primitive()
def _one_hot(indices: Array, num_classes: int, dtype: Any) -> Array:
    check_indices("one_hot", indices, num_classes)
    f = xp(indices)
    rows = f.zeros((indices.size, num_classes), dtype)
    rows[f.arange(indices.size), indices.reshape(-1)] = 1
    return rows.reshape(*indices.shape, num_classes)


def one_hot(indices: Any, num_classes: int, dtype: Any = np.float32) -> Any:
    """Vectors (..., num_classes) with a single 1, at each of the indices (...).

    indices: integers from 0 to num_classes - 1
    Raises TypeError unless they are integers, IndexError if one is out of range.
    """
    if not hasattr(indices, "dtype"):
        indices = np.asarray(indices)
    return _one_hot(indices, num_classes=num_classes, dtype=dtype)


def check_indices(name: str, indices: Array, count: int) -> None:
    """Nothing; raises TypeError unless integers, IndexError unless all from 0 to count - 1."""
    if not is_array(indices):
        raise TypeError(f"{name}: indices are {type(indices).__name__}, expected an array")
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{name}: indices are {indices.dtype}, expected integers")
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= count):
        wrong = int(indices.min()) if int(indices.min()) < 0 else int(indices.max())
        raise IndexError(f"{name}: index {wrong} is out of range, expected 0 to {count - 1}")
