"""Predictions beside what is right, as NumPy arrays, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.backend import backend_of, is_array, values


def on_host(x: Any) -> np.ndarray:
    """Return a Tensor, an array of any backend, or nested lists as a NumPy array."""
    array = values(x)
    return backend_of(array).to_numpy(array) if is_array(array) else np.asarray(array)


def pair(name: str, predictions: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays. Raises ValueError if they are empty or their shapes differ."""
    predicted, right = on_host(predictions), on_host(targets)
    if predicted.shape != right.shape:
        raise ValueError(f"{name}: predictions are {predicted.shape}, targets {right.shape}")
    if right.size == 0:
        raise ValueError(f"{name}: there are no targets, expected at least one")
    return predicted, right
