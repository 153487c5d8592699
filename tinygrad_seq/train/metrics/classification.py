"""Metrics of classes: the share that is right, and means over the classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import pair


def accuracy(predictions: Any, targets: Any, ignore_index: int | None = None) -> float:
    """Return the share of predictions that are right, from 0 to 1.

    predictions, targets (...), classes   ignore_index: a target that does not count
    Raises ValueError for shapes that differ, or where nothing counts.
    """
    predicted, right = pair("accuracy", predictions, targets)
    counted = np.ones(right.shape, bool) if ignore_index is None else right != ignore_index
    if not counted.any():
        raise ValueError(f"accuracy: every target is {ignore_index}, which does not count")
    return float((predicted == right)[counted].mean())


def macro_f1(predictions: Any, targets: Any) -> float:
    """Return the mean over classes of F1 = 2 · right / (predicted + true), from 0 to 1.

    predictions, targets: classes (N,), then the mean is over those that occur in either; or
    booleans (N, C), several classes an item, then it is over all C, and 0 for one that never occurs
    Raises ValueError for shapes that differ or are empty, TypeError for (N, C) of other dtypes.
    """
    predicted, right = _indicators("macro_f1", predictions, targets)
    hits, total = (predicted & right).sum(axis=0), predicted.sum(axis=0) + right.sum(axis=0)
    return float(np.mean(2 * hits / np.maximum(total, 1)))


def unweighted_recall(predictions: Any, targets: Any) -> float:
    """Return the mean over classes, as many as occur in the targets, of the share found, 0 to 1.

    predictions, targets: classes (N,), or booleans (N, C)
    Raises ValueError for shapes that differ or are empty, or where no class occurs.
    """
    predicted, right = _indicators("unweighted_recall", predictions, targets)
    count = right.sum(axis=0)
    if not count.any():
        raise ValueError("unweighted_recall: no class occurs in the targets")
    hits = (predicted & right).sum(axis=0)
    return float(np.mean(hits[count > 0] / count[count > 0]))


def _indicators(name: str, predictions: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return both as booleans (N, C): which classes an item has."""
    predicted, right = pair(name, predictions, targets)
    if right.ndim == 1:
        classes = np.union1d(predicted, right)
        return predicted[:, None] == classes, right[:, None] == classes
    if right.ndim != 2:
        raise ValueError(f"{name}: targets are {right.shape}, expected (N,) or (N, C)")
    if predicted.dtype != np.bool_ or right.dtype != np.bool_:
        kinds = f"{predicted.dtype} and {right.dtype}"
        raise TypeError(f"{name}: predictions and targets are {kinds}, expected booleans")
    return predicted, right
