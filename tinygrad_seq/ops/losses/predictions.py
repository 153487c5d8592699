"""Losses: how far predictions are from targets; PyTorch's names, arguments and reductions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.backend import Array, as_array, is_array, values, xp
from ...engine.primitive import fused
from ...engine.tensor import Tensor, tensor_at
from ..activations import softplus
from ..elementwise import abs, where
from ..indexing import check_indices, getitem, pick
from ..reductions import log_softmax, mean, sum
from ..region import region
from ..shape import reshape, transpose


def _cross_entropy_rows(x: Any, targets: Any) -> Any:
    """-log softmax(x)[targets], row by row, in ops: the definition."""
    return -pick(log_softmax(x, -1), targets)


def _cross_entropy_rows_vjp(g: Array, x: Array, targets: Array) -> tuple[Array]:
    dx = xp(x).exp(x - x.max(axis=1)[:, None])  # (N, C); not from the result, whose digits are lost
    dx /= dx.sum(axis=1)[:, None]  # in out + x[targets] where the loss is large
    dx[xp(x).arange(len(targets)), targets] -= 1
    dx *= g[:, None]
    return (dx,)


@fused(_cross_entropy_rows, wrt="x", vjp=_cross_entropy_rows_vjp)
def cross_entropy_rows(x: Array, targets: Array) -> Array:
    """-log softmax(x)[n, targets[n]] for each row: log Σ exp(x) - x[n, targets[n]].

    x (N, C) logits   targets (N,) integers from 0 to C - 1   ->   (N,)
    """
    check_indices("cross_entropy_rows", targets, x.shape[1])
    top = x.max(axis=1)
    log_total = xp(x).log(xp(x).exp(x - top[:, None]).sum(axis=1)) + top
    return log_total - x[xp(x).arange(len(targets)), targets]


_fast_rows = region(_cross_entropy_rows, otherwise=cross_entropy_rows)


def reduced(losses: Tensor, reduction: str, total_weight: Any = None) -> Tensor:
    """Return the losses, their sum, or their mean (weighted, where a total weight is given)."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    if reduction == "mean":
        return mean(losses) if total_weight is None else sum(losses) / total_weight
    raise ValueError(f"reduction is {reduction!r}, expected 'none', 'sum' or 'mean'")


def _constant(array: Array) -> Tensor:
    """Return an array that was made here, and that nobody else can write into, as a Tensor."""
    return tensor_at(as_array(array), None)


def _classes_last(name: str, x: Any) -> Any:
    """Return logits (C,), (N, C) or (N, C, ...) with the classes along the last axis."""
    if x.ndim == 0:
        raise ValueError(f"{name}: logits have no axes, expected (C,), (N, C) or (N, C, ...)")
    return x if x.ndim < 3 else transpose(x, (0, *range(2, x.ndim), 1))


def _class_weights(name: str, x: Any, weight: Any) -> Any:
    """Return the class weights as an array (C,), or None."""
    if weight is None:
        return None
    array = values(weight)
    if array.shape != (x.shape[-1],) or array.dtype != x.dtype:
        raise ValueError(
            f"{name}: weight is {array.dtype}{array.shape}, expected {x.dtype}({x.shape[-1]},)"
        )
    return array


def _targets(name: str, x: Any, targets: Any, ignore_index: int) -> tuple[Array, Array]:
    """Return class indices (N,), 0 where ignored, and booleans (N,): which ones count."""
    array = values(targets)
    if not is_array(array):
        raise TypeError(f"{name}: targets are {type(array).__name__}, expected an array")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: targets are {array.dtype}{array.shape}, expected class indices")
    if array.shape != x.shape[:-1]:
        raise ValueError(f"{name}: targets are {array.shape}, expected {x.shape[:-1]}")
    flat = array.reshape(-1)
    counted = flat != ignore_index
    flat = xp(flat).where(counted, flat, 0)
    check_indices(f"{name}: targets", flat, x.shape[-1])
    return flat, counted


def cross_entropy(
    logits: Tensor,
    targets: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-Σ q · log softmax(logits), in nats; q is 1 at the target class, or the targets themselves.

    logits (N, C), (N, C, ...) or (C,)
    targets: class indices (N,), (N, ...) or (), or probabilities of the logits' shape
    weight (C,): factor of each class; ignore_index: class index that counts for nothing
    reduction: "mean" (over what counts, weighted), "sum", or "none"
    label_smoothing: share of q, from 0 to 1, that is spread evenly over the classes
    Raises ValueError, TypeError or IndexError for shapes, dtypes or classes that do not fit.
    """
    name = "cross_entropy"
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"{name}: label_smoothing is {label_smoothing}, expected 0 to 1")
    x = _classes_last(name, logits)
    class_weights = _class_weights(name, x, weight)
    if getattr(targets, "dtype", np.dtype(int)).kind == "f":
        return _soft_cross_entropy(
            x, _classes_last(name, targets), class_weights, reduction, label_smoothing
        )
    flat, counted = _targets(name, x, targets, ignore_index)
    rows = reshape(x, (-1, x.shape[-1]))
    scale = counted.astype(x.dtype)
    if class_weights is not None:
        scale = scale * class_weights[flat]
    losses = _fast_rows(rows, _constant(flat))
    losses = where(_constant(counted), losses, 0.0) * _constant(scale)
    if label_smoothing > 0:
        even = _smooth_rows(rows, class_weights) * _constant(counted.astype(x.dtype))
        losses = losses * (1 - label_smoothing) + even * (label_smoothing / x.shape[-1])
    shape = values(targets).shape
    return reduced(reshape(losses, shape), reduction, _constant(scale.sum()))


def _smooth_rows(rows: Any, class_weights: Any) -> Any:
    """Return -Σ_c weight[c] · log softmax(row)[c] for each row."""
    log_probabilities = log_softmax(rows, -1)
    if class_weights is not None:
        log_probabilities = log_probabilities * class_weights
    return -sum(log_probabilities, -1)


def _soft_cross_entropy(
    x: Any, q: Any, class_weights: Any, reduction: str, smoothing: float
) -> Tensor:
    if q.shape != x.shape:
        raise ValueError(f"cross_entropy: target probabilities are {q.shape}, expected {x.shape}")
    if smoothing > 0:
        q = q * (1 - smoothing) + smoothing / x.shape[-1]
    terms = q * log_softmax(x, -1)
    if class_weights is not None:
        terms = terms * class_weights
    losses = -sum(terms, -1)
    return reduced(losses, reduction, float(math.prod(losses.shape)))


def nll_loss(
    log_probabilities: Tensor,
    targets: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-log_probabilities at the target classes, in nats.

    log_probabilities (N, C), (N, C, ...) or (C,)   targets (N,), (N, ...) or (), class indices
    Raises ValueError, TypeError or IndexError for shapes, dtypes or classes that do not fit.
    """
    x = _classes_last("nll_loss", log_probabilities)
    class_weights = _class_weights("nll_loss", x, weight)
    flat, counted = _targets("nll_loss", x, targets, ignore_index)
    rows = reshape(x, (-1, x.shape[-1]))
    scale = counted.astype(x.dtype)
    if class_weights is not None:
        scale = scale * class_weights[flat]
    losses = -getitem(rows, (xp(flat).arange(len(flat)), flat))
    losses = where(_constant(counted), losses, 0.0) * _constant(scale)
    return reduced(reshape(losses, values(targets).shape), reduction, _constant(scale.sum()))


def binary_cross_entropy_with_logits(
    logits: Tensor,
    targets: Any,
    weight: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """-[targets · log σ(logits) · pos_weight + (1 - targets) · log(1 - σ(logits))], in nats.

    logits, targets (...), targets from 0 to 1; weight and pos_weight broadcast to that shape
    Raises ValueError if the shapes differ.
    """
    check_same_shape("binary_cross_entropy_with_logits", logits, targets)
    if not isinstance(targets, Tensor):
        targets = tensor_at(xp(logits.array).asarray(targets, dtype=logits.dtype), None)
    elif targets.dtype.kind != "f":
        targets = targets.detach().astype(logits.dtype)
    factor = 1.0 if pos_weight is None else 1.0 + (pos_weight - 1.0) * targets
    losses = (1.0 - targets) * logits + factor * softplus(-logits, threshold=float("inf"))
    return reduced(losses if weight is None else losses * weight, reduction)


def mse_loss(predictions: Tensor, targets: Any, reduction: str = "mean") -> Tensor:
    """(predictions - targets)², elementwise. Raises ValueError if the shapes differ."""
    check_same_shape("mse_loss", predictions, targets)
    difference = predictions - targets
    return reduced(difference * difference, reduction)


def l1_loss(predictions: Tensor, targets: Any, reduction: str = "mean") -> Tensor:
    """|predictions - targets|, elementwise. Raises ValueError if the shapes differ."""
    check_same_shape("l1_loss", predictions, targets)
    return reduced(abs(predictions - targets), reduction)


def check_same_shape(name: str, x: Any, y: Any) -> None:
    """Nothing; raises ValueError if the shapes differ."""
    shape = y.shape if hasattr(y, "shape") else np.shape(y)
    if x.shape != shape:
        raise ValueError(f"{name}: targets are {shape}, expected {x.shape}")
