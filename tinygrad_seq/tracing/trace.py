"""Tracing: a step is run once on symbols, and the ops that it calls are written down.

A `Symbol` stands where a Tensor's array stands; it has a shape and a dtype, but no numbers. While a
`Tracer` is active, an op called with one is not computed: it becomes an entry of the tracer, and
its shape is what the op's own forward function gives. An op called without symbols (a slice of a
weight, say) runs as always, once; the tensor it gives enters the trace as an *outer* tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import ops
from ..engine import modes
from ..engine.backend import is_array, set_namespace
from ..engine.graph import Node, Place
from ..engine.primitive import Primitive
from ..engine.tensor import Tensor, tensor_at


class Leaf:
    """What stands in place of the number of an entry in the symbols that no entry made."""

    OUTER, INPUT, STATE, COTANGENT, ZERO = -1, -2, -3, -4, -5


class Untraceable(Exception):  # noqa: N818 - not an error: the step runs unrolled
    """Why a step cannot be compiled."""


class Symbol(Tensor):
    """A value that is not known yet: a leaf of the trace, or output `number` of an entry.

    entry: the position in `Tracer.entries` of what made it; for a leaf, one of Leaf
    live: whether a gradient may flow through it, unless the step detaches it
    """

    __slots__ = ("dtype", "entry", "live", "number", "ref", "shape", "spec")

    shape: tuple[int, ...]
    dtype: Any

    def __init__(self, entry: int, number: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.entry, self.number = entry, number
        self.shape, self.dtype = shape, dtype
        self.ref, self.spec = (entry, number), (shape, dtype.char)
        self.live = False
        self.place = self.grad = None

    @property
    def array(self) -> Symbol:
        """The symbol itself: rules that look at a tensor's array trace on."""
        _within_a_step()
        return self

    def as_tensor(self, live: bool) -> Tensor:
        """Return a Tensor of it, as the step sees it: with a history where it is live."""
        self.live = live
        return tensor_at(self, WITHIN if live else None)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def item(self) -> float:
        """Never return: a value is asked for that is not known yet. Raises Untraceable."""
        maker = _within_a_step().made_by(self)
        raise Untraceable(
            f"it looks at the value of {maker or 'an input or a state'}, "
            "which differs from one time to the next"
        )

    tolist = numpy = view = item  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"%{self.entry}.{self.number} {self.dtype}{self.shape}"


def _within_a_step() -> Any:
    """Return the tracer. Raises RuntimeError where a symbol is used after its step."""
    if modes.current.tracer is None:
        raise RuntimeError(
            "a Tensor of a compiled step is used outside it, where it has no value: "
            "return it as an output of the step, or run the step in tg.unrolled()"
        )
    return modes.current.tracer


class _Namespace:
    """What rules take from the array library of a symbol: the ops of those names."""

    def __getattr__(self, name: str) -> Any:
        return getattr(ops, name)

    @staticmethod
    def zeros(shape: tuple[int, ...], dtype: Any) -> Any:
        """Return zeros that the tracer knows to be zeros."""
        return Symbol(Leaf.ZERO, 0, tuple(shape), np.dtype(dtype))


set_namespace(Symbol, _Namespace())


class _Within:
    """What a live value of a step was made by: nothing that could be looked at before it runs."""

    def __getattr__(self, name: str) -> Any:
        raise Untraceable("the step looks at the graph of its own values")


WITHIN: Any = (_Within(), 0)
"""The place of the Tensors of live symbols; those of a detached one have none, as ever."""


def _detach(x: Any) -> Any:
    return x


DETACH = Primitive(_detach, {})


class Entry:
    """One op that was called: its arguments (Symbols, numbers, frozen options) and results."""

    __slots__ = ("args", "op", "outs", "several", "static")

    def __init__(
        self,
        op: Primitive,
        args: tuple[Any, ...],
        static: dict[str, Any],
        outs: tuple[Symbol, ...],
        several: bool,
    ) -> None:
        self.op, self.args, self.static = op, args, static
        self.outs, self.several = outs, several


class Tracer:
    """Writes down the ops that are called with symbols.

    entries: in the order of the calls
    outer: the Tensors (or arrays) from outside that they were called with, by identity
    recording: whether nodes are made too, so that the trace can be differentiated
    following: whether it is written down where a live value is used without its history
    looked: whether values of Tensors were read, which no entry tells of
    """

    def __init__(self, recording: bool = False, following: bool = False) -> None:
        self.entries: list[Entry] = []
        self.key: list[Any] = []
        self.outer: dict[Any, tuple[Any, Symbol]] = {}
        self.recording, self.following, self.looked = recording, following, False

    def __call__(self, op: Primitive, args: tuple[Any, ...], static: dict[str, Any]) -> Any:
        """Return what the op gives as Tensors of symbols; None if no argument is a symbol."""
        for a in args:
            if isinstance(a, Tensor) and type(a.array) is Symbol:
                break
        else:
            return None
        values: list[Any] = []
        parents: list[Place | None] = []
        key, bit, shift, live = 0, 1, not op.variadic, False
        for a in args:
            place, kind = None, type(a)
            if kind in _PLAIN:
                pass
            elif isinstance(a, Tensor) or is_array(a):
                a, place = self.lift(a)
                live = live or (type(a) is Symbol and a.live)
                if place is not None:
                    key |= bit
            elif isinstance(a, np.generic):
                a = a.item()
            values.append(a)
            parents.append(place)
            bit <<= shift
        outs, several = self._write(op, tuple(values), static)
        node, floats = None, False
        if key and self.recording and op.mask:
            node = _node(op, key | bit, parents, values, static, outs if several else outs[0])
        elif live and self.following and op.mask:
            floats = modes.current.recording
            for o in outs:
                o.live = o.dtype.kind == "f"
        tensors = [
            tensor_at(o, (node, o.number) if node else WITHIN if floats and o.live else None)
            for o in outs
        ]
        return tuple(tensors) if several else tensors[0]

    def made_by(self, t: Tensor) -> str:
        """Return the name of the op that gave this Tensor; nothing for one from outside."""
        symbol = t.array
        inside = type(symbol) is Symbol and symbol.entry >= 0
        return self.entries[symbol.entry].op.name if inside else ""

    def lift(self, a: Any) -> tuple[Any, Place | None]:
        """Return a Tensor's (or array's) symbol, with its place; a number if it is but one."""
        array = a.array if isinstance(a, Tensor) else a
        if type(array) is Symbol:
            if self.following and array.live and a.place is None:
                return self._write(DETACH, (array,), {})[0][0], None
            return array, a.place
        place = a.place if isinstance(a, Tensor) else None
        if not isinstance(array, np.ndarray):
            raise TypeError(f"expected arrays of NumPy as in inputs and state, got {type(array)}")
        if array.ndim == 0 and place is None:
            self.looked = True
            return array.item(), None
        found = self.outer.get((id(array), place))
        if found is None:
            symbol = Symbol(Leaf.OUTER, len(self.outer), array.shape, array.dtype)
            symbol.live = place is not None
            found = self.outer[id(array), place] = (tensor_at(array, place), symbol)
        return found[1], None

    def _write(
        self, op: Primitive, values: tuple[Any, ...], static: dict[str, Any]
    ) -> tuple[tuple[Symbol, ...], bool]:
        specs: list[Any] = []
        refs: list[Any] = []
        for v in values:
            if type(v) is Symbol:
                specs.append(v.spec)
                refs.append(v.ref)
            else:
                specs.append(freeze(v))
                refs.append(specs[-1])
        frozen = tuple([(k, freeze(v)) for k, v in static.items()]) if static else ()
        forms, several = _result(op, tuple(specs), frozen, values, static)
        number = len(self.entries)
        if several:
            outs = tuple([Symbol(number, i, s, d) for i, (s, d) in enumerate(forms)])
        else:
            outs = (Symbol(number, 0, *forms[0]),)
        self.entries.append(Entry(op, values, static, outs, several))
        self.key.append((op.name, tuple(refs), frozen))
        return outs, several


def _node(
    op: Primitive, key: int, parents: list[Any], values: list[Any], static: dict[str, Any], out: Any
) -> Node | None:
    """Return the tape's node for an op on symbols, as `record` makes it; None without rules."""
    plan = op.plans.get(key) or op.plan(key)
    if not plan.rules:
        return None
    several = isinstance(out, tuple)
    shapes = tuple([o.shape for o in out]) if several else (out.shape,)
    return Node(op, parents, plan.gather([*values, static, out]), plan, shapes, several)


_PLAIN = frozenset({int, float, bool, str, type(None), type(Ellipsis), type})


def freeze(value: Any) -> Any:
    """Return an option of an op as something that can be compared. Raises Untraceable."""
    kind = type(value)
    if kind in _PLAIN:
        return (kind, value) if value == value else "nan"
    if isinstance(value, slice):
        return "slice", value.start, value.stop, value.step
    if isinstance(value, (tuple, list)):
        return tuple([freeze(v) for v in value])
    if isinstance(value, np.dtype):
        return value.str
    raise Untraceable(f"an op has an option of type {kind.__name__}")


class Memory(dict[Any, Any]):
    """A dict that forgets everything when it holds `most` things."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) >= self.most:
            self.clear()
        super().__setitem__(key, value)


_results = Memory(10_000)


def _result(
    op: Primitive, specs: Any, frozen: Any, values: Sequence[Any], static: dict[str, Any]
) -> tuple[list[tuple[tuple[int, ...], Any]], bool]:
    """Return shapes and dtypes of what the op gives, by asking its forward function, once."""
    key = (op.name, specs, frozen)
    found = _results.get(key)
    if found is None:
        zeros = [np.zeros(v.shape, v.dtype) if type(v) is Symbol else v for v in values]
        with np.errstate(all="ignore"):
            out = op.forward(*zeros, **static)
        several = isinstance(out, tuple)
        forms = [(np.shape(o), np.asarray(o).dtype) for o in (out if several else (out,))]
        found = _results[key] = (forms, several)
    return found


@contextmanager
def tracing(tracer: Tracer) -> Iterator[Tracer]:
    """Make this tracer the one that ops are written down by, in this thread."""
    with modes.mode(tracer=tracer):
        yield tracer
