"""Metrics of verification: whether two recordings are of one speaker."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import pair


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
