"""Batches that are made as they are asked for, so that training never sees one twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ... import _check
from .position import restored


class GeneratedBatches:
    """Batches that are made when they are asked for, `number` an epoch.

    make(generator, epoch) -> a batch, whatever it is; its generator (NumPy's) follows from `seed`,
    the epoch and the batch's place in it alone, the epoch counts from 0
    Iterating starts at the position within the epoch, which `state_dict` holds; at the end the
    next epoch begins.
    Raises ValueError for a number below 1 or a negative seed.
    """

    def __init__(
        self, make: Callable[[np.random.Generator, int], Any], number: int, seed: int = 0
    ) -> None:
        self.make = make
        self.number = _check.integer("GeneratedBatches: number", number, 1)
        self.seed = _check.integer("GeneratedBatches: seed", seed, 0)
        self._epoch = self._position = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.number

    def __iter__(self) -> Iterator[Any]:
        while self._position < self.number:
            generator = np.random.default_rng([self.seed, self._epoch, self._position])
            self._position += 1  # counted before it is used: a checkpoint then goes on after it
            yield self.make(generator, self._epoch)
        self._epoch, self._position = self._epoch + 1, 0

    def state_dict(self) -> dict[str, int]:
        """Epoch, batches given so far in it, and the settings that these belong to."""
        return {"epoch": self._epoch, "position": self._position, **self._settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken.  Raises ValueError where it belongs to other settings."""
        position = restored("GeneratedBatches", state, self._settings(), self.number)
        epoch = _check.integer("GeneratedBatches: state['epoch']", state.get("epoch"), 0)
        self._epoch, self._position = epoch, position

    def _settings(self) -> dict[str, int]:
        return {"number": self.number, "seed": self.seed}
