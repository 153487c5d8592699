"""Batches that are made as they are asked for, so that training never sees one twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...engine import checks
from .position import Epochs


class GeneratedBatches(Epochs):
    """Batches that are made when they are asked for, `number` an epoch.

    make(generator, epoch) -> a batch, whatever it is; its generator (NumPy's) follows from `seed`,
    the epoch and the batch's place in it alone, the epoch counts from 0
    Iterating starts at the position within the epoch, which `state_dict` holds; at the end the
    next epoch begins, and a batch that could not be made comes next time. An iterator raises
    RuntimeError once another is made or a state is loaded.
    Raises ValueError for a number below 1 or a negative seed.
    """

    def __init__(
        self, make: Callable[[np.random.Generator, int], Any], number: int, seed: int = 0
    ) -> None:
        self.make = make
        self.number = checks.integer("GeneratedBatches: number", number, 1)
        self.seed = checks.integer("GeneratedBatches: seed", seed, 0)
        super().__init__()

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.number

    def __iter__(self) -> Iterator[Any]:
        epoch = self._epoch

        def batch(i: int) -> Any:
            return self.make(np.random.default_rng([self.seed, epoch, i]), epoch)

        return self._rest(batch)

    def _settings(self) -> dict[str, int]:
        return {"number": self.number, "seed": self.seed}
