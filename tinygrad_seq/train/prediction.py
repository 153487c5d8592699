"""What a model says of many sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.batches import PaddedBatches
from ..engine.modes import no_grad
from ..nn.module import Module
from .metrics._arrays import on_host


def predict(
    model: Module, sequences: Sequence[npt.ArrayLike], batch_size: int = 64
) -> npt.NDArray[Any]:
    """Return model(x, lengths) of every sequence, in evaluation mode, without gradients: (N, ...).

    sequences: N of (T_i, ...), N at least 1; the model reads them in batches of much the same
    length: x (T, B, ...), padded, and lengths (B,)  ->  a Tensor (B, ...)
    Raises what `data.PaddedBatches` raises for sequences that do not fit.
    """
    batches = PaddedBatches(
        sequences, batch_size, targets=np.arange(len(sequences)), bucket=max(len(sequences), 1),
        shuffle=False,
    )  # fmt: skip
    training, found, places = model.training, [], []
    model.eval()
    try:
        with no_grad():
            for x, lengths, rows in batches:
                found.append(on_host(model(x, lengths)))
                places.append(rows)
    finally:
        model.train(training)
    outputs = np.concatenate(found)
    ordered = np.empty_like(outputs)
    ordered[np.concatenate(places)] = outputs
    return ordered
