"""A plan as two loops, forwards and backwards, and the arrays that go between them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...machine import runtime
from .loop import Arrays, Loop, chunks
from .plan import Plan


class Kernel:
    """The compiled scan of a trace: both loops, and the arrays that go between them.

    made: shapes of the arrays that `forward` makes, but for their first axis, and how many more
    than the steps that has; they follow the inputs and the outer tensors, `given` in number
    saved: which of the arrays of `forward` the backward pass reads
    outputs: for each the place of the array that holds it, from which step on, and its shape there
    grown: of each array that gradients of rows are written into whether it has one for each step,
    and its shape in one
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
        # a weight is packed, from any order
        self.plain = [*range(self.inputs)]
        self.plain += [self.inputs + i for i in range(len(self.shapes)) if i not in plan.matrices]
        made = [(f"s{i}", s.shape, 1) for i, s in enumerate(trace.state)]
        made += [(buffer.name, (self.batch, buffer.width), 0) for buffer in plan.kept]
        self.outputs = []
        for i, (symbol, same) in enumerate(zip(trace.outputs, plan.output_of, strict=True)):
            place = self.given + (len(made) if same is None else same)
            self.outputs.append((place, int(same is not None), symbol.shape))
            if same is None:
                made.append((f"y{i}", symbol.shape, 0))
        self.made = [(more, shape) for _, shape, more in made]
        names = given + [name for name, *_ in made]
        reads = set() if plan.backward is None else plan.backward.reads
        self.saved = [place for place, name in enumerate(names) if name in reads]
        self.names = names
        grown = [
            (name, i < self.inputs, self.leaves[i])
            for i, found in enumerate(plan.gradients)
            for name in found
            if name.startswith("d")
        ]
        self.grown = [(over_time, shape) for _, over_time, shape in grown]
        self.grown_names = [name for name, *_ in grown]
        self.sums = [i for i, (over_time, _) in enumerate(self.grown) if not over_time]
        self.forward_loop = Loop(plan.forward, self.shapes, dtype, names)
        self.forward_shapes = functools.lru_cache(maxsize=64)(self._forward_shapes)
        self.backward_shapes = functools.lru_cache(maxsize=64)(self._backward_shapes)

    @functools.cached_property
    def backward_loop(self) -> Loop:
        """The backward loop, compiled when it is first asked for."""
        assert self.plan.backward is not None
        names = [self.names[place] for place in self.saved] + self.names[self.inputs : self.given]
        names += [f"gy{i}" for i in range(len(self.outputs))]
        names += [f"gs{i}" for i in range(self.states)] + self.grown_names
        return Loop(self.plan.backward, self.shapes, self.dtype, names)

    @functools.cached_property
    def _found(self) -> list[list[int]]:
        """For each leaf the places of the arrays whose sum is its gradient."""
        places = {name: place for place, name in enumerate(self.backward_loop.names)}
        return [
            [places[name] for name in names] if wanted else []
            for names, wanted in zip(self.plan.gradients, self.plan.wanted, strict=True)
        ]

    @functools.cached_property
    def _joined(self) -> list[tuple[int, list[int], tuple[int, ...]]]:
        """Of leaves whose gradient is not one of those arrays as it is: number, places, shape."""
        loop, outer = self.backward_loop, self.inputs + self.states
        first = len(loop.names) - len(loop.sums)
        sums = dict(enumerate(loop.sums, first))
        return [
            (i, places, shape)
            for i, (places, shape) in enumerate(zip(self._found, self.leaves, strict=True))
            if i >= outer and (len(places) > 1 or (places and sums.get(places[0], shape) != shape))
        ]

    def _forward_shapes(self, steps: int) -> list[tuple[int, ...]]:
        """Return the shapes of what `forward` makes."""
        return [(steps + more, *shape) for more, shape in self.made]

    def _backward_shapes(self, steps: int) -> list[tuple[int, ...]]:
        """Return the shapes of what `backward` makes: states' cotangents, gradients, sums."""
        pairs = [(2, *shape) for _, shape in self.made[: self.states]]
        grown = [(steps, *shape) if over_time else shape for over_time, shape in self.grown]
        return [*pairs, *grown, *self.backward_loop.sums]

    def forward(self, inputs: Any, state: Any, outer: Any) -> tuple[list[Any], Arrays]:
        """Return the final states and the outputs, and the arrays of both and of what is kept.

        inputs (T, B, width) or (T, B)   state (B, width) or (B,)   outer: as traced
        """
        steps, dtype = len(inputs[0]), self.dtype
        arrays = [*inputs, *outer]
        for place in self.plain:
            arrays[place] = np.ascontiguousarray(arrays[place], dtype)
        arrays += [runtime.memory(shape, dtype) for shape in self.forward_shapes(steps)]
        for place, h in enumerate(state, self.given):
            arrays[place][0] = h
        self.forward_loop.run(steps, self.batch, chunks(self.batch), arrays)
        outs = [series[steps].copy() for series in arrays[self.given : self.given + self.states]]
        for place, first, shape in self.outputs:
            out = arrays[place][1:] if first else arrays[place]
            outs.append(out if out.shape[1:] == shape else out.reshape(steps, *shape))
        return outs, arrays

    def backward(
        self, saved: Sequence[Any], outer: Sequence[Any], cotangents: Sequence[Any], steps: int
    ) -> list[Any]:
        """Return the gradient of each leaf (inputs, states, outer), None where there is none.

        saved: of the arrays that `forward` returned   cotangents: None for zeros
        """
        states, dtype, arrays = self.states, self.dtype, [*saved, *outer]
        for (_, _, shape), g in zip(self.outputs, cotangents[states:], strict=True):
            zero = g is None
            arrays.append(
                np.zeros((steps, *shape), dtype) if zero else np.ascontiguousarray(g, dtype)
            )
        pairs = len(arrays)
        arrays += [runtime.memory(shape, dtype) for shape in self.backward_shapes(steps)]
        for place, g in enumerate(cotangents[:states], pairs):
            arrays[place][steps & 1] = 0 if g is None else g
        for i in self.sums:
            arrays[pairs + states + i].fill(0)
        self.backward_loop.run(steps, self.batch, chunks(self.batch), arrays)
        gradients: list[Any] = [arrays[places[0]] if places else None for places in self._found]
        for i in range(self.inputs, self.inputs + states):
            if gradients[i] is not None:
                gradients[i] = gradients[i][0]
        for i, places, shape in self._joined:
            gradients[i] = sum(arrays[place] for place in places).reshape(shape)
        return gradients
