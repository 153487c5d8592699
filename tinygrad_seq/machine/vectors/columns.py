"""Column loops: chains of operations along the columns of rows, vector by vector."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from ..addresses import I32, I64, Value, cgutils
from ..processor import BYTES
from .functions import CONTRACT, FUNCTIONS
from .lanes import Vectors

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

REDUCTIONS = {"sum": 0.0, "max": float("-inf")}
"""What goes along a row, and what it starts from."""
MEMORY = ("load", "store", "accumulate", "prefetch")
"""What has an address for its first operand."""
SHORT = 16
"""Bytes of the shortest vectors that processors compute with."""

UNROLLED = {4: 16, 2: 32, 1: 2**30}
"""Vectors that a loop goes on by, and the most instructions of such a loop: sums of different
vectors do not wait for each other."""


class _Columns:
    """One column loop being written: the values known so far, by the instruction's position."""

    def __init__(self, vectors: Vectors, code: Sequence[tuple[Any, ...]], args: Any) -> None:
        self.vectors, self.builder, self.code = vectors, vectors.builder, code
        self.pointers, self.scalars, self.n = args
        self.known: dict[int, Value] = {}
        self.copies = next(copies for copies, most in UNROLLED.items() if len(code) <= most)
        self.totals = {
            (i, copy): cgutils.alloca_once_value(self.builder, vectors.constant(REDUCTIONS[name]))
            for i, (name, *_) in enumerate(code)
            for copy in range(self.copies)
            if name in REDUCTIONS
        }

    def write(self) -> list[Value]:
        """The sums; afterwards whole vectors and the masked rest are written."""
        builder, lanes = self.builder, self.vectors.lanes
        fixed = self.constant_instructions()
        self.constants(fixed)
        varying = [i for i in range(len(self.code)) if i not in fixed]
        start = ir.Constant(I64, 0)
        for copies in sorted({self.copies, 1}, reverse=True):
            step = ir.Constant(I64, copies * lanes)
            stop = builder.and_(self.n, ir.Constant(I64, -copies * lanes))
            with cgutils.for_range_slice(builder, start, stop, step, inc=True) as (j, _):
                self.columns(varying, j, copies)
            start = stop
        with builder.if_then(builder.icmp_signed("<", start, self.n)):
            self.columns(varying, start, 1, self.vectors.mask(builder.sub(self.n, start)))
        return self.results()

    def columns(
        self, varying: Sequence[int], j: Value, copies: int, mask: Value | None = None
    ) -> None:
        """Nothing; afterwards these instructions are written for some vectors from column j on."""
        lanes = self.vectors.lanes
        places = [self.builder.add(j, ir.Constant(I64, copy * lanes)) for copy in range(copies)]
        known = [dict(self.known) for _ in places]
        for i in varying:
            for copy, place in enumerate(places):
                self.instruction(i, place, mask, known[copy], copy)

    def results(self) -> list[Value]:
        """What goes along the row, in the order of the results: parts of one are joined first."""
        joined: dict[int, tuple[str, Value]] = {}
        for (i, _), total in self.totals.items():
            name, result, _ = self.code[i]
            value = self.builder.load(total)
            if result in joined:
                value = self.vectors.join(name, joined[result][1], value)
            joined[result] = name, value
        return [self.vectors.total(joined[i][1], joined[i][0]) for i in range(len(joined))]

    def constant_instructions(self) -> list[int]:
        """Positions of what is the same in every column."""
        found: list[int] = []
        for i, (name, *operands) in enumerate(self.code):
            own = name not in (*MEMORY, "column", *REDUCTIONS)
            if name in ("scalar", "const") or (own and all(a in found for a in operands)):
                found.append(i)
        return found

    def constants(self, fixed: Sequence[int]) -> None:
        """Nothing; afterwards these instructions are written, for one column in place of all.

        Short vectors divide and take roots three times as fast as long ones.
        """
        vectors, first = self.vectors, ir.Constant(I32, 0)
        self.vectors = Vectors(self.builder, vectors.dtype, min(SHORT, vectors.width))
        for i in fixed:
            self.instruction(i, None, None, self.known)
        self.vectors = vectors
        for i in fixed:
            self.known[i] = vectors.splat(self.builder.extract_element(self.known[i], first))

    def instruction(
        self, i: int, j: Value, mask: Value | None, known: dict[int, Value], copy: int = 0
    ) -> None:
        """Nothing; afterwards instruction i is written for the columns from j on."""
        vectors = self.vectors
        name, *operands = self.code[i]
        if name == "load":
            known[i] = vectors.load(vectors.at(self.pointers[operands[0]], j), mask)
        elif name == "scalar":
            known[i] = vectors.splat(self.scalars[operands[0]])
        elif name == "const":
            known[i] = vectors.constant(operands[0])
        elif name == "column":
            known[i] = vectors.counted(j, operands[0])
        elif name in ("store", "accumulate"):
            pointer = vectors.at(self.pointers[operands[0]], j)
            value = known[operands[1]]
            if name == "accumulate":
                value = self.builder.fadd(vectors.load(pointer, mask), value, flags=CONTRACT)
            vectors.store(value, pointer, mask)
        elif name == "prefetch":
            vectors.prefetch(self.pointers[operands[0]], j)
        elif name in REDUCTIONS:
            value = known[operands[1]]
            if mask is not None:
                value = self.builder.select(mask, value, vectors.constant(REDUCTIONS[name]))
            before = self.builder.load(self.totals[i, copy])
            self.builder.store(vectors.join(name, before, value), self.totals[i, copy])
        else:
            known[i] = FUNCTIONS[name](vectors, *(known[a] for a in operands))


def column_loop(
    dtype: str, code: Sequence[tuple[Any, ...]], width: int = BYTES
) -> Callable[..., list[Value]]:
    """Return write(builder, pointers, scalars, n) -> sums: code that runs on n columns.

    An instruction refers to earlier ones by position: ("load", p) ("scalar", s) ("const", x)
    ("column", k), the column's number plus k,
    (function, i, ...) ("store", p, i) ("accumulate", p, i) ("sum", r, i) ("max", r, i), with p, s
    and r positions in pointers (addresses), scalars and sums; what several instructions sum to one
    r is added up. Functions are those of `functions.FUNCTIONS`.
    """

    def write(builder: Any, *args: Any) -> list[Value]:
        return _Columns(Vectors(builder, dtype, width), code, args).write()

    return write
