"""Layers of cells: over time, in both directions, one on top of the other. All is time-major."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..compiler.scan import scan
from ..engine.backend import xp
from ..engine.creation import tensor
from ..engine.tensor import Tensor, tensor_at
from ..ops.scan import check_lengths
from .cells import Cell, State
from .containers import ModuleList
from .module import Module
from .regularisation import Dropout

Merge = Callable[[Tensor, Tensor], Tensor]


class Recurrent(Module):
    """A cell over time: `outputs, state = layer(x, state, lengths)`.

    x (T, B, D)   state: the cell's, zeros where None   lengths (B,) from 0 to T, or None
    ->   outputs (T, B, H), the cell's final state
    reverse: from the last step to the first
    """

    def __init__(self, cell: Cell, reverse: bool = False) -> None:
        if not isinstance(cell, Cell):
            raise TypeError(f"Recurrent: cell is a {type(cell).__name__}, expected an nn.Cell")
        self.cell, self.reverse = cell, reverse

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Any = None
    ) -> tuple[Tensor, State]:
        """Return (outputs, final state). Raises ValueError for lengths or a state that misfit."""
        if not isinstance(x, Tensor):
            raise TypeError(f"Recurrent: x is a {type(x).__name__}, expected a Tensor")
        if x.ndim == 0 or x.shape[0] == 0:
            raise ValueError(f"Recurrent: x is {x.shape}, expected (T, B, D) with T at least 1")
        first = tensor_at(x.array[0], None)
        if state is None:
            state = self.cell.initial_state(first)
        self.cell.check(state, first)
        return self.over_time(x, state, lengths)

    def over_time(self, x: Tensor, state: State, lengths: Any) -> tuple[Tensor, State]:
        """Return what `forward` does, of what its caller has checked."""
        final, outputs = scan(self.cell.forward, x, state, lengths=lengths, reverse=self.reverse)
        return outputs, final

    def describe(self) -> str:
        """Return the direction, if it is not the usual one."""
        return "reverse=True" if self.reverse else ""


class Bidirectional(Module):
    """One cell from first to last and one from last to first, their outputs merged.

    x (T, B, D)   state: a pair of the cells' states, zeros where None
    ->   merged outputs (T, B, 2H by default), pair of final states
    merge: joins the outputs (T, B, H) of the two; concatenation by default
    Source: Schuster & Paliwal 1997.
    """

    def __init__(
        self, there: Cell, back: Cell, merge: Merge = lambda a, b: ops.concat([a, b], axis=-1)
    ) -> None:
        self.there, self.back = Recurrent(there), Recurrent(back, reverse=True)
        self.merge = merge

    def forward(
        self, x: Tensor, state: tuple[State, State] | None = None, lengths: Any = None
    ) -> tuple[Tensor, tuple[State, State]]:
        """Return (merged outputs, (final state there, final state back))."""
        state_there, state_back = state if state is not None else (None, None)
        there, final_there = self.there(x, state_there, lengths)
        back, final_back = self.back(x, state_back, lengths)
        return self.merge(there, back), (final_there, final_back)


class Stack(Module):
    """Layers one on top of the other: each takes the outputs of the one below.

    layers: Recurrent, Bidirectional, or anything called as they are
    dropout: probability of dropping an output between two layers, in training
    ->   outputs of the top layer, tuple of the layers' final states
    Source: the lecture's "Deeper RNNs".
    """

    def __init__(self, *layers: Module, dropout: float = 0.0) -> None:
        if not layers:
            raise ValueError("Stack: no layers, expected at least one")
        self.layers = ModuleList(layers)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, state: tuple[Any, ...] | None = None, lengths: Any = None
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Return (outputs of the top layer, final states). Raises ValueError for a wrong state."""
        layers = [*self.layers]
        states = state if state is not None else (None,) * len(layers)
        if len(states) != len(layers):
            raise ValueError(f"Stack: state has {len(states)} parts, expected {len(layers)}")
        finals: list[Any] = []
        for layer, layer_state in zip(layers, states, strict=True):
            x, final = layer(self.dropout(x) if finals else x, layer_state, lengths)
            finals.append(final)
        return x, tuple(finals)


def detached(state: Any) -> Any:
    """Return a state (nested tuples of Tensors) cut off from its history, for truncated BPTT."""
    return state.detach() if isinstance(state, Tensor) else tuple(map(detached, state))


def sequence_cross_entropy(
    logits: Tensor, targets: Any, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Return -log softmax(logits) at the targets, in nats, over all steps of all sequences.

    logits (..., V), such as (T, B, V)   targets (...) integers, an array or a Tensor; those that
    are ignore_index, such as padding, count for nothing   reduction: "mean" of what counts, "sum"
    Raises as `ops.cross_entropy`.
    """
    if targets.shape != logits.shape[:-1]:
        shapes = f"targets are {targets.shape}, expected {logits.shape[:-1]}"
        raise ValueError(f"sequence_cross_entropy: {shapes}")
    flat = logits.reshape(-1, logits.shape[-1])
    return ops.cross_entropy(
        flat, tensor(targets.reshape(-1)), ignore_index=ignore_index, reduction=reduction
    )


def max_and_mean(outputs: Tensor, lengths: Any = None) -> Tensor:
    """Return each sequence's largest and its mean output over time, side by side: (B, 2H).

    outputs (T, B, H)   lengths (B,), 1 to T, or None for T: what lies beyond is padding
    Raises TypeError or ValueError, with the sequence, for lengths that do not fit.
    """
    if outputs.ndim != 3 or outputs.shape[0] == 0:
        raise ValueError(
            f"max_and_mean: outputs are {outputs.shape}, expected (T, B, H), T above 0"
        )
    steps, batch, _ = outputs.shape
    counts = check_lengths(np.full(batch, steps) if lengths is None else lengths, steps, batch)
    if not counts.all():
        b = int(counts.argmin())
        raise ValueError(f"max_and_mean: sequence {b} has no steps, expected at least one")
    f = xp(outputs.array)
    there = f.asarray((np.arange(steps)[:, None] < counts)[:, :, None])  # (T, B, 1)
    number = f.asarray(counts.astype(outputs.dtype)[:, None])
    largest = ops.where(there, outputs, -math.inf).max(axis=0)
    mean = ops.where(there, outputs, 0.0).sum(axis=0) / tensor_at(number, None)
    return ops.concat([largest, mean], axis=-1)
