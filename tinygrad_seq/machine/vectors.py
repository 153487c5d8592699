"""Column loops: explicit vectors of floats as LLVM IR.

Explicit vectors stand in place of LLVM's auto-vectoriser: no alias checks, no scalar remainder,
and no fast-math flag but `contract`, which joins a product and a sum into one operation.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from .addresses import I32, I64, REALS, Value, cgutils, pointer
from .functions import CONTRACT, FUNCTIONS
from .processor import BYTES

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

REDUCTIONS = {"sum": 0.0, "max": float("-inf")}
"""What goes along a row, and what it starts from."""
MEMORY = ("load", "store", "accumulate", "prefetch", "prefetch_to_write")
"""What has an address for its first operand."""
SHORT = 16
"""Bytes of the shortest vectors that processors compute with."""

UNROLLED = {4: 16, 2: 32, 1: 2**30}
"""Vectors that a loop goes on by, and the most instructions of such a loop: sums of different
vectors do not wait for each other."""


class Vectors:
    """Writes operations on vectors of `dtype` ("f4" or "f8"), `width` bytes long, at a builder.

    A mask is a vector of bits: in lanes without one, nothing is read and nothing is written.
    """

    def __init__(self, builder: Any, dtype: str, width: int = BYTES) -> None:
        self.builder, self.dtype, self.size, self.width = builder, dtype, int(dtype[1]), width
        self.lanes = width // self.size
        self.scalar = REALS[dtype]
        self.type = ir.VectorType(self.scalar, self.lanes)
        self.integers = ir.VectorType(ir.IntType(8 * self.size), self.lanes)
        self.bits_of_mantissa, self.bias = (23, 127) if self.size == 4 else (52, 1023)

    def constant(self, x: float) -> Value:
        """x in every lane."""
        return ir.Constant(self.type, [float(x)] * self.lanes)

    def integer(self, i: int) -> Value:
        """The integer i in every lane, as wide as the float."""
        return ir.Constant(self.integers, [i] * self.lanes)

    def splat(self, x: Value) -> Value:
        """The scalar x in every lane."""
        kind = ir.VectorType(x.type, self.lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, x, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def call(self, name: str, result: Any, args: Sequence[Value]) -> Value:
        """What the LLVM intrinsic of this name returns."""
        kind = ir.FunctionType(result, [a.type for a in args])
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, name), args
        )

    def elementwise(self, name: str, *args: Value) -> Value:
        """What llvm.NAME returns for vectors of this type."""
        return self.call(f"llvm.{name}.v{self.lanes}f{8 * self.size}", self.type, args)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """x · y + z, rounded once where the processor can."""
        return self.elementwise("fmuladd", x, y, z)

    def compare(self, sign: str, x: Value, y: Value) -> Value:
        """Lanes where x SIGN y; never where either is NaN, but for "!="."""
        compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return compare(sign, x, y)

    def choose(self, sign: str, x: Value, y: Value, then: Value, otherwise: Value) -> Value:
        """`then` where x SIGN y, `otherwise` elsewhere."""
        return self.builder.select(self.compare(sign, x, y), then, otherwise)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """The polynomial at x; coefficients from the highest power down."""
        total = self.constant(coefficients[0])
        for c in coefficients[1:]:
            total = self.fma(total, x, self.constant(c))
        return total

    def times_power_of_two(self, x: Value, n: Value) -> Value:
        """x · 2 to the n, rounded once, in one operation that AVX-512 alone has."""
        every = ir.Constant(ir.IntType(self.lanes), -1)
        name = f"llvm.x86.avx512.mask.scalef.p{'s' if self.size == 4 else 'd'}.512"
        current_rounding = ir.Constant(I32, 4)
        return self.call(name, self.type, [x, n, x, every, current_rounding])

    def counted(self, j: Value, first: int) -> Value:
        """first + j, first + j + 1, ... as floats; j an int64."""
        start = self.splat(self.builder.trunc(j, I32))
        kind = ir.VectorType(I32, self.lanes)
        ramp = ir.Constant(kind, list(range(first, first + self.lanes)))
        return self.builder.sitofp(self.builder.add(start, ramp), self.type)

    def transposed(self, rows: Sequence[Value]) -> list[Value]:
        """The columns of a square of as many vectors as each has lanes.

        Squares of 1, 2, 4 ... lanes beside the diagonal change places.
        """
        rows, lanes, half = list(rows), range(self.lanes), 1
        kind = ir.VectorType(I32, self.lanes)
        while half < self.lanes:
            upper = [k + self.lanes - half if k & half else k for k in lanes]
            lower = [k + self.lanes if k & half else k + half for k in lanes]
            for r in lanes:
                if not r & half:
                    pair = rows[r], rows[r + half]
                    for place, order in ((r, upper), (r + half, lower)):
                        rows[place] = self.builder.shuffle_vector(*pair, ir.Constant(kind, order))
            half *= 2
        return rows

    # ---- memory ----------------------------------------------------------------------------------

    def at(self, base: Value, j: Value) -> Value:
        """Pointer to a vector, j elements after the address base."""
        offset = self.builder.mul(j, ir.Constant(I64, self.size))
        return pointer(self.builder, self.builder.add(base, offset), self.type)

    def mask(self, n: Value) -> Value:
        """The lanes below n, an int64."""
        ramp = ir.Constant(ir.VectorType(I64, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", ramp, self.splat(n))

    def load(self, pointer: Value, mask: Value | None = None) -> Value:
        """The vector at a pointer that is aligned as its elements are; 0 outside the mask."""
        if mask is None:
            value = self.builder.load(pointer)
            value.align = self.size
            return value
        name = f"llvm.masked.load.v{self.lanes}f{8 * self.size}.p0"
        args = [pointer, ir.Constant(I32, self.size), mask, self.constant(0)]
        return self.call(name, self.type, args)

    def store(self, value: Value, pointer: Value, mask: Value | None = None) -> None:
        """Nothing; afterwards the value stands at the pointer, in the lanes of the mask."""
        if mask is None:
            self.builder.store(value, pointer).align = self.size
            return
        name = f"llvm.masked.store.v{self.lanes}f{8 * self.size}.p0"
        self.call(name, ir.VoidType(), [value, pointer, ir.Constant(I32, self.size), mask])

    def join(self, name: str, x: Value, y: Value) -> Value:
        """x + y for a "sum"; for a "max" the larger, NaN where either is. Scalars or vectors."""
        if name == "sum":
            return self.builder.fadd(x, y, flags=CONTRACT)
        larger = self.builder.fcmp_ordered(">", x, y)
        nan = self.builder.fcmp_unordered("uno", x, x)
        return self.builder.select(self.builder.or_(larger, nan), x, y)

    def prefetch(self, base: Value, j: Value, to_write: bool = False) -> None:
        """Nothing; asks for the cache line j elements after the address base."""
        near_data = [ir.Constant(I32, i) for i in (int(to_write), 3, 1)]
        self.call("llvm.prefetch.p0", ir.VoidType(), [self.at(base, j), *near_data])

    def total(self, value: Value, name: str = "sum") -> Value:
        """The sum (or "max") of all lanes: one half of them is joined to the other, and so on."""
        lanes = self.lanes
        while lanes > 1:
            lanes //= 2
            halves = [
                self.builder.shuffle_vector(
                    value,
                    ir.Constant(value.type, ir.Undefined),
                    ir.Constant(ir.VectorType(I32, lanes), list(range(start, start + lanes))),
                )
                for start in (0, lanes)
            ]
            value = self.join(name, *halves)
        return self.builder.extract_element(value, ir.Constant(I32, 0))


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
        elif name in ("prefetch", "prefetch_to_write"):
            vectors.prefetch(self.pointers[operands[0]], j, name == "prefetch_to_write")
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
