"""Checks of what modules are given, once, at their doors."""

from __future__ import annotations

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
    if x.ndim == 0 or x.shape[-1] != width:
        raise ValueError(f"{name}: the input is {x.shape}, expected (..., {width})")
    check_like(f"{name}: the input", x, weight)


def check_like(name: str, x: Tensor, weight: Tensor) -> None:
    """Nothing; raises TypeError unless x has the weight's dtype and lives where it does."""
    if x.dtype != weight.dtype:
        raise TypeError(f"{name} is {x.dtype}, expected {weight.dtype} as the parameters are")
    if type(x.array) is not type(weight.array):
        raise TypeError(f"{name} is on {x.backend}, expected {weight.backend}; move it with .to")
