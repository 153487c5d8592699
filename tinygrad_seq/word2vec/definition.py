"""What training word vectors computes: which words, windows and negatives, and one step, in NumPy.

Random numbers are hashes of a position in the corpus: nothing about an example depends on the
examples before it, on where the corpus was cut into shards, or on how many threads there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Sampler: TypeAlias = tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]

SKIPGRAM, PAIRS, CBOW = 0, 1, 2
"""Skip-gram with negatives shared by a target's contexts; with its own for each; CBOW."""

ALL_BITS, ALL_LOW = 2**64 - 1, 2**32 - 1
STEP, OTHER = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
TRIES = 16
"""Draws for one negative before it is given up: the vocabulary may be too small for it."""


def mix(x: int) -> int:
    """Return 64 bits that look random, different for different x of 64 bits.

    Source: Steele, Lea & Flood 2014 (SplitMix64), its finaliser.
    """
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & ALL_BITS
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & ALL_BITS
    return x ^ (x >> 31)


def hashes(seed: int, first: int, last: int) -> npt.NDArray[np.uint64]:
    """Return mix(seed + position · STEP) for the positions first to last."""
    with np.errstate(over="ignore"):
        x = np.arange(first, last, dtype=np.uint64) * np.uint64(STEP) + np.uint64(seed)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


def keep_chances(counts: Array, sample: float) -> npt.NDArray[np.uint64]:
    """Return how probably each word is kept, times 2 to the 32, (V,).

    p = √(t/f) + t/f, at most 1, with f the word's share of all words and t = sample; 1 for t = 0.
    Source: word2vec.c; Mikolov et al. 2013 have √(t/f).
    """
    if sample == 0:
        return np.full(len(counts), 2**32, np.uint64)
    ratio = sample * counts.sum() / counts
    share = np.minimum(np.sqrt(ratio) + ratio, 1.0)
    chances: npt.NDArray[np.uint64] = (share * 2.0**32).astype(np.uint64)
    return chances


def alias_table(weights: Array) -> Sampler:
    """Return (chance, alias), (V,) each, from which one random number draws as the weights are.

    Slot i of V equally probable ones gives i with probability chance[i] / 2**32, else alias[i].
    Words with less than a slot's share are filled up by those with more, one after the other; one
    that gave more than it had to spare is filled up by the next.
    Source: Walker 1977; in one sweep, Hübschle-Schneider & Sanders 2019.
    """
    share = weights / weights.sum() * len(weights)
    small, large = np.flatnonzero(share < 1), np.flatnonzero(share >= 1)
    taken = np.concatenate([[0.0], np.cumsum(1 - share[small])])
    given, last = np.cumsum(share[large] - 1), len(large) - 1
    alias = np.arange(len(share), dtype=np.int32)
    alias[small] = large[np.minimum(np.searchsorted(given, taken[:-1]), last)]
    alias[large[:-1]] = large[1:]
    after = np.searchsorted(taken, given, side="right")  # the first to take more than there was
    short = after < len(taken)
    share[large] = np.where(short, 1 + given - taken[np.minimum(after, len(small))], 1.0)
    share[large[last]] = 1.0  # but for rounding
    return np.clip(share * 2.0**32, 0, ALL_LOW).astype(np.uint32), alias


def negatives(counter: int, word: int, count: int, sampler: Sampler) -> tuple[int, list[int]]:
    """Return the counter after the draws, and the word with up to `count` others, all different."""
    chance, alias = sampler
    rows = [word]
    for _ in range(count):
        for _ in range(TRIES):
            counter = (counter + STEP) & ALL_BITS
            x = mix(counter)
            slot = ((x >> 32) * len(chance)) >> 32
            drawn = slot if (x & 0xFFFFFFFF) < chance[slot] else int(alias[slot])
            if drawn not in rows:
                rows.append(drawn)
                break
    return counter, rows


class Example(NamedTuple):
    """A target: its position, its word's neighbours, and its outputs: itself, then negatives.

    contexts (b,), `before` of them in front of it   number: random bits
    outputs: one list for all contexts, or one for each
    """

    position: int
    contexts: list[int]
    outputs: list[list[int]]
    number: int
    before: int


class Corpus(NamedTuple):
    """What examples are made from: ids in sentences, and how probably each word is kept.

    ids (N,) int32   starts (S + 1,): where sentences start, and the end   keep, sampler: above
    """

    ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    keep: npt.NDArray[np.uint64]
    sampler: Sampler


def examples(
    corpus: Corpus, first: int, last: int, window: int, shrink: bool, seed: int, negative: int,
    shared: bool,
) -> Iterator[Example]:  # fmt: skip
    """Yield the targets at positions first to last that are kept and have a neighbour.

    shrink: each window reaches a random number of kept words, 1 to `window`, else always `window`
    """
    while first < last:
        sentence = int(np.searchsorted(corpus.starts, first, side="right"))
        begin, end = (int(i) for i in corpus.starts[sentence - 1 : sentence + 1])
        kept = _kept(corpus, begin, end, first, min(last, end), window, seed)
        words = corpus.ids[kept].tolist()
        for i, position in enumerate(kept.tolist()):
            if not first <= position < last:
                continue
            number = mix((seed + position * STEP) & ALL_BITS)
            reach = 1 + (((number & 0xFFFFFFFF) * window) >> 32) if shrink else window
            contexts = words[max(0, i - reach) : i] + words[i + 1 : i + 1 + reach]
            if not contexts:
                continue
            counter, outputs = mix(number ^ OTHER), []
            for _ in range(1 if shared else len(contexts)):
                counter, rows = negatives(counter, words[i], negative, corpus.sampler)
                outputs.append(rows)
            yield Example(position, contexts, outputs, mix(number ^ OTHER), min(i, reach))
        first = end


def _kept(
    corpus: Corpus, begin: int, end: int, first: int, last: int, window: int, seed: int
) -> npt.NDArray[np.int64]:
    """Positions kept from first to last, and `window` or more on each side, if there are."""
    margin = 2 * window
    while True:
        low, high = max(begin, first - margin), min(end, last + margin)
        drawn = hashes(seed, low, high) >> np.uint64(32)
        kept = low + np.flatnonzero(drawn < corpus.keep[corpus.ids[low:high]])
        enough_before = low == begin or np.count_nonzero(kept < first) >= window
        if enough_before and (high == end or np.count_nonzero(kept >= last) >= window):
            return kept
        margin *= 4


# ---- one step ------------------------------------------------------------------------------------


def _errors(logits: Array, alpha: float) -> tuple[Array, float]:
    """Return alpha · (label - σ(logit)) and the loss -Σ log σ(±logit); column 0's label is 1."""
    sign = np.full(logits.shape[-1], -1.0, logits.dtype)
    sign[0] = 1
    errors = alpha * sign * np.exp(-np.logaddexp(0, sign * logits))
    return errors.astype(logits.dtype), float(np.logaddexp(0, -sign * logits).sum(dtype=float))


def skipgram_step(
    inputs: Array, outputs: Array, contexts: list[int], rows: list[int], alpha: float
) -> float:
    """Return the loss of all contexts against all rows; one step of SGD on it is taken.

    L = -Σ_i [log σ(v_i·u_0) + Σ_{j>0} log σ(-v_i·u_j)],  v = inputs[contexts], u = outputs[rows]
    Source: Mikolov et al. 2013, equation 4
    """
    v, u = inputs[contexts], outputs[rows]
    errors, loss = _errors(v @ u.T, alpha)
    np.add.at(inputs, contexts, errors @ u)  # a context may stand twice
    outputs[rows] += errors.T @ v
    return loss


def cbow_step(
    inputs: Array, outputs: Array, contexts: list[int], rows: list[int], alpha: float,
    mean: bool, exact: bool,
) -> float:  # fmt: skip
    """Return the loss of the contexts' sum or mean h against all rows; one step is taken.

    L = -log σ(h · u_0) - Σ_{j>0} log σ(-h · u_j).  Each context takes dL/dh; for a mean, `exact`
    divides that by their number, as the gradient is; word2vec.c does not.
    """
    scale = 1 / len(contexts)
    h, u = inputs[contexts].sum(axis=0) * (scale if mean else 1.0), outputs[rows]
    errors, loss = _errors(u @ h, alpha)
    np.add.at(inputs, contexts, (errors @ u) * (scale if mean and exact else 1.0))
    outputs[rows] += np.outer(errors, h)
    return loss


def train(
    negative: int, corpus: Corpus, inputs: Array, outputs: Array, first: int, last: int,
    rate: tuple[float, float, int], window: int, shrink: bool, seed: int, measured: int,
    architecture: int, scales: tuple[bool, bool],
) -> tuple[float, int]:  # fmt: skip
    """Return loss and number of pairs measured, after a step for each target from first to last.

    inputs (V, d), outputs (V, d), changed   rate (a, s, p): alpha = a + s · (position - p)
    measured: bits that are 0 in the numbers of targets whose loss counts
    scales (mean, exact): of CBOW
    A pair is one context with one target; of CBOW, all contexts with it.
    """
    total, pairs = 0.0, 0
    shared = architecture != PAIRS
    for example in examples(corpus, first, last, window, shrink, seed, negative, shared):
        position, contexts, rows, number, _ = example
        alpha = float(np.float32(rate[0] + rate[1] * (position - rate[2])))
        if architecture == CBOW:
            loss = cbow_step(inputs, outputs, contexts, rows[0], alpha, *scales)
        elif architecture == SKIPGRAM:
            loss = skipgram_step(inputs, outputs, contexts, rows[0], alpha)
        else:
            steps = zip(contexts, rows, strict=True)
            loss = sum(skipgram_step(inputs, outputs, [c], row, alpha) for c, row in steps)
        if number & measured == 0:
            total += loss
            pairs += 1 if architecture == CBOW else len(contexts)
    return total, pairs


# ---- replicas ------------------------------------------------------------------------------------

CURVATURE = 0.1
"""How fast a row comes to rest, an update of alpha 1; from 0.03 to 0.3 the losses are alike."""


def merge(base: Array, copies: Array, scale: Array) -> None:
    """Nothing; adds to base (V, d) the changes of all copies (R, V, d), times scale (V,).

    Afterwards the copies are equal to base.
    """
    for low in range(0, len(base), 1024):
        rows = slice(low, low + 1024)
        total = np.zeros_like(base[rows])
        for copy in copies:
            total += copy[rows] - base[rows]
        base[rows] += scale[rows, None] * total
        copies[:, rows] = base[rows]


def merge_scales(updates: Array, alpha: float, replicas: int) -> npt.NDArray[np.float32]:
    """Return by what the sum of the replicas' changes is multiplied, (V,): from 1 down to 1 / R.

    updates (V,): how often each row is expected to be updated in one replica between two merges
    A row that went a share q = 1 - exp(-alpha · updates · CURVATURE) of the way to where it is at
    rest would have gone 1 - (1 - q)^R of it in R times as many updates one after the other; the sum
    of R changes is R · q of it. So rare words get the sum, the commonest ones the mean.
    """
    rate = alpha * CURVATURE * np.maximum(updates, 1e-9)
    scale = -np.expm1(-rate * replicas) / (-np.expm1(-rate) * replicas)
    rounded: npt.NDArray[np.float32] = scale.astype(np.float32)
    return rounded


def expected_updates(
    corpus: Corpus, words: int, window: int, shrink: bool, negative: int, architecture: int
) -> tuple[Array, Array]:
    """Return how often input and output rows are updated in a run of `words` words, (V,) each."""
    chance, alias = corpus.sampler
    share = np.bincount(corpus.ids, minlength=len(chance)) / len(corpus.ids)
    kept = words * share * (corpus.keep / 2**32)
    contexts = kept * (window + 1 if shrink else 2 * window)
    targets = kept if architecture == CBOW else contexts
    own = chance / 2**32
    drawn = (own + np.bincount(alias, 1 - own, len(chance))) / len(chance)
    return contexts * (1 + negative), targets + negative * targets.sum() * drawn
