"""Clipping of gradients, by their common norm or each element by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..compiler.arrays import one_pass, sum_of_squares
from ..engine import checks
from ..engine.backend import Array, as_array, xp
from ..engine.tensor import Tensor, tensor_at
from ..machine.memory import memory
from ..ops.rows import RowSparse, RowSparseTensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> float:
    """Return the norm of all gradients together, as it was before they are scaled down.

    parameters: those whose `.grad` is None are left out; one given twice counts once
    norm = (Σ |g|^norm_type)^(1 / norm_type), or max |g| for inf;  where squares would be out of
    range, and for powers other than 2, of |g| / max |g|, summed in float64
    g = g·min(1, max_norm / (norm + 1e-6)), in new arrays; row-sparse gradients stay row-sparse
    Raises FloatingPointError naming the parameters whose gradients are not finite, and then changes
    nothing; without error_if_nonfinite it changes nothing and returns that norm. Raises ValueError
    for a max_norm below 0 or a norm_type of 0 or less.
    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1
    """
    who = "clip_grad_norm_"
    limit = checks.real(f"{who}: max_norm", max_norm)
    if not limit >= 0:
        raise ValueError(f"{who}: max_norm is {limit}, expected a number of 0 or more")
    power = checks.positive(f"{who}: norm_type", norm_type)
    found = _gradients(who, parameters)
    norms = _norms([gradient.values for gradient in found], power)
    total = _joined(norms, power)
    if not math.isfinite(total):
        if error_if_nonfinite:
            raise FloatingPointError(f"{who}: the norm is {total}: {_culprits(found)}")
        return total
    factor = limit / (total + 1e-6)
    if factor < 1:
        for gradient in found:
            gradient.replace(_scaled(gradient.values, factor))
    return total


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, error_if_nonfinite: bool = True
) -> None:
    """Nothing; brings every element of the gradients into -clip_value .. clip_value.

    parameters: those whose `.grad` is None are left out
    g = max(-clip_value, min(clip_value, g)), in new arrays; row-sparse gradients stay row-sparse
    Raises FloatingPointError naming the parameters whose gradients are not finite, and then changes
    nothing; without error_if_nonfinite infinities are clipped and NaN stays. Raises ValueError for
    a clip_value below 0.
    """
    who = "clip_grad_value_"
    limit = checks.not_negative(f"{who}: clip_value", clip_value)
    found = _gradients(who, parameters)
    largest = _norms([gradient.values for gradient in found], math.inf)
    if error_if_nonfinite and not all(map(math.isfinite, largest)):
        raise FloatingPointError(f"{who}: {_culprits(found)}")
    for gradient, most in zip(found, largest, strict=True):
        if not most <= limit:
            gradient.replace(xp(gradient.values).clip(gradient.values, -limit, limit))


@dataclass(frozen=True)
class _Gradient:
    """A parameter's gradient: its values, and the rows they belong to where it is row-sparse."""

    index: int
    parameter: Tensor
    values: Array
    rows: Array | None

    def replace(self, values: Array) -> None:
        """Nothing; gives the parameter these values, in a new tensor, as its gradient."""
        if self.rows is None:
            self.parameter.grad = tensor_at(as_array(values), None)
        else:
            parts = [(self.rows, values)]
            self.parameter.grad = RowSparseTensor(RowSparse(parts, self.parameter.shape, True))


def _gradients(who: str, parameters: Tensor | Iterable[Tensor]) -> list[_Gradient]:
    """Return the gradients there are, each parameter's once, row-sparse ones with each row once."""
    found: dict[int, _Gradient] = {}
    for i, p in enumerate(checks.tensors(f"{who}: parameters", parameters)):
        grad = p.grad
        if isinstance(grad, RowSparseTensor):
            rows, values = grad.coalesced()
            found[id(p)] = _Gradient(i, p, values, rows)
        elif grad is not None:
            found[id(p)] = _Gradient(i, p, grad.array, None)
    return list(found.values())


def _scaled(array: Array, factor: float) -> Array:
    """Return a new array, `factor` times as large."""
    if not isinstance(array, np.ndarray):
        return array * factor
    out = memory(array.shape, array.dtype)
    one_pass("scaled", lambda x, factor: (x * factor,), [array], [factor], [out])
    return out


def _norms(arrays: Sequence[Array], power: float) -> list[float]:
    """Return the norm of each array, infinite or NaN where an element is."""
    if power == 2.0 and all(isinstance(a, np.ndarray) for a in arrays):
        return [_norm(a) for a in arrays]
    return _careful_norms(arrays, power)


def _norm(array: np.ndarray) -> float:
    """Return the norm by one pass over the array; by two where squares may be out of range."""
    with np.errstate(all="ignore"):
        total = sum_of_squares(array)
    least = float(np.finfo(array.dtype).tiny) ** 0.5
    if math.isfinite(total) and total > least:
        return math.sqrt(total)
    return _careful_norms([array], 2.0)[0]


def _careful_norms(arrays: Sequence[Array], power: float) -> list[float]:
    # All is computed on the device before the first number is waited for.
    most = [abs(a).max() if a.size else 0.0 for a in arrays]
    largest = [float(number) for number in most]
    if power == math.inf:
        return largest
    sums = [
        ((abs(a) / m) ** power).sum(dtype="float64") if m and math.isfinite(m) else 1.0
        for a, m in zip(arrays, largest, strict=True)
    ]
    return [m * _root(float(total), power) for m, total in zip(largest, sums, strict=True)]


def _joined(norms: Sequence[float], power: float) -> float:
    """Return the norm of everything, from the norms of the parts."""
    if not all(map(math.isfinite, norms)):
        return sum(norms)  # infinite or NaN, as they are
    largest = max(norms, default=0.0)
    if power == math.inf or largest == 0:
        return largest
    return largest * _root(math.fsum((norm / largest) ** power for norm in norms), power)


def _root(total: float, power: float) -> float:
    try:
        return float(total ** (1 / power))
    except OverflowError:
        return math.inf


def _culprits(found: Sequence[_Gradient]) -> str:
    """Return which gradients are not finite, in words."""
    largest = _norms([gradient.values for gradient in found], math.inf)
    bad = [g.index for g, most in zip(found, largest, strict=True) if not math.isfinite(most)]
    if not bad:
        return "the gradients are finite, their norm is more than a float holds"
    return f"the gradients of parameters {bad} are not finite"
