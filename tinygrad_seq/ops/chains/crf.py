"""The linear-chain CRF: log Σ over all sequences of tags of the exponential of their scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.backend import Array, values, xp
from ...engine.primitive import fused
from ...engine.tensor import Tensor, tensor_at
from ..elementwise import where
from ..reductions import logsumexp
from ..scan import check_lengths, scan, step_masks, without_padding
from ..shape import expand_dims
from .ctc import no_half


def _definition(emissions: Any, transitions: Any, start: Any, end: Any, lengths: Array) -> Any:
    """Return the log-partition in ops: α'(j) = log Σ_i exp(α(i) + transitions[i, j]) + x(j)."""

    def step(alpha: Any, x: Any) -> tuple[Any, Any]:
        alpha = logsumexp(expand_dims(alpha, 2) + transitions, axis=1) + x
        return alpha, alpha

    emissions = without_padding(step_masks(lengths, emissions), emissions)
    alpha = start + emissions[0]  # (B, K)
    if emissions.shape[0] > 1:
        after = xp(lengths).maximum(lengths - 1, 0)
        alpha, _ = scan(step, emissions[1:], alpha, lengths=after)
    return where(tensor_at(lengths > 0, None), logsumexp(alpha + end, axis=1), 0.0)


def _vjp(
    g: Array, emissions: Array, transitions: Array, start: Array, end: Array, lengths: Array
) -> tuple[Array, ...]:
    from . import partitions

    inputs = [no_half(x) for x in (emissions, transitions, start, end)]
    found = [np.zeros(x.shape) for x in inputs]
    partitions.backward(*inputs, lengths, no_half(g), *found)
    return tuple([dx.astype(emissions.dtype, copy=False) for dx in found])


@fused(_definition, wrt="emissions transitions start end", vjp=_vjp)
def _crf_log_partition(
    emissions: Array, transitions: Array, start: Array, end: Array, lengths: Array
) -> Array:
    from . import partitions  # and with it Numba, once it is needed

    totals = np.empty(emissions.shape[1])
    inputs = [no_half(x) for x in (emissions, transitions, start, end)]
    partitions.forward(*inputs, lengths, totals)
    return totals.astype(emissions.dtype, copy=False)


def crf_log_partition(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Any = None
) -> Tensor:
    """log Σ over all sequences of tags y of exp(score(y)), for each sequence of the batch.

    score(y) = start[y_0] + Σ_t emissions[t, y_t] + Σ_t transitions[y_(t-1), y_t] + end[y_last]
    emissions (T, B, K), T and K at least 1   transitions (K, K), from row to column
    start, end (K,)   lengths (B,), 0 to T, all T where None; the score of nothing is 0   ->   (B,)
    Raises ValueError for shapes and lengths that do not fit, TypeError for lengths of floats.
    Source: Lafferty, McCallum & Pereira 2001; the forward algorithm, Rabiner 1989.
    """
    K = emissions.shape[-1] if emissions.ndim == 3 else 0
    if 0 in emissions.shape[::2] or K == 0:
        raise ValueError(f"crf_log_partition: emissions are {emissions.shape}, expected (T, B, K)")
    given = (("transitions", transitions, (K, K)), ("start", start, (K,)), ("end", end, (K,)))
    for name, x, shape in given:
        if x.shape != shape:
            raise ValueError(f"crf_log_partition: {name}: shape {x.shape}, expected {shape}")
    T, B, _ = emissions.shape
    host = check_lengths(np.full(B, T) if lengths is None else lengths, T, B).astype(np.int64)
    array = values(emissions)
    compute = _crf_log_partition if isinstance(array, np.ndarray) else _definition
    return compute(emissions, transitions, start, end, xp(array).asarray(host))
