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
from ._check import check_input, check_sizes
from .module import Module, Parameter


def uniform_parameter(
    shape: tuple[int, ...], bound: float, dtype: Any, generator: Generator | None
) -> Parameter:
    """Return a new parameter of this shape, uniform in ±bound."""
    return Parameter(init.uniform_(zeros(*shape, dtype=dtype), -bound, bound, generator))


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
