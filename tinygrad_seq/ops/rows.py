"""Rows of a table, taken and added: embeddings, whose gradients touch only the rows read."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.backend import Array, xp
from ..engine.graph import LazyCotangent
from ..engine.primitive import primitive
from ..engine.tensor import Tensor
from ..machine.memory import memory
from .elementwise import where
from .indexing import check_indices


class RowSparse(LazyCotangent):
    """The cotangent of taken rows: parts of (rows (N,), values (N, D)), not yet added up.

    sparse: whether a leaf's `.grad` may stay in this form
    """

    def __init__(
        self, parts: list[tuple[Array, Array]], shape: tuple[int, ...], sparse: bool
    ) -> None:
        self.parts, self.shape, self.sparse = parts, shape, sparse

    def dense(self) -> Array:
        """Return the whole table, freshly made."""
        values = self.parts[0][1]
        if isinstance(values, np.ndarray):
            total = memory(self.shape, values.dtype)
            total.fill(0)
        else:
            total = xp(values).zeros(self.shape, values.dtype)
        self.add_to(total)
        return total

    def add_to(self, total: Array) -> None:
        """Nothing; adds the values into the rows of `total`, in place."""
        for rows, values in self.parts:
            add_rows_in_place(total, rows, values)

    def join(self, other: LazyCotangent) -> RowSparse | None:
        """Return the sum of two row-sparse cotangents, row-sparse too."""
        if not isinstance(other, RowSparse):
            return None
        return RowSparse([*self.parts, *other.parts], self.shape, self.sparse and other.sparse)

    def gradient(self) -> RowSparseTensor | None:
        """Return the gradient to leave in a leaf, or None where it is to be dense."""
        if not self.sparse:
            return None
        parts = [(rows.copy(), values.copy()) for rows, values in self.parts]
        return RowSparseTensor(RowSparse(parts, self.shape, self.sparse))


class RowSparseTensor(Tensor):
    """A gradient that is zero but for some rows; its dense array is made when asked for.

    Optimisers read `coalesced()` and update only those rows.
    """

    __slots__ = ("_dense", "cotangent")

    def __init__(self, cotangent: RowSparse) -> None:
        self.cotangent = cotangent
        self._dense: Array = None
        self.place = self.grad = None

    @property
    def array(self) -> Array:
        """The dense array."""
        if self._dense is None:
            self._dense = self.cotangent.dense()
            if isinstance(self._dense, np.ndarray):
                self._dense = self._dense.view()  # the memory is used again, and written into
                self._dense.flags.writeable = False  # optimisers read the rows, not this
        return self._dense

    def __copy__(self) -> RowSparseTensor:
        return RowSparseTensor(self.cotangent)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.cotangent.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.cotangent.parts[0][1].dtype  # type: ignore[no-any-return]

    def coalesced(self) -> tuple[Array, Array]:
        """Return (rows (M,) ascending, each once; their sums (M, ...))."""
        parts = self.cotangent.parts
        f = xp(parts[0][0])
        rows = f.concatenate([rows.reshape(-1) for rows, _ in parts])
        row_shape = self.cotangent.shape[1:]
        values = f.concatenate([v.reshape(-1, *row_shape) for _, v in parts])
        distinct, inverse = f.unique(rows, return_inverse=True)
        sums = f.zeros((len(distinct), *row_shape), values.dtype)
        add_rows_in_place(sums, inverse.reshape(-1), values)
        return distinct, sums

    def __add__(self, other: Any) -> Tensor:
        if isinstance(other, RowSparseTensor):
            joined = self.cotangent.join(other.cotangent)
            if joined is not None:
                return RowSparseTensor(joined)
        return super().__add__(other)


@primitive(
    table=lambda g, table_shape, indices, sparse, frozen_row: _row_cotangent(
        _without_row(g, indices, frozen_row), table_shape, indices, sparse
    )
)
def take_rows(
    table: Array, indices: Array, sparse: bool = False, frozen_row: int | None = None
) -> Array:
    """Rows of the table, one for each index.

    table (V, ...)   indices (...), integers from 0 to V - 1   ->   (*indices.shape, ...)
    sparse: whether the table's `.grad` is left row-sparse, for optimisers that update only rows
    frozen_row: a row that no gradient flows to (padding)
    Raises IndexError for an index out of range, TypeError unless integers.
    """
    check_indices("take_rows", indices, table.shape[0])
    return xp(table).take(table, indices, axis=0)


def _without_row(g: Any, indices: Array, frozen_row: int | None) -> Any:
    if frozen_row is None:
        return g
    moving = (indices != frozen_row).reshape(*indices.shape, *(1,) * (g.ndim - indices.ndim))
    return where(moving, g, 0.0)


def _row_cotangent(g: Any, shape: tuple[int, ...], indices: Array, sparse: bool) -> Any:
    if isinstance(g, Tensor):
        return add_rows(g, indices, shape[0])
    return RowSparse([(indices, g)], shape, sparse)


@primitive(values=lambda g, indices: take_rows(g, indices))
def add_rows(values: Array, indices: Array, count: int) -> Array:
    """Table of `count` rows, zero but for the values added at their rows: the adjoint of take_rows.

    values (*indices.shape, ...)   indices (...), integers from 0 to count - 1   ->   (count, ...)
    Raises IndexError for an index out of range, TypeError unless integers.
    """
    check_indices("add_rows", indices, count)
    if values.shape[: indices.ndim] != indices.shape:
        raise ValueError(f"add_rows: values are {values.shape}, expected ({indices.shape}, ...)")
    total = xp(values).zeros((count, *values.shape[indices.ndim :]), values.dtype)
    add_rows_in_place(total, indices, values)
    return total


def add_rows_in_place(total: Array, rows: Array, values: Array) -> None:
    """Nothing; adds each of the values to its row of `total`. The rows must be in range.

    total (V, ...)   rows (...)   values (*rows.shape, ...)
    """
    if isinstance(total, np.ndarray) and total.dtype.kind == "f" and total.dtype.itemsize > 2:
        width = math.prod(total.shape[1:])
        view = total.reshape(len(total), width)
        if np.may_share_memory(view, total):  # not a copy
            flat = np.ascontiguousarray(rows, dtype=np.int64).reshape(-1)
            _kernel()(view, flat, np.ascontiguousarray(values).reshape(len(flat), width))
            return
    add_rows_definition(total, rows, values)


def add_rows_definition(total: Array, rows: Array, values: Array) -> None:
    """Nothing; what the kernel does, by the array library: total[rows] += values, one by one."""
    xp(total).add.at(total, rows, values)


@functools.cache
def _kernel() -> Callable[[Array, Array, Array], None]:
    """Return the scatter-add loop, compiled by Numba at first use."""
    import numba

    @numba.njit(cache=True, nogil=True)
    def add(total: Array, rows: Array, values: Array) -> None:
        for n in range(rows.shape[0]):
            row = rows[n]
            for d in range(values.shape[1]):
                total[row, d] += values[n, d]

    compiled: Callable[[Array, Array, Array], None] = add
    return compiled
