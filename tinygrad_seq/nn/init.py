"""Initial values, written into a tensor in place; PyTorch's names and distributions."""

from __future__ import annotations

import math

import numpy as np

from ..engine.backend import Array, backend_of, convert
from ..engine.random import Generator, chosen
from ..engine.tensor import Tensor
from ..engine.writes import written


def _fill(tensor: Tensor, values: Array | float) -> Tensor:
    array = tensor.array
    array[...] = values if isinstance(values, (int, float)) else convert(values, backend_of(array))
    written(array)
    return tensor


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Return the tensor, filled with one value."""
    return _fill(tensor, value)


def zeros_(tensor: Tensor) -> Tensor:
    """Return the tensor, filled with 0."""
    return _fill(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Return the tensor, filled with 1."""
    return _fill(tensor, 1.0)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Return the tensor, filled with values uniform in [a, b)."""
    drawn = chosen(generator).uniform(tensor.shape, a, b, tensor.dtype)
    return _fill(tensor, drawn)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Return the tensor, filled with normal values."""
    drawn = chosen(generator).normal(tensor.shape, mean, std, tensor.dtype)
    return _fill(tensor, drawn)


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return (inputs, outputs) of a weight (outputs, inputs, ...)."""
    if tensor.ndim < 2:
        raise ValueError(f"the tensor has shape {tensor.shape}, expected at least two axes")
    receptive = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive


def calculate_gain(nonlinearity: str, param: float = 0.01) -> float:
    """Return the factor that keeps the variance of activations through a nonlinearity.

    nonlinearity: "linear", "sigmoid", "tanh", "relu" or "leaky_relu" (param: its negative slope)
    Raises ValueError for another name.
    """
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5.0 / 3.0,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1.0 + param * param)),
    }
    if nonlinearity not in gains:
        raise ValueError(f"nonlinearity is {nonlinearity!r}, expected one of {sorted(gains)}")
    return gains[nonlinearity]


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Return the weight, uniform in ±gain · √(6 / (inputs + outputs)).

    Source: Glorot & Bengio 2010, eq. 16.
    """
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Return the weight, normal with deviation gain · √(2 / (inputs + outputs)).

    Source: Glorot & Bengio 2010, eq. 12.
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Return the weight, uniform in ±gain · √(3 / inputs) (or outputs, with mode "fan_out").

    a: negative slope of the leaky_relu that follows
    Source: He et al. 2015, eq. 15.
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Return the weight, normal with deviation gain / √inputs (or outputs, with mode "fan_out").

    a: negative slope of the leaky_relu that follows
    Source: He et al. 2015, eq. 15.
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Return the weight, its rows (or columns, the fewer) orthonormal but for the factor gain.

    The QR decomposition of a normal matrix, signs fixed so that all rotations are equally likely.
    Source: Saxe, McClelland & Ganguli 2014.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: the tensor is {tensor.shape}, expected at least two axes")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    random = chosen(generator).numpy
    q, r = np.linalg.qr(random.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r))
    q = q.T if rows < columns else q
    return _fill(tensor, gain * q.reshape(tensor.shape).astype(tensor.dtype))
