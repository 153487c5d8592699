"""The recurrent configurations that have golden values, as data; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import DTypeLike

from golden.formula import values

T, B, I, H, PROJ = 5, 3, 3, 4, 2  # noqa: E741
KINDS = ("rnn_tanh", "rnn_relu", "gru", "lstm", "lstm_proj")
LAYOUTS = ("batched", "ragged", "unbatched")
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4, "lstm_proj": 4}
CLASSES = {"rnn_tanh": "RNN", "rnn_relu": "RNN", "gru": "GRU", "lstm": "LSTM", "lstm_proj": "LSTM"}
INPUT_SCALE, STATE_SCALE, PARAMETER_SCALE = 1.5, 0.9, 0.7

Arrays = dict[str, np.ndarray]


def parameters(shapes: dict[str, tuple[int, ...]], dtype: DTypeLike = np.float64) -> Arrays:
    """Return parameter values by name; the name is the key of the formula."""
    return {key: values(shape, key, PARAMETER_SCALE, dtype) for key, shape in shapes.items()}


def loss_weights(shapes: dict[str, tuple[int, ...]], dtype: DTypeLike = np.float64) -> Arrays:
    """Return what each result is multiplied by; loss = Σ over results of sum(result * weight)."""
    return {key: values(shape, f"{key}.weight", 1.0, dtype) for key, shape in shapes.items()}


@dataclass(frozen=True)
class RecurrentCase:
    """One configuration of nn.RNN, nn.GRU or nn.LSTM and everything it is run on."""

    kind: str
    num_layers: int
    layout: str
    bidirectional: bool
    bias: bool
    batch_first: bool
    initial: bool

    @property
    def name(self) -> str:
        """Stable, unique: the features in order, those absent left out."""
        words = [self.kind, f"{self.num_layers}layer", self.layout]
        words += ["bi"] * self.bidirectional + ["nobias"] * (not self.bias)
        words += ["bfirst"] * self.batch_first + ["init"] * self.initial
        return "-".join(words)

    @property
    def file(self) -> str:
        """The golden file: rnn, gru, lstm or lstm_proj."""
        return self.kind if self.kind == "lstm_proj" else self.class_name.lower()

    @property
    def class_name(self) -> str:
        """The module's class in torch.nn and in tinygrad_seq.nn."""
        return CLASSES[self.kind]

    @property
    def lengths(self) -> tuple[int, ...] | None:
        """Valid steps of each sequence, unsorted; with two layers none is as long as T."""
        if self.layout != "ragged":
            return None
        return (2, 4, 1) if self.num_layers == 2 else (3, 1, 5)

    @property
    def output_width(self) -> int:
        """Width of the state h of one direction: H, or PROJ where projected."""
        return PROJ if self.kind == "lstm_proj" else H

    @property
    def directions(self) -> int:
        """One, or two where bidirectional."""
        return 1 + self.bidirectional

    def constructor(self) -> dict[str, object]:
        """Return the keyword arguments of the module's constructor."""
        keywords: dict[str, object] = {"input_size": I, "hidden_size": H}
        keywords |= {"num_layers": self.num_layers, "bias": self.bias}
        keywords |= {"batch_first": self.batch_first, "bidirectional": self.bidirectional}
        if self.class_name == "RNN":
            keywords["nonlinearity"] = self.kind.removeprefix("rnn_")
        if self.kind == "lstm_proj":
            keywords["proj_size"] = PROJ
        return keywords

    def sequence_shape(self, width: int) -> tuple[int, ...]:
        """Return the shape of the input or the output, this wide, in the case's layout."""
        if self.layout == "unbatched":
            return (T, width)
        return (B, T, width) if self.batch_first else (T, B, width)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of h and, for an LSTM, of c."""
        batch = () if self.layout == "unbatched" else (B,)
        rows = self.num_layers * self.directions
        shapes = {"h": (rows, *batch, self.output_width)}
        return shapes | ({"c": (rows, *batch, H)} if self.class_name == "LSTM" else {})

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all parameters by PyTorch's names, in its order."""
        shapes: dict[str, tuple[int, ...]] = {}
        rows = GATES[self.kind] * H
        for layer, suffix in product(range(self.num_layers), ("", "_reverse")[: self.directions]):
            end = f"_l{layer}{suffix}"
            width = I if layer == 0 else self.output_width * self.directions
            shapes |= {f"weight_ih{end}": (rows, width)}
            shapes |= {f"weight_hh{end}": (rows, self.output_width)}
            if self.bias:
                shapes |= {f"bias_ih{end}": (rows,), f"bias_hh{end}": (rows,)}
            if self.kind == "lstm_proj":
                shapes |= {f"weight_hr{end}": (PROJ, H)}
        return shapes

    def inputs(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return `input` and, where given, the initial states `h_0` and `c_0`."""
        arrays = {"input": values(self.sequence_shape(I), "input", INPUT_SCALE, dtype)}
        if self.initial:
            for key, shape in self.state_shapes().items():
                arrays[f"{key}_0"] = values(shape, f"{key}_0", STATE_SCALE, dtype)
        return arrays

    def parameters(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return all parameters by PyTorch's names."""
        return parameters(self.parameter_shapes(), dtype)

    def loss_weights(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return the weights of `output`, `h_n` and `c_n` in the loss."""
        shapes = {"output": self.sequence_shape(self.output_width * self.directions)}
        shapes |= {f"{key}_n": shape for key, shape in self.state_shapes().items()}
        return loss_weights(shapes, dtype)


@dataclass(frozen=True)
class CellCase:
    """One configuration of nn.RNNCell, nn.GRUCell or nn.LSTMCell: a single step."""

    kind: str
    batched: bool
    bias: bool
    initial: bool

    file = "cells"

    @property
    def name(self) -> str:
        """Stable and unique."""
        words = [self.kind, "batched" if self.batched else "unbatched"]
        return "-".join(words + ["nobias"] * (not self.bias) + ["init"] * self.initial)

    @property
    def class_name(self) -> str:
        """The cell's class in torch.nn and in tinygrad_seq.nn."""
        return CLASSES[self.kind] + "Cell"

    def constructor(self) -> dict[str, object]:
        """Return the keyword arguments of the cell's constructor."""
        keywords: dict[str, object] = {"input_size": I, "hidden_size": H, "bias": self.bias}
        if self.class_name == "RNNCell":
            keywords["nonlinearity"] = self.kind.removeprefix("rnn_")
        return keywords

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of h and, for an LSTM, of c."""
        shape = (B, H) if self.batched else (H,)
        return dict.fromkeys("hc" if self.kind == "lstm" else "h", shape)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all parameters by PyTorch's names."""
        rows = GATES[self.kind] * H
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, I), "weight_hh": (rows, H)}
        return shapes | ({"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {})

    def inputs(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return `input` and, where given, the states before the step, `h_0` and `c_0`."""
        arrays = {"input": values((B, I) if self.batched else (I,), "input", INPUT_SCALE, dtype)}
        if self.initial:
            for key, shape in self.state_shapes().items():
                arrays[f"{key}_0"] = values(shape, f"{key}_0", STATE_SCALE, dtype)
        return arrays

    def parameters(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return all parameters by PyTorch's names."""
        return parameters(self.parameter_shapes(), dtype)

    def loss_weights(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return the weights of the states after the step, `h_n` and `c_n`, in the loss."""
        return loss_weights({f"{key}_n": s for key, s in self.state_shapes().items()}, dtype)


Row = tuple[object, ...]
# In the order of RecurrentCase: layers, layout, bidirectional, bias, batch_first, initial.
FEATURES: tuple[Row, ...] = (
    (1, 2, 3),
    LAYOUTS,
    (False, True),
    (False, True),
    (False, True),
    (False, True),
)


def together(row: Row, strength: int) -> set[tuple[tuple[int, object], ...]]:
    """Return every choice of `strength` features of a row, with their values."""
    return set(combinations(enumerate(row), strength))


def covering_rows(strength: int) -> list[Row]:
    """Return rows in which any `strength` features meet in all their values, chosen greedily."""
    rows = list(product(*FEATURES))
    wanted = set().union(*(together(row, strength) for row in rows))
    chosen: list[Row] = []
    while wanted:
        chosen.append(max(rows, key=lambda row: len(together(row, strength) & wanted)))
        wanted -= together(chosen[-1], strength)
    return chosen


RECURRENT = tuple(RecurrentCase(kind, *row) for kind in KINDS for row in covering_rows(3))
CELLS = tuple(
    CellCase(kind, batched, bias, initial)
    for kind, batched, (bias, initial) in product(
        KINDS[:4], (True, False), ((True, True), (False, True), (True, False))
    )
)
