"""From a trace's ops to expressions: by a rule under the op's name, or by what it is defined as.

A rule takes the op's own parameters: symbols in place of arrays, numbers and options as they are.
An op without one is run on symbols, by its definition in other ops, and these are normalised. What
comes to no rule, or to a form that the rule does not know, raises Untraceable: the step runs
unrolled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...tracing.trace import Entry, Leaf, Symbol, Tracer, Untraceable, tracing
from .expressions import ELEMENTWISE, Graph, Value

_KINDS = {Leaf.INPUT: "input", Leaf.STATE: "state", Leaf.COTANGENT: "cotangent"}


Rule = Callable[..., Any]
rules: dict[str, Rule] = {}
"""What an op is in expressions, by its name: rule(normaliser, **its parameters)."""

definitions: dict[str, Callable[..., Any]] = {}
"""What an op is in other ops, by its name; where it is not here, its forward function says it."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Return a decorator that enters a rule under these names of ops."""

    def enter(function: Rule) -> Rule:
        rules.update(dict.fromkeys(names, function))
        return function

    return enter


class Normaliser:
    """Turns entries of a trace into Values of one graph.

    batch: B; dtype: of all floats; shape: what the op whose rule is asked gives
    """

    def __init__(self, batch: int, dtype: np.dtype[Any]) -> None:
        self.graph, self.batch, self.dtype = Graph(), batch, dtype
        self.values: dict[int, Value] = {}
        self.entries: list[Entry] = []
        self.shape: tuple[int, ...] = ()

    def run(self, entries: Sequence[Entry]) -> None:
        """Nothing; afterwards `value` knows what each entry gave."""
        self.entries += entries  # symbols are known by identity: they have to live on
        for entry in entries:
            found = self._apply(entry)
            outs = found if entry.several else (found,)
            self.values.update(zip(map(id, entry.outs), outs, strict=True))

    def _apply(self, entry: Entry) -> Any:
        op = entry.op
        for out in entry.outs:
            if 0 in out.shape:
                raise Untraceable(f"{op.name} gives {out.shape}")
            if out.dtype.kind not in "fb" or (out.dtype.kind == "f" and out.dtype != self.dtype):
                raise Untraceable(f"{op.name} gives {out.dtype}, the state is {self.dtype}")
        if op.name in rules:
            self.shape = entry.outs[0].shape
            return rules[op.name](self, **op.bound(entry.args, entry.static).arguments)
        if op.name in ELEMENTWISE:
            return self.elementwise(op.name, *entry.args)
        return self._defined(entry)

    def _defined(self, entry: Entry) -> Value:
        """Return what an op gives by the ops that it is defined as."""
        op, tracer = entry.op, Tracer()
        options = op.bound(entry.args, entry.static).arguments
        try:
            with tracing(tracer):
                result = definitions.get(op.name, op.forward)(**options).array
        except Exception as error:  # a function of arrays, which does not know symbols
            raise Untraceable(f"{op.name} has no kernel") from error
        if tracer.outer or op in [e.op for e in tracer.entries]:
            raise Untraceable(f"{op.name} has no kernel")
        self.run(tracer.entries)
        return self.value(result)

    def value(self, s: Symbol) -> Value:
        """Return the Value of a symbol that is rows, or what an entry gave."""
        if s.entry >= 0:
            return self.values[id(s)]
        if s.entry == Leaf.OUTER:
            return self._outer(s)
        if s.entry not in _KINDS:
            return self.graph.const(0)
        if s.dtype != self.dtype and s.dtype.kind not in "biu":
            raise Untraceable(f"an input is {s.dtype}, the state {self.dtype}")
        if len(s.shape) not in (1, 2) or 0 in s.shape or s.shape[0] != self.batch:
            raise Untraceable(f"an input or state is {s.shape}, expected (B, width)")
        return self.graph.make("leaf", (), True, _width(s.shape), kind=_KINDS[s.entry],
                               index=s.number)  # fmt: skip

    def _outer(self, s: Symbol) -> Value:
        """Return a tensor from outside: what it is, rows, a vector or a number, its use says."""
        shape, index = s.shape, s.number
        if 0 in shape or (s.dtype != self.dtype and s.dtype.kind != "b"):
            raise Untraceable(f"a tensor in the step is {s.dtype}{shape}")
        if s.size == 1 and len(shape) <= 2:
            return self.graph.make("leaf", (), False, 0, kind="number", index=index)
        if len(shape) == 1 or (len(shape) == 2 and shape[0] == 1):
            return self.graph.make("leaf", (), False, shape[-1], kind="vector", index=index)
        if len(shape) == 2 and shape[0] == self.batch:
            return self.graph.make("leaf", (), True, _width(shape), kind="fixed", index=index)
        raise Untraceable(f"a tensor {shape} in the step is neither (B, width) nor (width,)")

    def rows(self, x: Any) -> Value:
        """Return an operand as it stands in elementwise ops: rows, a vector or a number."""
        if type(x) is Symbol:
            if x.dtype.kind in "iu":  # floats may not hold them; columns of rows they do
                raise Untraceable(f"an op takes {x.dtype} beside {self.dtype}")
            return self.value(x)
        if isinstance(x, (bool, int, float)) and np.isfinite(x):
            return self.graph.const(x)
        raise Untraceable(f"an op has a {type(x).__name__} where a number is expected")

    def matrix(self, x: Symbol) -> Value:
        """Return an operand as it stands in products."""
        if x.entry != Leaf.OUTER or len(x.shape) != 2:
            return self.rows(x)
        if x.dtype != self.dtype:
            raise Untraceable(f"a matrix in the step is {x.dtype}")
        return self.graph.make("leaf", (), False, 0, kind="matrix", index=x.number, shape=x.shape)

    def elementwise(self, op: str, *args: Any) -> Value:
        """Return an elementwise op, if the operands stand beside each other in columns."""
        values = [self.rows(a) for a in args]
        rows = [a for a, v in zip(args, values, strict=True) if v.rows]
        axes = {len(a.shape) for a in rows}
        widest = max([v.width for v in values])
        for a, v in zip(args, values, strict=True):
            if v.op == "transpose" or len(axes) > 1:
                raise Untraceable(f"{op} of {[x.shape for x in args if type(x) is Symbol]}")
            if type(a) is Symbol and not v.rows and v.width > 1:
                flat = len(a.shape) == 1 or a.shape[0] == 1
                if axes == {1} or (not flat and rows) or v.width != widest:
                    raise Untraceable(f"{op} of a tensor {a.shape} and rows")
        return self.graph.apply(op, *values)


def _width(shape: tuple[int, ...]) -> int:
    return 0 if len(shape) == 1 or shape[1] == 1 else shape[1]


def last_axis(name: str, x: Symbol, axis: Any) -> None:
    """Nothing; raises Untraceable unless the axis is the columns of rows."""
    if len(x.shape) != 2 or axis not in (-1, 1, (-1,), (1,)):
        raise Untraceable(f"{name} along axis {axis} of {x.shape}")


# ---- products ------------------------------------------------------------------------------------


@rule("matmul")
def _matmul(n: Normaliser, x: Symbol, y: Symbol) -> Value:
    g = n.graph
    if len(x.shape) == 2 and len(y.shape) == 1:
        return g.row_sum(g.apply("mul", n.rows(x), n.rows(y)), y.shape[0])
    a, b = n.matrix(x), n.matrix(y)
    if len(x.shape) == len(y.shape) == 2:
        if x.shape[1] == 1 and a.rows and b.is_leaf("vector", "number"):
            return g.apply("mul", g.spread(a), b)
        found = g.matmul(a, b, n.batch)
        if found is not None:
            return found
    raise Untraceable(f"a product of {x.shape} and {y.shape}")


@rule("transpose", "swapaxes")
def _transpose(n: Normaliser, x: Symbol, **axes: Any) -> Value:
    named = axes.get("axes")
    swapped = named is None if "axes" in axes else axes["axis1"] % 2 != axes["axis2"] % 2
    if len(x.shape) != 2 or not (swapped or list(named or ()) == [1, 0]):
        raise Untraceable(f"transpose of {x.shape}")
    value = n.matrix(x)
    return value if value.is_leaf("vector", "number") else n.graph.transpose(value)


# ---- shapes --------------------------------------------------------------------------------------


@rule("reshape", "expand_dims", "squeeze")
def _reshape(n: Normaliser, x: Symbol, **_: Any) -> Value:
    """Return x in another shape, if that but adds or takes away axes of length 1."""
    value = n.rows(x)
    same = [d for d in n.shape if d != 1] == [d for d in x.shape if d != 1]
    if not same or value.op == "transpose" or (value.rows and n.shape[:1] != x.shape[:1]):
        raise Untraceable(f"a reshape of {x.shape} to {n.shape}")
    return value


@rule("broadcast_to")
def _broadcast_to(n: Normaliser, x: Symbol, shape: Sequence[int]) -> Value:
    value = n.rows(x)
    if len(shape) != 2 or (value.rows and len(x.shape) != 2):
        raise Untraceable(f"broadcast_to {tuple(shape)} of {x.shape}")
    return n.graph.expand(value, shape[1]) if value.width < shape[1] else value


@rule("split")
def _split(n: Normaliser, x: Symbol, indices_or_sections: Any, axis: int) -> tuple[Value, ...]:
    last_axis("split", x, axis)
    parts = np.split(np.arange(x.shape[1]), indices_or_sections)
    value = n.rows(x)
    return tuple(n.graph.columns(value, int(p[0]), int(p[-1]) + 1) for p in parts)


@rule("concat")
def _concat(n: Normaliser, xs: Sequence[Symbol], axis: int) -> Value:
    for x in xs:
        last_axis("concat", x, axis)
    return n.graph.concat((n.rows(x), x.shape[1]) for x in xs)


def _column_range(name: str, shape: tuple[int, ...], index: Any) -> range:
    """Return the columns that an index takes of all rows: x[:, a:b], x[:, a], x[..., None], ..."""
    numbers = np.arange(np.prod(shape)).reshape(shape)
    taken = numbers[index]
    if len(shape) < 3 and taken.ndim in (1, 2) and taken.size and len(taken) == shape[0]:
        taken, numbers = (a.reshape(shape[0], -1) for a in (taken, numbers))
        columns = range(int(taken[0, 0]), int(taken[0, 0]) + taken.shape[1])
        if np.array_equal(taken, numbers[:, columns.start : columns.stop]):
            return columns
    raise Untraceable(f"{name}: only columns side by side have a kernel, got {index} of {shape}")


@rule("getitem")
def _getitem(n: Normaliser, x: Symbol, index: Any) -> Value:
    taken = _column_range("getitem", x.shape, index)
    return n.graph.columns(n.rows(x), taken[0], taken[-1] + 1)


@rule("pick")
def _pick(n: Normaliser, x: Symbol, columns: Symbol) -> Value:
    g, width = n.graph, x.shape[1]
    return g.row_sum(g.apply("where", _at_columns(n, columns, width), n.rows(x), 0.0), width)


@rule("place_picked")
def _place_picked(n: Normaliser, g: Symbol, columns: Symbol, count: int) -> Value:
    return n.graph.apply("where", _at_columns(n, columns, count), n.rows(g), 0.0)


def _at_columns(n: Normaliser, columns: Symbol, count: int) -> Value:
    most = 2 ** (23 if n.dtype.itemsize == 4 else 31)  # beyond, floats are not exact
    if columns.entry == Leaf.OUTER or len(columns.shape) != 1 or count > most:
        raise Untraceable(f"columns {columns.shape} of {count}")
    return n.graph.at_column(n.value(columns), count)


@rule("place")
def _place(n: Normaliser, g: Symbol, shape: Any, index: Any) -> Value:
    taken, zero = _column_range("place", shape, index), n.graph.const(0)
    before, after = taken[0], (*shape, 1)[1] - taken[-1] - 1
    pieces = [(zero, before), (n.rows(g), len(taken)), (zero, after)]
    return n.graph.concat(p for p in pieces if p[1])
