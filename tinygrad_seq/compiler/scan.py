"""scan: a step over time as one kernel where it can be compiled, else as the loop it means."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..engine import modes
from ..engine.modes import current
from ..engine.tensor import Tensor, tensor_at
from ..machine import runtime
from ..ops.scan import (
    Step,
    Tensors,
    check_inputs,
    scan_in_pieces,
    step_masks,
    step_name,
    without_padding,
)
from ..tracing.hoist import Before
from ..tracing.recognise import recognised
from ..tracing.step import Trace, check_repeatable, traced
from ..tracing.trace import Memory, Untraceable

if TYPE_CHECKING:
    from .compiled import CompiledScan

_log = logging.getLogger("tinygrad_seq")
_noted: set[Any] = set()
_compiled = Memory(512)
"""By what a trace computes and what it is asked for: a CompiledScan, or why there is none."""


class Unsuitable(Untraceable):
    """Why a scan is not compiled whatever its step: where its arrays are, or what they hold."""


def unrolled() -> Any:
    """Return a context in which `scan` is the loop itself: each step's nodes stand in the graph."""
    return modes.mode(unrolled=True)


def scan(
    step: Step,
    inputs: Tensors,
    state: Tensors,
    *,
    lengths: Any = None,
    reverse: bool = False,
    checkpoint_every: int | None = None,
) -> tuple[Any, Any]:
    """Return (final state, outputs) of `state, y = step(state, x)` over time.

    step: takes the state and one slice of the inputs; returns the next state and an output. It may
    close over any tensors, which get their gradients. It is called once or twice, on symbols, and
    then run by one kernel over all steps: it must have no other effects. Where it cannot be
    compiled (see `explain`), or inside `unrolled()`, it is called at every step.
    inputs (T, B, ...), a Tensor or a tuple of Tensors (then the step gets a tuple of slices)
    state (B, ...), a Tensor or a tuple of Tensors; returned in the same form
    lengths (B,), integers from 0 to T: beyond its length a sequence keeps its state and its
    outputs are 0, in both directions, so padding is invisible
    reverse: from the last step to the first; the outputs stand at the steps they belong to
    checkpoint_every: only the state at every so-manyth step is kept, and what lies between is
    computed again in the backward pass: memory for time
    outputs (T, B, ...), in the form that the step returns
    Raises ValueError for lengths or inputs that do not fit, for no steps at all, or for a step that
    changes its state's shape; TypeError for anything but Tensors, or for a step that changes its
    state's dtype or structure.
    """
    if checkpoint_every is not None:
        return scan_in_pieces(scan, step, inputs, state, lengths, reverse, checkpoint_every)
    if not (current.unrolled or current.anomaly or current.tracer is not None):
        series = inputs if isinstance(inputs, tuple) else (inputs,)
        check_inputs(series, state)
        try:
            return run(step, inputs, state, lengths, reverse)
        except Unsuitable:
            return ops.scan(step, inputs, state, lengths=lengths, reverse=reverse)
        except Untraceable as why:
            note("scan: the step %s runs unrolled: %s", step, str(why))
    return ops.scan(step, inputs, state, lengths=lengths, reverse=reverse)


def note(text: str, step: Any, why: str) -> None:
    """Nothing; says once for each step (or function) why it is not compiled."""
    code = getattr(getattr(step, "__func__", step), "__code__", None)
    name = step_name(step)
    if (name, code) not in _noted:
        _noted.add((name, code))
        _log.warning(text, name, why)


def run(step: Any, inputs: Any, state: Any, lengths: Any, reverse: bool) -> tuple[Any, Any]:
    """Return what `scan` does, by a kernel. Raises Untraceable where there can be none."""
    series, states, forms = arranged(inputs, state, lengths)
    given = [*series, *states]
    make = functools.partial(built_step, step, series, states, forms, reverse, is_wanted)
    (op, several_outputs), outer = recognised(
        step, (forms, reverse), given, make, len(series), len(given)
    )
    results = op([*given, *outer])
    final, outputs = tuple(results[: len(states)]), tuple(results[len(states) :])
    return final if forms[1] else final[0], outputs if several_outputs else outputs[0]


def arranged(inputs: Any, state: Any, lengths: Any) -> tuple[list[Any], list[Any], Any]:
    """Return series (a mask of the lengths is the last) and states as lists, and their forms.

    forms: as `traced` takes them
    Raises Unsuitable; ValueError or TypeError for lengths that do not fit.
    """
    several_inputs, several_state = isinstance(inputs, tuple), isinstance(state, tuple)
    series = list(inputs) if several_inputs else [inputs]
    states = list(state) if several_state else [state]
    if lengths is not None:
        check_compilable(series, states)
        valid = step_masks(lengths, series[0])
        series = [without_padding(valid, x) for x in series]
        mask = valid[..., None].astype(states[0].dtype)
        series.append(tensor_at(mask, None))
    return series, states, (several_inputs, several_state, lengths is not None)


def built_step(
    step: Any,
    series: Any,
    states: Any,
    forms: Any,
    reverse: bool,
    wanted: Callable[[Tensor], bool],
) -> Built:
    """Return what a step is compiled to. Raises Untraceable."""
    check_compilable(series, states)
    trace_anew = functools.partial(traced, step, series, states, forms)
    make = functools.partial(compiled, reverse=reverse)
    return built(trace_anew, [*series, *states], reverse, make, wanted)


def is_wanted(leaf: Tensor) -> bool:
    """Return whether a gradient of this leaf may be asked for."""
    return current.recording and leaf.place is not None


def check_compilable(series: list[Any], states: list[Any]) -> None:
    """Nothing; raises Unsuitable unless all are of NumPy, floats of one dtype, with a batch."""
    if not runtime.available():
        raise Unsuitable("NUMBA_DISABLE_JIT is set, or Numba is missing")
    tensors = [*series, *states]
    if not all(isinstance(t, Tensor) and isinstance(t.array, np.ndarray) for t in tensors):
        raise Unsuitable("inputs and state are not all Tensors of NumPy")
    dtype = states[0].dtype if states else None
    if dtype not in (np.float32, np.float64):
        raise Unsuitable(f"the state is {dtype}, expected float32 or float64")
    batch = states[0].shape[:1]
    if any(h.dtype != dtype or h.shape[:1] != batch or h.ndim not in (1, 2) for h in states):
        raise Unsuitable("the states are not all (B, width) of one dtype")
    if any((x.dtype != dtype and x.dtype.kind == "f") or x.shape[1:2] != batch for x in series):
        raise Unsuitable("the inputs are not all (T, B, ...) of the state's dtype, or integers")
    if batch == (0,) or all(t.ndim - (i < len(series)) < 2 for i, t in enumerate(tensors)):
        raise Unsuitable("there is no batch")


Built = tuple[tuple[Any, bool], list[Tensor], bool]


def built(
    trace_anew: Callable[[], tuple[Trace, bool]],
    given: Sequence[Tensor],
    options: Hashable,
    make: Callable[[Trace, Sequence[bool]], Any],
    wanted: Callable[[Tensor], bool],
) -> Built:
    """Return what a function is compiled to, as `recognised` takes it: made once for equal traces.

    That is its op, and whether it has several outputs.
    trace_anew: traces it, and tells of its outputs; called again to see that the same comes out
    given: the leaves that precede the outer tensors; wanted: whether a leaf gets a gradient
    options: what the op depends on beside the trace
    Raises Untraceable, each time, where there is none.
    """
    trace, several_outputs = trace_anew()
    outer = [t for t, _ in trace.outer]
    which = [*map(wanted, (*given, *outer))]
    key = (trace.key, tuple(which), options)
    op = _compiled.get(key)
    if op is None:
        try:
            check_repeatable(trace, trace_anew()[0])
            op = make(trace, which)
        except Untraceable as why:
            op = str(why)  # the error itself would keep alive what its traceback leads to
        _compiled[key] = op
    if isinstance(op, str):
        raise Untraceable(op)
    return (op, several_outputs), outer, not trace.looked


def compiled(trace: Trace, wanted: Sequence[bool], reverse: bool) -> CompiledScan:
    """Return the op for a trace. Raises Untraceable.

    What does not depend on the state runs before the loop: what has to, or else all of it.
    """
    from .compiled import CompiledScan  # Numba is imported when something is compiled

    try:
        return CompiledScan(trace, wanted, reverse, Before(trace, wanted, everything=False))
    except Untraceable as why:
        try:
            return CompiledScan(trace, wanted, reverse, Before(trace, wanted, everything=True))
        except Untraceable:
            raise why from None
