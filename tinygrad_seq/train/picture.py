"""Pictures that a program leaves beside its model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..serialize import replacing


@contextmanager
def picture(
    path: str | os.PathLike[str], size: tuple[float, float] = (6, 4), columns: int = 1
) -> Iterator[Any]:
    """Yield matplotlib's axes to draw on, an array of them for several columns; then writes a PNG.

    path: of the file, written whole or not at all, its folder made if need be, and printed
    size: inches
    Raises ImportError where matplotlib is missing.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    yield figure.subplots(1, columns)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    print(f"picture: {path}")
