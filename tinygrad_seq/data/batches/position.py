"""Where batches stand in an epoch: their iterators, and states that a resumed run goes on from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from ...engine import checks


class Batches(Protocol):
    """Batches of an epoch that know their position: PaddedBatches, TruncatedBPTT, Prefetcher."""

    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def state_dict(self) -> dict[str, Any]:
        """Return the position."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go to a position."""


class Epochs:
    """Batches by their numbers: an epoch, and the position in it that the next batch has."""

    def __init__(self) -> None:
        self._epoch = self._position = 0
        self._turn = object()  # the iterator's, or that of the state that was loaded last

    def __len__(self) -> int:
        """Batches in an epoch."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, int]:
        """Epoch, batches given so far in it, and the settings that these belong to."""
        return {"epoch": self._epoch, "position": self._position, **self._settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises ValueError where it belongs to other settings, TypeError where it is no state.
        """
        who = type(self).__name__
        position = _restored(who, state, self._settings(), len(self))
        epoch = checks.integer(f"{who}: state['epoch']", state["epoch"], 0)
        self._epoch, self._position, self._turn = epoch, position, object()

    def _settings(self) -> dict[str, int]:
        """Return what a position hangs on, by name: sizes, the seed, a checksum of the data."""
        raise NotImplementedError

    def _rest(self, batch: Callable[[int], Any]) -> Iterator[Any]:
        """The epoch's batches from the position on; then the next epoch begins.

        A batch is counted before it is used, so that a checkpoint goes on after it, and not before
        it is made, so that none is lost.
        """
        self._turn = object()
        return self._given(batch, self._turn)

    def _given(self, batch: Callable[[int], Any], turn: object) -> Iterator[Any]:
        while self._is(turn) and self._position < len(self):
            made = batch(self._position)
            self._position += 1
            yield made
        self._epoch, self._position = self._epoch + 1, 0

    def _is(self, turn: object) -> bool:
        if self._turn is not turn:
            who = type(self).__name__
            raise RuntimeError(f"{who}: iterated over anew, or loaded, in the meantime")
        return True


def _restored(who: str, state: Mapping[str, Any], same: Mapping[str, int], limit: int) -> int:
    """Return the position in `state`, from 0 to `limit`, made with the settings `same`.

    Raises TypeError unless `state` is a mapping of integers, ValueError where it lacks an entry or
    belongs to other settings.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"{who}: state is a {type(state).__name__}, expected a mapping")
    for key in (*same, "position", "epoch"):
        if key not in state:
            raise ValueError(f"{who}: state has no {key!r}, it has {sorted(map(str, state))}")
    for key, expected in same.items():
        if checks.integer(f"{who}: state[{key!r}]", state[key], 0) != expected:
            raise ValueError(f"{who}: state has {key} {state[key]}, expected {expected}")
    place = checks.integer(f"{who}: state['position']", state["position"], 0)
    if place > limit:
        raise ValueError(f"{who}: state['position'] is {place}, expected at most {limit}")
    return place
