"""Vectors of floats as LLVM IR, explicit ones, in place of LLVM's auto-vectoriser.

There are no alias checks, no scalar remainder, and no fast-math flag but `contract`, which joins a
product and a sum into one operation.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from ..addresses import I32, I64, REALS, Value, cgutils, pointer
from ..processor import BYTES
from .functions import CONTRACT

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py


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
