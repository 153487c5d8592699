"""Figures of a comparison that takes many short trainings, kept so that it can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..serialize import PathLike, check_readable, replacing
from .unchanged import check_unchanged


class Scores:
    """Figures by name, in a JSON file that is written whole or not at all after each.

    path: of the file, its folder made if need be
    about: the options that the figures hang on, by name, as JSON has them
    resume: go on with the file's figures; else it begins anew
    Raises ValueError for a file to go on with that is damaged or has other options, OSError where
    there is none.
    """

    def __init__(self, path: PathLike, about: Mapping[str, Any], resume: bool = False) -> None:
        self.path, self.about = Path(path), json.loads(json.dumps(about))
        self.figures: dict[str, float] = {}
        if resume:
            self.figures = self._read()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    def find(self, name: str, compute: Callable[[], float]) -> float:
        """Return the figure of this name: the file's, or else compute()'s, which it then has."""
        if name not in self.figures:
            self.figures[name] = float(compute())
            self._write()
        return self.figures[name]

    def _read(self) -> dict[str, float]:
        check_readable(self.path)
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            about = dict(kept["about"])
            figures = {str(name): float(figure) for name, figure in kept["figures"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{self.path}: not a file of scores: {error}") from error
        check_unchanged(self.path, self.about, about)
        return figures

    def _write(self) -> None:
        kept = {"about": self.about, "figures": self.figures}
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps(kept, indent=1), encoding="utf-8")
