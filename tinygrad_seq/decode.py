"""Decoding: sequences generated from any step function, token by token."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .engine.backend import backend_of
from .engine.modes import no_grad
from .engine.random import Generator, chosen
from .engine.tensor import Tensor

Step = Callable[[Any, np.ndarray], tuple[Any, Tensor]]
"""state, logits (B, V) = step(state, tokens (B,))"""

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


def read(step: Step, state: Any, tokens: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return (state, logits (B, V)) after the tokens (T, B) of a prompt, T at least 1.

    Raises ValueError for an empty prompt, FloatingPointError for logits that are NaN.
    """
    if len(tokens) == 0:
        raise ValueError("the prompt is empty, expected at least one token")
    with no_grad():
        for row in tokens:
            state, logits = step(state, row)
    return state, _host(logits)


def generate(
    step: Step,
    state: Any,
    prompt: np.ndarray,
    *,
    choose: Choice = greedy,
    max_length: int = 100,
    eos: int | None = None,
) -> list[list[int]]:
    """Return, for each of B prompts, the tokens that follow it: up to `eos` (left out).

    step: state, logits (B, V) = step(state, tokens (B,)), a model's next step
    state: the state before the prompt, whatever `step` takes
    prompt (T, B) integers, T at least 1: the seed word, the start-of-sentence token, a text
    choose: tokens (B,) from logits (B, V): `greedy`, a Sampler, or any function
    max_length: number of tokens after which to stop in any case
    Raises ValueError for an empty prompt or a negative max_length, FloatingPointError for logits
    that are NaN.
    Source: the lecture's "Generating a New Sequence with NLM".
    """
    if max_length < 0:
        raise ValueError(f"max_length is {max_length}, expected 0 or more")
    prompt = np.asarray(prompt)
    if prompt.ndim != 2 or len(prompt) == 0:
        raise ValueError(f"the prompt is {prompt.shape}, expected (T, B), T at least 1")
    written: list[list[int]] = [[] for _ in range(prompt.shape[1])]
    open_rows = np.ones(prompt.shape[1], bool)
    for _ in range(max_length):
        state, logits = read(step, state, prompt)
        tokens = np.asarray(choose(logits))
        open_rows &= tokens != (-1 if eos is None else eos)
        if not open_rows.any():
            break
        for b in np.flatnonzero(open_rows):
            written[b].append(int(tokens[b]))
        prompt = tokens[None]
    return written


def _host(logits: Tensor) -> np.ndarray:
    """Return the logits as a NumPy array. Raises FloatingPointError if one is NaN."""
    host: np.ndarray = backend_of(logits.array).to_numpy(logits.array)
    if np.isnan(host).any():
        raise FloatingPointError("the step returned logits that are NaN")
    return host
