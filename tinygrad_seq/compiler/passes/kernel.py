"""A plan as two loops, forwards and backwards, and the arrays that go between them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...machine import runtime
from .loop import Arrays, Loop, chunks
from .plan import Plan, columns_of
from .program import wide


class Kernel:
    """The compiled scan of a trace: both loops, and the arrays that go between them.

    saved: which of the arrays of `forward` the backward pass reads
    grown: for each array that gradients of rows are written into its name, whether it has a row
    for each step, and its shape in one
    outputs: for each the place of the array that holds it, from which step on, and its shape
    without steps
    """

    def __init__(self, plan: Plan, dtype: Any) -> None:
        trace = plan.trace
        self.plan, self.dtype = plan, np.dtype(dtype)
        self.batch = (*trace.state, *trace.inputs)[0].shape[0]
        self.shapes = [s.shape for _, s in trace.outer]
        self.leaves = [symbol.shape for symbol in trace.leaves]
        self.inputs, self.states = len(trace.inputs), len(trace.state)
        given = [f"x{i}" for i in range(self.inputs)] + [f"o{i}" for i in range(len(self.shapes))]
        self.given = len(given)
        made = [(f"s{i}", wide(leaf), 1) for i, leaf in enumerate(plan.states)]
        made += [(buffer.name, buffer.width, 0) for buffer in plan.kept]
        self.outputs = []
        for i, (symbol, same) in enumerate(zip(trace.outputs, plan.output_of, strict=True)):
            place = self.given + (len(made) if same is None else same)
            self.outputs.append((place, int(same is not None), symbol.shape))
            if same is None:
                made.append((f"y{i}", columns_of(symbol), 0))
        self.made = [(more, width) for _, width, more in made]
        names = given + [name for name, *_ in made]
        reads = set() if plan.backward is None else plan.backward.reads
        self.saved = [place for place, name in enumerate(names) if name in reads]
        self.names = names
        self.grown = [
            (name, i < self.inputs, (self.batch, *(self.leaves[i][1:] or (1,))))
            for i, found in enumerate(plan.gradients)
            for name in found
            if name.startswith("d")
        ]
        self.forward_loop = Loop(plan.forward, self.shapes, dtype, names)

    @functools.cached_property
    def backward_loop(self) -> Loop:
        """The backward loop, compiled when it is first asked for."""
        assert self.plan.backward is not None
        names = [self.names[place] for place in self.saved] + self.names[self.inputs : self.given]
        names += [f"gs{i}" for i in range(self.states)]
        names += [f"gy{i}" for i in range(len(self.outputs))]
        names += [name for name, *_ in self.grown]
        return Loop(self.plan.backward, self.shapes, self.dtype, names)

    @functools.cached_property
    def _found(self) -> list[list[int]]:
        """For each leaf the places of the arrays whose sum is its gradient."""
        places = {name: place for place, name in enumerate(self.backward_loop.names)}
        return [
            [places[name] for name in names] if wanted else []
            for names, wanted in zip(self.plan.gradients, self.plan.wanted, strict=True)
        ]

    def forward(self, inputs: Any, state: Any, outer: Any) -> tuple[list[Any], Arrays]:
        """Return the final states and the outputs, and the arrays of both and of what is kept.

        inputs (T, B, width) or (T, B)   state (B, width) or (B,)   outer: as traced
        """
        steps, batch, memory, dtype = len(inputs[0]), self.batch, runtime.memory, self.dtype
        arrays = [*map(self._plain, inputs)]
        matrices, outs = self.plan.matrices, []  # a weight is packed, from any order
        arrays += [a if i in matrices else self._plain(a) for i, a in enumerate(outer)]
        arrays += [memory((steps + more, batch, width), dtype) for more, width in self.made]
        for place, h in enumerate(state, self.given):
            arrays[place][0] = h if h.ndim == 2 else h[:, None]
        self.forward_loop.run(steps, batch, chunks(batch), arrays)
        for place, h in enumerate(state, self.given):
            final = arrays[place][steps]
            outs.append((final if h.ndim == 2 else final[:, 0]).copy())
        for place, first, shape in self.outputs:
            out = arrays[place][1:] if first else arrays[place]
            outs.append(out if len(shape) == 2 else out.reshape(steps, *shape))
        return outs, arrays

    def backward(
        self, saved: Sequence[Any], outer: Sequence[Any], cotangents: Sequence[Any], steps: int
    ) -> list[Any]:
        """Return the gradient of each leaf (inputs, states, outer), None where there is none.

        saved: of the arrays that `forward` returned   cotangents: None for zeros
        """
        batch, memory, dtype, found = self.batch, runtime.memory, self.dtype, self._found
        arrays, states = [*saved, *outer], self.states
        for (_, width), g in zip(self.made, cotangents[:states], strict=False):
            pair = memory((2, batch, width), dtype)
            pair[steps & 1] = 0 if g is None else g if g.ndim == 2 else g[:, None]
            arrays.append(pair)
        for (_, _, shape), g in zip(self.outputs, cotangents[states:], strict=True):
            arrays.append(np.zeros((steps, *shape), dtype) if g is None else self._plain(g))
        for _, over_time, shape in self.grown:
            array = memory((steps, *shape) if over_time else shape, dtype)
            if not over_time:
                array.fill(0)
            arrays.append(array)
        self.backward_loop.run(steps, batch, chunks(batch), arrays)
        gradients: list[Any] = []
        for i, (places, shape) in enumerate(zip(found, self.leaves, strict=True)):
            if not places:
                gradients.append(None)
                continue
            total = arrays[places[0]]
            if self.inputs <= i < self.inputs + self.states:
                gradients.append(total[0].reshape(shape).copy())
                continue
            if len(places) > 1:
                total = sum(arrays[place] for place in places)
            if i < self.inputs:
                shape = (steps, *shape)
            gradients.append(total if total.shape == shape else total.reshape(shape))
        return gradients

    def _plain(self, array: np.ndarray) -> np.ndarray:
        """Return the array as kernels read it: contiguous, of the one dtype."""
        if array.dtype is self.dtype and array.flags.c_contiguous:
            return array
        return np.ascontiguousarray(array, self.dtype)
