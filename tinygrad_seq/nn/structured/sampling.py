"""Scheduled sampling: a model trained on what it would have written itself, now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ops
from ...engine.backend import backend_of, values, xp
from ...engine.checks import fraction
from ...engine.random import Generator, chosen
from ...engine.tensor import Tensor


def scheduled_sampling(
    step: Callable[[Any, Any], tuple[Any, Tensor]],
    state: Any,
    inputs: Any,
    probability: float,
    choose: Callable[[np.ndarray], np.ndarray],
    generator: Generator | None = None,
) -> tuple[Tensor, Any]:
    """Return (logits (T, B, V) of what follows each input, the state after the last).

    step: state, logits (B, V) = step(state, tokens (B,)), from this state on
    inputs (T, B) integers, T at least 1
    probability: that an input after the first is the model's own, choose(logits) of the step
    before, in place of the given one; no gradient flows through the choice
    choose: tokens (B,) from logits (B, V) on the host, such as `decode.greedy`
    Raises ValueError or TypeError for a probability that is none.
    Source: Bengio, Vinyals, Jaitly & Shazeer 2015.
    """
    probability = fraction("scheduled_sampling: probability", probability)
    given, random = values(inputs), chosen(generator).numpy
    tokens, each = given[0], []
    for t in range(len(given)):
        state, logits = step(state, tokens)
        each.append(logits)
        if t + 1 < len(given):
            own = random.random(logits.shape[0]) < probability
            drawn = choose(backend_of(logits.array).to_numpy(logits.array))
            f = xp(logits.array)
            tokens = f.where(f.asarray(own), f.asarray(drawn), f.asarray(given[t + 1]))
    return ops.stack(each), state
