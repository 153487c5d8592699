"""What a Word2Vec is told: its arguments, checked."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from ..engine.random import default_generator
from ..machine.runtime import get_num_threads
from .definition import CBOW, PAIRS, SKIPGRAM

OBJECTIVES = ("negative_sampling", "hierarchical_softmax", "softmax", "sampled_softmax", "nce")
COMBINATIONS = ("mean", "sum", "concat")


@dataclass(eq=False, repr=False)
class Settings:
    """Settings of a Word2Vec.

    vector_size: width of a vector
    window: how many kept words on either side of a target are its context, at most
    architecture: "skipgram", or "cbow" (the context's vectors together predict the target)
    combine: how CBOW puts its context together: "mean", "sum" or "concat"
    objective: "negative_sampling", "hierarchical_softmax", "softmax", "sampled_softmax", "nce" or
    a function (features, counts) -> nn.OutputLayer. Negative sampling with "mean" or "sum" runs in
    compiled kernels; every other objective, and "concat", runs on the graph of nn.SkipGram and
    nn.CBOW, which is a hundred times slower
    negative: negatives drawn for a target (of hierarchical and full softmax, unused)
    sample: words more frequent than this share are left out at random; 0 keeps all
    min_count: words that occur less often are left out of the vocabulary
    alpha: learning rate at the start; by default 0.025 for skip-gram, 0.07 for CBOW of a mean,
    which measured best, and 0.05 for other CBOW
    min_alpha: learning rate at the end; it falls linearly
    ns_exponent: negatives are drawn in proportion to counts ** ns_exponent
    epochs: passes over the corpus
    shrink_windows: draw each target's window from 1 to `window`, as word2vec.c does
    workers: threads; by default as many as `get_num_threads` says
    seed: of all that is random; by default drawn from the default generator (`manual_seed`). The
    same seed with one worker gives the same bits
    deterministic: the same bits with any number of workers (up to 4 help), for twice the time
    shared_negatives: draw negatives once for all contexts of a target: faster
    exact_gradient: of a mean, give each context word its share of the gradient, as calculus has it
    (then alpha 0.2 suits better); else all of it, as word2vec.c does, which measured better
    backend: "numpy", or "cupy", which trains on the graph, on a GPU
    progress: show a bar
    """

    vector_size: int = 100
    window: int = 5
    architecture: str = "skipgram"
    combine: str = "mean"
    objective: str | Callable[..., Any] = "negative_sampling"
    negative: int = 5
    sample: float = 1e-3
    min_count: int = 5
    alpha: float | None = None
    min_alpha: float = 1e-4
    ns_exponent: float = 0.75
    epochs: int = 5
    shrink_windows: bool = True
    workers: int | None = None
    seed: int | None = None
    deterministic: bool = False
    shared_negatives: bool = True
    exact_gradient: bool = False
    backend: str | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        for name in ("vector_size", "window", "negative", "min_count", "epochs"):
            setattr(self, name, _integer(name, getattr(self, name), 1))
        _choice("architecture", self.architecture, ("skipgram", "cbow"))
        _choice("combine", self.combine, COMBINATIONS)
        if not callable(self.objective):
            _choice("objective", self.objective, OBJECTIVES)
        if self.backend is not None:
            _choice("backend", self.backend, ("numpy", "cupy"))
        if self.alpha is None:
            cbow = 0.07 if self.combine == "mean" else 0.05
            self.alpha = cbow if self.architecture == "cbow" else 0.025
        for name in ("alpha", "min_alpha", "sample"):
            setattr(self, name, _number(name, getattr(self, name)))
            if getattr(self, name) < 0:
                raise ValueError(f"Word2Vec: {name} is {getattr(self, name)}, expected 0 or more")
        self.ns_exponent = _number("ns_exponent", self.ns_exponent)
        if not 0 <= self.min_alpha <= self.alpha or self.alpha == 0:
            raise ValueError(
                f"Word2Vec: alpha is {self.alpha} and min_alpha {self.min_alpha}, expected alpha "
                "above 0 and min_alpha from 0 to alpha"
            )
        if self.workers is None:
            self.workers = get_num_threads()
        self.workers = _integer("workers", self.workers, 1)
        if self.seed is None:
            self.seed = int(default_generator().numpy.integers(2**63))
        self.seed = _integer("seed", self.seed, 0)
        for field in fields(Settings):
            value = getattr(self, field.name)
            if field.type == "bool" and not isinstance(value, bool):
                raise TypeError(f"Word2Vec: {field.name} is {value!r}, expected True or False")

    @property
    def compiled(self) -> bool:
        """Whether training runs in kernels of its own, not on the graph."""
        return (
            self.objective == "negative_sampling"
            and self.backend != "cupy"
            and (self.architecture == "skipgram" or self.combine != "concat")
        )

    @property
    def kind(self) -> int:
        """The architecture as `definition.train` has it."""
        if self.architecture == "cbow":
            return CBOW
        return SKIPGRAM if self.shared_negatives else PAIRS

    def __repr__(self) -> str:
        changed = (
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(Settings)
            if getattr(self, field.name) != field.default
        )
        return f"{type(self).__name__}({', '.join(changed)})"


def _integer(name: str, value: object, least: int) -> int:
    """Return the value as an int.  Raises TypeError for another type, ValueError below `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"Word2Vec: {name} is {value!r}, expected an integer")
    number = operator.index(value)
    if number < least:
        raise ValueError(f"Word2Vec: {name} is {number}, expected {least} or more")
    return number


def _number(name: str, value: object) -> float:
    """Return the value as a finite float.  Raises TypeError, ValueError for others."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"Word2Vec: {name} is {value!r}, expected a number")
    if not math.isfinite(value):
        raise ValueError(f"Word2Vec: {name} is {value}, expected a finite number")
    return float(value)


def _choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"Word2Vec: {name} is {value!r}, expected one of {', '.join(known)}")
