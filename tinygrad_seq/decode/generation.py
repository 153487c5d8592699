"""Sequences generated from any step function, token by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.backend import backend_of
from ..engine.modes import no_grad
from ..engine.tensor import Tensor
from .choice import Choice, greedy

Step = Callable[[Any, np.ndarray], tuple[Any, Tensor]]
"""state, logits (B, V) = step(state, tokens (B,))"""


def read(step: Step, state: Any, tokens: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return (state, logits (B, V)) after the tokens (T, B) of a prompt, T at least 1.

    Raises ValueError for an empty prompt, FloatingPointError for logits that are NaN or inf.
    """
    if len(tokens) == 0:
        raise ValueError("the prompt is empty, expected at least one token")
    with no_grad():
        for row in tokens:
            state, logits = step(state, row)
    return state, _checked(logits)


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
    that are NaN or inf.
    Source: the lecture's "Generating a New Sequence with NLM".
    """
    prompt = check_prompt(prompt, max_length)
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


def check_prompt(prompt: np.ndarray, max_length: int) -> np.ndarray:
    """Return the prompt as an array. Raises ValueError for an empty one, or a negative length."""
    if max_length < 0:
        raise ValueError(f"max_length is {max_length}, expected 0 or more")
    prompt = np.asarray(prompt)
    if prompt.ndim != 2 or len(prompt) == 0:
        raise ValueError(f"the prompt is {prompt.shape}, expected (T, B), T at least 1")
    return prompt


def _checked(logits: Tensor) -> np.ndarray:
    """Return the logits as a NumPy array. Raises FloatingPointError if one is NaN or inf."""
    host: np.ndarray = backend_of(logits.array).to_numpy(logits.array)
    if not (host < np.inf).all():  # -inf is a token that cannot be
        raise FloatingPointError("the step returned logits that are NaN or infinite")
    return host
