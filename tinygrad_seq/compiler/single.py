"""One step of a cell on its own, without gradients: a kernel behind as little Python as can be.

What a cell's step depends on is compared with what it was at the call before: its contents, and
its parameters' arrays by identity. Their values may change in between; nothing of them is kept.
"""

from __future__ import annotations

import weakref
from operator import is_
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..engine.modes import current
from ..engine.tensor import Tensor, tensor_at
from ..machine import runtime
from ..tracing.contents import Contents, contents
from ..tracing.trace import Untraceable
from .scan import op_of

if TYPE_CHECKING:
    from .compiled import CompiledScan  # Numba is imported when something is compiled


class Owner(Protocol):
    """What has a step, as nn.Cell has it."""

    def check(self, state: Any, x: Any) -> None:
        """Nothing; raises for what does not fit."""

    def forward(self, state: Any, x: Any) -> tuple[Any, Any]:
        """Return (next state, output)."""


class Single:
    """A cell's step for one batch size, ready to run: all that must not have changed, and a job."""

    def __init__(
        self, cell: Owner, op: CompiledScan, arrays: list[np.ndarray], outer: list[Tensor],
        known: Contents,
    ) -> None:  # fmt: skip
        place = id(cell), arrays[0].shape
        self.cell = weakref.ref(cell, lambda _: _singles.pop(place, None))
        self.known, self.function = known, _function(cell)
        self.outer, self.weights = outer, [t.array for t in outer]
        self.shapes, self.dtype = [a.shape for a in arrays], op.dtype
        kernel, loop = op.kernel, op.kernel.forward_loop
        self.threads, self.job, self.large = loop.single(kernel.batch)
        self.made = [(1 + more, kernel.batch, width) for more, width in kernel.made]
        self.given, self.states = kernel.given, len(arrays) - 1
        self.same = op.plan.output_of[0]
        self.output, _, self.shape = kernel.outputs[0]
        self.order = loop.order + loop.weights

    def unchanged(self, cell: Owner, arrays: list[np.ndarray]) -> bool:
        """Return whether the step computes what it did, from arrays of the same form."""
        for a, shape in zip(arrays, self.shapes, strict=False):
            if a.shape != shape or a.dtype != self.dtype or type(a) is not np.ndarray:
                return False
        return (
            len(arrays) == len(self.shapes)
            and self.cell() is cell
            and _function(cell) is self.function
            and self.known.hold(self.function)
            and all(map(is_, [t.array for t in self.outer], self.weights))
            and (self.threads == 1 or self.threads == runtime.get_num_threads())
        )

    def run(self, arrays: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the next states, and what holds the output unless it is one of them, `same`.

        arrays: x (B, D), then states (B, width)
        """
        x, memory, dtype, given = arrays[0], runtime.memory, self.dtype, self.given
        flat = [x if x.flags.c_contiguous else np.ascontiguousarray(x), *self.weights]
        flat += [memory(shape, dtype) for shape in self.made]
        for place, h in enumerate(arrays[1:], given):
            flat[place][0] = h
        self.job.run([flat[i] for i in self.order], runtime.get_num_threads() if self.large else 0)
        return [state[1] for state in flat[given : given + self.states]], flat[self.output]


def _function(cell: Owner) -> Any:
    """Return the function of a cell's step: its class's, or one of its own."""
    forward = cell.forward
    return getattr(forward, "__func__", forward)


_singles: dict[tuple[int, tuple[int, ...]], Single] = {}
"""By the cell's identity and the shape of x."""


_refused: dict[tuple[int, tuple[int, ...]], weakref.ref[Any]] = {}
"""Likewise, cells whose step is better called itself."""


def advance(cell: Owner, state: Any, x: Any) -> tuple[Any, Any] | None:
    """Return cell.forward(state, x) by its kernel; None where it is to be called itself.

    That is where gradients are recorded, and where the cell does not tell what it depends on.
    Raises as cell.check does.
    """
    mode = current
    if mode.recording or mode.unrolled or mode.anomaly or mode.tracer is not None:
        return None
    if not isinstance(state, tuple) or not all(isinstance(t, Tensor) for t in (x, *state)):
        return None
    arrays = [x.array, *[h.array for h in state]]
    single = _singles.get((id(cell), arrays[0].shape))
    if single is None or not single.unchanged(cell, arrays):
        single = _made(cell, state, x, arrays)
        if single is None:
            return None
    new, y = single.run(arrays)
    after = tuple([tensor_at(h, None) for h in new])
    same = single.same
    return after, tensor_at(y.reshape(single.shape), None) if same is None else after[same]


def _made(cell: Owner, state: tuple[Tensor, ...], x: Tensor, arrays: list[Any]) -> Single | None:
    """Return a cell's step made ready, remembered as long as the cell lives; None if it cannot."""
    known = contents(cell.forward)
    if x.ndim != 2 or known is None or {*map(type, arrays)} != {np.ndarray}:
        return None
    place = id(cell), x.shape
    if place in _refused and _refused[place]() is cell:
        return None
    cell.check(state, x)
    series, states = [tensor_at(x.array[None], None)], list(state)
    try:
        op, outer, several, told = op_of(cell.forward, series, states, (False, True, False), False)
    except Untraceable:
        told = False
    if not told or several or not all(t.array.flags.c_contiguous for t in outer):
        _refused[place] = weakref.ref(cell, lambda _: _refused.pop(place, None))
        return None
    _singles[place] = Single(cell, op, arrays, outer, known)
    return _singles[place]
