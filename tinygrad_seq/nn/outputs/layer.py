"""Output layers: from hidden states and target classes to a loss. Their base, and the softmax."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ... import ops
from ...engine.backend import Array, as_array, xp
from ...engine.random import Generator
from ...engine.tensor import Tensor, tensor_at
from ...ops.indexing import check_indices
from .._check import as_indices, as_mask, check_input, check_sizes
from ..linear import uniform_parameter
from ..module import Module, Parameter


class Pairs(NamedTuple):
    """The hidden states and targets that count, in rows, and the way back to their shape.

    hidden (N, H)   targets (N,)   shape: of all targets   kept (N,): places of those that count,
    among all; None where all do
    """

    hidden: Tensor
    targets: Array
    shape: tuple[int, ...]
    kept: Array | None

    def select(self, name: str, array: Array) -> Array:
        """Return the rows (N, K) for these pairs of an array (K,), as it is, or (*shape, K)."""
        if array.ndim == 1:
            return array
        if array.ndim == 0 or array.shape[:-1] != self.shape:
            raise ValueError(f"{name} are {array.shape}, expected (K,) or {(*self.shape, 'K')}")
        rows = array.reshape(math.prod(self.shape), array.shape[-1])
        return rows if self.kept is None else rows[self.kept]

    def reduced(self, losses: Tensor, reduction: str) -> Tensor:
        """Return losses (N,) as their sum, their mean, or in the targets' shape, 0 elsewhere."""
        if reduction == "sum":
            return ops.sum(losses)
        if reduction == "mean":
            if not losses.size:
                raise ValueError("reduction is 'mean', and there is no target that counts")
            return ops.mean(losses)
        if reduction != "none":
            raise ValueError(f"reduction is {reduction!r}, expected 'none', 'sum' or 'mean'")
        if self.kept is not None:
            losses = ops.add_rows(losses, constant(self.kept), math.prod(self.shape))
        return ops.reshape(losses, self.shape)


class OutputLayer(Module):
    """Base of output layers: `loss = layer(hidden, targets)`.

    hidden (..., in_features)   targets (...), integers from 0 to num_classes - 1
    mask (...): booleans, which targets count (all, where None); of the others nothing is read
    reduction: "mean" over the targets that count, "sum", or "none"
    A subclass sets in_features, num_classes and a `weight`, and writes `forward`.
    """

    in_features: int
    num_classes: int
    weight: Parameter

    def pairs(self, hidden: Tensor, targets: Any, mask: Any) -> Pairs:
        """Return what counts, in rows.

        Raises ValueError, TypeError or IndexError for what does not fit, naming the argument.
        """
        name = type(self).__name__
        check_input(name, hidden, self.in_features, self.weight)
        classes = as_indices(f"{name}: targets", targets, self.weight)
        if classes.shape != hidden.shape[:-1]:
            raise ValueError(f"{name}: targets are {classes.shape}, expected {hidden.shape[:-1]}")
        shape, flat, kept = classes.shape, classes.reshape(-1), None
        rows = ops.reshape(hidden, (len(flat), self.in_features))
        if mask is not None:
            counted = as_mask(f"{name}: mask", mask, shape, self.weight)
            kept = xp(flat).flatnonzero(counted)
            rows, flat = ops.take_rows(rows, constant(kept)), flat[kept]
        check_indices(f"{name}: targets", flat, self.num_classes)
        return Pairs(rows, flat, shape, kept)

    def describe(self) -> str:
        """Return the sizes."""
        return f"{self.in_features}, {self.num_classes}"


class ClassVectors(OutputLayer):
    """Base of output layers that score class c by weight[c] · hidden (+ bias[c]).

    weight (num_classes, in_features) and bias (num_classes,) start uniform in ±1/√in_features
    sparse: leave their gradients row-sparse where only some rows are read
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        bias: bool,
        sparse: bool,
        dtype: Any,
        generator: Generator | None,
    ) -> None:
        check_sizes(type(self).__name__, in_features=in_features, num_classes=num_classes)
        self.in_features, self.num_classes, self.sparse = in_features, num_classes, sparse
        bound = 1.0 / math.sqrt(in_features)
        self.weight = uniform_parameter((num_classes, in_features), bound, dtype, generator)
        self.bias = uniform_parameter((num_classes,), bound, dtype, generator) if bias else None

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the scores (..., num_classes) of all classes."""
        check_input(type(self).__name__, hidden, self.in_features, self.weight)
        return ops.linear(hidden, self.weight, self.bias)

    def scores(self, hidden: Tensor, classes: Array) -> Tensor:
        """Return the scores (N, K) of some classes alone, at a cost that is free of V.

        hidden (N, H)   classes (K,), the same for all rows, or (N, K)
        """
        chosen = constant(classes)
        rows = ops.take_rows(self.weight, chosen, sparse=self.sparse)
        if classes.ndim == 1:
            scores = ops.linear(hidden, rows)
        else:
            scores = ops.einsum("nkh,nh->nk", rows, hidden)
        if self.bias is not None:
            scores = scores + ops.take_rows(self.bias, chosen, sparse=self.sparse)
        return scores

    def softmax_losses(self, pairs: Pairs) -> Tensor:
        """Return -log softmax(scores)[target] over all classes, (N,)."""
        return ops.cross_entropy_rows(self.logits(pairs.hidden), constant(pairs.targets))


class FullSoftmax(ClassVectors):
    """-log softmax(hidden @ weight.T + bias)[target]: every class at every step.

    hidden (..., in_features)   targets (...)
    weight (num_classes, in_features) and bias (num_classes,) start uniform in ±1/√in_features
    Raises ValueError for sizes less than 1.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        bias: bool = False,
        dtype: Any = np.float32,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(in_features, num_classes, bias, False, dtype, generator)

    def forward(
        self, hidden: Tensor, targets: Any, mask: Any = None, reduction: str = "mean"
    ) -> Tensor:
        """Return the loss in nats. Raises ValueError, TypeError, IndexError for bad input."""
        pairs = self.pairs(hidden, targets, mask)
        return pairs.reduced(self.softmax_losses(pairs), reduction)

    def log_probabilities(self, hidden: Tensor) -> Tensor:
        """Return log P(class | hidden), (..., num_classes)."""
        return ops.log_softmax(self.logits(hidden), -1)


def constant(array: Array) -> Tensor:
    """Return an array that was made here, and that nobody else can write into, as a Tensor."""
    return tensor_at(as_array(array), None)
