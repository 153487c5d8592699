"""A compiled scan in the graph: one node, whose backward pass is a kernel too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..engine import writes
from ..engine.graph import Node, Place
from ..engine.modes import current, is_grad_enabled
from ..engine.primitive import pull_through
from ..engine.tensor import Tensor, tensor_at
from .higher import Backward
from .passes.kernel import Kernel
from .passes.plan import Plan
from .tracing.hoist import Before
from .tracing.step import Trace
from .tracing.trace import Untraceable

Pulled = list[tuple[Place, Any]]


class CompiledScan:
    """The op of compiled scans of one traced step, in one direction of time.

    A node keeps the arrays of the leaves (inputs, state, outer tensors), then `saved` ones.
    """

    name = "scan"

    def __init__(self, trace: Trace, wanted: Sequence[bool], reverse: bool, before: Before) -> None:
        self.before = None if before.is_empty else before
        if self.before is not None:
            trace, wanted = before.trace, before.wanted(wanted)
        trace.forget()
        self.trace, self.reverse = trace, reverse
        self.inputs, self.states = len(trace.inputs), len(trace.state)
        self.dtype = trace.state[0].dtype
        self.plan = Plan(trace, wanted, self.dtype)
        self.kernel = Kernel(self.plan, self.dtype)
        self.saved = self.kernel.saved()

    def __call__(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """Return final state and outputs, from inputs, state and outer tensors."""
        if self.before is not None:
            leaves = self.before(leaves)
        arrays = [t.array for t in leaves]
        first, outer = self.inputs, self.inputs + self.states
        outs, memory = self.kernel.forward(
            self._in_order(arrays[:first]), arrays[first:outer], arrays[outer:]
        )
        outs[self.states :] = self._in_order(outs[self.states :])
        if self.plan.backward is None or not is_grad_enabled():
            return [tensor_at(o, None) for o in outs]
        kept = [*arrays, *[memory[name] for name in self.saved]]
        shapes = tuple([o.shape for o in outs])
        node = Node(self, [t.place for t in leaves], kept, None, shapes, True)
        if writes.loans:
            node.seals = writes.seal(kept)
        return [tensor_at(o, (node, i)) for i, o in enumerate(outs)]

    def _in_order(self, series: list[Any]) -> list[Any]:
        """Return series from the first step that is made to the last; or back again."""
        return [x[::-1] for x in series] if self.reverse else series

    def pull(self, node: Node, g: Any, wanted: set[Node] | None, create_graph: bool) -> Pulled:
        """Return (place, cotangent) of the leaves that are wanted (None: all)."""
        kept: Any = node.kept
        count = len(node.parents)
        if create_graph:
            leaves = [
                a if place is None else tensor_at(a, place)
                for a, place in zip(kept[:count], node.parents, strict=True)
            ]
            return self._pull_with_graph(node, leaves, g)
        first, states = self.inputs, self.states
        memory = dict(zip(self.kernel.outer, kept[first + states : count], strict=True))
        memory.update(zip(self.saved, kept[count:], strict=True))
        cotangents = [*g[:states], *self._in_order(g[states:])]
        found = self.kernel.backward(memory, cotangents)
        if self.reverse:
            found[:first] = [None if gx is None else gx[::-1] for gx in found[:first]]
        return [
            (place, gx)
            for place, gx in zip(node.parents, found, strict=True)
            if place is not None and gx is not None and (wanted is None or place[0] in wanted)
        ]

    def _pull_with_graph(self, node: Node, leaves: list[Any], g: Any) -> Pulled:
        """Return the cotangents of all leaves, with a graph: of a scan, or else of the loop."""
        if not (current.unrolled or current.anomaly or current.tracer is not None):
            try:
                tensors = [t if isinstance(t, Tensor) else tensor_at(t, None) for t in leaves]
                found = Backward(self)(tensors, g)
            except Untraceable:
                return pull_through(self.definition, leaves, node, g, create_graph=True)
            pairs = zip(node.parents, found, strict=True)
            return [(place, gx) for place, gx in pairs if place is not None and gx is not None]
        return pull_through(self.definition, leaves, node, g, create_graph=True)

    def definition(self, *leaves: Any) -> tuple[Any, ...]:
        """Return what the kernel computes by the loop: the trace's ops, at every step."""
        inputs, states = self.inputs, self.states
        tensors = [t if isinstance(t, Tensor) else tensor_at(np.asarray(t), None) for t in leaves]
        outer = tensors[inputs + states :]

        def step(state: Any, xs: Any) -> tuple[Any, Any]:
            results = self.trace.replay([*xs, *state, *outer])
            return tuple(results[:states]), tuple(results[states:])

        final, outputs = ops.scan(
            step, tuple(tensors[:inputs]), tuple(tensors[inputs : inputs + states]),
            reverse=self.reverse,
        )  # fmt: skip
        return (*final, *outputs)
