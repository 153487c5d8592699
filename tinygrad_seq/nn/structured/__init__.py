"""Modules for sequences from sequences: attention, encoders and decoders, and tags in chains."""

from .attention import AdditiveAttention, Attention, DotAttention, GeneralAttention, Memory
from .crf import CRF

__all__ = ["CRF", "AdditiveAttention", "Attention", "DotAttention", "GeneralAttention", "Memory"]
