"""What a step computes from its inputs alone: where the loop cannot, it is done before the loop.

An op without a kernel (an embedding, say), and the operand of a product (`tanh(x) @ w`), then run
as ordinary ops over all steps at once, with nodes of their own in the graph; what they give becomes
an input of the loop. A product of joined rows, `concat([x, h]) @ w`, becomes the sum of two, so
that the one without the state can leave the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, groupby
from typing import Any

import numpy as np

from .. import ops
from ..engine.modes import enable_grad
from ..engine.primitive import registry
from ..engine.record import record
from ..engine.tensor import Tensor, tensor_at
from ..ops import activations, elementwise
from .replay import called, needed, replay
from .step import Trace
from .trace import DETACH, Entry, Leaf, Symbol, Tracer, Untraceable, tracing

PRODUCTS = ("matmul", "linear")
STEPS = 3  # on which what runs before the loop is tried


class Before:
    """What runs before the loop, and the trace of what is left.

    splits: (number of an outer tensor, axis, columns to cut at): parts of weights, which join the
    outer tensors
    entries: in their order; inputs: numbers of the inputs that the loop still reads
    given: symbols that the entries make and the loop reads, after those inputs
    """

    def __init__(self, trace: Trace, wanted: Sequence[bool], everything: bool) -> None:
        self.leaves = len(trace.inputs), len(trace.state)
        split, self.splits = _split_products(trace)
        self.source = split
        self.entries = _chosen(split, everything)
        made = _ids(out for e in self.entries for out in e.outs)
        rest = [e for e in split.entries if not made & _ids(e.outs)]
        left = needed(rest, [*split.new, *split.outputs])
        read = [a for e in left for a in e.args if type(a) is Symbol] + split.new + split.outputs
        used = _ids(read)
        self.given = [o for e in self.entries for o in e.outs if id(o) in used]
        self.inputs = [i for i, s in enumerate(split.inputs) if id(s) in used]
        if not self.given and not self.inputs:
            self.inputs = [0]
        symbols = [split.inputs[i] for i in self.inputs] + self.given
        inputs = [Symbol(Leaf.INPUT, i, s.shape, s.dtype) for i, s in enumerate(symbols)]
        known = _tensors(split, symbols, inputs)
        self.trace = _rewritten(split, left, inputs, known, called)
        self.wanted = self._tried(trace, wanted)

    def _tried(self, trace: Trace, wanted: Sequence[bool]) -> list[bool]:
        """Return which leaves of what is left may need a gradient, from which of the whole do.

        Raises Untraceable unless the entries do the same for all steps at once.
        """
        leaves = []
        for s, live in zip(trace.leaves, wanted, strict=True):
            shape = (STEPS, *s.shape) if s.entry == Leaf.INPUT else s.shape
            leaves.append(Symbol(s.entry, s.number, shape, s.dtype).as_tensor(live))
        with tracing(Tracer(following=True)), enable_grad():
            found, known = self._run(leaves)
        for e in self.entries:
            if any(known[id(o)].shape != (STEPS, *o.shape) for o in e.outs):
                raise Untraceable(f"{e.op.name} mixes the sequences of a batch")
        return [t.array.live for t in found]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do before the loop."""
        return not self.entries and not self.splits

    def __call__(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """Return the leaves of what is left, from those of the whole: inputs, state, outer."""
        return self._run(leaves)[0]

    def _run(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[int, Any]]:
        """Return the leaves of what is left, and what stands for each symbol."""
        inputs, states = self.leaves
        state, outer = leaves[inputs : inputs + states], list(leaves[inputs + states :])
        for number, axis, cuts in self.splits:
            outer += ops.split(outer[number], cuts, axis=axis)
        symbols = [*self.source.inputs, *(s for _, s in self.source.outer)]
        known = dict(zip(map(id, symbols), [*leaves[:inputs], *outer], strict=True))
        steps = leaves[0].shape[0]
        replay(self.entries, known, lambda entry, args: over_time(entry, args, steps))
        series = [leaves[i] for i in self.inputs] + [known[id(s)] for s in self.given]
        return [*series, *state, *outer], known


def _ids(symbols: Any) -> set[int]:
    return {id(s) for s in symbols}


def _chosen(trace: Trace, everything: bool) -> list[Entry]:
    """Return the entries to run before the loop: those that must, and what they are made of."""
    free, dtype = _free(trace), trace.state[0].dtype
    wanted: set[int] = set()  # symbols
    chosen = []
    for e in reversed(trace.entries):
        known = [a for a in e.args if type(a) is Symbol]
        if id(e.outs[0]) in free:
            fits = all(s.dtype.kind == "b" or s.dtype == dtype for s in (*e.outs, *known))
            if everything or not fits or wanted & _ids(e.outs):
                chosen.append(e)
                wanted |= _ids(known)
        if e.op.name in PRODUCTS:
            wanted.add(id(e.args[0]))
    return chosen[::-1]


def _free(trace: Trace) -> set[int]:
    """Return (by identity) the symbols that depend on no state."""
    free = _ids([*trace.inputs, *(s for _, s in trace.outer)])
    for e in trace.entries:
        if all(id(a) in free for a in e.args if type(a) is Symbol):
            free |= _ids(e.outs)
    return free


def _tensors(trace: Trace, old: list[Symbol], inputs: list[Symbol]) -> dict[int, Any]:
    """Return Tensors of a trace's leaves by the symbols: `inputs` in place of `old`."""
    rest = [*trace.state, *(s for _, s in trace.outer)]
    pairs = zip([*old, *rest], [*inputs, *rest], strict=True)
    return {id(s): tensor_at(new, None) for s, new in pairs}


def _rewritten(
    trace: Trace,
    entries: Sequence[Entry],
    inputs: list[Symbol],
    known: dict[int, Any],
    apply: Callable[[Entry, list[Any]], Any],
    more: Sequence[Symbol] = (),
) -> Trace:
    """Return the trace of what `apply` does for these entries.

    more: outer tensors beside those of the trace; it may grow meanwhile
    """
    tracer = Tracer()
    with tracing(tracer):
        replay(entries, known, apply)
    new, outputs = ([known[id(s)].array for s in ss] for ss in (trace.new, trace.outputs))
    tracer.outer = {i: (None, s) for i, s in enumerate([*(s for _, s in trace.outer), *more])}
    return Trace(tracer, inputs, trace.state, new, outputs)


def _split_products(trace: Trace) -> tuple[Trace, list[tuple[int, int, list[int]]]]:
    """Return the trace with products of joined rows split, and how weights are split for that.

    The parts of weights follow the trace's own outer tensors.
    """
    made = {id(o): e for e in trace.entries for o in e.outs}
    free = _free(trace)
    splits: list[tuple[int, int, list[int]]] = []
    parts: list[Symbol] = []
    known = _tensors(trace, trace.inputs, trace.inputs)

    def apply(e: Entry, args: list[Any]) -> Any:
        joined = made.get(id(e.args[0])) if e.op.name in PRODUCTS else None
        if joined is None or not _joins_rows(joined) or not _is_weight(e.args[1]):
            return called(e, args)
        runs = [list(run) for _, run in groupby(joined.args, lambda s: id(s) in free)]
        if len(runs) == 1:
            return called(e, args)
        ends = list(accumulate(sum(s.shape[1] for s in run) for run in runs))
        axis = 1 if e.op.name == "linear" else 0
        splits.append((e.args[1].number, axis, ends[:-1]))
        total = None
        for run, width in zip(runs, np.diff(ends, prepend=0).tolist(), strict=True):
            shape = [e.args[1].shape[1 - axis]]
            shape.insert(axis, width)
            number = len(trace.outer) + len(parts)
            parts.append(Symbol(Leaf.OUTER, number, tuple(shape), e.args[1].dtype))
            rows = [known[id(s)] for s in run]
            x = rows[0] if len(rows) == 1 else ops.concat(rows, axis=-1)
            y = called(e, [x, tensor_at(parts[-1], None), *(args[2:] if total is None else ())])
            total = y if total is None else total + y
        return total

    return _rewritten(trace, trace.entries, trace.inputs, known, apply, parts), splits


def _joins_rows(e: Entry) -> bool:
    return (
        e.op.name == "concat"
        and e.static["axis"] in (-1, 1)
        and all(type(a) is Symbol and len(a.shape) == 2 for a in e.args)
    )


def _is_weight(value: Any) -> bool:
    return type(value) is Symbol and value.entry == Leaf.OUTER and len(value.shape) == 2


# ---- all steps at once ---------------------------------------------------------------------------

ELEMENTWISE = {DETACH.name} | {
    name
    for name, op in registry.items()
    if op.forward.__module__ in (elementwise.__name__, activations.__name__)
}
FROM_FRONT = ("sum", "mean", "max", "min", "var", "std", "logsumexp", "softmax", "log_softmax",
              "cumsum", "flip", "argmax", "argmin", "all", "any", "concat", "split")  # fmt: skip
"""Ops with an axis, which is to count from the end when there is one more in front."""


def over_time(entry: Entry, args: list[Any], steps: int) -> Any:
    """Return what an op of a step gives for all steps, from arguments (T, ...) and outer tensors.

    Raises Untraceable for an op that is not known to do the same with one more axis in front.
    """
    name, varying = entry.op.name, [_varies(a) for a in entry.args]
    rank = max(len(a.shape) for a in entry.args if type(a) is Symbol)
    if name in ELEMENTWISE:
        for i, v in enumerate(varying):
            if v and args[i].ndim < rank + 1:
                lengths = (1,) * (rank + 1 - args[i].ndim)
                args[i] = ops.reshape(args[i], (steps, *lengths, *args[i].shape[1:]))
        return called(entry, args)
    alone = [1] if name == "take_rows" else [0]
    known = name in ("one_hot", "take_rows", *PRODUCTS)
    if known and [i for i, v in enumerate(varying) if v] == alone:
        return called(entry, args)
    if name in FROM_FRONT:
        return _with_axis(entry, args, varying, steps, rank)
    if name == "getitem":
        index = args[1] if len(args) > 1 else entry.static["index"]
        index = index if isinstance(index, tuple) else (index,)
        return ops.getitem(args[0], (slice(None), *index))
    raise Untraceable(f"{name} of inputs has no kernel, and is not known for all steps at once")


def _with_axis(entry: Entry, args: list[Any], varying: list[bool], steps: int, rank: int) -> Any:
    if entry.op.variadic:
        for i, v in enumerate(varying):
            args[i] = args[i] if v else ops.broadcast_to(args[i], (steps, *args[i].shape))
        options = dict(entry.static)
    else:
        options = entry.op.bound(args, entry.static).arguments
        args = [options.pop(next(iter(options)))]
    axis = options["axis"]
    if axis is None and entry.op.name in ("cumsum", "argmax", "argmin"):
        raise Untraceable(f"{entry.op.name} of inputs has no axis")
    axes = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    ends = tuple([a % rank - rank for a in axes])
    options["axis"] = ends[0] if isinstance(axis, int) else ends
    return record(entry.op, tuple(args), options)


def _varies(value: Any) -> bool:
    return type(value) is Symbol and value.entry != Leaf.OUTER
