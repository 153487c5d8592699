"""What is left of a step before it is lowered: expressions over rows, columns, sums and products.

A `Value` has one of four forms. *Rows* are an array (B, width), one row for each sequence; with
width 0 they are one number for each row. The others are the same for all rows: a *vector* (width,),
a *number* (width 0), a *matrix*. Equal expressions are one Value, and the identities that VJPs give
rise to (x·1, x+0, sums of disjoint columns) are applied as the Values are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

ELEMENTWISE = frozenset((
    "add", "sub", "mul", "div", "neg", "tanh", "sigmoid", "relu", "exp", "log", "sqrt", "abs",
    "maximum", "minimum", "where", "sign", "log1p", "expm1", "erf", "softplus", "greater",
    "greater_equal", "less", "less_equal", "equal", "not_equal", "sin", "cos", "pow",
))  # fmt: skip
"""What a column loop computes, by the names of the ops."""


REDUCTIONS = {"row_sum": "sum", "row_max": "max"}
"""What needs its whole row, and what a column loop calls it."""


class Value:
    """One expression: an op of ELEMENTWISE, or one of the following.

    leaf(kind, index)   const(value)   columns(start, stop) of rows   concat(offsets) of rows
    expand: a number for each row, repeated in all columns   at_column: 1 in the column of that
    number, 0 elsewhere
    row_sum, row_max: of the columns   batch_sum: of the rows   transpose   matmul
    """

    __slots__ = ("args", "attrs", "number", "op", "rows", "width")

    def __init__(
        self, number: int, op: str, args: tuple[Value, ...], rows: bool, width: int, attrs: Any
    ) -> None:
        self.number, self.op, self.args, self.attrs = number, op, args, attrs
        self.rows, self.width = rows, width

    def __getitem__(self, name: str) -> Any:
        return self.attrs[name]

    def is_const(self, value: float | None = None) -> bool:
        """Return whether it is a constant (with this value)."""
        return self.op == "const" and (value is None or self.attrs["value"] == value)

    def is_leaf(self, *kinds: str) -> bool:
        """Return whether it is a leaf of one of these kinds."""
        return self.op == "leaf" and self.attrs["kind"] in kinds

    def __repr__(self) -> str:
        args = [f"%{a.number}" for a in self.args]
        attrs = [f"{k}={v}" for k, v in self.attrs.items()]
        form = f"(B, {self.width})" if self.rows else f"({self.width},)"
        return f"%{self.number} = {self.op}({', '.join(args + attrs)})  {form}"


class Graph:
    """Makes Values, each once."""

    def __init__(self) -> None:
        self.made: dict[Any, Value] = {}
        self._depths: dict[int, int] = {}

    def make(self, op: str, args: Sequence[Value], rows: bool, width: int, **attrs: Any) -> Value:
        """Return the Value of this description."""
        key = (op, tuple([a.number for a in args]), rows, width, tuple(attrs.items()))
        found = self.made.get(key)
        if found is None:
            found = self.made[key] = Value(len(self.made), op, tuple(args), rows, width, attrs)
        return found

    def const(self, value: float) -> Value:
        """Return a constant."""
        return self.make("const", (), False, 0, value=float(value))

    # ---- elementwise -----------------------------------------------------------------------------

    def apply(self, op: str, *args: Value | float) -> Value:
        """Return an elementwise op of Values and numbers, which broadcast along columns."""
        values = [a if isinstance(a, Value) else self.const(a) for a in args]
        if op == "div":
            op, values = self._quotient(*values)
        known = self._identity(op, values)
        if known is not None:
            return known
        width = max(v.width for v in values)
        rows = any(v.rows for v in values)
        values = [self.spread(v) if v.width == 1 < width else v for v in values]
        if width and all(v.op == "expand" or v.width == 0 for v in values):
            inner = [v.args[0] if v.op == "expand" else v for v in values]
            return self.expand(self.apply(op, *inner), width)
        if any(v.width == width and v.op != "expand" for v in values):
            values = [v.args[0] if v.op == "expand" else v for v in values]
        return self.make(op, values, rows, width)

    def _quotient(self, a: Value, b: Value) -> tuple[str, list[Value]]:
        """Return a / b as a product where 1 / b is known: a row's divisions wait for each other."""
        if b.is_const() and b["value"] and a.width == 0 and a.rows:
            return "mul", [a, self.const(1 / b["value"])]
        inverse = self.made.get(("div", (self.const(1).number, b.number), b.rows, 0, ()))
        return ("div", [a, b]) if inverse is None or a.is_const(1) else ("mul", [a, inverse])

    def _identity(self, op: str, values: list[Value]) -> Value | None:
        """Return what the op comes to without being computed, if it does."""
        a, b = values[0], values[-1]
        if op == "add":
            return self._add(a, b)
        if op == "mul" and (a.is_const() or b.is_const()):
            a, b = (b, a) if a.is_const() else (a, b)
            if b.is_const(1) or a.is_const(0):
                return a
            return b if b.is_const(0) else self.apply("neg", a) if b.is_const(-1) else None
        if op in ("sub", "div") and b.is_const(op == "div"):
            return a
        if op == "neg" and (a.op == "neg" or a.is_const()):
            return a.args[0] if a.op == "neg" else self.const(-a["value"])
        return None

    def _add(self, a: Value, b: Value) -> Value | None:
        if a.is_const(0) or b.is_const(0):
            return b if a.is_const(0) else a
        if a.op == b.op == "concat" and a.width == b.width:
            return self._merged(a, b)
        return None

    def _merged(self, a: Value, b: Value) -> Value | None:
        """Return the sum of two rows as one concat, if in all columns one of them is 0."""
        cuts = sorted({*a["offsets"], *b["offsets"], a.width})
        pieces = []
        for start, stop in pairwise(cuts):
            both = [self.columns(v, start, stop) for v in (a, b)]
            some = [v for v in both if not v.is_const(0)]
            if len(some) > 1:
                return None
            pieces.append((some[0] if some else self.const(0), stop - start))
        return self.concat(pieces)

    # ---- columns ---------------------------------------------------------------------------------

    def columns(self, x: Value, start: int, stop: int) -> Value:
        """Return columns start to stop of x."""
        if (start, stop) == (0, x.width) or x.width == 0:
            return x
        if x.op == "concat":
            edges = [*x["offsets"], x.width]
            for piece, lo, hi in zip(x.args, edges, edges[1:], strict=False):
                if lo <= start and stop <= hi:
                    return self.columns(piece, start - lo, stop - lo)
        return self.make("columns", (x,), x.rows, stop - start, start=start)

    def concat(self, pieces: Iterable[tuple[Value, int]]) -> Value:
        """Return Values of these widths beside each other."""
        offsets: list[int] = []
        args: list[Value] = []
        at = 0
        for value, width in pieces:
            offsets.append(at)
            args.append(value)
            at += width
        if len(args) == 1:
            return args[0] if args[0].width else self.expand(args[0], at)
        return self.make("concat", args, True, at, offsets=tuple(offsets))

    def expand(self, x: Value, width: int) -> Value:
        """Return a number (for each row) repeated in all columns."""
        if x.width == width or x.is_const(0):
            return x
        return self.make("expand", (self.spread(x),), x.rows, width)

    def at_column(self, number: Value, width: int) -> Value:
        """Return rows of this width that are 1 in the column of that number, and 0 elsewhere."""
        return self.make("at_column", (number,), True, width)

    def spread(self, x: Value) -> Value:
        """Return rows of one column as a number for each row."""
        return self.make("row_sum", (x,), x.rows, 0) if x.width == 1 else x

    # ---- sums and products -----------------------------------------------------------------------

    def row_sum(self, x: Value, width: int) -> Value:
        """Return the sum of the columns of x, which has (or stands for) this width."""
        inner = x.args[0] if x.op == "expand" else x
        if inner.width == 0:
            return self.apply("mul", inner, width)
        one = x.op == "where" and x.args[0].op == "at_column" and x.args[2].is_const(0)
        if one and x.args[1].width == 0:
            return x.args[1]
        parts = self._parts(x, self.const(1), self._depth(x), width)
        if parts is None and x.op == "mul" and 0 in (x.args[0].width, x.args[1].width):
            number, rows = sorted(x.args, key=lambda a: a.width)
            return self.apply("mul", self.row_sum(rows, width), number)
        if not parts:
            return self.make("row_sum", (x,), x.rows, 0)
        total = self.const(0)
        for factor, part in parts:
            total = self.apply("add", total, self.apply("mul", factor, self.row_sum(part, width)))
        return total

    def _parts(
        self, x: Value, factor: Value, depth: int, width: int
    ) -> list[tuple[Value, Value]] | None:
        """Return (factor, rows), a factor being a number for each row, that add up to x.

        All rows have row sums less deep below them than `depth`: their sums need not wait for the
        factors. None where there are no such parts.
        """
        if _is_centred(x, width):
            return []
        if self._depth(x) < depth:
            return [(factor, x)]
        a, b = (x.args[0], x.args[-1]) if x.args else (x, x)
        if x.op in ("add", "sub"):
            negative = self.apply("neg", factor)
            first = self._parts(a, factor, depth, width)
            second = self._parts(b, factor if x.op == "add" else negative, depth, width)
            return None if first is None or second is None else first + second
        if x.op == "neg":
            return self._parts(a, self.apply("neg", factor), depth, width)
        if x.op == "mul" and a.width * b.width == 0:
            a, b = (b, a) if a.width == 0 else (a, b)
            return self._parts(a, self.apply("mul", factor, b), depth, width)
        if x.op == "div" and b.width == 0:
            return self._parts(a, self.apply("div", factor, b), depth, width)
        return None

    def _depth(self, x: Value) -> int:
        """Return how many row sums wait for each other below x."""
        known = self._depths.get(x.number)
        if known is None:
            known = max([self._depth(a) for a in x.args], default=0) + (x.op in REDUCTIONS)
            self._depths[x.number] = known
        return known

    def row_max(self, x: Value) -> Value:
        """Return the largest column of x."""
        inner = x.args[0] if x.op == "expand" else x
        return inner if inner.width == 0 else self.make("row_max", (x,), x.rows, 0)

    def batch_sum(self, x: Value, batch: int) -> Value:
        """Return the sum of the rows of x; what is the same for all rows counts B times."""
        if not x.rows:
            return self.apply("mul", x, batch)
        return self.make("batch_sum", (x,), False, x.width)

    def transpose(self, x: Value) -> Value:
        """Return a matrix, or rows, transposed: only products take it."""
        if x.op == "transpose":
            return x.args[0]
        return self.make("transpose", (x,), False, 0)

    def matmul(self, a: Value, b: Value, batch: int) -> Value | None:
        """Return the product a @ b; None if there is no kernel for these forms."""
        if a.op == "transpose" and a.args[0].rows and (b.rows or b.width == 0):
            return self._outer(a.args[0], b, batch)
        transposed = b.op == "transpose"
        b = b.args[0] if transposed else b
        if a.is_const(0):
            return a
        if not a.rows or not b.is_leaf("matrix"):
            return None
        return self.make("matmul", (a, b), True, b["shape"][not transposed], transposed=transposed)

    def _outer(self, a: Value, b: Value, batch: int) -> Value:
        """Return a.T @ b, the sum over rows of their outer products."""
        a, b = self.spread(a), self.spread(b)
        if a.width == 0 or b.width == 0:
            return self.batch_sum(self.apply("mul", a, b), batch)
        return self.make("outer", (a, b), False, b.width, shape=(a.width, b.width))


def _is_centred(x: Value, width: int) -> bool:
    """Return whether x is rows less their mean, whose columns add up to 0."""
    if x.op != "sub" or x.args[1].op != "mul" or not x.args[1].args[1].is_const(1 / width):
        return False
    total = x.args[1].args[0]
    return total.op == "row_sum" and total.args[0] is x.args[0]


def ordered(roots: Iterable[Value]) -> list[Value]:
    """Return all Values that these are made of, arguments first."""
    seen: dict[int, Value] = {}
    stack = list(roots)
    while stack:
        v = stack.pop()
        if v.number not in seen:
            seen[v.number] = v
            stack.extend(v.args)
    return sorted(seen.values(), key=lambda v: v.number)
