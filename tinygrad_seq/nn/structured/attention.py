"""Attention: an average of a sequence's vectors, weighted by how well each answers a query."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ... import ops
from ...engine.backend import xp
from ...engine.random import Generator
from ...engine.tensor import Tensor, tensor_at
from ...ops.scan import check_lengths
from .._check import check_like, check_sizes
from ..linear import Linear, uniform_parameter
from ..module import Module


class Memory(NamedTuple):
    """What attention looks at, batch first: made once for a sequence, used at every step.

    keys (B, T, A), as the attention compares them   values (B, T, D)   inside (B, T) booleans
    """

    keys: Tensor
    values: Tensor
    inside: Tensor


class Attention(Module):
    """Base of attentions: a subclass writes `scores(query, keys)` and, if it has a use, `project`.

    memory = attention.memory(keys, values, lengths);  context, weights = attention(query, memory)
    context = Σ_t weights[t] · values[t]
    weights = softmax over t < length of scores(query, keys[t])
    A step of `tg.scan` may attend; it then runs unrolled, as the compiler has no products by batch.
    """

    query_size: int
    key_size: int

    def memory(self, keys: Tensor, values: Tensor | None = None, lengths: Any = None) -> Memory:
        """Return what `forward` attends to.

        keys (T, B, key_size)   values (T, B, D), the keys where None
        lengths (B,), 0 to T: what lies beyond is not attended to, and may be NaN
        Raises ValueError or TypeError for shapes, lengths and dtypes that do not fit.
        """
        name = type(self).__name__
        values = keys if values is None else values
        if keys.ndim != 3 or keys.shape[-1] != self.key_size:
            raise ValueError(f"{name}: keys are {keys.shape}, expected (T, B, {self.key_size})")
        if values.ndim != 3 or values.shape[:2] != keys.shape[:2]:
            expected = f"({keys.shape[0]}, {keys.shape[1]}, D)"
            raise ValueError(f"{name}: values are {values.shape}, expected {expected}")
        check_like(f"{name}: values: the dtype", values, keys)
        steps, batch = keys.shape[:2]
        counts = check_lengths(np.full(batch, steps) if lengths is None else lengths, steps, batch)
        mask = np.arange(steps) < counts[:, None]  # (B, T)
        inside = tensor_at(xp(keys.array).asarray(mask), None)
        keys, values = (ops.swapaxes(x, 0, 1) for x in (keys, values))
        if not mask.all():
            keys, values = (ops.where(inside[:, :, None], x, 0.0) for x in (keys, values))
        return Memory(self.project(keys), values, inside)

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return (context (..., B, D), weights (..., B, T)) for queries (B, Q) or (S, B, Q).

        Where a sequence has length 0, both are 0.
        Raises ValueError or TypeError for queries that do not fit.
        """
        name, batch = type(self).__name__, memory.inside.shape[0]
        if query.ndim not in (2, 3) or query.shape[-2:] != (batch, self.query_size):
            expected = f"({batch}, {self.query_size}), with or without steps before"
            raise ValueError(f"{name}: the query is {query.shape}, expected {expected}")
        queries = ops.expand_dims(query, 0) if query.ndim == 2 else query
        scores = self.scores(ops.swapaxes(queries, 0, 1), memory.keys)  # (B, S, T)
        inside = ops.expand_dims(memory.inside, 1)
        least = float(np.finfo(scores.dtype).min)
        weights = ops.softmax(ops.where(inside, scores, least), axis=-1)
        weights = ops.where(inside, weights, 0.0)
        context = ops.swapaxes(weights @ memory.values, 0, 1)  # (S, B, D)
        weights = ops.swapaxes(weights, 0, 1)
        if query.ndim == 2:
            return context[0], weights[0]
        return context, weights

    def project(self, keys: Tensor) -> Tensor:
        """Return keys (B, T, K) as `scores` compares them, once for all queries: as they are."""
        return keys

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return how well each key answers each query: (B, S, Q), (B, T, A) -> (B, S, T)."""
        raise NotImplementedError(f"{type(self).__name__} has no scores")

    def describe(self) -> str:
        """Return the sizes."""
        return f"{self.query_size}, {self.key_size}"


class AdditiveAttention(Attention):
    """score = v · tanh(W_q q + W_k k + b).

    query_size, key_size; attention_size: width of W_q q
    Raises ValueError for sizes less than 1.
    Source: Bahdanau, Cho & Bengio 2015, appendix A.1.2.
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        attention_size: int,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        self.query_size, self.key_size = query_size, key_size
        self.query = Linear(query_size, attention_size, False, dtype, generator)
        self.key = Linear(key_size, attention_size, True, dtype, generator)
        bound = 1.0 / math.sqrt(attention_size)
        self.v = uniform_parameter((attention_size,), bound, dtype, generator)

    def project(self, keys: Tensor) -> Tensor:
        """Return W_k k + b."""
        return self.key(keys)  # type: ignore[no-any-return]

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return v · tanh(W_q q + projected k)."""
        asked = ops.expand_dims(self.query(queries), 2)  # (B, S, 1, A)
        return ops.tanh(asked + ops.expand_dims(keys, 1)) @ self.v


class DotAttention(Attention):
    """score = scale · q · k.

    size: width of queries and keys; scale: 1 by default, 1/√size in Vaswani et al.
    Raises ValueError for a size less than 1.
    Source: Luong, Pham & Manning 2015, eq. 8, "dot"; scaled, Vaswani et al. 2017, eq. 1.
    """

    def __init__(self, size: int, scale: float = 1.0) -> None:
        check_sizes("DotAttention", size=size)
        self.query_size = self.key_size = size
        self.scale = float(scale)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return scale · q · k."""
        product = queries @ ops.swapaxes(keys, 1, 2)
        return product if self.scale == 1.0 else product * self.scale


class GeneralAttention(Attention):
    """score = scale · q · W k.

    query_size, key_size; W (query_size, key_size); scale: 1 by default, as in Luong et al.
    Raises ValueError for sizes less than 1.
    Source: Luong, Pham & Manning 2015, eq. 8, "general".
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        dtype: Any = np.float32,
        generator: Generator | None = None,
        scale: float = 1.0,
    ) -> None:
        self.query_size, self.key_size, self.scale = query_size, key_size, float(scale)
        self.key = Linear(key_size, query_size, False, dtype, generator)

    def project(self, keys: Tensor) -> Tensor:
        """Return scale · W k."""
        projected: Tensor = self.key(keys)
        return projected if self.scale == 1.0 else projected * self.scale

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return q · (projected k)."""
        return queries @ ops.swapaxes(keys, 1, 2)
