"""Where batches stand in an epoch: states that a resumed run goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import _check


def restored(who: str, state: Mapping[str, Any], same: Mapping[str, int], limit: int) -> int:
    """Return the position in `state`, from 0 to `limit`, made with the settings `same`.

    Raises TypeError unless `state` is a mapping of integers, ValueError where it lacks an entry or
    belongs to other settings.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"{who}: state is a {type(state).__name__}, expected a mapping")
    for key in (*same, "position"):
        if key not in state:
            raise ValueError(f"{who}: state has no {key!r}, it has {sorted(map(str, state))}")
    for key, expected in same.items():
        if _check.integer(f"{who}: state[{key!r}]", state[key], 0) != expected:
            raise ValueError(f"{who}: state has {key} {state[key]}, expected {expected}")
    place = _check.integer(f"{who}: state['position']", state["position"], 0)
    if place > limit:
        raise ValueError(f"{who}: state['position'] is {place}, expected at most {limit}")
    return place
