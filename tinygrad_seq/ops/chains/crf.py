"""The linear-chain CRF: log Σ over all sequences of tags of the exponential of their scores."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
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
    inputs = [no_half(x) for x in (emissions, transitions, start, end)]
    found = [np.zeros(x.shape) for x in inputs]
    _kernels()[1](*inputs, lengths, no_half(g), *found)
    return tuple([dx.astype(emissions.dtype, copy=False) for dx in found])


@fused(_definition, wrt="emissions transitions start end", vjp=_vjp)
def _crf_log_partition(
    emissions: Array, transitions: Array, start: Array, end: Array, lengths: Array
) -> Array:
    totals = np.empty(emissions.shape[1])
    inputs = [no_half(x) for x in (emissions, transitions, start, end)]
    _kernels()[0](*inputs, lengths, totals)
    return totals.astype(emissions.dtype, copy=False)


@functools.cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the loops forwards and backwards, in float64, compiled by Numba at first use."""
    import numba

    compiled = numba.njit(cache=True, nogil=True)

    @compiled
    def log_sum(x: Array) -> float:
        top = x[0]
        for i in range(1, len(x)):
            top = max(top, x[i])
        total = 0.0
        for i in range(len(x)):
            total += math.exp(x[i] - top) if x[i] != -math.inf else 0.0
        return top + math.log(total) if total != 0.0 else -math.inf

    @compiled
    def reach(x: Array, moves: Array, start: Array, alpha: Array) -> None:
        """Fill alpha (T, K): log-sum of the scores of all that ends at tag k at step t."""
        paths = np.empty(x.shape[1])
        for t in range(len(alpha)):
            for j in range(x.shape[1]):
                for i in range(x.shape[1]):
                    paths[i] = alpha[t - 1, i] + moves[i, j] if t else -math.inf
                alpha[t, j] = (log_sum(paths) if t else start[j]) + x[t, j]

    @compiled
    def forward(
        x: Array, moves: Array, start: Array, end: Array, lengths: Array, totals: Array
    ) -> None:
        for b in range(len(lengths)):
            alpha = np.empty((lengths[b], x.shape[2]))
            reach(x[:, b], moves, start, alpha)
            totals[b] = log_sum(alpha[-1] + end) if lengths[b] else 0.0

    @compiled
    def backward(
        x: Array, moves: Array, start: Array, end: Array, lengths: Array, g: Array,
        dx: Array, dmoves: Array, dstart: Array, dend: Array,
    ) -> None:  # fmt: skip
        K = x.shape[2]
        onward, paths = np.empty(K), np.empty(K)
        for b in range(len(lengths)):
            T = lengths[b]
            if T == 0:
                continue
            alpha, beta = np.empty((T, K)), end.astype(np.float64)
            reach(x[:, b], moves, start, alpha)
            total = log_sum(alpha[-1] + end)
            if total == -math.inf:
                continue
            for t in range(T - 1, -1, -1):
                for k in range(K):
                    share = g[b] * math.exp(alpha[t, k] + beta[k] - total)
                    dx[t, b, k] += share
                    onward[k] = x[t, b, k] + beta[k]
                    dend[k] += share if t == T - 1 else 0.0
                    dstart[k] += share if t == 0 else 0.0
                if t:
                    for i in range(K):
                        for j in range(K):
                            paths[j] = moves[i, j] + onward[j]
                            dmoves[i, j] += g[b] * math.exp(alpha[t - 1, i] + paths[j] - total)
                        beta[i] = log_sum(paths)

    return forward, backward


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
