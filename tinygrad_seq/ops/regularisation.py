"""What keeps activations in range and networks from leaning on one unit: layer_norm, dropout."""

from __future__ import annotations

from typing import Any

from ..engine.backend import Array, backend_of
from ..engine.random import Generator, chosen
from ..engine.tensor import Tensor, tensor_at
from .elementwise import mul, sqrt
from .reductions import mean
from .region import region


def layer_norm(
    x: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) · (1 / √(variance + eps)) · weight + bias, over the last axes.

    x (..., *normalized_shape)   weight, bias: normalized_shape, or None
    Source: Ba, Kiros & Hinton 2016, eq. 4.
    """
    if tuple(x.shape[-len(normalized_shape) :]) != tuple(normalized_shape):
        raise ValueError(f"layer_norm: x is {x.shape}, expected (..., *{normalized_shape})")
    axes = tuple(range(-len(normalized_shape), 0))
    normalise = _normalised if len(axes) == 1 else _normalise
    return normalise(x, axes, weight, bias, float(eps))


def _normalise(x: Tensor, axes: tuple[int, ...], weight: Any, bias: Any, eps: float) -> Tensor:
    centred = x - mean(x, axes, keepdims=True)
    out = centred * (1 / sqrt(mean(centred * centred, axes, keepdims=True) + eps))
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


_normalised = region(_normalise)


def dropout(
    x: Tensor, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """x with each element 0 with probability p, the others divided by 1 - p; x if not training.

    generator: where the mask is drawn from; the default generator where None
    Raises ValueError unless 0 <= p <= 1, TypeError unless x is a Tensor of floats.
    Source: Srivastava et al. 2014 (scaled in training, "inverted").
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: p is {p}, expected 0 to 1")
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        raise TypeError(f"dropout: x is {getattr(x, 'dtype', type(x).__name__)}, expected floats")
    if not training or p == 0.0:
        return x
    array: Array = x.array
    keep = chosen(generator).mask(array.shape, 1.0 - p, backend_of(array))
    scale = 0.0 if p == 1.0 else 1.0 / (1.0 - float(p))
    return mul(x, tensor_at(keep.astype(array.dtype) * scale, None))
