"""The backward pass of a compiled scan as a scan of its own, so that it has derivatives in turn.

Its step is the derivative of the step, run the other way: from an input, the state before, and the
cotangents of state and outputs, to the cotangents of input and state before. What the gradient of a
weight is made of leaves the loop as outputs: it is a product of all their rows, by ordinary ops.
Being a scan, it is traced, compiled and differentiated like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..engine.primitive import fit
from ..engine.tensor import Tensor
from ..tracing.replay import called, given, needed, replay
from ..tracing.trace import Symbol
from .scan import run

if TYPE_CHECKING:
    from .compiled import CompiledScan


class Backward:
    """What of a derivative's entries runs in the loop, and what after it.

    inside: entries of the step; after: those that make the gradients of outer tensors
    rows: symbols that the loop gives to what comes after it
    """

    def __init__(self, op: CompiledScan) -> None:
        derivative = op.plan.derivative
        assert derivative is not None
        self.op, self.derivative = op, derivative
        inputs, states = len(op.trace.inputs), len(op.trace.state)
        self.dx, self.dh = derivative.gradients[:inputs], derivative.gradients[inputs:][:states]
        self.outer = derivative.gradients[inputs + states :]
        late = {id(o) for e in derivative.entries for o in e.outs if not self._is_rows(o)}
        ends = [e for e in derivative.entries if any(id(o) in late for o in e.outs)]
        self.after = needed(ends, self.outer)
        read = [a for e in self.after for a in e.args if type(a) is Symbol]
        rows = {id(s): s for s in (*self.outer, *read) if s is not None}
        self.rows = [s for s in rows.values() if id(s) not in late and s.entry >= 0]
        self.inside = needed(derivative.entries, [*self.dx, *self.dh, *self.rows])

    def _is_rows(self, s: Symbol) -> bool:
        value = self.op.plan.normaliser.value(s)
        return value.rows and value.op != "transpose"

    def __call__(self, leaves: Sequence[Tensor], g: Sequence[Tensor]) -> list[Tensor | None]:
        """Return the cotangents of the leaves, with a graph. Raises Untraceable."""
        trace, states = self.op.trace, len(self.op.trace.state)
        xs, outer = leaves[: len(trace.inputs)], leaves[len(trace.inputs) + states :]
        state = tuple(leaves[len(trace.inputs) : len(trace.inputs) + states])
        symbols = [*trace.leaves, *self.derivative.cotangents]

        def forward(hs: Any, xs: Any) -> tuple[Any, Any]:
            return tuple(trace.replay([*xs, *hs, *outer])[:states]), hs

        def backward(gs: Any, series: Any) -> tuple[Any, Any]:
            before, g = series[: len(xs) + states], series[len(xs) + states :]
            known = dict(zip(map(id, symbols), [*before, *outer, *gs, *g], strict=True))
            replay(self.inside, known, called)
            new = [
                h * 0.0 if s is None else given(known, s) for s, h in zip(self.dh, gs, strict=True)
            ]
            rows = [given(known, s) for s in (*self.dx, *self.rows) if s is not None]
            return tuple(new), (*rows, *gs)

        before = run(forward, tuple(xs), state, None, self.op.reverse)[1]
        series = (*xs, *before, *g[states:])
        gs, made = run(backward, series, tuple(g[:states]), None, not self.op.reverse)
        found = iter(made)
        dx = [None if s is None else next(found) for s in self.dx]
        read = [*trace.inputs, *trace.state, *self.derivative.cotangents[states:], *self.rows]
        read += self.derivative.cotangents[:states]
        rows = dict(zip(map(id, read), [*series, *found], strict=True))
        return [*dx, *gs, *self._outer(outer, rows)]

    def _outer(self, outer: Sequence[Tensor], series: dict[int, Tensor]) -> list[Tensor | None]:
        """Return the gradients of outer tensors, from rows of all steps."""
        symbols, batch = [s for _, s in self.op.trace.outer], self.op.trace.state[0].shape[0]
        known = dict(zip(map(id, symbols), outer, strict=True))
        used = {id(a) for e in self.after for a in e.args}
        for key in used & series.keys():
            known[key] = ops.reshape(series[key], (-1, *series[key].shape[2:]))
        replay(self.after, known, called)
        gradients: list[Tensor | None] = []
        for s, leaf, tensor in zip(self.outer, symbols, outer, strict=True):
            if s is None or tensor.place is None:
                gradients.append(None)
            elif id(s) in series and leaf.shape[:1] == (batch,):
                gradients.append(ops.sum(series[id(s)], axis=0))
            else:
                gradients.append(fit(given(known, s), tensor.place))
        return gradients
