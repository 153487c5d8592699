"""One fused column loop: the instructions that compute, from memory, what is written in a phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .expressions import Value
from .program import Buffer
from .schedule import Position

if TYPE_CHECKING:
    from .lower import Source


class Columns:
    """Instructions for some columns of one row; each is written once, however often it is used."""

    def __init__(self, source: Source, at: Position) -> None:
        self.source, self.at = source, at
        self.code: list[tuple[Any, ...]] = []
        self.last: list[tuple[Any, ...]] = []
        self.places: dict[tuple[Any, ...], int] = {}
        self.pointers: list[str] = []
        self.scalars: list[str] = []
        self.sums: list[Value] = []

    def add(self, v: Value, offset: int, target: Any, kind: str) -> None:
        """Nothing; writes columns of v from `offset` on to a buffer, or sums them.

        kind: "store" or "accumulate" to the Buffer `target`; "sum" or "max" for the Value `target`
        """
        result = self._value(v, offset)
        if isinstance(target, Value):
            if target not in self.sums:
                self.sums.append(target)
            self.last.append((kind, self.sums.index(target), result))
        else:
            place = _position(self.pointers, self.source.pointer(target, offset=offset))
            self.last.append((kind, place, result))

    def _put(self, *instruction: Any) -> int:
        if instruction not in self.places:
            self.places[instruction] = len(self.code)
            self.code.append(instruction)
        return self.places[instruction]

    def _pointer(self, buffer: Buffer, offset: int) -> int:
        """Return the position of the address of this row, to be read.

        A series is too long for the caches: its next row is asked for, once in a stage.
        """
        text = self.source.pointer(buffer, offset=offset)
        if buffer.kind == "seq" and (self.at[0], text) not in self.source.asked:
            self.source.asked.add((self.at[0], text))
            row = self.source.length(buffer.width, buffer.name)
            later = _position(self.pointers, f"{text} + {row} * {self.source.size}")
            self.last.append(("prefetch", later))
        return _position(self.pointers, text)

    def _scalar(self, text: str) -> int:
        return self._put("scalar", _position(self.scalars, text))

    def _value(self, v: Value, offset: int) -> int:
        """Return the instruction that gives columns of v from `offset` on."""
        source, schedule = self.source, self.source.schedule
        if v.op == "const":
            return self._constant(v["value"])
        readable = schedule.is_in_memory(v, self.at)
        if readable and v.width == 0:
            return self._scalar(source.scalar(v, self.at))
        if readable:
            return self._put("load", self._pointer(source.where(v), offset))
        if v.op == "columns":
            return self._value(v.args[0], offset + v["start"])
        if v.op == "expand":
            return self._value(v.args[0], 0)
        if v.op == "at_column":
            return self._put("equal", self._put("column", offset), self._value(v.args[0], 0))
        if v.op == "concat":
            i = max(i for i, o in enumerate(v["offsets"]) if o <= offset)
            return self._value(v.args[i], offset - v["offsets"][i])
        return self._put(v.op, *(self._value(a, offset if a.width else 0) for a in v.args))

    def _constant(self, value: float) -> int:
        """Return a constant; any but the commonest comes from the table, as sizes do.

        So one kernel serves all widths that a mean divides by, and all rates that a step may have.
        """
        if abs(value) in (0.0, 0.5, 1.0, 2.0):
            return self._put("const", value)
        return self._scalar(self.source.constant(value))

    def definition(self, d: str) -> str:
        """Return the text that makes the loop."""
        body = "".join(f"    {instruction},\n" for instruction in self.code + self.last)
        return f'column_loop("{d}", [\n{body}])'

    def arguments(self) -> str:
        """Return the text of the addresses and numbers that the loop is called with."""
        return f"{_tuple(self.pointers)}, {_tuple(self.scalars)}"


def _position(pool: list[str], text: str) -> int:
    if text not in pool:
        pool.append(text)
    return pool.index(text)


def _tuple(texts: list[str]) -> str:
    return "(" + "".join(text + ", " for text in texts) + ")"
