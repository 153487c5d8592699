"""One loop over time as the planner leaves it: what it reads, computes and writes, and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...tracing.trace import Untraceable
from .expressions import ELEMENTWISE, Value

COSTS = dict.fromkeys((
    "div", "exp", "log", "sqrt", "log1p", "expm1", "erf", "softplus", "sin", "cos", "pow",
), 100) | {"tanh": 20, "sigmoid": 20}  # fmt: skip
"""Of the elementwise operations that are no single instruction, or take as long as many."""


@dataclass
class Buffer:
    """Memory that a program reads or writes.

    kind: seq (T, B, width) | pair (2, B, width), by the step's parity | fixed (B, width)
    vec (width,) | block (steps of a block, B, width) | tmp (a thread's rows, width)
    row (width,), a thread's | panel | acc (width,) a thread's, or a matrix
    shift: added to the step
    """

    name: str
    kind: str
    width: int
    shift: int = 0
    shape: tuple[int, ...] = ()


@dataclass
class Deferred:
    """A product after each block: rows (a @ weight -> out), or outer (out += a.T @ g)."""

    kind: str
    a: Value
    other: Value
    out: Buffer


@dataclass
class Program:
    """One loop over time.

    have: buffers that can be read in every step, by the Value's number
    copies: Values to write in every step; sums: Values whose rows are added up over all steps
    packs: weights of products, (number of the outer tensor, whether transposed)
    reads: names of the buffers of `have` that are needed
    """

    have: dict[int, Buffer]
    reverse: bool
    copies: list[tuple[Value, Buffer]] = field(default_factory=list)
    sums: list[tuple[Value, Buffer]] = field(default_factory=list)
    hoisted: list[Value] = field(default_factory=list)
    deferred: list[Deferred] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    packs: list[tuple[int, bool]] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)

    def pack(self, product: Value) -> int:
        """Return the number of the packed weight that this product takes."""
        key = (product.args[1]["index"], product["transposed"])
        if key not in self.packs:
            self.packs.append(key)
        return self.packs.index(key)

    def finish(self) -> None:
        """Nothing; afterwards `values` are those to compute in the loop, arguments first."""
        roots = [v for v, _ in (*self.copies, *self.sums)]
        for d in self.deferred:
            roots += [d.a, d.other] if d.kind == "outer" else [d.a]
        live: dict[int, Value] = {}
        while roots:
            v = roots.pop()
            if v.number in self.have:
                self.reads.add(self.have[v.number].name)
            elif v.number not in live:
                live[v.number] = v
                roots.extend(v.args)
        self.values = sorted(live.values(), key=lambda v: v.number)
        for v in self.values:
            if v.op in ("batch_sum", "outer", "transpose"):
                raise Untraceable("a step mixes the rows of different sequences")
            if v.op == "matmul":
                self.pack(v)


def wide(v: Value) -> int:
    """Return the width of a Value in memory: a number for each row takes one column."""
    return max(v.width, 1)


def cost(v: Value) -> int:
    """Return about how many operations each column of v takes, given its arguments."""
    return COSTS.get(v.op, 1) if v.width and v.op in ELEMENTWISE else 0
