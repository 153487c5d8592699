"""Modules that keep a network in bounds: Dropout and LayerNorm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..engine.creation import ones, zeros
from ..engine.random import Generator
from ..engine.tensor import Tensor
from ._check import check_sizes
from .module import Module, Parameter


class Dropout(Module):
    """Each element 0 with probability p, the others divided by 1 - p; nothing in evaluation.

    generator: where masks are drawn from; the default generator where None
    Raises ValueError unless 0 <= p <= 1.
    Source: Srivastava et al. 2014.
    """

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"Dropout: p is {p}, expected 0 to 1")
        self.p, self.generator = p, generator

    def forward(self, x: Tensor) -> Tensor:
        """Return x with elements dropped, in training; x itself in evaluation."""
        return ops.dropout(x, self.p, self.training, self.generator)

    def describe(self) -> str:
        """Return the probability."""
        return str(self.p)


class LayerNorm(Module):
    """(x - mean) / √(variance + eps) · weight + bias over the last axes.

    x (..., *normalized_shape); weight starts 1, bias 0; both of normalized_shape
    Raises ValueError for an x that does not end in normalized_shape.
    Source: Ba, Kiros & Hinton 2016, eq. 4.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        check_sizes("LayerNorm", **{f"normalized_shape[{i}]": n for i, n in enumerate(shape)})
        self.normalized_shape, self.eps = tuple(shape), eps
        self.weight = Parameter(ones(*shape, dtype=dtype)) if elementwise_affine else None
        self.bias = Parameter(zeros(*shape, dtype=dtype)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised x."""
        return ops.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        """Return the shape."""
        return ", ".join(map(str, self.normalized_shape))
