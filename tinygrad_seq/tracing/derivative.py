"""The derivative of a traced step: the ops' own rules, traced in turn."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from ..engine.graph import Node, backpropagate
from ..engine.tensor import tensor_at
from .step import Trace
from .trace import Entry, Leaf, Symbol, Tracer, tracing


class Derivative:
    """A step and its VJP in one list of entries: the engine's own backward pass, run on symbols.

    The trace is replayed with leaves that have places on the tape. The nodes that this makes are
    those of any eager step, and `backpropagate` runs the ops' own rules on them. Since the rules
    are written in ops, what they compute is traced in turn.

    first: the number of inputs; new, outputs: symbols of the next state and of the outputs
    cotangents: symbols of what comes back to `new` and `outputs`, in this order
    gradients: for each leaf of the trace the symbol of its cotangent, None where there is none
    """

    def __init__(self, trace: Trace, wanted: Sequence[bool]) -> None:
        tracer = Tracer(recording=True)
        leaves = [
            tensor_at(s, (Node(None, [], [], None, (s.shape,), False), 0) if w else None)
            for s, w in zip(trace.leaves, wanted, strict=True)
        ]
        with tracing(tracer):
            results = trace.replay(leaves)
            tracer.recording = False  # the rules' own ops need no nodes
            self.cotangents = [
                Symbol(Leaf.COTANGENT, i, r.shape, r.dtype) for i, r in enumerate(results)
            ]
            seeds = [
                (r.place, tensor_at(g, None))
                for r, g in zip(results, self.cotangents, strict=True)
                if r.place is not None
            ]
            places = [leaf.place for leaf in leaves if leaf.place is not None]
            found = backpropagate(seeds, inputs=places, create_graph=True) if places else {}
        self.entries: list[Entry] = tracer.entries
        symbols, self.first = [r.array for r in results], len(trace.inputs)
        self.new, self.outputs = symbols[: len(trace.new)], symbols[len(trace.new) :]
        self.gradients: list[Symbol | None] = []
        for leaf in leaves:
            g = None if leaf.place is None else found.get(leaf.place)
            self.gradients.append(None if g is None else g.array)

    def reached(self, used: tuple[bool, ...], steps: int) -> list[bool]:
        """Return which leaves the used outputs depend on, over so many steps.

        used: which outputs have a cotangent, final states before the others
        A step's cotangents are those of its outputs and of the states that the next depends on.
        """
        first, states = self.first, len(self.new)
        now, reached = {i for i, part in enumerate(used) if part}, [False] * len(self.gradients)
        outputs = {i for i in now if i >= states}
        for _ in range(steps):
            found = [bool(origin & now) for origin in self._origins]
            reached = [a or b for a, b in zip(reached, found, strict=True)]
            reached[first : first + states] = found[first : first + states]
            after = outputs.union(i for i in range(states) if found[first + i])
            if after == now:
                break
            now = after
        return reached

    @functools.cached_property
    def _origins(self) -> list[set[int]]:
        """For each leaf the positions of the cotangents that its gradient is made from."""
        found: dict[int, set[int]] = {id(s): {i} for i, s in enumerate(self.cotangents)}
        for entry in self.entries:
            origins = [found.get(id(a), set()) for a in entry.args]
            found.update((id(out), set().union(*origins)) for out in entry.outs)
        return [found.get(id(gradient), set()) for gradient in self.gradients]
