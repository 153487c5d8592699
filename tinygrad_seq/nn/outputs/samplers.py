"""Samplers: distributions over classes that negatives are drawn from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engine.random import Generator, chosen

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Sampler:
    """A distribution over the classes 0 to num_classes - 1, every one of them possible.

    A subclass sets `num_classes` and writes `probability` and `draw`. Arrays are NumPy's.
    """

    num_classes: int

    def probability(self, classes: Indices) -> Floats:
        """Return the probability of each of the classes."""
        raise NotImplementedError(f"{type(self).__name__} has no probability")

    def draw(self, shape: int | tuple[int, ...], generator: Generator | None = None) -> Indices:
        """Return classes of this shape, drawn independently."""
        raise NotImplementedError(f"{type(self).__name__} has no draw")

    def draw_distinct(
        self, count: int, generator: Generator | None = None
    ) -> tuple[Indices, float]:
        """Return (`count` distinct classes, in the order of their first coming; how many draws).

        All classes are there after infinitely many draws. Costs O(count) where a few times `count`
        draws are enough; what they leave out is drawn from the remaining classes, in O(V).
        Raises ValueError for more classes than there are.
        """
        if not 1 <= count <= self.num_classes:
            raise ValueError(
                f"draw_distinct: count is {count}, expected 1 to num_classes, {self.num_classes}"
            )
        if count == self.num_classes:
            return np.arange(count), math.inf
        drawn = self.draw(4 * count, generator)
        first = np.sort(np.unique(drawn, return_index=True)[1])[:count]
        if len(first) == count:
            return drawn[first], float(first[-1] + 1)
        more, tries = self._draw_the_rest(drawn[first], count - len(first), generator)
        return np.concatenate([drawn[first], more]), len(drawn) + tries

    def _draw_the_rest(
        self, found: Indices, count: int, generator: Generator | None
    ) -> tuple[Indices, float]:
        """Return (`count` classes that are not among the found, in order of coming; draws taken).

        The first arrivals of Poisson processes at the rates p come in the order of exponential
        times over p; each new class takes a geometric number of draws.
        """
        random = chosen(generator).numpy
        p = self.probability(np.arange(self.num_classes))
        p[found] = 0.0
        left = np.flatnonzero(p)
        order = np.argsort(random.standard_exponential(len(left)) / p[left])
        new = left[order]
        remaining = np.cumsum(p[new][::-1])[::-1][:count]  # before each; summed from the small end
        return new[:count], float(random.geometric(np.minimum(remaining, 1.0)).sum())

    def expected_count(self, classes: Indices, count: int, tries: float | None = None) -> Floats:
        """Return how often each class is expected among `count` samples.

        tries: how many draws gave them, where they were made distinct; `count` otherwise
        count · p where tries is count, else 1 - (1 - p)^tries, as TensorFlow has it.
        """
        p = self.probability(classes)
        if tries is None or tries == count:
            return p * count
        with np.errstate(divide="ignore"):  # p rounds to 1: log 0, and an expectation of 1
            return -np.expm1(tries * np.log1p(-p))


class LogUniformSampler(Sampler):
    """P(c) = log((c + 2) / (c + 1)) / log(V + 1): Zipf's law, classes in order of frequency.

    num_classes: V, at least 2
    Raises ValueError for fewer.
    Source: tf.random.log_uniform_candidate_sampler.
    """

    def __init__(self, num_classes: int) -> None:
        if num_classes < 2:
            raise ValueError(f"LogUniformSampler: num_classes is {num_classes}, expected 2 or more")
        self.num_classes = num_classes

    def probability(self, classes: Indices) -> Floats:
        """Return the probability of each of the classes."""
        found: Floats = np.log1p(1.0 / (classes + 1.0)) / math.log1p(self.num_classes)
        return found

    def draw(self, shape: int | tuple[int, ...], generator: Generator | None = None) -> Indices:
        """Return classes of this shape, drawn independently."""
        uniform = chosen(generator).numpy.random(shape)
        classes = np.exp(uniform * math.log1p(self.num_classes)).astype(np.int64) - 1
        return np.minimum(classes, self.num_classes - 1)


class UnigramSampler(Sampler):
    """P(c) = counts[c]^exponent / Σ counts^exponent.

    counts (V,): how often each class occurs, above 0
    exponent: 1 for the frequencies themselves, 0 for equal probabilities
    Raises ValueError for counts that are not above 0, or an exponent that is not finite.
    Source: Mikolov et al. 2013, "Distributed representations", with the exponent 3/4.
    """

    def __init__(self, counts: Any, exponent: float = 0.75) -> None:
        table = check_counts("UnigramSampler", counts)
        if not math.isfinite(exponent):
            raise ValueError(f"UnigramSampler: exponent is {exponent}, expected a finite number")
        self.num_classes, self.exponent = len(table), exponent
        mass = np.exp(exponent * (np.log(table) - math.log(table.max())))
        self._cumulative = np.cumsum(mass)
        self._probabilities = mass / self._cumulative[-1]
        if not self._probabilities.min() > 0:
            raise ValueError(
                f"UnigramSampler: counts ** {exponent} leave some classes without probability"
            )

    def probability(self, classes: Indices) -> Floats:
        """Return the probability of each of the classes."""
        found: Floats = self._probabilities[classes]
        return found

    def draw(self, shape: int | tuple[int, ...], generator: Generator | None = None) -> Indices:
        """Return classes of this shape, drawn independently."""
        uniform = chosen(generator).numpy.random(shape) * self._cumulative[-1]
        classes: Indices = np.searchsorted(self._cumulative, uniform, side="right")
        return np.minimum(classes, self.num_classes - 1)


def check_counts(name: str, counts: Any) -> Floats:
    """Return the counts (V,) as float64. Raises ValueError unless two or more, all above 0."""
    table: Floats = np.asarray(counts, dtype=np.float64)
    if table.ndim != 1 or len(table) < 2:
        raise ValueError(f"{name}: counts are {table.shape}, expected (V,) with V at least 2")
    wrong = np.flatnonzero(~((table > 0) & np.isfinite(table)))
    if wrong.size:
        raise ValueError(
            f"{name}: counts[{wrong[0]}] is {table[wrong[0]]:g}, expected more than 0; "
            "give a class that never occurs a count of 1"
        )
    return table
