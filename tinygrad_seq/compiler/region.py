"""A compiled function of rows in the graph: one node, a step that has neither time nor state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine import writes
from ..engine.graph import Node, Place, complete
from ..engine.modes import is_grad_enabled
from ..engine.primitive import pull_through
from ..engine.tensor import Tensor, tensor_at
from ..ops.shape import reshape
from .passes.kernel import Kernel
from .passes.plan import Plan
from .tracing.step import Trace


class CompiledRegion:
    """The op of one traced function of rows (N, width); its kernels are those of a single step.

    A node keeps the arrays of the leaves (rows, then outer tensors), then `saved` ones.
    """

    name = "fused"
    takes_unused = True
    before = None

    def __init__(self, trace: Trace, wanted: Sequence[bool], dtype: np.dtype[Any]) -> None:
        trace.forget()
        self.trace = trace
        self.plan = Plan(trace, wanted, dtype)
        self.kernel = Kernel(self.plan, dtype)
        self.origins = [] if self.plan.derivative is None else self.plan.derivative.origins()

    def __call__(self, leaves: Sequence[Tensor], lead: tuple[int, ...]) -> list[Tensor]:
        """Return the outputs (*lead, ...), from rows (*lead, ...) and outer tensors."""
        arrays = [t.array for t in leaves]
        count = len(self.trace.inputs)
        rows = [a.reshape(1, *s.shape) for a, s in zip(arrays, self.trace.inputs, strict=False)]
        outs, made = self.kernel.forward(rows, [], arrays[count:])
        outs = [o.reshape(*lead, *o.shape[2:]) for o in outs]
        node = None
        if self.plan.backward is not None and is_grad_enabled():
            kept = (*arrays, *[made[place] for place in self.kernel.saved])
            shapes = tuple([o.shape for o in outs])
            node = Node(self, [t.place for t in leaves], kept, None, shapes, True)
            if writes.loans:
                node.seals = writes.seal(kept)
        return [tensor_at(o, None if node is None else (node, i)) for i, o in enumerate(outs)]

    def pull(
        self, node: Node, g: Any, wanted: set[Node] | None, create_graph: bool
    ) -> list[tuple[Place, Any]]:
        """Return (place, cotangent) of the leaves that are wanted (None: all).

        Only of those that an output with a cotangent depends on.
        """
        used = {i for i, part in enumerate(g) if part is not None}
        kept: Any = node.kept
        count = len(node.parents)
        if create_graph:
            g = complete(g, node.shapes)
            leaves = [
                a if place is None else tensor_at(a, place)
                for a, place in zip(kept[:count], node.parents, strict=True)
            ]
            lead = node.shapes[0][: len(node.shapes[0]) + 1 - len(self.trace.outputs[0].shape)]
            return pull_through(lambda *xs: self.definition(lead, xs), leaves, node, g, True)
        cotangents = [
            None if part is None else part.reshape(1, *s.shape)
            for part, s in zip(g, self.trace.outputs, strict=True)
        ]
        outer = kept[len(self.trace.inputs) : count]
        found = self.kernel.backward(kept[count:], outer, cotangents, 1)
        return [
            (place, gx if gx.shape == a.shape else gx.reshape(a.shape))
            for place, gx, a, origin in zip(node.parents, found, kept, self.origins, strict=False)
            if place is not None and gx is not None and origin & used
            if wanted is None or place[0] in wanted
        ]

    def definition(self, lead: tuple[int, ...], leaves: Sequence[Any]) -> tuple[Any, ...]:
        """Return what the kernel computes by the trace's ops, on rows (*lead, ...)."""
        tensors = [t if isinstance(t, Tensor) else tensor_at(t, None) for t in leaves]
        for i, symbol in enumerate(self.trace.inputs):
            tensors[i] = reshape(tensors[i], symbol.shape)
        return tuple([reshape(out, (*lead, *out.shape[1:])) for out in self.trace.replay(tensors)])
