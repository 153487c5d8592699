"""Recurrent cells: one step, `state, y = cell(state, x)`. Backpropagation through time follows.

A cell is all that a recurrence needs: the loop is `scan`, the derivatives are the ops'. Weights
have PyTorch's names, layouts (gates i f g o and r z n, one below the other) and initial values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..compiler.single import advance
from ..engine import modes
from ..engine.backend import xp
from ..engine.random import Generator
from ..engine.tensor import Tensor, tensor_at
from ._check import check_input, check_sizes
from .linear import uniform_parameter
from .module import Module

State = tuple[Tensor, ...]


class Cell(Module):
    """Base of cells: a subclass sets `input_size` and `state_sizes` and writes `forward(state, x)`.

    state_sizes: width of each tensor of the state; the first is that of the output
    """

    input_size: int
    state_sizes: tuple[int, ...]

    def initial_state(self, x: Tensor) -> State:
        """Return the state before the first step: zeros (..., width) for inputs x (..., D)."""
        if not hasattr(self, "state_sizes"):
            raise ValueError(
                f"{type(self).__name__} sets no state_sizes, expected a tuple of widths"
            )
        zeros = xp(x.array).zeros
        return tuple(
            tensor_at(zeros((*x.shape[:-1], width), x.dtype), None) for width in self.state_sizes
        )

    def check(self, state: State, x: Tensor) -> None:
        """Nothing; a subclass raises ValueError or TypeError for what does not fit.

        Called by a step on its own, and once, not at every step, by a layer over time.
        """

    def __call__(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return forward(state, x), after the check; without gradients by its kernel."""
        if modes.altered:
            advanced = advance(self, state, x)
            if advanced is not None:
                return advanced
        self.check(state, x)
        return self.forward(state, x)

    def forward(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return (next state, output)."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def describe(self) -> str:
        """Return the sizes."""
        return ", ".join(map(str, (self.input_size, *self.state_sizes)))


class GatedCell(Cell):
    """A cell with weights weight_ih, weight_hh and biases for a number of gates."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        gates: int,
        bias: bool,
        dtype: Any,
        generator: Generator | None,
    ) -> None:
        check_sizes(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        bound = 1.0 / math.sqrt(hidden_size)
        height = gates * hidden_size
        self.weight_ih = uniform_parameter((height, input_size), bound, dtype, generator)
        self.weight_hh = uniform_parameter((height, output_size), bound, dtype, generator)
        self.bias_ih = uniform_parameter((height,), bound, dtype, generator) if bias else None
        self.bias_hh = uniform_parameter((height,), bound, dtype, generator) if bias else None

    def check(self, state: State, x: Tensor) -> None:
        """Nothing; raises ValueError or TypeError unless `cell(state, x)` fits.

        state: a tuple of Tensors (..., width), one for each of state_sizes   x (..., input_size)
        """
        name = type(self).__name__
        if not isinstance(state, tuple):
            raise TypeError(f"{name}: the state is a {type(state).__name__}, expected a tuple")
        check_input(name, x, self.input_size, self.weight_ih)
        lead = x.shape[:-1]
        expected = [(*lead, width) for width in self.state_sizes]
        if [s.shape for s in state] != expected:
            raise ValueError(
                f"{name}: the state is {[s.shape for s in state]}, expected {expected}"
            )

    def from_input(self, x: Tensor) -> Tensor:
        """Return x @ weight_ih.T + bias_ih: the gates' share of the input."""
        return ops.linear(x, self.weight_ih, self.bias_ih)

    def from_state(self, h: Tensor) -> Tensor:
        """Return h @ weight_hh.T + bias_hh: the gates' share of the state."""
        return ops.linear(h, self.weight_hh, self.bias_hh)


class RNNCell(GatedCell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh); or relu in place of tanh.

    x (..., input_size)   h (..., hidden_size)   ->   (h',), h'
    Raises ValueError for sizes less than 1 or another nonlinearity.
    Source: Elman 1990; the lecture's h_t = tanh(W_h h + W_x x + b).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, hidden_size, 1, bias, dtype, generator)
        functions = {"tanh": ops.tanh, "relu": ops.relu}
        if nonlinearity not in functions:
            raise ValueError(f"nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")
        self.nonlinearity, self.activation = nonlinearity, functions[nonlinearity]
        self.state_sizes = (hidden_size,)

    def forward(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return ((h',), h')."""
        (h,) = state
        h = self.activation(self.from_input(x) + self.from_state(h))
        return (h,), h


class GRUCell(GatedCell):
    """h' = n + z ⊙ (h - n), with a reset gate r and an update gate z.

    r, z = σ(W_ih x + b_ih + W_hh h + b_hh), their two thirds of the rows
    reset_after (PyTorch, cuDNN):  n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))
    else (the lecture):            n = tanh(W_in x + b_in + W_hn (r ⊙ h) + b_hn)
    x (..., input_size)   h (..., hidden_size)   ->   (h',), h'
    Source: Cho et al. 2014, eq. 5-8.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        reset_after: bool = True,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, hidden_size, 3, bias, dtype, generator)
        self.state_sizes = (hidden_size,)
        self.reset_after = reset_after

    def forward(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return ((h',), h')."""
        (h,) = state
        candidate = self._reset_after if self.reset_after else self._reset_before
        z, n = candidate(h, self.from_input(x))
        h = n + z * (h - n)
        return (h,), h

    def _reset_after(self, h: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the update gate and the candidate, the reset gate acting on the product W_hn h."""
        x_r, x_z, x_n = ops.split(inputs, 3, axis=-1)
        h_r, h_z, h_n = ops.split(self.from_state(h), 3, axis=-1)
        r = ops.sigmoid(x_r + h_r)
        return ops.sigmoid(x_z + h_z), ops.tanh(x_n + r * h_n)

    def _reset_before(self, h: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the update gate and the candidate, the reset gate acting on h itself."""
        H = self.hidden_size
        weight_rz, weight_n = ops.split(self.weight_hh, [2 * H])
        bias_rz, bias_n = (None, None) if self.bias_hh is None else ops.split(self.bias_hh, [2 * H])
        x_rz, x_n = ops.split(inputs, [2 * H], axis=-1)
        r, z = ops.split(ops.sigmoid(x_rz + ops.linear(h, weight_rz, bias_rz)), 2, axis=-1)
        return z, ops.tanh(x_n + ops.linear(r * h, weight_n, bias_n))


class LSTMCell(GatedCell):
    """c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g),  h' = σ(o) ⊙ tanh(c'), then W_hr h' if there is a projection.

    i, f, g, o = W_ih x + b_ih + W_hh h + b_hh, a quarter of the rows each
    x (..., input_size)   h (..., proj_size or hidden_size)   c (..., hidden_size)
    ->   (h', c'), h'
    Raises ValueError unless 0 <= proj_size < hidden_size.
    Source: Hochreiter & Schmidhuber 1997; forget gate, Gers, Schmidhuber & Cummins 2000;
    projection, Sak, Senior & Beaufays 2014.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        proj_size: int = 0,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        if proj_size < 0 or proj_size >= max(hidden_size, 1):
            raise ValueError(f"proj_size is {proj_size}, expected 0 to {hidden_size - 1}")
        width = proj_size or hidden_size
        super().__init__(input_size, hidden_size, width, 4, bias, dtype, generator)
        self.state_sizes = (width, hidden_size)
        bound, shape = 1.0 / math.sqrt(hidden_size), (proj_size, hidden_size)
        self.weight_hr = uniform_parameter(shape, bound, dtype, generator) if proj_size else None

    def forward(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return ((h', c'), h')."""
        h, c = state
        i, f, g, o = ops.split(self.from_input(x) + self.from_state(h), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        if self.weight_hr is not None:
            h = ops.linear(h, self.weight_hr)
        return (h, c), h
