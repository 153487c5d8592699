"""Linear: a product with a weight, and a bias."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..engine.creation import zeros
from ..engine.random import Generator
from ..engine.tensor import Tensor
from . import init
from .module import Module, Parameter


def uniform_parameter(
    shape: tuple[int, ...], bound: float, dtype: Any, generator: Generator | None
) -> Parameter:
    """Return a new parameter of this shape, uniform in ±bound."""
    return Parameter(init.uniform_(zeros(*shape, dtype=dtype), -bound, bound, generator))


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


class Linear(Module):
    """x @ weight.T + bias.

    x (..., in_features)   ->   (..., out_features)
    weight (out_features, in_features) and bias (out_features,) start uniform in ±1/√in_features
    Raises ValueError for sizes less than 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        check_sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        bound = 1.0 / math.sqrt(in_features)
        self.weight = uniform_parameter((out_features, in_features), bound, dtype, generator)
        self.bias = uniform_parameter((out_features,), bound, dtype, generator) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x @ weight.T + bias. Raises ValueError or TypeError for an x that does not fit."""
        check_input("Linear", x, self.in_features, self.weight)
        return ops.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        """Return the sizes."""
        return f"{self.in_features}, {self.out_features}" + (
            ", bias=False" if self.bias is None else ""
        )
