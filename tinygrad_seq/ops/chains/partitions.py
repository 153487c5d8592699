"""Kernels of the linear-chain CRF: the forward algorithm and its derivative, in float64."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from ...engine.backend import Array

compiled: Any = numba.njit(cache=True, nogil=True)


@compiled
def log_sum(x: Array) -> float:
    """log Σ exp(x), -inf where all are."""
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
    """Fill totals (B,); the arguments are those of `crf_log_partition`, of float32 or float64."""
    for b in range(len(lengths)):
        alpha = np.empty((lengths[b], x.shape[2]))
        reach(x[:, b], moves, start, alpha)
        totals[b] = log_sum(alpha[-1] + end) if lengths[b] else 0.0


@compiled
def backward(
    x: Array, moves: Array, start: Array, end: Array, lengths: Array, g: Array,
    dx: Array, dmoves: Array, dstart: Array, dend: Array,
) -> None:  # fmt: skip
    """Add the cotangents of the inputs to dx, dmoves, dstart, dend, from that of totals, g (B,)."""
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
