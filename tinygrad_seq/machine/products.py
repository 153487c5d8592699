"""Matrix products: a register-tiled micro-kernel on packed panels of weights, called by address.

A panel is NV vectors of neighbouring columns, row after row: the micro-kernel reads it in one
stream, where a BLAS would pack the same weights again at every step. Row tiles are balanced (13
rows are tiles of 7 and 6), the last panel is read whole and stored under a mask.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from . import native
from .addresses import I64, Value, cgutils, pointer
from .processor import BYTES, PROCESSOR, REGISTERS
from .vectors import Vectors

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

NV = 2
"""Vectors in a panel's row."""
MR = 12 if REGISTERS[PROCESSOR] == 32 else 6
"""Rows of a tile: MR · NV sums, NV vectors of the panel and one of A fill the registers."""

CHAINS = 8
"""Sums that are under way at once: two products can begin in a cycle and take four, so that a tile
of fewer sums adds up every second (fourth, eighth) column of A apart. One row alone takes as many
vectors of as many panels as there are."""

TILES = 10
"""Tiles whose rows of A stay in the second cache while all panels go by."""

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


_LIBRARY = '''\
"""Generated by tinygrad_seq.machine.products: packed matrix products of {d}."""

copy = column_loop("{d}", [("load", 0), ("store", 1, 0)])
plus = column_loop("{d}", [("load", 0), ("accumulate", 1, 0)])
transpose = transpose("{d}")
{kernels}


def tile(m, a, a_row, a_k, b, c, ldc, K, columns, add):
    """A tile of m rows."""
    if columns > {lanes}:
{wide}
    else:
{thin}


def rows_times_packed(a, lda, rows, K, w, c, ldc, N, add, spare):
    """C = A @ W, or +=: W (K, N) in panels."""
    joined = N // ({JOINED} * {NR}) if rows == 1 else 0
    for q in range(joined):
        p = {JOINED} * q
        kernel_1_{FULL}(a, lda, 1, w + p * K * {NR} * {size}, {NR}, c + p * {NR} * {size}, ldc, K,
                        {JOINED} * {NR}, add)
    tiles = (rows + {MR} - 1) // {MR}
    for first in range(0, tiles, {TILES}):
        for p in range({JOINED} * joined, (N + {NR} - 1) // {NR}):
            b = w + p * K * {NR} * {size}
            columns = min({NR}, N - p * {NR})
            for i in range(first, min(first + {TILES}, tiles)):
                lo = rows * i // tiles
                hi = rows * (i + 1) // tiles
                tile(hi - lo, a + lo * lda * {size}, lda, 1, b, c + (lo * ldc + p * {NR}) * {size},
                     ldc, K, columns, add)


def dense(k, table, threads, first, last):
    """A thread's rows of C (M, N) = A @ W + bias: A by its strides, W in panels."""
    M, K, N, a_row, a_k = (word(table, 0), word(table, 1), word(table, 2), word(table, 3),
                           word(table, 4))
    w, a, c, bias = word(table, 5), word(table, 6), word(table, 7), word(table, 8)
    tiles = (M + {MR} - 1) // {MR}
    begin, end = tiles * k // threads, tiles * (k + 1) // threads
    for block in range(begin, end, {TILES}):
        for p in range((N + {NR} - 1) // {NR}):
            columns = min({NR}, N - p * {NR})
            for i in range(block, min(block + {TILES}, end)):
                lo = M * i // tiles
                hi = M * (i + 1) // tiles
                out = c + (lo * N + p * {NR}) * {size}
                if bias:
                    for r in range(hi - lo):
                        copy((bias + p * {NR} * {size}, out + r * N * {size}), (), columns)
                tile(hi - lo, a + lo * a_row * {size}, a_row, a_k, w + p * K * {NR} * {size}, out,
                     N, K, columns, 1 if bias else 0)


def copy_rows(a, a_group, lda, c, c_group, ldc, groups, rows, N):
    """C[g, row] = A[g, row], N columns of each."""
    for g in range(groups):
        source, target = a + g * a_group * {size}, c + g * c_group * {size}
        for i in range(rows):
            copy((source + i * lda * {size}, target + i * ldc * {size}), (), N)


def sum_parts(part, parts, a, stride, M, N, c):
    """Some rows of C (M, N) = A[0] + A[1] + ..., in panels, each `stride` bytes after the last."""
    a -= part * stride
    for p in range((N + {NR} - 1) // {NR}):
        columns = min({NR}, N - p * {NR})
        for i in range(M * part // parts, M * (part + 1) // parts):
            source = a + (p * M + i) * {NR} * {size}
            target = c + (i * N + p * {NR}) * {size}
            copy((source, target), (), columns)
            for q in range(1, parts):
                plus((source + q * stride, target), (), columns)


def pack_rows(g, ldg, columns, K, out):
    """A panel of some columns of G (K, columns)."""
    if columns == {NR}:
        for k in range(K):
            copy((g + k * ldg * {size}, out + k * {NR} * {size}), (), {NR})
    else:
        for k in range(K):
            copy((g + k * ldg * {size}, out + k * {NR} * {size}), (), columns)


def add_outer(a, lda, K, M, panel, c, columns, add):
    """Panel of C (M, N) = A.T @ G, or +=: A (K, M) read in place, G and C in panels."""
    tiles = (M + {MR} - 1) // {MR}
    for i in range(tiles):
        lo = M * i // tiles
        hi = M * (i + 1) // tiles
        tile(hi - lo, a + lo * {size}, 1, lda, panel, c + lo * {NR} * {size}, {NR}, K, columns, add)


def pack(k, table, threads, first, last):
    """Panels k, k + threads, ... of a list of (weight, K, N, transposed, packed)."""
    for q in range(word(table, 0)):
        w, K, N = word(table, 5 * q + 1), word(table, 5 * q + 2), word(table, 5 * q + 3)
        transposed, out = word(table, 5 * q + 4), word(table, 5 * q + 5)
        for p in range(k, (N + {NR} - 1) // {NR}, threads):
            columns = min({NR}, N - p * {NR})
            o = out + p * K * {NR} * {size}
            if transposed:
                source = w + p * {NR} * K * {size}
                for i in range(0, K, {lanes}):
                    for j in range(0, columns, {lanes}):
                        transpose(source + (j * K + i) * {size}, K, o + (i * {NR} + j) * {size},
                                  {NR}, min({lanes}, columns - j), min({lanes}, K - i))
            else:
                for i in range(K):
                    copy((w + (i * N + p * {NR}) * {size}, o + i * {NR} * {size}), (), columns)
'''


def _cases(width: int) -> str:
    """Lines that call the micro-kernel for m rows."""
    call = "(a, a_row, a_k, b, {NR}, c, ldc, K, columns, add)"
    return "\n".join(
        f"        {'el' if m > 1 else ''}if m == {m}:\n            kernel_{m}_{width}{call}"
        for m in range(1, MR + 1)
    )


def library_source(d: str) -> str:
    """Return the source of the products of dtype `d` ("f4" or "f8")."""
    size = int(d[1])
    lanes = BYTES // size
    kernels = "\n".join(
        f'kernel_{m}_{width} = micro_kernel("{d}", {m}, {width})'
        for m in range(1, MR + 1)
        for width in (1, NV)
    )
    kernels += f'\nkernel_1_{CHAINS} = micro_kernel("{d}", 1, {CHAINS})'
    numbers = {"d": d, "size": size, "lanes": lanes, "MR": MR, "NR": NV * lanes, "TILES": TILES}
    numbers |= {"FULL": CHAINS, "JOINED": CHAINS // NV}
    wide, thin = (_cases(width).format(**numbers) for width in (NV, 1))
    return _LIBRARY.format(**numbers, kernels=kernels, wide=wide, thin=thin)


def library(d: str) -> native.Native:
    """Return the compiled products of dtype `d`, "f4" or "f8"."""
    return native.load(library_source(d))


def packed_size(K: int, N: int, size: int) -> int:
    """Return how many elements of `size` bytes a packed (K, N) weight takes."""
    panel = NV * BYTES // size
    return -(-N // panel) * panel * K
