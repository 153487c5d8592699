"""What a training run leaves to be read: a table of its epochs, as CSV and as a picture."""

from __future__ import annotations

import csv
import os
from typing import Any

from ..serialize import replacing

COLUMNS = ("epoch", "step", "train_loss", "validation_loss", "lr", "seconds")


class History:
    """The epochs of a run: a list of rows, dicts with the keys `COLUMNS`.

    epoch from 1; step: batches trained so far; losses as the trainer measures them,
    validation_loss None without validation; lr of the first parameter group; seconds of the epoch
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        self.rows = list(rows or [])

    def save_csv(self, path: str | os.PathLike[str]) -> None:
        """Nothing; writes the rows as CSV, whole or not at all."""
        with replacing(path) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def save_picture(self, path: str | os.PathLike[str]) -> None:
        """Nothing; draws training and validation loss by epoch, as a PNG.

        Raises ImportError where matplotlib is missing.
        """
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.add_subplot()
        epochs = [row["epoch"] for row in self.rows]
        for name, marker in (("train_loss", "o-"), ("validation_loss", "s--")):
            losses = [row[name] for row in self.rows]
            if any(loss is not None for loss in losses):
                axes.plot(epochs, losses, marker, label=name.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(loc="upper right")
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120)
