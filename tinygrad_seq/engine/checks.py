"""Checks of options: each returns the plain Python value, or raises and names the option."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from .tensor import Tensor

Check: TypeAlias = Callable[[str, Any], Any]
"""(what it is called, its value) -> the value as a Python number, pair or flag."""


def real(what: str, value: Any) -> float:
    """Return `value` as a float. Raises TypeError for booleans, text and other things."""
    if isinstance(value, bool | str | bytes) or getattr(value, "size", 1) != 1:
        raise TypeError(f"{what} is {value!r}, expected a number")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{what} is {value!r}, expected a number") from None


def not_negative(what: str, value: Any) -> float:
    """Return `value` as a finite float of 0 or more. Raises ValueError for others."""
    number = real(what, value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{what} is {number}, expected a finite number of 0 or more")
    return number


def positive(what: str, value: Any) -> float:
    """Return `value` as a float above 0, infinity allowed. Raises ValueError for others."""
    number = real(what, value)
    if not number > 0:
        raise ValueError(f"{what} is {number}, expected a number above 0")
    return number


def fraction(what: str, value: Any) -> float:
    """Return `value` as a float from 0 to 1. Raises ValueError for others."""
    number = real(what, value)
    if not 0 <= number <= 1:
        raise ValueError(f"{what} is {number}, expected a number from 0 to 1")
    return number


def pair_below_one(what: str, value: Any) -> tuple[float, float]:
    """Return `value` as two floats, each from 0 to below 1. Raises ValueError for others."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise ValueError(f"{what} is {value!r}, expected two numbers")
    first, second = (real(f"{what}[{i}]", number) for i, number in enumerate(value))
    if not (0 <= first < 1 and 0 <= second < 1):
        raise ValueError(f"{what} is ({first}, {second}), expected two numbers from 0 to below 1")
    return first, second


def flag(what: str, value: Any) -> bool:
    """Return `value`, a bool. Raises TypeError for others."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} is {value!r}, expected True or False")
    return value


def integer(what: str, value: Any, least: int) -> int:
    """Return `value` as an int of at least `least`. Raises TypeError or ValueError for others."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is {value!r}, expected an integer") from None
    if number < least:
        raise ValueError(f"{what} is {number}, expected {least} or more")
    return number


def tensors(what: str, value: Any) -> list[Tensor]:
    """Return the Tensors of `value`, one Tensor or an iterable of them.

    Raises TypeError for what is neither, naming the index.
    """
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(f"{what} is a {type(value).__name__}, expected an iterable of Tensors")
    found = list(value)
    for i, item in enumerate(found):
        if not isinstance(item, Tensor):
            raise TypeError(f"{what}[{i}] is a {type(item).__name__}, expected a Tensor")
    return found
