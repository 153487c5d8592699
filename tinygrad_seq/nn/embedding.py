"""Embedding: a table of vectors, one for each index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..engine.backend import Array, is_array, xp
from ..engine.creation import tensor, zeros
from ..engine.random import Generator
from ..engine.tensor import Tensor
from ..engine.writes import written
from . import init
from ._check import check_sizes
from .module import Module, Parameter


class Embedding(Module):
    """weight[indices]: e = E x for one-hot x, without the product.

    indices (...), integers from 0 to num_embeddings - 1   ->   (..., embedding_dim)
    weight (num_embeddings, embedding_dim) starts normal with deviation 1, the padding row 0.
    padding_idx: a row that gets no gradient
    max_norm: rows read whose norm (of norm_type) is larger are scaled down to it, in place
    sparse: leave the gradient row-sparse, so that optimisers update only the rows that were read
    Raises ValueError for sizes, a padding_idx, a max_norm or a norm_type that do not fit.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        sparse: bool = False,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        check_sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        table = init.normal_(zeros(num_embeddings, embedding_dim, dtype=dtype), 0, 1, generator)
        self._set(table, padding_idx, max_norm, norm_type, sparse)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def _set(
        self,
        table: Tensor,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        sparse: bool,
    ) -> None:
        self.num_embeddings, self.embedding_dim = table.shape
        if padding_idx is not None:
            if not -self.num_embeddings <= padding_idx < self.num_embeddings:
                raise ValueError(
                    f"Embedding: padding_idx is {padding_idx}, expected "
                    f"{-self.num_embeddings} to {self.num_embeddings - 1}"
                )
            padding_idx %= self.num_embeddings
        if max_norm is not None and max_norm <= 0:
            raise ValueError(f"Embedding: max_norm is {max_norm}, expected more than 0")
        if not 0 < norm_type < math.inf:
            raise ValueError(f"Embedding: norm_type is {norm_type}, expected more than 0, finite")
        self.weight = Parameter(table)
        self.padding_idx, self.sparse = padding_idx, sparse
        self.max_norm, self.norm_type = max_norm, norm_type

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor | Array,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        sparse: bool = False,
    ) -> Embedding:
        """Return an Embedding whose weight is a copy of `embeddings` (V, D).

        freeze: whether the weight gets no gradient
        Raises ValueError unless there are two axes, TypeError unless they are floats.
        """
        table = tensor(embeddings)
        if table.ndim != 2:
            raise ValueError(f"from_pretrained: embeddings are {table.shape}, expected (V, D)")
        self = cls.__new__(cls)
        self._set(table, padding_idx, max_norm, norm_type, sparse)
        self.weight.requires_grad_(not freeze)
        return self

    def forward(self, indices: Any) -> Tensor:
        """Return the rows of the indices: a Tensor, an array, or nested lists of integers.

        Raises TypeError unless they are integers, IndexError if one is out of range.
        """
        array = indices.array if isinstance(indices, Tensor) else indices
        if not is_array(array):
            array = xp(self.weight.array).asarray(array)
        if self.max_norm is not None:
            self._shorten_rows(array)
        return ops.take_rows(self.weight, array, sparse=self.sparse, frozen_row=self.padding_idx)

    def _shorten_rows(self, indices: Array) -> None:
        """Nothing; scales the rows that are read down to max_norm."""
        table = self.weight.array
        rows = xp(table).unique(ops.take_rows(xp(table).arange(len(table)), indices))
        norms = (abs(table[rows]) ** self.norm_type).sum(axis=1) ** (1 / self.norm_type)
        long = norms > self.max_norm
        if bool(long.any()):
            table[rows[long]] *= (self.max_norm / (norms[long] + 1e-7))[:, None]
            written(table)

    def describe(self) -> str:
        """Return the sizes."""
        return f"{self.num_embeddings}, {self.embedding_dim}"
