"""Embedding: a table of vectors, one for each index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..engine.backend import Array, is_array, xp
from ..engine.creation import tensor, zeros
from ..engine.random import Generator, chosen
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
    `missing`: tokens whose rows from_pretrained drew, as the vectors lack them
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
        self.missing: tuple[str, ...] = ()

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        vocabulary: Any = None,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        sparse: bool = False,
        generator: Generator | None = None,
    ) -> Embedding:
        """Return an Embedding whose weight is a copy of `embeddings`.

        embeddings: array (V, D), or word vectors: `vectors` (N, D) and a dict `key_to_index`
        vocabulary: whose token i row i is to be, by default the word vectors' own. Tokens that the
        word vectors lack are listed in the layer's `missing`; their rows are drawn, normal with the
        mean and deviation of the others. A "<pad>" is the padding row, 0 if they lack it.
        freeze: whether the weight gets no gradient, rows that were drawn included
        Raises ValueError for shapes that do not fit, and if no token is among the word vectors;
        TypeError for other dtypes and other things.
        """
        missing: tuple[str, ...] = ()
        if vocabulary is not None:
            if not hasattr(vocabulary, "tokens"):
                raise TypeError(
                    f"from_pretrained: vocabulary is a {type(vocabulary).__name__}, expected a "
                    "tg.data.Vocabulary (freeze is given by name)"
                )
            padding_idx = vocabulary.pad if padding_idx is None else padding_idx
        if hasattr(embeddings, "key_to_index"):
            if vocabulary is None:
                embeddings = embeddings.vectors
            else:
                embeddings, missing = _rows_for(vocabulary, embeddings, chosen(generator))
        table = tensor(embeddings)
        if table.ndim != 2:
            raise ValueError(f"from_pretrained: embeddings are {table.shape}, expected (V, D)")
        if vocabulary is not None and len(table) != len(vocabulary.tokens):
            raise ValueError(
                f"from_pretrained: embeddings have {len(table)} rows, expected the vocabulary's "
                f"{len(vocabulary.tokens)}"
            )
        self = cls.__new__(cls)
        self._set(table, padding_idx, max_norm, norm_type, sparse)
        self.missing = missing
        self.weight.requires_grad_(not freeze)
        return self

    def forward(self, indices: Any) -> Tensor:
        """Return the rows of the indices: a Tensor, an array, or nested lists of integers.

        Raises TypeError unless they are integers, IndexError if one is out of range.
        """
        array = indices.array if isinstance(indices, Tensor) else indices
        if not (is_array(array) or isinstance(indices, Tensor)):
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


def _rows_for(
    vocabulary: Any, words: Any, generator: Generator
) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """Return the rows (V, D) of a vocabulary's tokens, and the tokens whose rows were drawn."""
    tokens, places = vocabulary.tokens, words.key_to_index
    known = [i for i, token in enumerate(tokens) if token in places]
    if not known:
        raise ValueError(
            f"from_pretrained: none of the vocabulary's {len(tokens)} tokens is among the vectors"
        )
    found = np.asarray(words.vectors)[[places[tokens[i]] for i in known]]
    drawn = generator.numpy.standard_normal((len(tokens), found.shape[1]))
    rows = (drawn * found.std() + found.mean()).astype(found.dtype)
    rows[known] = found
    if vocabulary.pad is not None and tokens[vocabulary.pad] not in places:
        rows[vocabulary.pad] = 0
    lacking = (i for i, token in enumerate(tokens) if token not in places)
    return rows, tuple(tokens[i] for i in lacking if i != vocabulary.pad)
