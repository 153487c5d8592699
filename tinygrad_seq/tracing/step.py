"""A whole step, traced: its leaves, its ops in order, its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..engine.modes import current
from ..engine.tensor import Tensor, tensor_at
from ..ops.scan import check_result
from .replay import called, replay
from .trace import Leaf, Symbol, Tracer, Untraceable, tracing


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

    def scan(self, leaves: Sequence[Any], reverse: bool) -> tuple[Any, ...]:
        """Return final states and outputs of the loop over the same ops.

        leaves: arrays or Tensors, inputs (T, B, ...) first
        """
        inputs, states = len(self.inputs), len(self.state)
        tensors = [t if isinstance(t, Tensor) else tensor_at(np.asarray(t), None) for t in leaves]
        series, state = tensors[:inputs], tensors[inputs : inputs + states]

        def step(state: Any, xs: Any) -> tuple[Any, Any]:
            results = self.replay([*xs, *state, *tensors[inputs + states :]])
            return tuple(results[:states]), tuple(results[states:])

        final, outputs = ops.scan(step, tuple(series), tuple(state), reverse=reverse)
        return (*final, *outputs)


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


def traced_rows(
    function: Any, args: Sequence[Any], shapes: Sequence[Any], options: Any
) -> tuple[Trace, bool]:
    """Return the trace of a function of rows, and whether it returns a tuple.

    shapes: for each Tensor among `args` its shape as rows, None for one that the function sees as
    it is
    """
    tensors = [a for a in args if isinstance(a, Tensor)]
    rows = [(t, shape) for t, shape in zip(tensors, shapes, strict=True) if shape is not None]
    several = False

    def once(xs: list[Tensor], _: Any) -> tuple[list[Any], list[Any]]:
        nonlocal several
        seen: dict[int, Any] = {id(t): x for (t, _), x in zip(rows, xs, strict=True)}
        result = attempted(function, *[seen.get(id(a), a) for a in args], **options)
        outputs, several = results_of(result)
        return [], outputs

    symbols = [Symbol(Leaf.INPUT, i, shape, t.dtype) for i, (t, shape) in enumerate(rows)]
    return trace_of(once, symbols, []), several


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


def check_repeatable(first: Trace, second: Trace) -> None:
    """Nothing; raises Untraceable if a step does other things when it is called again."""
    same = first.key == second.key and all(
        np.array_equal(a.array, b.array, equal_nan=True)
        for (a, _), (b, _) in zip(first.outer, second.outer, strict=True)
    )
    if not same:
        raise Untraceable("the step does not do the same each time it is called")
