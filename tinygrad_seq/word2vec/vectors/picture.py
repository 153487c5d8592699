"""A map of words: their vectors in the two directions in which they differ most, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...serialize import PathLike, replacing
from .table import WordTable


def principal_coordinates(vectors: npt.ArrayLike, count: int = 2) -> npt.NDArray[np.float64]:
    """Return coordinates (N, count) of vectors (N, d) along their principal components.

    X - mean = U S Vᵀ, coordinates = U S of the `count` largest singular values, zeros where there
    are fewer; each column's sign is such that its element farthest from 0 is positive
    Source: Pearson 1901; by singular value decomposition
    """
    rows = np.asarray(vectors, dtype=float)
    left, sizes, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    found: npt.NDArray[np.float64] = (left * sizes)[:, :count]
    farthest = found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]
    coordinates = np.zeros((len(rows), count))
    coordinates[:, : found.shape[1]] = np.where(farthest < 0, -found, found)
    return coordinates


def save_map(
    wv: WordTable, path: PathLike, words: Sequence[str] | Mapping[str, Sequence[str]]
) -> npt.NDArray[np.float64]:
    """Draw what `WordVectors.save_map` documents, and return the coordinates (n, 2)."""
    groups = words if isinstance(words, Mapping) else {"": words}
    listed = [word for group in groups.values() for word in group]
    if not listed:
        raise ValueError("save_map: words is empty")
    coordinates = principal_coordinates(wv[listed])
    figure: Any = _figure()
    axes, start = figure.add_subplot(), 0
    for name, group in groups.items():
        places = coordinates[start : start + len(group)]
        axes.scatter(*places.T, s=14, label=name or None)
        for word, place in zip(group, places, strict=True):
            text = word.replace("$", r"\$")  # two of them would begin a formula
            axes.annotate(text, place, xytext=(4, 3), textcoords="offset points", fontsize=9)
        start += len(group)
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second")
    axes.margins(0.12)
    axes.grid(alpha=0.3)
    if any(groups):
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    return coordinates


def _figure() -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(7, 6), layout="constrained")
