"""Where in a step each value is computed: stages end at products, phases at row sums.

A product needs all rows of its operand, so it ends a *stage*: a loop over rows. A row sum needs its
whole row, so it ends a *phase* of a stage: the loops over columns within one row. Elementwise
values have no place of their own: they are computed, again if need be, where something is written
that needs them. A costly one that is wanted in a later phase or stage is written: *spilled*.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .expressions import ELEMENTWISE, REDUCTIONS, Value
from .program import Buffer, Program, cost, wide

Position = tuple[int, int]

DEAR = 3
"""Operations beyond which a value is written and read, not computed again."""

FREE = frozenset(("const", "leaf", *REDUCTIONS))


class Schedule:
    """The positions of a program's values and what is written at each.

    at: (stage, phase) of each value, by its number
    sinks: by position, (value, where to, "store" | "accumulate" | "sum" | "max")
    products: by stage, the products that precede it
    stores: buffers of values that a step itself writes, by the value's number
    blocks: likewise, of operands of deferred products that no other buffer holds for a whole block
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.numbers: dict[int, int] = {}
        self.at: dict[int, Position] = defaultdict(lambda: (0, 0))
        self.sinks: dict[Position, list[tuple[Value, Any, str]]] = defaultdict(list)
        self.products: dict[int, list[Value]] = defaultdict(list)
        self.stores: dict[int, Buffer] = {}
        self.blocks: dict[int, Buffer] = {}
        self._joined: set[int] = set()
        self._cuts: dict[tuple[int, Position], set[int]] = {}
        self._place()
        self._sink()
        self._spill()

    def name(self, letter: str, v: Value) -> str:
        """Return a name that does not depend on the process: the source is a key of the cache."""
        return f"{letter}{self.numbers.setdefault(v.number, len(self.numbers))}"

    def stages(self) -> range:
        """Return the numbers of all stages."""
        return range(1 + max([s for s, _ in self.sinks] + list(self.products), default=0))

    def is_in_memory(self, v: Value, at: Position) -> bool:
        """Return whether v is read at a position, not computed there."""
        before = v.number in self.stores and self.at[v.number] < at
        return v.number in self.program.have or before or v.op in ("matmul", *REDUCTIONS)

    def cuts(self, v: Value, at: Position) -> set[int]:
        """Return the columns at which concatenations cut v, as it is computed at a position."""
        if (v.number, at) in self._cuts:
            return self._cuts[v.number, at]
        found = self._cuts[v.number, at] = set()
        if not v.width or self.is_in_memory(v, at):
            return found
        starts = [-v["start"]] if v.op == "columns" else v.attrs.get("offsets", [0] * len(v.args))
        for a, start in zip(v.args, starts, strict=True):
            if v.op == "concat":
                found.add(start)
            if v.op not in ("expand", "at_column"):
                found |= {cut + start for cut in self.cuts(a, at)}
        found -= {cut for cut in found if not 0 < cut < v.width}
        return found

    def _place(self) -> None:
        for v in self.program.values:
            if v.op == "concat" and self._cost(v, set()) > DEAR:
                self._joined.add(v.number)
            stage, phase = max([self.at[a.number] for a in v.args], default=(0, 0))
            if v.op == "matmul":
                stage, phase = stage + 1, 0
            elif any(self._waits(v, a) for a in v.args):
                phase += 1
            self.at[v.number] = (stage, phase)
        self._delay()

    def _waits(self, v: Value, a: Value) -> bool:
        """Return whether v is computed in a later phase than its argument a, from memory.

        What is computed from joined columns then runs over all of them in one loop.
        """
        return v.op in REDUCTIONS or (v.op in ELEMENTWISE and a.number in self._joined)

    def _delay(self) -> None:
        """Nothing; moves what no product of its stage needs to the stage where it is first wanted.

        So the row sums of hoisted products share their loops with those of the state's product.
        """
        wanted: dict[int, list[Position]] = defaultdict(list)
        for v in reversed(self.program.values):
            if v.number in wanted and v.op != "matmul":
                first = min(wanted[v.number])
                if first[0] > self.at[v.number][0]:
                    self.at[v.number] = first
            stage, phase = at = self.at[v.number]
            for a in v.args:
                last = self.at[a.number] if v.op == "matmul" else (stage, phase - 1)
                waits = v.op == "matmul" or self._waits(v, a)
                wanted[a.number].append(last if waits else at)

    def _sink(self) -> None:
        """Nothing; finds what must be written: results, operands of products, row sums."""
        again = []
        for v, buffer in self.program.copies:
            if v.number in self.program.have or v.number in self.stores:
                again.append((v, buffer, "store"))
            else:
                self.stores[v.number] = buffer
        for d in self.program.deferred:
            for v in (d.a, d.other) if d.kind == "outer" else (d.a,):
                self._materialise(v, "block")
                held = self.program.have.get(v.number) or self.stores[v.number]
                if held.kind not in ("seq", "block") and v.number not in self.blocks:
                    self.blocks[v.number] = Buffer(self.name("c", v), "block", wide(v))
                    again.append((v, self.blocks[v.number], "store"))
        last = max([self.at[v.number][0] for v in self.program.values], default=0)
        for v in self.program.values:
            stage, phase = self.at[v.number]
            if v.op == "matmul":
                self.products[stage].append(v)
                self.stores.setdefault(v.number, Buffer(self.name("m", v), "tmp", v.width))
                self._materialise(v.args[0], "tmp")
            elif v.op in REDUCTIONS:
                if last > stage:
                    self.stores.setdefault(v.number, Buffer(self.name("r", v), "tmp", 1))
                self.sinks[stage, phase - 1].append((v.args[0], v, REDUCTIONS[v.op]))
        for v in self.program.values:
            for a in v.args:
                if v.op in ELEMENTWISE and a.number in self._joined:
                    same = self.at[v.number][0] == self.at[a.number][0]
                    self._materialise(a, "row" if same else "tmp")
        again += [(v, buffer, "accumulate") for v, buffer in self.program.sums]
        again += [
            (v, self.stores[v.number], "store")
            for v in self.program.values
            if v.number in self.stores and v.op != "matmul" and v.op not in REDUCTIONS
        ]
        for sink in again:
            self.sinks[self.at[sink[0].number]].append(sink)

    def _materialise(self, v: Value, kind: str) -> None:
        """Nothing; sees to it that v is in memory: for the step (tmp) or for the block."""
        if v.number in self.program.have:
            return
        known = self.stores.get(v.number)
        if known is None:
            self.stores[v.number] = Buffer(self.name("v", v), kind, wide(v))

    def _cost(self, v: Value, seen: set[int]) -> int:
        """Return about how many operations it takes to compute v from what is in memory."""
        if v.number in seen or v.op in FREE or v.number in self.program.have:
            return 0
        if v.number in self.stores:
            return 0
        seen.add(v.number)
        return cost(v) + sum(self._cost(a, seen) for a in v.args)

    def _spill(self) -> None:
        """Nothing; stores costly values that are wanted again at a later position."""
        done: set[Position] = set()
        while set(self.sinks) - done:
            at = max(set(self.sinks) - done)
            done.add(at)
            seen: set[int] = set()
            stack = [v for v, *_ in self.sinks[at]]
            while stack:
                v = stack.pop()
                before = self.at[v.number] < at
                in_memory = v.number in self.program.have or (v.number in self.stores and before)
                if v.number in seen or in_memory:
                    continue
                seen.add(v.number)
                if before and v.width and v.rows and self._cost(v, set()) > DEAR:
                    kind = "row" if self.at[v.number][0] == at[0] else "tmp"
                    buffer = self.stores[v.number] = Buffer(self.name("v", v), kind, v.width)
                    self.sinks[self.at[v.number]].append((v, buffer, "store"))
                    done.discard(self.at[v.number])
                elif v.op not in REDUCTIONS:
                    stack.extend(v.args)
