"""Checks of what modules are given, once, at their doors."""

from __future__ import annotations

from typing import Any

from ..engine.backend import Array, backend_of, is_array, values, xp
from ..engine.tensor import Tensor


def check_sizes(name: str, **sizes: int) -> None:
    """Nothing; raises ValueError naming the first size that is less than 1."""
    for argument, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}: {argument} is {size}, expected at least 1")


def check_input(name: str, x: Tensor, width: int, weight: Tensor) -> None:
    """Nothing; raises ValueError unless x is (..., width), TypeError unless it is as the weight."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: the input is a {type(x).__name__}, expected a Tensor")
    if x.shape[-1:] != (width,):
        raise ValueError(f"{name}: the input is {x.shape}, expected (..., {width})")
    check_like(f"{name}: the input", x, weight)


def check_like(name: str, x: Tensor, weight: Tensor) -> None:
    """Nothing; raises TypeError unless x has the weight's dtype and lives where it does."""
    given, own = x.array, weight.array
    if given.dtype != own.dtype:
        raise TypeError(f"{name} is {x.dtype}, expected {weight.dtype} as the parameters are")
    if type(given) is not type(own) and x.backend != weight.backend:
        raise TypeError(f"{name} is on {x.backend}, expected {weight.backend}; move it with .to")


def as_indices(name: str, indices: Any, weight: Tensor) -> Array:
    """Return a Tensor, an array or nested lists of integers as an array beside the weight.

    Raises TypeError unless they are integers, and where the weight is.
    """
    array = _beside(name, indices, weight)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} are {array.dtype}, expected integers")
    return array


def as_mask(name: str, mask: Any, shape: tuple[int, ...], weight: Tensor) -> Array:
    """Return a mask as booleans, in one row, beside the weight.

    Raises TypeError unless they are booleans, ValueError unless of this shape.
    """
    array = _beside(name, mask, weight)
    if array.dtype.kind != "b":
        raise TypeError(f"{name} is {array.dtype}, expected booleans")
    if array.shape != shape:
        raise ValueError(f"{name} is {array.shape}, expected {shape}")
    return array.reshape(-1)


def _beside(name: str, given: Any, weight: Tensor) -> Array:
    array = values(given)
    if not is_array(array):
        return xp(weight.array).asarray(array)
    if type(array) is not type(weight.array):
        came = backend_of(array).name
        raise TypeError(f"{name} are on {came}, expected {weight.backend} as the parameters are")
    return array
