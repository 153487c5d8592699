"""A micro-kernel as LLVM IR: products of some rows with some rows, both as they lie in memory."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from ..addresses import I64, Value, cgutils
from ..processor import BYTES
from ..vectors.lanes import Vectors

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py


class _Dots:
    """The products of some rows of A with some rows of W, being written."""

    def __init__(self, vectors: Vectors, rows: int, columns: int, args: Any) -> None:
        self.vectors, self.builder = vectors, vectors.builder
        self.a, self.lda, self.w, self.K, self.c, self.ldc, self.add = args
        self.rows, self.columns = range(rows), range(columns)
        self.sums = {
            (r, n): cgutils.alloca_once_value(self.builder, vectors.constant(0))
            for r in self.rows
            for n in self.columns
        }

    def write(self) -> None:
        """Nothing; afterwards whole vectors, the masked rest and the stores are written."""
        builder, vectors = self.builder, self.vectors
        zero, lanes = ir.Constant(I64, 0), ir.Constant(I64, vectors.lanes)
        whole = builder.and_(self.K, ir.Constant(I64, -vectors.lanes))
        with cgutils.for_range_slice(builder, zero, whole, lanes, inc=True) as (k, _):
            self.multiply(k, None)
        with builder.if_then(builder.icmp_signed("<", whole, self.K)):
            self.multiply(whole, vectors.mask(builder.sub(self.K, whole)))
        for (r, n), place in self.sums.items():
            offset = builder.add(builder.mul(self.ldc, self.number(r)), self.number(n))
            pointer = builder.bitcast(vectors.at(self.c, offset), vectors.scalar.as_pointer())
            total = vectors.total(builder.load(place))
            more = builder.icmp_signed("!=", self.add, zero)
            before = builder.select(more, builder.load(pointer), vectors.scalar(0.0))
            builder.store(builder.fadd(before, total), pointer)

    def multiply(self, k: Value, mask: Value | None) -> None:
        """Nothing; adds the products of the vectors from column k on to the sums."""
        builder, vectors = self.builder, self.vectors
        a = [
            vectors.load(vectors.at(self.a, self.element(r, self.lda, k)), mask) for r in self.rows
        ]
        for n in self.columns:
            w = vectors.load(vectors.at(self.w, self.element(n, self.K, k)), mask)
            for r in self.rows:
                place = self.sums[r, n]
                builder.store(vectors.fma(a[r], w, builder.load(place)), place)

    def element(self, row: int, stride: Value, k: Value) -> Value:
        """The position of column k in a row."""
        return self.builder.add(self.builder.mul(stride, self.number(row)), k)

    def number(self, i: int) -> Value:
        """The int64 i."""
        return ir.Constant(I64, i)


def dots(dtype: str, rows: int, columns: int) -> Callable[..., None]:
    """Return write(builder, ...): C (rows, columns) = A @ W.T, or += where `add` is not 0.

    The arguments are a, lda, w, K, c, ldc, add.
    a, w, c: addresses   lda, ldc: strides of rows, in elements   K: columns of A and of W, whose
    rows follow each other
    """
    return lambda builder, *args: _Dots(Vectors(builder, dtype, BYTES), rows, columns, args).write()
