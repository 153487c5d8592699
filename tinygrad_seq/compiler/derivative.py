"""The derivative of a traced step: the engine's own backward pass, run on symbols.

The trace is replayed with leaves that have places on the tape. The nodes that this makes are
those of any eager step, and `backpropagate` runs the ops' own rules on them. Since the rules are
written in ops, what they compute is traced in turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.graph import Node, backpropagate
from ..engine.tensor import tensor_at
from .step import Trace
from .trace import COTANGENT, Entry, Symbol, Tracer, tracing


class Derivative:
    """A step and its VJP in one list of entries.

    new, outputs: symbols of the next state and of the outputs
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
                Symbol(COTANGENT, i, r.shape, r.dtype) for i, r in enumerate(results)
            ]
            seeds = [
                (r.place, tensor_at(g, None))
                for r, g in zip(results, self.cotangents, strict=True)
                if r.place is not None
            ]
            places = [leaf.place for leaf in leaves if leaf.place is not None]
            found = backpropagate(seeds, inputs=places, create_graph=True) if places else {}
        self.entries: list[Entry] = tracer.entries
        symbols = [r.array for r in results]
        self.new, self.outputs = symbols[: len(trace.new)], symbols[len(trace.new) :]
        self.gradients: list[Symbol | None] = []
        for leaf in leaves:
            g = None if leaf.place is None else found.get(leaf.place)
            self.gradients.append(None if g is None else g.array)
