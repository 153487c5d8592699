"""Micro-kernels as LLVM IR: a tile of a product's rows in registers, and a square transposed."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from ..addresses import I64, Value, cgutils, pointer
from ..processor import BYTES, PROCESSOR, REGISTERS
from ..vectors.lanes import Vectors

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

NV = 2
"""Vectors in a panel's row."""
MR = 12 if REGISTERS[PROCESSOR] == 32 else 6
"""Rows of a tile: MR · NV sums, NV vectors of the panel and one of A fill the registers."""

CHAINS = 8
"""Sums that are under way at once: two products can begin in a cycle and take four, so that a tile
of fewer sums adds up every second (fourth, eighth) column of A apart. One row alone takes as many
vectors of as many panels as there are."""

AHEAD, AHEAD_A = 16, 8
"""Rows of a panel, columns of A, fetched ahead: for W (650, 2600) a product runs at 154 in place of
144 GF/s, a weight's gradient from 1024 rows at 135 in place of 82, on one core."""


Place = tuple[int, int]
"""A row of a tile, and which of its vectors."""

Sums = dict[Place, Value]


class _Tile:
    """One micro-kernel being written: rows x vectors of C."""

    def __init__(self, vectors: Vectors, rows: int, width: int, args: Any) -> None:
        self.vectors, self.builder, self.rows, self.width = vectors, vectors.builder, rows, width
        self.a, self.a_row, self.a_k, self.b, self.b_k, self.c, self.c_row, *rest = args
        self.K, self.columns, self.add = rest

    def write(self) -> None:
        """Nothing; afterwards the loop over k and the stores are written."""
        builder, vectors = self.builder, self.vectors
        places = [(r, w) for r in range(self.rows) for w in range(self.width)]
        for r, w in places:
            vectors.prefetch(self.c, self.place(r, w), to_write=True)
        sums = self.products(places)
        masks = [
            vectors.mask(builder.sub(self.columns, self.number(w * vectors.lanes)))
            for w in range(self.width)
        ]
        with builder.if_else(builder.icmp_signed("!=", self.add, self.number(0))) as (plus, new):
            with plus:
                for (r, w), place in sums.items():
                    pointer = self.at(r, w)
                    old = vectors.load(pointer, masks[w])
                    value = builder.fadd(builder.load(place), old)
                    vectors.store(value, pointer, masks[w])
            with new:
                for (r, w), place in sums.items():
                    vectors.store(builder.load(place), self.at(r, w), masks[w])

    def products(self, places: list[Place]) -> Sums:
        """Return where the sums over all of A's columns stand."""
        builder, zero = self.builder, self.vectors.constant(0)
        apart = max(1, CHAINS // len(places))
        if apart == 1:
            sums = {p: cgutils.alloca_once_value(builder, zero) for p in places}
            with cgutils.for_range(builder, self.K, intp=I64) as loop:
                self.rank_one(loop.index, sums)
            return sums
        parts = [
            {p: cgutils.alloca_once_value(builder, zero) for p in places} for _ in range(apart)
        ]
        whole = builder.and_(self.K, self.number(-apart))
        self.over(self.number(0), whole, parts)
        self.over(whole, self.K, parts[:1])
        while len(parts) > 1:
            half = len(parts) // 2
            for part, other in zip(parts, parts[half:], strict=False):
                for p in places:
                    total = builder.fadd(builder.load(part[p]), builder.load(other[p]))
                    builder.store(total, part[p])
            parts = parts[:half]
        return parts[0]

    def over(self, first: Value, last: Value, parts: list[Sums]) -> None:
        """Nothing; adds the products of these columns of A, in turn, to the parts of the sums."""
        builder, step = self.builder, self.number(len(parts))
        with cgutils.for_range_slice(builder, first, last, step, inc=True) as (k, _):
            for i, part in enumerate(parts):
                self.rank_one(builder.add(k, self.number(i)), part)

    def rank_one(self, k: Value, sums: Sums) -> None:
        """Nothing; adds column k of A times row k of the panel to the sums."""
        builder, vectors = self.builder, self.vectors
        at = builder.mul(k, self.b_k)
        panel = [
            vectors.load(vectors.at(self.b, builder.add(at, self.of_panel(w))))
            for w in range(self.width)
        ]
        along = builder.mul(k, self.a_k)
        if self.rows > 3:  # fewer wait for memory anyway
            self.fetch_ahead(at, along)
        for r in range(self.rows):
            element = builder.add(along, builder.mul(self.a_row, self.number(r)))
            address = builder.add(self.a, builder.mul(element, self.number(vectors.size)))
            x = vectors.splat(builder.load(pointer(builder, address, vectors.scalar)))
            for w in range(self.width):
                place = sums[r, w]
                builder.store(vectors.fma(x, panel[w], builder.load(place)), place)

    def fetch_ahead(self, at: Value, along: Value) -> None:
        """Nothing; asks for what the panel and both ends of A's column will be read from soon."""
        builder, vectors = self.builder, self.vectors
        for w in range(self.width):
            later = self.number((w + AHEAD * NV) * vectors.lanes)
            vectors.prefetch(self.b, builder.add(at, later))
        later = builder.add(along, builder.mul(self.a_k, self.number(AHEAD_A)))
        vectors.prefetch(self.a, later)
        last = builder.mul(self.a_row, self.number(self.rows - 1))
        vectors.prefetch(self.a, builder.add(later, last))

    def of_panel(self, w: int) -> Value:
        """Where vector w of a panel's row begins, in elements; from NV on, of those after it."""
        rest = self.number(w % NV * self.vectors.lanes)
        if w < NV:
            return rest
        whole = self.builder.mul(self.K, self.number(w // NV * NV * self.vectors.lanes))
        return self.builder.add(whole, rest)

    def at(self, row: int, w: int) -> Value:
        """Pointer to vector w of a row of C."""
        return self.vectors.at(self.c, self.place(row, w))

    def place(self, row: int, w: int) -> Value:
        """Where vector w of a row of C begins, in elements."""
        start = self.builder.mul(self.c_row, self.number(row))
        return self.builder.add(start, self.number(w * self.vectors.lanes))

    def number(self, i: int) -> Value:
        """The int64 i."""
        return ir.Constant(I64, i)


def micro_kernel(dtype: str, rows: int, width: int, bytes_: int = BYTES) -> Callable[..., None]:
    """Return write(builder, ...): C (rows, width vectors) = A @ panel, or += where `add` is not 0.

    The arguments are a, a_row, a_k, b, b_k, c, c_row, K, columns, add.
    a, b, c: addresses   a_row, a_k, b_k, c_row: strides, in elements   K: A's columns
    columns: of C that are there, the others are left alone
    """
    return lambda builder, *args: _Tile(Vectors(builder, dtype, bytes_), rows, width, args).write()


def transpose(dtype: str, bytes_: int = BYTES) -> Callable[..., None]:
    """Return write(builder, ...): C (columns, rows) = A (rows, columns) transposed.

    The arguments are a, a_row, c, c_row, rows, columns: addresses, strides in elements, and how
    many there are, at most as many as a vector has lanes.
    """

    def write(builder: Any, a: Value, a_row: Value, c: Value, c_row: Value, *sizes: Value) -> None:
        vectors, (rows, columns) = Vectors(builder, dtype, bytes_), sizes
        none = ir.Constant(I64, 0)
        block = []
        for r in range(vectors.lanes):
            number = ir.Constant(I64, r)
            there = builder.select(builder.icmp_signed("<", number, rows), columns, none)
            place = vectors.at(a, builder.mul(a_row, number))
            block.append(vectors.load(place, vectors.mask(there)))
        for r, row in enumerate(vectors.transposed(block)):
            number = ir.Constant(I64, r)
            there = builder.select(builder.icmp_signed("<", number, columns), rows, none)
            vectors.store(row, vectors.at(c, builder.mul(c_row, number)), vectors.mask(there))

    return write
