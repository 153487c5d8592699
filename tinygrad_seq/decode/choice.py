"""How one token is chosen by its logits: the likeliest, or one drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..engine.random import Generator, chosen

Choice = Callable[[np.ndarray], np.ndarray]
"""tokens (B,) = choose(logits (B, V))"""


def greedy(logits: np.ndarray) -> np.ndarray:
    """Return the most probable token of each row: logits (B, V) -> (B,)."""
    chosen: np.ndarray = logits.argmax(axis=-1)
    return chosen


class Sampler:
    """Draws tokens from softmax(logits / temperature), cut to the likeliest: (B, V) -> (B,).

    temperature: finite, above 0; below 1 sharper, above 1 flatter
    top_k: only the k likeliest tokens (all that equal the k-th)
    top_p: only the fewest likeliest tokens whose probabilities add up to p or more
    generator: where numbers are drawn from; the default generator where None
    Raises ValueError for a temperature, top_k or top_p out of range.
    Source: top-k, Fan, Lewis & Dauphin 2018; top-p ("nucleus"), Holtzman et al. 2020.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature is {temperature}, expected a finite number above 0")
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k is {top_k}, expected at least 1")
        if top_p is not None and not 0 < top_p <= 1:
            raise ValueError(f"top_p is {top_p}, expected more than 0, up to 1")
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        self.generator = generator

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Return one token for each row: logits (B, V) -> (B,)."""
        cumulative = self.probabilities(logits).cumsum(axis=-1)
        random = chosen(self.generator).numpy
        drawn = random.random((len(logits), 1)) * cumulative[:, -1:]
        tokens: np.ndarray = (cumulative > drawn).argmax(axis=-1)
        return tokens

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return what tokens are drawn with: logits (B, V) -> (B, V), each row's sum 1.

        Raises FloatingPointError for a row whose largest logit is NaN or infinite.
        """
        largest = logits.max(axis=-1, keepdims=True).astype(np.float64)
        if not np.isfinite(largest).all():
            raise FloatingPointError("a row of logits has no finite largest one to sample by")
        with np.errstate(over="ignore"):  # a small temperature: -inf, probability 0
            p: np.ndarray = np.exp((logits - largest) / self.temperature)
        if self.top_k is not None and self.top_k < p.shape[-1]:
            least = np.partition(p, -self.top_k, axis=-1)[:, -self.top_k, None]
            p = np.where(p >= least, p, 0.0)
        p /= p.sum(axis=-1, keepdims=True)
        if self.top_p is not None:
            order = np.argsort(-p, axis=-1, kind="stable")
            ordered = np.take_along_axis(p, order, axis=-1)
            before = ordered.cumsum(axis=-1)[:, :-1]  # what the likelier ones add up to
            ordered[:, 1:][before >= self.top_p] = 0.0
            np.put_along_axis(p, order, ordered, axis=-1)
            p /= p.sum(axis=-1, keepdims=True)
        return p
