"""Beam search over any step function: the likeliest of many continuations, side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..engine.backend import is_array, xp
from ..engine.modes import no_grad
from ..engine.tensor import Tensor, tensor_at
from .generation import Step, check_prompt, read


class Hypothesis(NamedTuple):
    """Tokens that may follow a prompt, `eos` left out, and their score (larger is better)."""

    tokens: list[int]
    score: float


def beam_search(
    step: Step,
    state: Any,
    prompt: np.ndarray,
    *,
    beam: int = 5,
    max_length: int = 100,
    eos: int | None = None,
    length_penalty: float = 0.6,
) -> list[list[Hypothesis]]:
    """Return, for each of B prompts, up to `beam` continuations, the best first.

    step: state, logits (B · beam, V) = step(state, tokens (B · beam,)), a model's next step
    state: the state before the prompt: Tensors and arrays (B, ...) in nested tuples, lists, dicts
    prompt (T, B) integers, T at least 1
    beam: how many continuations are kept; those that have ended compete with those that have not
    max_length: number of tokens, `eos` among them, after which to stop in any case
    length_penalty: α of the score log p(tokens) / ((5 + n) / 6)^α of n tokens, `eos` counted
    Beam 1 is `generate` with `greedy`; a beam as wide as there are continuations finds the best.
    Raises ValueError for an empty prompt, a beam below 1, a negative max_length or length_penalty,
    or a state whose parts are not B long, FloatingPointError for logits that are NaN or inf.
    Source: length penalty, Wu et al. 2016, eq. 14.
    """
    prompt = check_prompt(prompt, max_length)
    if beam < 1:
        raise ValueError(f"beam is {beam}, expected at least 1")
    if not 0 <= length_penalty < np.inf:
        raise ValueError(f"length_penalty is {length_penalty}, expected a number of 0 or more")
    batch = prompt.shape[1]
    found = _Beams(batch, beam, max_length, -1 if eos is None else eos, length_penalty)
    if batch == 0:
        return []
    for n in range(max_length):
        if found.ended.all():
            break
        state, logits = read(step, state, prompt)
        if n == 0:
            state = rows_of(state, np.arange(batch).repeat(beam), batch)
            logits = logits.repeat(beam, axis=0)
        rows, tokens = found.extend(_log_softmax(logits), n)
        state, prompt = rows_of(state, rows, batch * beam), tokens[None]
    return found.hypotheses()


class _Beams:
    """The continuations that are kept: their tokens, how likely they are, and which have ended."""

    def __init__(self, batch: int, beam: int, limit: int, eos: int, penalty: float) -> None:
        self.shape, self.eos, self.penalty = (batch, beam), eos, penalty
        self.written = np.zeros((batch, beam, limit), np.int64)
        self.lengths = np.zeros((batch, beam), np.int64)  # eos counted
        self.totals = np.full((batch, beam), -np.inf)  # log-probabilities
        self.totals[:, 0] = 0.0  # at first there is one continuation: nothing
        self.ended = np.zeros((batch, beam), bool)

    def scores(self, totals: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the scores of continuations with these log-probabilities and lengths."""
        scores: np.ndarray = totals / ((5 + lengths) / 6) ** self.penalty
        return scores

    def extend(self, log_probs: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows (B · beam,) go on, and their next tokens; keeps the best.

        log_probs (B · beam, V) of the tokens number n
        """
        batch, beam = self.shape
        totals = self.totals[:, :, None] + log_probs.reshape(batch, beam, -1)  # (B, beam, V)
        if self.eos >= 0:  # what has ended goes on as it is, by one eos more that counts nothing
            totals[self.ended] = -np.inf
            totals[self.ended, self.eos] = self.totals[self.ended]
        lengths = np.where(self.ended, self.lengths, n + 1)
        scores = self.scores(totals, lengths[:, :, None]).reshape(batch, -1)
        every = np.arange(batch)
        best = np.empty((batch, beam), np.int64)
        possible = np.empty((batch, beam), bool)
        for i in range(beam):  # not by a partition, which takes equal ones in any order
            best[:, i] = scores.argmax(axis=1)
            possible[:, i] = scores[every, best[:, i]] > -np.inf
            scores[every, best[:, i]] = -np.inf
        origins, tokens = np.divmod(best, totals.shape[2])
        rows = every[:, None]
        self.totals = np.where(possible, totals[rows, origins, tokens], -np.inf)
        self.written, self.lengths = self.written[rows, origins], lengths[rows, origins]
        self.written[:, :, n] = tokens
        self.ended = self.ended[rows, origins] | (tokens == self.eos)
        return (rows * beam + origins).reshape(-1), tokens.reshape(-1)

    def hypotheses(self) -> list[list[Hypothesis]]:
        """Return what was found, the best first; continuations that are impossible left out."""
        scores, found = self.scores(self.totals, self.lengths), []
        for b, order in enumerate(np.argsort(-scores, axis=1, kind="stable")):
            possible = [i for i in order if scores[b, i] > -np.inf]
            ends = {i: self.lengths[b, i] - self.ended[b, i] for i in possible}
            found.append(
                [
                    Hypothesis(self.written[b, i, : ends[i]].tolist(), float(scores[b, i]))
                    for i in possible
                ]
            )
        return found


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return log-probabilities in float64; impossible throughout where all logits are -inf."""
    x = logits.astype(np.float64)
    top = x.max(axis=1, keepdims=True)
    x -= np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(x).sum(axis=1, keepdims=True))
    log_probs: np.ndarray = x - np.where(np.isfinite(total), total, 0.0)
    return log_probs


def rows_of(state: Any, rows: np.ndarray, count: int) -> Any:
    """Return a state's rows: of each Tensor or array (count, ...) in it those of these numbers.

    Raises ValueError for one of another length, TypeError for what is neither, None apart.
    """
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(rows_of(part, rows, count) for part in state))
    if isinstance(state, (tuple, list)):
        return type(state)(rows_of(part, rows, count) for part in state)
    if isinstance(state, dict):
        return {key: rows_of(part, rows, count) for key, part in state.items()}
    if state is None:
        return None
    array = state.array if isinstance(state, Tensor) else state
    if not is_array(array):
        raise TypeError(f"a state holds a {type(state).__name__}, expected Tensors or arrays")
    if array.ndim == 0 or len(array) != count:
        raise ValueError(f"a state holds an array {array.shape}, expected ({count}, ...)")
    with no_grad():
        chosen = array[xp(array).asarray(rows)]
    return tensor_at(chosen, None) if isinstance(state, Tensor) else chosen
