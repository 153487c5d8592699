"""RNN, GRU and LSTM as PyTorch has them: constructor, calls, names and initial values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..engine.random import Generator
from ..engine.tensor import Tensor, of_one
from ._check import check_input, check_like, check_sizes
from .cells import GatedCell, GRUCell, LSTMCell, RNNCell
from .module import Module, Parameter
from .recurrent import Bidirectional, Recurrent, Stack
from .regularisation import Dropout


class _RNNBase(Module):
    """A stack of recurrent layers behind PyTorch's interface.

    input (T, B, D), (B, T, D) with batch_first, or (T, D) unbatched
    hx: h_0 (layers · directions, B, H) - for LSTM a pair (h_0, c_0) - without B if unbatched;
    zeros where None
    lengths (B,): number of steps of each sequence, 0 to T, in any order; what lies beyond is
    padding, which no result depends on, and the outputs there are 0
    ->   output (T, B, directions · H) in the input's layout, final states as hx
    Raises ValueError or TypeError for shapes, lengths and dtypes that do not fit.
    """

    def __init__(
        self,
        make_cell: Callable[[int], GatedCell],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
    ) -> None:
        check_sizes(type(self).__name__, input_size=input_size, num_layers=num_layers)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.bidirectional = batch_first, bool(bidirectional)
        layers: list[Module] = []
        self.cells: dict[str, GatedCell] = {}  # by the suffix of its parameters' PyTorch names
        width = input_size
        for i in range(num_layers):
            there = self.cells[f"_l{i}"] = make_cell(width)
            width = there.state_sizes[0] * (1 + bidirectional)
            if bidirectional:
                back = self.cells[f"_l{i}_reverse"] = make_cell(there.input_size)
                layers.append(Bidirectional(there, back))
            else:
                layers.append(Recurrent(there))
        self.stack = Stack(*layers, dropout=dropout)

    @property
    def dropout(self) -> float:
        """Probability of dropping an output between two layers, in training."""
        return self.stack.dropout.p

    @dropout.setter
    def dropout(self, p: float) -> None:
        self.stack.dropout.p = Dropout(p).p

    # ---- PyTorch's flat names --------------------------------------------------------------------

    def members(self) -> Iterator[tuple[str, Parameter | Module]]:
        """Yield (PyTorch's name, parameter): weight_ih_l0, ...; then a subclass's own."""
        for suffix, cell in self.cells.items():
            for name, parameter in cell.named_parameters():
                yield name + suffix, parameter
        yield from ((name, own) for name, own in super().members() if not _is_inside(name))

    def _cell_of(self, name: str) -> tuple[GatedCell, str] | None:
        match = re.fullmatch(r"((?:weight|bias)_\w\w)(_l\d+(?:_reverse)?)", name)
        cell = self.cells.get(match[2]) if match else None
        return (cell, match[1]) if cell is not None and match else None

    def __getattr__(self, name: str) -> Any:
        found = self._cell_of(name) if "stack" in vars(self) else None
        if found is None or getattr(*found, None) is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(*found)

    def __setattr__(self, name: str, value: Any) -> None:
        found = self._cell_of(name) if "stack" in vars(self) else None
        setattr(*found, value) if found is not None else super().__setattr__(name, value)

    def _modules(self, prefix: str, met: set[int], once: bool) -> Iterator[tuple[str, Module]]:
        yield from super()._modules(prefix, met, once)
        yield f"{prefix}.stack.dropout".lstrip("."), self.stack.dropout  # it has a mode

    # ---- the call --------------------------------------------------------------------------------

    def forward(self, input: Tensor, hx: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        """Return (output of the top layer at every step, final states of all layers)."""
        first = self.cells["_l0"]
        check_input(type(self).__name__, input, self.input_size, first.weight_ih)
        if input.ndim not in (2, 3):
            raise ValueError(f"{type(self).__name__}: input is {input.shape}, expected 2 or 3 axes")
        unbatched = input.ndim == 2
        swap = self.batch_first and not unbatched
        x = ops.swapaxes(input, 0, 1) if swap else input
        x = ops.expand_dims(x, 1) if unbatched else x
        state = None if hx is None else self._layer_states(hx, first, x.shape[1], unbatched)
        if state is None or len(self.cells) > 1 or not x.shape[0]:
            output, finals = self.stack(x, state, lengths)
        else:  # one cell, for which all is checked
            layer: Any = self.stack.layers[0]
            output, *finals = layer.over_time(x, state[0], lengths)
        states = self._joined(finals)
        if unbatched:
            output, states = ops.squeeze(output, 1), [ops.squeeze(s, 1) for s in states]
        if swap:
            output = ops.swapaxes(output, 0, 1)
        return output, states[0] if len(states) == 1 else tuple(states)

    def _layer_states(
        self, hx: Any, first: GatedCell, batch: int, unbatched: bool
    ) -> tuple[Any, ...]:
        """Return the layers' initial states from PyTorch's h_0 or (h_0, c_0), checked."""
        several = len(first.state_sizes) > 1
        parts = tuple(hx) if several and isinstance(hx, (tuple, list)) else (hx,)
        if len(parts) != len(first.state_sizes):
            raise ValueError(f"hx has {len(parts)} parts, expected {len(first.state_sizes)}")
        count = self.num_layers * (1 + self.bidirectional)
        for part, width in zip(parts, first.state_sizes, strict=True):
            expected = (count, width) if unbatched else (count, batch, width)
            if not isinstance(part, Tensor):
                raise TypeError(f"an initial state is a {type(part).__name__}, expected a Tensor")
            check_like("an initial state", part, first.weight_ih)
            if part.shape != expected:
                raise ValueError(f"an initial state is {part.shape}, expected {expected}")
        if unbatched:
            parts = tuple(ops.expand_dims(part, 1) for part in parts)
        if count == 1:
            return (tuple(map(of_one, parts)),)
        each = list(zip(*(ops.unbind(part) for part in parts), strict=True))
        return tuple(zip(each[::2], each[1::2], strict=True)) if self.bidirectional else tuple(each)

    def _joined(self, finals: Sequence[Any]) -> list[Tensor]:
        """Return PyTorch's h_n (and c_n) from the layers' final states."""
        each = [s for pair in finals for s in pair] if self.bidirectional else list(finals)
        if len(each) == 1:
            return [s.reshape(1, *s.shape) for s in each[0]]
        return [ops.stack(part) for part in zip(*each, strict=True)]

    def describe(self) -> str:
        """Return the sizes."""
        notes = [str(self.input_size), str(self.hidden_size)]
        notes += [f"num_layers={self.num_layers}"] if self.num_layers > 1 else []
        notes += ["batch_first=True"] if self.batch_first else []
        notes += [f"dropout={self.dropout}"] if self.dropout else []
        notes += ["bidirectional=True"] if self.bidirectional else []
        return ", ".join(notes)


def _is_inside(name: str) -> bool:
    """Return whether a member's name is that of a part which the flat names stand for."""
    return name.partition(".")[0] in ("stack", "cells")


class RNN(_RNNBase):
    """Layers of RNNCell: h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh).

    input (T, B, D), (B, T, D) with batch_first, or (T, D)   hx: h_0 (layers · directions, B, H)
    ->   output (T, B, directions · H), h_n
    dropout: probability between layers, in training; lengths (B,) in a call: see `forward`
    Raises ValueError or TypeError for arguments that do not fit.
    Source: Elman 1990.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        def make(width: int) -> GatedCell:
            return RNNCell(width, hidden_size, bias, nonlinearity, dtype, generator)

        super().__init__(
            make, input_size, hidden_size, num_layers, batch_first, dropout, bidirectional
        )


class GRU(_RNNBase):
    """Layers of GRUCell; its `reset_after` chooses PyTorch's form (True) or the lecture's (False).

    input (T, B, D), (B, T, D) with batch_first, or (T, D)   hx: h_0 (layers · directions, B, H)
    ->   output (T, B, directions · H), h_n
    dropout: probability between layers, in training; lengths (B,) in a call: see `forward`
    Raises ValueError or TypeError for arguments that do not fit.
    Source: Cho et al. 2014.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        reset_after: bool = True,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        def make(width: int) -> GatedCell:
            return GRUCell(width, hidden_size, bias, reset_after, dtype, generator)

        super().__init__(
            make, input_size, hidden_size, num_layers, batch_first, dropout, bidirectional
        )


class LSTM(_RNNBase):
    """Layers of LSTMCell, with an optional projection of the output to proj_size.

    input (T, B, D), (B, T, D) with batch_first, or (T, D)
    hx: (h_0 (layers · directions, B, proj_size or H), c_0 (layers · directions, B, H))
    ->   output (T, B, directions · (proj_size or H)), (h_n, c_n)
    dropout: probability between layers, in training; lengths (B,) in a call: see `forward`
    Raises ValueError or TypeError for arguments that do not fit.
    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        def make(width: int) -> GatedCell:
            return LSTMCell(width, hidden_size, bias, proj_size, dtype, generator)

        super().__init__(
            make, input_size, hidden_size, num_layers, batch_first, dropout, bidirectional
        )
