"""Attention, encoders and decoders, tags in chains, similarity of speakers."""

from .attention import AdditiveAttention, Attention, DotAttention, GeneralAttention, Memory
from .crf import CRF
from .similarity import GE2E

__all__ = [
    "CRF",
    "GE2E",
    "AdditiveAttention",
    "Attention",
    "DotAttention",
    "GeneralAttention",
    "Memory",
]
