"""What a model trained by CTC read: its likeliest alignment, repeats and blanks taken out."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.backend import backend_of
from ..engine.tensor import Tensor
from ..ops.scan import check_lengths


def best_path(logits: Tensor, lengths: Any = None, blank: int = 0) -> list[list[int]]:
    """Return the symbols of the likeliest alignment of each sequence.

    logits (T, B, V), or anything that orders the symbols of a frame alike; of equal ones the first
    lengths (B,), 0 to T: frames that count, all where None   blank: which of V is the blank
    Raises ValueError for shapes, lengths or a blank that do not fit, FloatingPointError for NaN.
    Source: Graves, Fernandez, Gomez & Schmidhuber 2006, section 3.2.
    """
    if logits.ndim != 3:
        raise ValueError(f"best_path: logits are {logits.shape}, expected (T, B, V)")
    steps, batch, classes = logits.shape
    if not 0 <= blank < classes:
        raise ValueError(f"best_path: blank is {blank}, expected 0 to {classes - 1}")
    counts = check_lengths(np.full(batch, steps) if lengths is None else lengths, steps, batch)
    inside = np.arange(steps)[:, None] < counts
    host = np.where(inside[:, :, None], backend_of(logits.array).to_numpy(logits.array), 0)
    wrong = np.isnan(host).any(axis=2)
    if wrong.any():
        t, b = np.argwhere(wrong)[0]
        raise FloatingPointError(f"best_path: frame {t} of sequence {b} is NaN")
    path = host.argmax(axis=2)  # (T, B)
    changed = np.ones(path.shape, bool)
    changed[1:] = path[1:] != path[:-1]
    kept = changed & (path != blank) & inside
    return [path[kept[:, b], b].tolist() for b in range(batch)]
