"""One step of a cell on its own, without gradients: a kernel behind as little Python as can be.

It is recognised as a scan's step is, and the job of its kernel is kept: what is left to do is to
hand over the addresses. Values of parameters may change in between; nothing of them is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..engine.modes import current
from ..engine.tensor import Tensor, tensor_at
from ..machine import runtime
from ..tracing.contents import contents
from ..tracing.recognise import recognised
from ..tracing.step import Trace, traced
from ..tracing.trace import Untraceable
from .scan import Unsuitable, built, check_compilable

if TYPE_CHECKING:
    from .compiled import CompiledScan  # Numba is imported when something is compiled


class Owner(Protocol):
    """What has a step, as nn.Cell has it."""

    def check(self, state: Any, x: Any) -> None:
        """Nothing; raises for what does not fit."""

    def forward(self, state: Any, x: Any) -> tuple[Any, Any]:
        """Return (next state, output)."""


class Single:
    """A cell's step for one batch size, ready to run.

    made: shapes of the arrays of states and of the output; given: how many precede these
    """

    def __init__(self, op: CompiledScan) -> None:
        kernel, loop = op.kernel, op.kernel.forward_loop
        self.prepare = functools.partial(loop.single, kernel.batch)
        self.dtype, self.given, self.states = op.dtype, kernel.given, op.states
        self.threads, self.job, self.large = self.prepare()
        self.made = kernel.forward_shapes(1)
        self.same = op.plan.output_of[0]
        self.output, _, self.shape = kernel.outputs[0]
        self.take = loop.take

    def __call__(
        self, x: np.ndarray, state: list[np.ndarray], weights: list[np.ndarray]
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the next state and the output. x (B, D)   state (B, width) each."""
        memory, dtype, given = runtime.memory, self.dtype, self.given
        if self.threads != 1 and self.threads != runtime.get_num_threads():
            self.threads, self.job, self.large = self.prepare()
        flat = [x if x.flags.c_contiguous else np.ascontiguousarray(x), *weights]
        flat += [memory(shape, dtype) for shape in self.made]
        for place, h in enumerate(state, given):
            flat[place][0] = h
        self.job.run(self.take(flat), runtime.get_num_threads() if self.large else 0)
        after = tuple([tensor_at(h[1], None) for h in flat[given : given + self.states]])
        if self.same is not None:
            return after, after[self.same]
        return after, tensor_at(flat[self.output].reshape(self.shape), None)


def advance(cell: Owner, state: Any, x: Any) -> tuple[Any, Any] | None:
    """Return cell.forward(state, x) by its kernel; None where it is to be called itself.

    That is where gradients are recorded, and where the cell does not tell what it depends on.
    Raises as cell.check does.
    """
    mode = current
    if mode.recording or mode.unrolled or mode.anomaly or mode.tracer is not None:
        return None
    if not isinstance(state, tuple):
        return None
    values, make = (x, *state), functools.partial(_made, cell, state, x)
    try:
        single, outer = recognised(cell.forward, "one step", values, make, given=1 + len(state))
    except Untraceable:
        return None
    weights = [t.array for t in outer]
    for weight in weights:
        if not weight.flags.c_contiguous:
            return None
    found: tuple[Any, Any] = single(x.array, [h.array for h in state], weights)
    return found


def _made(cell: Owner, state: tuple[Tensor, ...], x: Tensor) -> tuple[Single, list[Tensor], bool]:
    """Return a cell's step made ready, as `recognised` takes it. Raises Untraceable."""
    known = contents(cell.forward)
    if known is None or not all(isinstance(t, Tensor) for t in (x, *state)) or x.ndim != 2:
        raise Unsuitable("it depends on who knows what, or on no batch of Tensors")
    cell.check(state, x)
    series, forms = [tensor_at(x.array[None], None)], (False, True, False)
    check_compilable(series, [*state])
    trace_anew = functools.partial(traced, cell.forward, series, state, forms)
    (single, several), outer, again = built(
        trace_anew, [*series, *state], "one step", _make, lambda leaf: False
    )
    told = {id(t.array) for t in known.tensors}.issuperset(id(t.array) for t in outer)
    if several or not told or not again:
        raise Unsuitable("it has several outputs, reads values, or takes tensors of its own")
    return single, outer, True


def _make(trace: Trace, wanted: Sequence[bool]) -> Single:
    from .compiled import CompiledScan  # Numba is imported when something is compiled

    return Single(CompiledScan(trace, wanted, False, None))
