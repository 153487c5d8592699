"""Agreement of two lists of numbers: Pearson's and Spearman's correlation, with p-values."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_TINY, _EPSILON, _TERMS = 1e-300, 1e-15, 100_000


class Correlation(NamedTuple):
    """A correlation from -1 to 1, and how likely one at least as strong is by chance."""

    statistic: float
    pvalue: float


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> Correlation:
    """Return the linear correlation of x (N,) and y (N,), NaN if either is constant.

    r = Σ (x - mean x)(y - mean y) / sqrt(Σ (x - mean x)² · Σ (y - mean y)²)
    The p-value is two-sided and exact for normal x and y: r sqrt((N-2)/(1-r²)) is Student's t.
    Raises ValueError for fewer than two numbers, and for what is not finite.
    """
    return _correlation([np.asarray(values, dtype=float) for values in (x, y)])


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> Correlation:
    """Return the correlation of the ranks of x (N,) and y (N,), equal numbers sharing theirs.

    Its p-value is Pearson's of the ranks. Raises ValueError as `pearson`.
    """
    pair = [np.asarray(values, dtype=float) for values in (x, y)]
    _check(pair)
    return _correlation([ranks(values) for values in pair])


def _check(pair: list[npt.NDArray[np.float64]]) -> None:
    if pair[0].ndim != 1 or pair[0].shape != pair[1].shape or len(pair[0]) < 2:
        shapes = " and ".join(str(values.shape) for values in pair)
        raise ValueError(f"correlation: {shapes} numbers, expected (N,) and (N,), N at least 2")
    if not all(np.isfinite(values).all() for values in pair):
        raise ValueError("correlation: numbers that are not finite")


def _correlation(pair: list[npt.NDArray[np.float64]]) -> Correlation:
    _check(pair)
    if any((values == values[0]).all() for values in pair):
        return Correlation(math.nan, math.nan)
    u, v = (values - values.mean() for values in pair)
    u, v = u / np.abs(u).max(), v / np.abs(v).max()  # squares neither overflow nor vanish
    r = min(max(float(u @ v / np.sqrt((u @ u) * (v @ v))), -1.0), 1.0)
    return Correlation(r, _two_sided(r, len(pair[0])))


def ranks(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the places (N,) of numbers (N,) in ascending order, from 1; equal ones their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    places: npt.NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return places


def _two_sided(r: float, n: int) -> float:
    """P(|t| > |r| sqrt((n-2)/(1-r²))) for Student's t with n-2 degrees of freedom."""
    if n == 2:
        return 1.0
    return _incomplete_beta((1 - r) * (1 + r), (n - 2) / 2, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), regularised.

    x^a (1-x)^b / (a B(a,b)) · 1/(1+ d_1/(1+ d_2/(1+ ...)))
    Source: Abramowitz & Stegun 1964, 26.5.8; evaluated by Lentz's method
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction of the complement converges faster
        return 1 - _incomplete_beta(1 - x, b, a)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    c, d, fraction = 1.0, 0.0, 1.0
    for m in range(_TERMS):
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        even = (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2))
        step = 1.0
        for term in (odd, even):
            d = 1 / (1 + term * d or _TINY)
            c = 1 + term / c or _TINY
            step *= c * d
        fraction *= step
        if abs(step - 1) < _EPSILON:
            break
    return min(front / fraction, 1.0)
