"""Rows of float32 by their addresses: kernels that pass along the columns of several at once.

A row is a whole number of cache lines long, so that vectors of any width fill it.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from .addresses import I32, I64, Value, cgutils, pointer, types
from .processor import BYTES
from .vectors.functions import CONTRACT
from .vectors.lanes import Vectors

TEXT = pathlib.Path(__file__).read_bytes()
"""What compiled code depends on, as it was when this was imported."""


class Rows:
    """Writes operations on rows: a vector of one is read and written at (address, byte offset)."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.vectors = Vectors(builder, "f4", BYTES)

    def number(self, i: int) -> Value:
        """The int64 i."""
        return ir.Constant(I64, i)

    def word(self, table: Value, i: Value | int) -> Value:
        """The i-th address of a table."""
        index = self.number(i) if isinstance(i, int) else i
        return self.builder.load(self.builder.gep(pointer(self.builder, table, I64), [index]))

    def pointer(self, row: Value, offset: Value | int) -> Value:
        """Pointer to a vector, `offset` bytes after the address row."""
        offset = self.number(offset) if isinstance(offset, int) else offset
        return pointer(self.builder, self.builder.add(row, offset), self.vectors.type)

    def load(self, row: Value, offset: Value | int) -> Value:
        """The vector there."""
        return self.vectors.load(self.pointer(row, offset))

    def store(self, value: Value, row: Value, offset: Value | int) -> None:
        """Nothing; afterwards the vector stands there."""
        self.vectors.store(value, self.pointer(row, offset))

    def number_at(self, base: Value, j: Value | int) -> Value:
        """The float32 that stands j elements after the address base, in every lane."""
        offset = self.number(4 * j) if isinstance(j, int) else self.builder.shl(j, self.number(2))
        place = pointer(self.builder, self.builder.add(base, offset), ir.FloatType())
        return self.vectors.splat(self.builder.load(place))

    def add(self, x: Value, y: Value) -> Value:
        """x + y."""
        return self.builder.fadd(x, y, flags=CONTRACT)

    def constants(self, values: Sequence[float]) -> Value:
        """A vector of these numbers."""
        return ir.Constant(self.vectors.type, list(values))

    def store_all(self, values: Sequence[Value], base: Value) -> None:
        """Nothing; afterwards vectors of any widths stand one after the other from base on."""
        offset = 0
        for value in values:
            address = self.builder.add(base, self.number(offset))
            self.builder.store(value, pointer(self.builder, address, value.type)).align = 4
            offset += 4 * value.type.count

    def along(self, end: Value) -> Any:
        """A loop over the byte offsets of a row's vectors."""
        start, step = self.number(0), self.number(BYTES)
        return cgutils.for_range_slice(self.builder, start, end, step, intp=I64, inc=True)

    def outer_sum(
        self, old: Sequence[Value], table: Value, count: Value, offset: Value, e: Value, width: int
    ) -> list[Value]:
        """Places of old j + Σ_i error[i, j] · context i, the errors of a context `width` apart."""
        b = self.builder
        new = [cgutils.alloca_once(b, self.vectors.type) for _ in old]
        for place, value in zip(new, old, strict=True):
            b.store(value, place)
        with cgutils.for_range(b, count, intp=I64) as loop:
            error = b.add(e, b.mul(loop.index, self.number(4 * width)))
            column = self.load(self.word(table, loop.index), offset)
            for j, place in enumerate(new):
                b.store(self.vectors.fma(self.number_at(error, j), column, b.load(place)), place)
        return new

    # ---- sums across lanes -----------------------------------------------------------------------

    def shuffle(self, x: Value, y: Value, lanes: Sequence[int]) -> Value:
        """The chosen lanes of x and y, one after the other."""
        chosen = ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))
        return self.builder.shuffle_vector(x, y, chosen)

    def totals(self, sums: Sequence[Value]) -> list[Value]:
        """Vectors that hold, one after the other, the total of each vector's lanes.

        sums: a multiple of 8 of them
        """
        found: list[Value] = []
        rest = list(sums)
        while rest:
            width = min(self.vectors.lanes, len(rest))
            found.append(self._crossed([self._halved(x, width) for x in rest[:width]]))
            rest = rest[width:]
        return found

    def _halved(self, x: Value, width: int) -> Value:
        """The sum of x's halves, and of theirs, down to `width` lanes."""
        lanes = self.vectors.lanes
        while lanes > width:
            lanes //= 2
            low, high = range(lanes), range(lanes, 2 * lanes)
            x = self.add(self.shuffle(x, x, low), self.shuffle(x, x, high))
        return x

    def _crossed(self, x: list[Value]) -> Value:
        """The totals of as many vectors as each has lanes: neighbours joined until one is left."""
        lanes = range(2 * len(x))
        while len(x) > 1:
            block = len(x) // 2
            low = [i for i in lanes if i // block % 2 == 0]
            high = [i for i in lanes if i // block % 2 == 1]
            x = [
                self.add(self.shuffle(a, b, low), self.shuffle(a, b, high))
                for a, b in zip(x[::2], x[1::2], strict=True)
            ]
        return x[0]


def kernel(kinds: str, write: Callable[..., Any]) -> Any:
    """Return an intrinsic whose code `write(rows, *values)` writes.

    kinds: one letter an argument, i an int64, f a float32; the result is nothing, or after ">"
    """
    names = {"i": types.int64, "f": types.float32, "d": types.float64}
    args, _, result = kinds.partition(">")
    signature = (names[result] if result else types.void)(*(names[kind] for kind in args))

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        written = write(Rows(builder), *values)
        return written if result else context.get_dummy_value()

    found = signature, generate
    by_arguments: dict[int, Any] = {  # Numba reads their number off the function
        2: lambda typing_context, a, b: found,
        3: lambda typing_context, a, b, c: found,
        4: lambda typing_context, a, b, c, d: found,
        5: lambda typing_context, a, b, c, d, e: found,
        7: lambda typing_context, a, b, c, d, e, f, g: found,
    }
    return intrinsic(by_arguments[len(args)])
