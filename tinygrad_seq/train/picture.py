"""Pictures that a program leaves beside its model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..serialize import replacing
from .metrics._arrays import on_host, pair


@contextmanager
def picture(
    path: str | os.PathLike[str],
    size: tuple[float, float] = (6, 4),
    columns: int = 1,
    rows: int = 1,
) -> Iterator[Any]:
    """Yield matplotlib's axes to draw on, an array of them for several; then writes a PNG.

    path: of the file, written whole or not at all, its folder made if need be, and printed
    size: inches
    Raises ImportError where matplotlib is missing.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    yield figure.subplots(rows, columns)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, bbox_inches="tight")
    print(f"picture: {path}")


def confusion_picture(
    path: str | os.PathLike[str], predictions: Any, targets: Any, names: Sequence[str]
) -> None:
    """Nothing; draws how often each class was said for each that was meant, as a PNG.

    predictions, targets (N,), numbers of the classes   names: of the classes, by number
    Raises ValueError for shapes that differ, IndexError for numbers that no class has, ImportError
    where matplotlib is missing.
    """
    said, meant = pair("confusion_picture", predictions, targets)
    for what, ids in (("predictions", said), ("targets", meant)):
        if ids.min() < 0 or ids.max() >= len(names):
            span = f"{ids.min()} to {ids.max()}, expected 0 to {len(names) - 1}"
            raise IndexError(f"confusion_picture: {what} are {span}")
    table = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(table, (meant, said), 1)
    with picture(path, (5, 5)) as axes:
        axes.imshow(table / np.maximum(table.sum(axis=1, keepdims=True), 1), cmap="Blues", vmax=1.5)
        axes.set(xlabel="said", ylabel="meant")
        axes.set_xticks(range(len(names)), names, rotation=60)
        axes.set_yticks(range(len(names)), names)
        for (i, j), number in np.ndenumerate(table):
            axes.text(j, i, str(number), ha="center", va="center")


def similarity_picture(path: str | os.PathLike[str], vectors: Any, names: Sequence[str]) -> None:
    """Nothing; draws the cosines of vectors with each other, as a PNG.

    vectors (N, D)   names (N,): of each one's group; the first of a group bears its name
    Raises ValueError for shapes that do not fit, ImportError where matplotlib is missing.
    """
    x = on_host(vectors)
    if x.ndim != 2 or len(x) != len(names):
        raise ValueError(f"similarity_picture: vectors are {x.shape}, expected ({len(names)}, D)")
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    first = {name: i for i, name in reversed(list(enumerate(names)))}
    with picture(path, (6, 5)) as axes:
        shown = axes.imshow(x @ x.T, vmin=-1, vmax=1, cmap="RdBu_r")
        axes.set_xticks(list(first.values()), list(first), rotation=60)
        axes.set_yticks(list(first.values()), list(first))
        axes.figure.colorbar(shown, label="cosine")
