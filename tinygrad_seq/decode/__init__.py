"""Decoding: sequences out of any step function or any frames: greedy, sampled, by beams, by CTC."""

from .alignment import best_path
from .beam import Hypothesis, beam_search
from .choice import Choice, Sampler, greedy
from .generation import Step, generate, read
from .translation import translate, translate_texts

__all__ = [
    "Choice",
    "Hypothesis",
    "Sampler",
    "Step",
    "beam_search",
    "best_path",
    "generate",
    "greedy",
    "read",
    "translate",
    "translate_texts",
]
