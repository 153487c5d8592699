"""What a loss in nats amounts to."""

from __future__ import annotations

import math


def perplexity(loss: float) -> float:
    """Return exp(loss): how many equally likely tokens a loss in nats a token amounts to.

    NaN for NaN, infinite where it is beyond float64.
    """
    return math.inf if loss >= 709.0 else math.exp(loss)


def bits(loss: float) -> float:
    """Return a loss in nats as bits: loss / log 2."""
    return loss / math.log(2.0)
