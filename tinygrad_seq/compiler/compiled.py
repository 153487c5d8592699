"""A compiled scan in the graph: one node, whose backward pass is a kernel too."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ..engine import writes
from ..engine.graph import Node, Place, complete
from ..engine.modes import current, is_grad_enabled
from ..engine.primitive import fit, pull_through
from ..engine.tensor import Tensor, tensor_at
from ..tracing.hoist import Before
from ..tracing.step import Trace
from ..tracing.trace import Untraceable
from .higher import Backward
from .passes.kernel import Kernel
from .passes.plan import Plan

Pulled = list[tuple[Place, Any]]


class CompiledScan:
    """The op of compiled scans of one traced step, in one direction of time.

    A node keeps the arrays of the leaves (inputs, state, outer tensors), then `saved` ones.
    """

    name = "scan"
    takes_unused = True

    def __init__(
        self, trace: Trace, wanted: Sequence[bool], reverse: bool, before: Before | None
    ) -> None:
        self.before = None if before is None or before.is_empty else before
        if self.before is not None:
            trace, wanted = self.before.trace, self.before.wanted
        trace.forget()
        self.trace, self.reverse = trace, reverse
        self.inputs, self.states = len(trace.inputs), len(trace.state)
        self.dtype = next(s.dtype for s in trace.leaves if s.dtype.kind == "f")
        self.plan = Plan(trace, wanted, self.dtype)
        self.kernel = Kernel(self.plan, self.dtype)
        if self.plan.derivative is not None:
            self.reached = functools.lru_cache(maxsize=64)(self.plan.derivative.reached)

    def __call__(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """Return final state and outputs, from inputs, state and outer tensors."""
        if self.before is not None:
            leaves = self.before(leaves)
        arrays = [t.array for t in leaves]
        first, outer = self.inputs, self.inputs + self.states
        outs, made = self.kernel.forward(
            self._in_order(arrays[:first]), arrays[first:outer], arrays[outer:]
        )
        if self.reverse:
            outs[self.states :] = self._in_order(outs[self.states :])
        return self._recorded(leaves, arrays, outs, made)

    def _recorded(
        self, leaves: Sequence[Tensor], arrays: list[Any], outs: list[Any], made: list[Any]
    ) -> list[Tensor]:
        """Return the results as outputs of a node of the graph, if there is to be one."""
        if self.plan.backward is None or not is_grad_enabled():
            return [tensor_at(o, None) for o in outs]
        kept = arrays + [made[place] for place in self.kernel.saved]
        shapes = tuple([o.shape for o in outs])
        node = Node(self, [t.place for t in leaves], kept, None, shapes, True)
        if writes.loans:
            node.seals = writes.seal(kept)
        return [tensor_at(o, (node, i)) for i, o in enumerate(outs)]

    def _in_order(self, series: list[Any]) -> list[Any]:
        """Return series, or None, from the first step that is made to the last; or back again."""
        return [None if x is None else x[::-1] for x in series] if self.reverse else series

    def pull(self, node: Node, g: Any, wanted: set[Node] | None, create_graph: bool) -> Pulled:
        """Return (place, cotangent) of the leaves that are wanted (None: all).

        As in the loop, only of leaves that an output with a cotangent depends on.
        """
        steps = node.shapes[-1][0]
        reached = self.reached(tuple([part is not None for part in g]), steps)
        if create_graph:
            g = complete(g, node.shapes)
            found = self._by_scan(node, g)
        else:
            found = self._gradients(node, g, steps)
        if found is None:
            leaves: list[Any] = self._leaves(node)
            arrays = [t.array if t.place is None else t for t in leaves]
            return pull_through(self.definition, arrays, node, g, create_graph=True)
        for i in range(self.inputs, self.inputs + self.states):
            place = node.parents[i]
            found[i] = fit(found[i], place) if place else None  # it may lack an axis
        return [
            (place, gx)
            for place, gx, made in zip(node.parents, found, reached, strict=True)
            if made and place and gx is not None and (wanted is None or place[0] in wanted)
        ]

    @staticmethod
    def _leaves(node: Node) -> list[Tensor]:
        """Return the leaves as Tensors at their places."""
        kept: Any = node.kept
        return [tensor_at(a, place) for a, place in zip(kept, node.parents, strict=False)]

    def _gradients(self, node: Node, g: Any, steps: int) -> list[Any]:
        """Return the cotangents of all leaves, by the backward kernel."""
        kept: Any = node.kept
        count = len(node.parents)
        first, states = self.inputs, self.states
        if self.reverse:
            g = [*g[:states], *self._in_order(g[states:])]
        found = self.kernel.backward(kept[count:], kept[first + states : count], g, steps)
        if self.reverse:
            found[:first] = self._in_order(found[:first])
        return found

    def _by_scan(self, node: Node, g: Any) -> list[Tensor | None] | None:
        """Return the cotangents of all leaves, with a graph; None where only the loop makes it."""
        if current.unrolled or current.anomaly or current.tracer is not None:
            return None
        try:
            return Backward(self)(self._leaves(node), g)
        except Untraceable:
            return None

    def definition(self, *leaves: Any) -> tuple[Any, ...]:
        """Return what the kernel computes by the loop: the trace's ops, at every step."""
        return self.trace.scan(leaves, self.reverse)
