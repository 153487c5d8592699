"""Metrics of verification: whether two recordings are of one speaker."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import on_host, pair


def equal_error_rate(scores: Any, same: Any) -> float:
    """Return the error rate at which as many are falsely accepted as falsely rejected, 0 to 1.

    scores (N,), larger for those more alike   same (N,) booleans, at least one of each
    Trials are accepted from a threshold on, equal scores together; between two thresholds both
    rates are taken to change in proportion.
    Raises ValueError for shapes that do not fit, NaN, or trials of one kind alone.
    """
    x, labels = pair("equal_error_rate", scores, same)
    if x.ndim != 1 or not set(np.unique(labels).tolist()) <= {0, 1}:
        raise ValueError(f"equal_error_rate: scores are {x.shape}, labels expected 0 and 1, (N,)")
    if np.isnan(x).any():
        raise ValueError(f"equal_error_rate: score {int(np.isnan(x).argmax())} is NaN")
    genuine = labels.astype(bool)
    if genuine.all() or not genuine.any():
        raise ValueError("equal_error_rate: expected trials of both kinds, got one")
    order = np.argsort(-x, kind="stable")
    last = np.append(np.diff(x[order]) != 0, True)  # the last of those with one score
    accepted = np.cumsum(~genuine[order])[last] / (~genuine).sum()
    rejected = 1 - np.cumsum(genuine[order])[last] / genuine.sum()
    accepted, rejected = np.append(0.0, accepted), np.append(1.0, rejected)
    i = int((accepted >= rejected).argmax())  # at least 1: first nothing is accepted
    before, after = rejected[i - 1] - accepted[i - 1], rejected[i] - accepted[i]
    share = before / (before - after)
    return float(accepted[i - 1] + share * (accepted[i] - accepted[i - 1]))


def normalized_cosines(a: Any, b: Any, cohort: Any, nearest: int) -> np.ndarray:
    """Return how alike vectors are, (N,): their cosines, measured by those with a cohort.

    a, b (N, D), pairs   cohort (C, D), vectors of others   nearest: of the cohort to each, 2 to C
    Σ over x in {a, b} of (cos(a, b) - mean) / deviation of the largest `nearest` cos(x, cohort)
    Raises ValueError for shapes or a number that do not fit.
    Source: Matějka et al. 2017, adaptive symmetric normalisation; its half is left out.
    """
    x, y = pair("normalized_cosines", a, b)
    others = on_host(cohort)
    if x.ndim != 2 or others.ndim != 2 or others.shape[1] != x.shape[1]:
        raise ValueError(
            f"normalized_cosines: vectors are {x.shape}, the cohort {others.shape}, "
            "expected (N, D) and (C, D)"
        )
    if not 2 <= nearest <= len(others):
        raise ValueError(f"normalized_cosines: nearest is {nearest}, expected 2 to {len(others)}")
    x, y, others = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y, others))
    cosines, scores = (x * y).sum(axis=1), np.zeros(len(x))
    for vectors in (x, y):
        known = np.sort(vectors @ others.T, axis=1)[:, -nearest:]
        scores += (cosines - known.mean(axis=1)) / np.maximum(known.std(axis=1), 1e-6)
    return scores
