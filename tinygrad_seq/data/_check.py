"""Checks of arguments and restored positions, with errors that name what was expected and came."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any


def integer(what: str, value: object, least: int) -> int:
    """Return `value` as an int of at least `least`.

    Raises TypeError for what is no integer (booleans included), ValueError below `least`.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{what} is {value!r}, expected an integer") from None
    if number < least:
        raise ValueError(f"{what} is {number}, expected {least} or more")
    return number


def position(who: str, state: Mapping[str, Any], same: Mapping[str, int], limit: int) -> int:
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
        if integer(f"{who}: state[{key!r}]", state[key], 0) != expected:
            raise ValueError(f"{who}: state has {key} {state[key]}, expected {expected}")
    place = integer(f"{who}: state['position']", state["position"], 0)
    if place > limit:
        raise ValueError(f"{who}: state['position'] is {place}, expected at most {limit}")
    return place
