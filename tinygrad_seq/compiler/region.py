"""A compiled function of rows in the graph: a scan of one step that has neither time nor state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.graph import Node
from ..engine.tensor import Tensor, tensor_at
from ..ops.shape import reshape
from ..tracing.step import Trace
from .compiled import CompiledScan


class CompiledRegion(CompiledScan):
    """The op of one traced function of rows (N, width), which are (*lead, width) outside."""

    name = "fused"

    def __init__(self, trace: Trace, wanted: Sequence[bool]) -> None:
        super().__init__(trace, wanted, False, None)

    def __call__(self, leaves: Sequence[Tensor], lead: tuple[int, ...] = ()) -> list[Tensor]:
        """Return the outputs (*lead, ...), from rows (*lead, ...) and outer tensors."""
        arrays = [t.array for t in leaves]
        symbols = self.trace.inputs
        rows = [a.reshape(1, *s.shape) for a, s in zip(arrays, symbols, strict=False)]
        outs, made = self.kernel.forward(rows, [], arrays[self.inputs :])
        outs = [o.reshape(*lead, *o.shape[2:]) for o in outs]
        return self._recorded(leaves, arrays, outs, made)

    def _gradients(self, node: Node, g: Any, steps: int) -> list[Any]:
        outputs, kept = self.trace.outputs, node.kept
        assert kept is not None
        rows = [
            None if part is None else part.reshape(1, *s.shape)
            for part, s in zip(g, outputs, strict=True)
        ]
        pairs = zip(super()._gradients(node, rows, 1), kept, strict=False)
        return [gx if gx is None or gx.shape == a.shape else gx.reshape(a.shape) for gx, a in pairs]

    def _by_scan(self, node: Node, g: Any) -> None:
        return None

    def definition(self, *leaves: Any) -> tuple[Any, ...]:
        """Return what the kernel computes by the trace's ops, on rows (*lead, ...)."""
        tensors = [t if isinstance(t, Tensor) else tensor_at(t, None) for t in leaves]
        symbols = self.trace.inputs
        lead = tensors[0].shape[: tensors[0].ndim + 1 - len(symbols[0].shape)]
        for i, symbol in enumerate(symbols):
            tensors[i] = reshape(tensors[i], symbol.shape)
        return tuple([reshape(out, (*lead, *out.shape[1:])) for out in self.trace.replay(tensors)])
