"""A compiled scan in the graph: one node, whose backward pass is a kernel too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..engine import writes
from ..engine.graph import Node, Place
from ..engine.modes import is_grad_enabled
from ..engine.primitive import pull_through
from ..engine.tensor import Tensor, tensor_at
from .kernel import Kernel
from .plan import Plan
from .step import Trace

Pulled = list[tuple[Place, Any]]


class CompiledScan:
    """The op of compiled scans of one traced step, in one direction of time.

    A node keeps the arrays of the leaves (inputs, state, outer tensors), then `saved` ones.
    """

    name = "scan"

    def __init__(self, trace: Trace, wanted: Sequence[bool], reverse: bool) -> None:
        trace.forget()
        self.trace, self.reverse = trace, reverse
        self.dtype = trace.state[0].dtype
        self.plan = Plan(trace, wanted, self.dtype)
        self.kernel = Kernel(self.plan, self.dtype)
        backward = self.plan.backward
        self.saved = [] if backward is None else sorted(backward.reads)

    def __call__(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """Return final state and outputs, from inputs, state and outer tensors."""
        inputs, states = len(self.trace.inputs), len(self.trace.state)
        arrays = [t.array for t in leaves]
        outs, memory = self.kernel.forward(
            [self._in_order(a) for a in arrays[:inputs]],
            arrays[inputs : inputs + states],
            arrays[inputs + states :],
        )
        outs = outs[:states] + [self._in_order(a) for a in outs[states:]]
        node = None
        if self.plan.backward is not None and is_grad_enabled():
            self.saved = [name for name in self.saved if name in memory]
            kept = (*arrays, *[memory[name] for name in self.saved])
            shapes = tuple([o.shape for o in outs])
            node = Node(self, [t.place for t in leaves], kept, None, shapes, True)
            if writes.loans:
                node.seals = writes.seal(kept)
        return [tensor_at(o, None if node is None else (node, i)) for i, o in enumerate(outs)]

    def _in_order(self, series: Any) -> Any:
        """Return a series from the first step that is made to the last; or back again."""
        return series[::-1] if self.reverse else series

    def pull(self, node: Node, g: Any, wanted: set[Node] | None, create_graph: bool) -> Pulled:
        """Return (place, cotangent) of the leaves that are wanted (None: all)."""
        kept: Any = node.kept
        count = len(node.parents)
        if create_graph:
            leaves = [
                a if place is None else tensor_at(a, place)
                for a, place in zip(kept[:count], node.parents, strict=True)
            ]
            return pull_through(self.definition, leaves, node, g, create_graph=True)
        memory = dict(zip(self.saved, kept[count:], strict=True))
        outer = kept[len(self.trace.inputs) + len(self.trace.state) : count]
        memory = {f"o{i}": a for i, a in enumerate(outer)} | memory
        states = len(self.trace.state)
        cotangents = [*g[:states], *(self._in_order(part) for part in g[states:])]
        found = self.kernel.backward(memory, cotangents)
        pulled = []
        for i, (place, gx) in enumerate(zip(node.parents, found, strict=True)):
            if place is not None and gx is not None and (wanted is None or place[0] in wanted):
                gx = self._in_order(gx) if i < len(self.trace.inputs) else gx
                pulled.append((place, gx))
        return pulled

    def definition(self, *leaves: Any) -> tuple[Any, ...]:
        """Return what the kernel computes by the loop: the trace's ops, at every step."""
        inputs, states = len(self.trace.inputs), len(self.trace.state)
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
