"""A way through a corpus, compiled: which words are kept, which are near, which are drawn.

`definition.py` says what it computes.
"""

import pathlib

import numpy as np
from numba import njit

TEXT = pathlib.Path(__file__).read_bytes()
"""What compiled code depends on, as it was when this was imported."""

U = np.uint64
STEP, OTHER = U(0x9E3779B97F4A7C15), U(0xD1B54A32D192ED03)
LOW = U(0xFFFFFFFF)
HALF = U(32)


@njit
def mix(x):
    """64 bits that look random."""
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


@njit
def at(seed, position):
    """The random number of a position."""
    return mix(seed + U(position) * STEP)


@njit
def draw(x, words, chance, alias):
    """The word that the random number x draws."""
    i = ((x >> HALF) * words) >> HALF
    other = np.int64(alias[i])  # read in any case: a branch would be guessed wrong half the time
    return np.int64(i) if (x & LOW) < chance[i] else other


@njit
def fill(ids, keep, seed, start, stop, more, positions, n):
    """Words up to `stop`, then `more` of them up to the buffer's end: where to go on, how many."""
    p = start
    while p < stop and more > 0 and n < len(positions):
        if (at(seed, p) >> HALF) < keep[ids[p]]:
            positions[n] = p
            n += 1
            more -= 1
        p += 1
    return p, n


@njit
def before(ids, keep, seed, start, stop, window, positions):
    """How many of the `window` kept words in front of `stop` there are, in order in positions."""
    n = 0
    p = stop - 1
    while p >= start and n < window:
        if (at(seed, p) >> HALF) < keep[ids[p]]:
            positions[n] = p
            n += 1
        p -= 1
    for i in range(n // 2):
        positions[i], positions[n - 1 - i] = positions[n - 1 - i], positions[i]
    return n


@njit
def addresses(ids, base, end, first, n, positions, rows):
    """Nothing; afterwards rows holds the input rows of the words first to n in the buffer."""
    for i in range(first, n):
        rows[i] = base[0] + np.int64(ids[positions[i]]) * end


@njit
def gather(t, reach, n, rows, context):
    """How many contexts the target t has; afterwards context holds their rows."""
    count = 0
    for i in range(max(0, t - reach), t):
        context[count] = rows[i]
        count += 1
    for i in range(t + 1, min(n, t + reach + 1)):
        context[count] = rows[i]
        count += 1
    return count
