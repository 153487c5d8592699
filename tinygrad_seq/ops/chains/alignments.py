"""Kernels that sum over alignments, in numbers of any size: no logarithm, no exponential of sums.

Probabilities of long inputs are far below the smallest float64, so each is m · 2^e, both float64,
e whole; nothing is 2^NEVER, which no sum notices. A sum of two takes a few quick operations, where
one of logarithms takes an exponential and a logarithm.

A target has blanks 0 to S and symbols 1 to S, symbol s between blanks s - 1 and s; symbol 0 never
is. The four rows of a frame's array are m and e of the blanks, m and e of the symbols.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from ...engine.backend import Array

NEVER = -1e300
_ROUND = 1.5 * 2.0**52  # added to a float64, it leaves the nearest integer in the sum's last bits
_LOG_2 = 6.93147180369123816490e-1, 1.90821492927058770e-10  # in two parts, products with e exact
_SERIES = tuple(1 / math.factorial(i) for i in range(13, -1, -1))  # exp(r), |r| < 0.35, to 4e-18
_FRAMES = 64  # from one adjusting of m to the next: a frame makes m at most 4.3 times as large

compiled: Any = numba.njit(cache=True, nogil=True)


@compiled
def power_of_two(e: float) -> float:
    """2^e for a whole e up to 1023, 0 below the normal numbers."""
    shifted = np.float64(max(e, -1023.0) + (_ROUND + 1023))
    return np.int64(shifted.view(np.int64) << 52).view(np.float64)


@compiled
def add(m: float, e: float, n: float, f: float) -> tuple[float, float]:
    """m · 2^e + n · 2^f."""
    first, scale = e >= f, power_of_two(-abs(e - f))
    return (m if first else n) + (n if first else m) * scale, e if first else f


@compiled
def adjust(rows: Array, t: int) -> None:
    """The same numbers in rows (., 4, S+2) at t, each m from 1 to 2, or NaN."""
    for i in range(0, 4, 2):
        for s in range(rows.shape[2]):
            k = float((np.float64(rows[t, i, s]).view(np.int64) >> 52) - 1023)
            rows[t, i, s] *= power_of_two(-k)
            rows[t, i + 1, s] += k


@compiled
def emissions(x: Array, labels: Array, p: Array) -> None:
    """Fill p (2, T, S+1), m and e, with exp of x (T, V) at the blank and at each symbol."""
    for t in range(p.shape[1]):
        for s in range(p.shape[2]):
            p[0, t, s] = x[t, labels[max(2 * s - 1, 0)]]
    m, e = p[0].ravel(), p[1].ravel()
    for i in range(m.size):
        v = max(m[i], NEVER)
        k = (v * (1 / math.log(2)) + _ROUND) - _ROUND
        r = (v - k * _LOG_2[0]) - k * _LOG_2[1]
        r = min(max(r, -0.4), 0.4)  # beyond 1e15, k has no last digits to leave an r
        power = _SERIES[0]
        for c in _SERIES[1:]:
            power = power * r + c
        m[i], e[i] = power, k if k == k else 0.0


@compiled
def forth(a: Array, t: int, p: Array, skips: Array, onward: Array) -> None:
    """Fill a (T+1, 4, S+2) at t + 1 with what reaches each label by then, from that at t."""
    for s in range(len(skips)):
        m, e = add(a[t, 0, s], a[t, 1, s], a[t, 2, s], a[t, 3, s])
        a[t + 1, 0, s], a[t + 1, 1, s] = m * p[0, t, 0], e + p[1, t, 0]
        onward[0, s] = m if skips[s] else a[t, 0, s]  # what may go on to the next symbol
        onward[1, s] = e if skips[s] else a[t, 1, s]
    for s in range(1, len(skips)):
        m, e = add(a[t, 2, s], a[t, 3, s], onward[0, s - 1], onward[1, s - 1])
        a[t + 1, 2, s], a[t + 1, 3, s] = m * p[0, t, s], e + p[1, t, s]
    a[t + 1, 2, 0], a[t + 1, 3, 0] = 1.0, NEVER


@compiled
def back(z: Array, skips: Array, y: Array) -> None:
    """Fill y (4, S+2) with what leads from each label to the end, z with the next frame's."""
    for s in range(len(skips)):
        m, e = add(z[0, 0, s], z[0, 1, s], z[0, 2, s + 1], z[0, 3, s + 1])
        y[0, s], y[1, s] = m, e
        m, e = (m if skips[s] else z[0, 0, s]), (e if skips[s] else z[0, 1, s])
        y[2, s], y[3, s] = add(z[0, 2, s], z[0, 3, s], m, e)


@compiled
def meet(a: Array, y: Array, t: int, whole: tuple[float, float], shares: Array) -> None:
    """Fill shares (2, S+1) with a · y / whole of the blanks and the symbols at frame t."""
    for i in range(2):
        for s in range(shares.shape[1]):
            e = a[t + 1, 2 * i + 1, s] + y[2 * i + 1, s] - whole[1]
            m = a[t + 1, 2 * i, s] * y[2 * i, s] * whole[0]
            shares[i, s] = min(m * power_of_two(min(e, 1000.0)), 1.0)


@compiled
def emit(y: Array, t: int, p: Array, z: Array) -> None:
    """Fill z (1, 4, S+2) with y, and the emission of frame t."""
    for s in range(p.shape[2]):
        z[0, 0, s], z[0, 1, s] = y[0, s] * p[0, t, 0], y[1, s] + p[1, t, 0]
        z[0, 2, s], z[0, 3, s] = y[2, s] * p[0, t, s], y[3, s] + p[1, t, s]


@compiled
def never(rows: Array) -> None:
    """Fill the first of rows (., 4, S+2): no label can be."""
    rows[0, 0], rows[0, 1], rows[0, 2], rows[0, 3] = 1.0, NEVER, 1.0, NEVER


@compiled
def reach(x: Array, labels: Array, p: Array, skips: Array, a: Array) -> tuple[float, float]:
    """The probability of all alignments; fill p (2, T, S+1), skips (S+1,), a (T+1, 4, S+2)."""
    T, S = p.shape[1], p.shape[2] - 1
    emissions(x, labels, p)
    for s in range(S + 1):
        skips[s] = 0 < s < S and labels[2 * s - 1] != labels[2 * s + 1]
    onward = np.empty((2, S + 1))
    never(a)
    a[0, 1, 0] = 0.0
    for t in range(T):
        forth(a, t, p, skips, onward)
        if t % _FRAMES == 0:
            adjust(a, t + 1)
    m, e = add(a[T, 0, S], a[T, 1, S], a[T, 2, S], a[T, 3, S])
    return m, e


@compiled
def room(frames: int, width: int) -> tuple[Array, Array, Array]:
    """What `reach` fills, for so many frames, and S + 1 = width."""
    p, a = np.empty((2, frames, width)), np.empty((frames + 1, 4, width + 1))
    return p, np.empty(width, np.bool_), a


@compiled
def forward(x: Array, labels: Array, frames: Array, symbols: Array, losses: Array) -> None:
    """Fill losses (B,); the arguments are those of `ctc_alignments`, x float32 or float64."""
    for b in range(len(labels)):
        m, e = reach(x[:, b], labels[b], *room(frames[b], symbols[b] + 1))
        losses[b] = -(math.log(m) + e * math.log(2)) if e > NEVER / 2 else math.inf


@compiled
def backward(x: Array, labels: Array, frames: Array, symbols: Array, g: Array, dx: Array) -> None:
    """Fill dx (T, B, V), the cotangent of x, from that of the losses, g (B,)."""
    dx[:] = 0
    for b in range(len(labels)):
        T, S = frames[b], symbols[b]
        p, skips, a = room(T, S + 1)
        m, e = reach(x[:, b], labels[b], p, skips, a)
        if not e > NEVER / 2:
            continue
        z, y, shares = np.empty((1, 4, S + 2)), np.empty((4, S + 2)), np.empty((2, S + 1))
        never(z)
        z[0, 1, S] = 0.0
        for t in range(T - 1, -1, -1):
            back(z, skips, y)
            meet(a, y, t, (1 / m, e), shares)
            blank = 0.0
            for s in range(S + 1):
                blank += shares[0, s]
            dx[t, b, labels[b, 0]] = -g[b] * blank
            for s in range(1, S + 1):
                dx[t, b, labels[b, 2 * s - 1]] -= g[b] * shares[1, s]
            emit(y, t, p, z)
            if t % _FRAMES == 0:
                adjust(z, 0)
