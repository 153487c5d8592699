"""A whole step, traced: its leaves, its ops in order, its results; and its derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import ops
from ..engine.graph import Node, backpropagate
from ..engine.modes import current
from ..engine.tensor import Tensor, tensor_at
from ..ops.scan import check_result
from .trace import Entry, Leaf, Symbol, Tracer, Untraceable, called, replay, tracing


class Trace:
    """A step on symbols: leaves, entries and results.

    inputs, state: symbols of one slice of each input and of each part of the state
    outer: (Tensor, symbol) of what came from outside, in the order of use; see `forget`
    new, outputs: symbols of the next state and of the step's outputs
    key: equal for two traces exactly if they compute the same
    looked: whether the step read values of Tensors, which the trace does not tell of
    """

    def __init__(self, tracer: Tracer, inputs: Any, state: Any, new: Any, outputs: Any) -> None:
        self.entries, self.looked = tracer.entries, tracer.looked
        self.inputs: list[Symbol] = inputs
        self.state: list[Symbol] = state
        self.new: list[Symbol] = new
        self.outputs: list[Symbol] = outputs
        self.outer: list[tuple[Any, Symbol]] = list(tracer.outer.values())
        self.key = (
            tuple(tracer.key),
            tuple([s.ref for s in (*new, *outputs)]),
            tuple([s.spec for s in (*inputs, *state)]),
            tuple([s.spec for _, s in self.outer]),
            len(inputs), len(state), len(outputs),
        )  # fmt: skip

    @property
    def leaves(self) -> list[Symbol]:
        """Inputs, state and outer tensors."""
        return [*self.inputs, *self.state, *(symbol for _, symbol in self.outer)]

    def forget(self) -> None:
        """Nothing; lets go of the tensors from outside, for a trace that outlives its call."""
        self.outer = [(None, symbol) for _, symbol in self.outer]

    def replay(self, leaves: Sequence[Any]) -> list[Any]:
        """Return next state and outputs, computed by the same ops from other leaves.

        leaves: Tensors in the order of `leaves`
        """
        known = {id(s): t for s, t in zip(self.leaves, leaves, strict=True)}
        replay(self.entries, known, called)
        return [known[id(s)] for s in (*self.new, *self.outputs)]


class Derivative:
    """A step and its VJP in one list of entries: the engine's own backward pass, run on symbols.

    The trace is replayed with leaves that have places on the tape. The nodes that this makes are
    those of any eager step, and `backpropagate` runs the ops' own rules on them. Since the rules
    are written in ops, what they compute is traced in turn.


    new, outputs: symbols of the next state and of the outputs
    cotangents: symbols of what comes back to `new` and `outputs`, in this order
    gradients: for each leaf of the trace the symbol of its cotangent, None where there is none
    """

    def __init__(self, trace: Trace, wanted: Sequence[bool]) -> None:
        tracer = Tracer(recording=True)
        leaves = [
            tensor_at(s, (Node(None, [], [], None, (s.shape,), False), 0) if w else None)
            for s, w in zip(trace.leaves, wanted, strict=True)
        ]
        with tracing(tracer):
            results = trace.replay(leaves)
            tracer.recording = False  # the rules' own ops need no nodes
            self.cotangents = [
                Symbol(Leaf.COTANGENT, i, r.shape, r.dtype) for i, r in enumerate(results)
            ]
            seeds = [
                (r.place, tensor_at(g, None))
                for r, g in zip(results, self.cotangents, strict=True)
                if r.place is not None
            ]
            places = [leaf.place for leaf in leaves if leaf.place is not None]
            found = backpropagate(seeds, inputs=places, create_graph=True) if places else {}
        self.entries: list[Entry] = tracer.entries
        symbols = [r.array for r in results]
        self.new, self.outputs = symbols[: len(trace.new)], symbols[len(trace.new) :]
        self.gradients: list[Symbol | None] = []
        for leaf in leaves:
            g = None if leaf.place is None else found.get(leaf.place)
            self.gradients.append(None if g is None else g.array)

    def origins(self) -> list[set[int]]:
        """Return for each leaf the positions of the cotangents that its gradient is made from."""
        found: dict[int, set[int]] = {id(s): {i} for i, s in enumerate(self.cotangents)}
        for entry in self.entries:
            origins = [found.get(id(a), set()) for a in entry.args]
            found.update((id(out), set().union(*origins)) for out in entry.outs)
        return [found.get(id(gradient), set()) for gradient in self.gradients]


def traced(step: Any, series: Sequence[Any], state: Sequence[Any], forms: Any) -> tuple[Trace, Any]:
    """Return the trace of a step, and whether it returns a tuple of outputs.

    series, state: Tensors of the scan, of which one slice's shape and dtype are taken
    forms: whether the step takes a tuple of inputs; a tuple of states; a mask as last input
    Raises Untraceable; TypeError or ValueError for a state of another form than the step takes.
    """
    several_inputs, several_state, masked = forms
    several_outputs = False

    def once(xs: list[Tensor], hs: list[Tensor]) -> tuple[list[Any], list[Any]]:
        nonlocal several_outputs
        mask = xs.pop() if masked else None
        taken = tuple(hs) if several_state else hs[0]
        result = attempted(step, taken, tuple(xs) if several_inputs else xs[0])
        result = check_result(step, result, taken, current.tracer.made_by)
        (new, _), (outputs, several_outputs) = map(results_of, result)
        if mask is not None:
            if any(t.ndim != 2 for t in (*new, *outputs)):
                raise Untraceable("with lengths, states and outputs have to be (B, width)")
            new = [ops.where(mask, n, h) for n, h in zip(new, hs, strict=True)]
            outputs = [ops.where(mask, y, y.dtype.type(0)) for y in outputs]
        return new, outputs

    inputs = [Symbol(Leaf.INPUT, i, a.shape[1:], a.dtype) for i, a in enumerate(series)]
    before = [Symbol(Leaf.STATE, i, a.shape, a.dtype) for i, a in enumerate(state)]
    return trace_of(once, inputs, before), several_outputs


def trace_of(
    function: Callable[[list[Tensor], list[Tensor]], tuple[list[Any], list[Any]]],
    inputs: list[Symbol],
    state: list[Symbol],
) -> Trace:
    """Return the trace of a function of inputs and states, which returns next states and outputs.

    Raises Untraceable.
    """
    live = current.recording
    xs, hs = ([s.as_tensor(live and s.dtype.kind == "f") for s in ss] for ss in (inputs, state))
    tracer = Tracer(following=live)
    with tracing(tracer):
        new, outputs = ([tracer.lift(t)[0] for t in ts] for ts in function(xs, hs))
    if not all(isinstance(s, Symbol) for s in (*new, *outputs)):
        raise Untraceable("it returns a number")
    return Trace(tracer, inputs, state, new, outputs)


def attempted(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return what a user's function makes of symbols. Raises Untraceable for whatever it raises."""
    try:
        return function(*args, **options)
    except Untraceable:
        raise
    except Exception as error:  # the loop, or the ops one by one, will tell
        raise Untraceable(f"{type(error).__name__}: {error}") from error


def results_of(value: Any) -> tuple[list[Any], bool]:
    """Return what a function returned as a list, and whether it was a tuple."""
    parts = list(value) if isinstance(value, tuple) else [value]
    if not parts or not all(isinstance(p, Tensor) for p in parts):
        raise Untraceable("it returns something else than Tensors or tuples of them")
    return parts, isinstance(value, tuple)
