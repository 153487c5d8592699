"""word2vec's two models: a word predicts its context, or the context its word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .. import ops
from ..engine.backend import xp
from ..engine.tensor import Tensor
from ._check import as_indices, as_mask
from .embedding import Embedding
from .module import Module
from .outputs import OutputLayer
from .outputs.layer import constant

Combine: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def concatenation(vectors: Tensor, counts: Tensor) -> Tensor:
    """Return the vectors (N, C, D) of a context side by side, (N, C · D); 0 where one is absent."""
    rows, window, width = vectors.shape
    return ops.reshape(vectors, (rows, window * width))


def total(vectors: Tensor, counts: Tensor) -> Tensor:
    """Return the sum (N, D) of the vectors (N, C, D) of a context."""
    return ops.sum(vectors, 1)


def average(vectors: Tensor, counts: Tensor) -> Tensor:
    """Return the mean (N, D) of the vectors (N, C, D), `counts` (N, 1) of them; 0 without any."""
    return ops.sum(vectors, 1) / ops.maximum(counts, 1.0)


COMBINATIONS: dict[str, Combine] = {"concat": concatenation, "sum": total, "mean": average}


class SkipGram(Module):
    """Predicts each context word from its word: e = E x, then the output layer's loss.

    embedding: the words' vectors;  output: an OutputLayer as wide as they are
    Raises TypeError for other things, ValueError for widths that differ.
    Source: Mikolov et al. 2013, "Efficient estimation of word representations".
    """

    def __init__(self, embedding: Embedding, output: OutputLayer) -> None:
        _check_parts("SkipGram", embedding, output)
        if output.in_features != embedding.embedding_dim:
            raise ValueError(
                f"SkipGram: output takes {output.in_features} features, expected "
                f"{embedding.embedding_dim} as the embedding gives"
            )
        self.embedding, self.output = embedding, output

    def forward(
        self,
        words: Any,
        contexts: Any,
        mask: Any = None,
        reduction: str = "mean",
        **options: Any,
    ) -> Tensor:
        """Return the loss over pairs of a word and one of its context words.

        words (...)   contexts (...), one for each word, or (..., C), several
        mask: booleans of the contexts' shape, which of them are there (all, where None)
        options: what the output layer takes besides, such as negatives
        Raises ValueError, TypeError or IndexError for what does not fit.
        """
        table = self.embedding.weight
        words = as_indices("SkipGram: words", words, table)
        targets = as_indices("SkipGram: contexts", contexts, table)
        hidden = self.embedding(words)
        if targets.ndim == words.ndim + 1 and targets.shape[:-1] == words.shape:
            shape = (*targets.shape, hidden.shape[-1])
            hidden = ops.broadcast_to(ops.expand_dims(hidden, -2), shape)
        elif targets.shape != words.shape:
            raise ValueError(
                f"SkipGram: contexts are {targets.shape}, expected {words.shape} or "
                f"{(*words.shape, 'C')}"
            )
        return self.output(hidden, targets, mask=mask, reduction=reduction, **options)  # type: ignore[no-any-return]


class CBOW(Module):
    """Predicts a word from its context: h from the context's vectors, then the output layer's loss.

    embedding: the words' vectors;  output: an OutputLayer as wide as h
    combine: "mean" (Σ e / number of contexts), "sum", "concat" (h is C · D wide, an absent context
    word's part 0), or a function of (vectors (N, C, D), counts (N, 1)) that returns h (N, H)
    Raises TypeError for other things, ValueError for an unknown combination.
    Source: Mikolov et al. 2013, "Efficient estimation of word representations".
    """

    def __init__(
        self, embedding: Embedding, output: OutputLayer, combine: str | Combine = "mean"
    ) -> None:
        _check_parts("CBOW", embedding, output)
        if isinstance(combine, str) and combine not in COMBINATIONS:
            raise ValueError(
                f"CBOW: combine is {combine!r}, expected one of {sorted(COMBINATIONS)}, "
                "or a function"
            )
        self.embedding, self.output = embedding, output
        self.combine = COMBINATIONS[combine] if isinstance(combine, str) else combine

    def hidden(self, contexts: Any, mask: Any = None) -> Tensor:
        """Return h (..., H) of contexts (..., C), of which those under the mask are there."""
        table = self.embedding.weight
        words = as_indices("CBOW: contexts", contexts, table)
        if words.ndim == 0:
            raise ValueError("CBOW: contexts are (), expected (..., C)")
        *lead, window = words.shape
        rows, width = int(np.prod(lead)), self.embedding.embedding_dim
        flat = words.reshape(-1)
        if mask is None:
            vectors = self.embedding(flat)
            counts = xp(flat).full((rows, 1), window, dtype=table.dtype)
        else:
            there = as_mask("CBOW: mask", mask, words.shape, table)
            places = xp(flat).flatnonzero(there)
            vectors = self.embedding(flat[places])  # absent words are not even read
            vectors = ops.add_rows(vectors, constant(places), len(flat))
            counts = there.reshape(rows, window).sum(1, keepdims=True).astype(table.dtype)
        h = self.combine(ops.reshape(vectors, (rows, window, width)), constant(counts))
        return ops.reshape(h, (*lead, h.shape[-1]))

    def forward(
        self,
        contexts: Any,
        targets: Any,
        mask: Any = None,
        reduction: str = "mean",
        **options: Any,
    ) -> Tensor:
        """Return the loss over target words.

        contexts (..., C)   targets (...)
        mask: booleans of the contexts' shape, which of them are there (all, where None)
        options: what the output layer takes besides, such as negatives
        Raises ValueError, TypeError or IndexError for what does not fit.
        """
        h = self.hidden(contexts, mask)
        return self.output(h, targets, reduction=reduction, **options)  # type: ignore[no-any-return]


def _check_parts(name: str, embedding: Any, output: Any) -> None:
    """Nothing; raises TypeError unless they are an Embedding and an OutputLayer."""
    if not isinstance(embedding, Embedding):
        raise TypeError(f"{name}: embedding is a {type(embedding).__name__}, expected an Embedding")
    if not isinstance(output, OutputLayer):
        raise TypeError(f"{name}: output is a {type(output).__name__}, expected an OutputLayer")
