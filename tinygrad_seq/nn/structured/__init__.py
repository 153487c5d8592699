"""Modules for sequences from sequences: attention, encoders and decoders, and tags in chains."""

from .crf import CRF

__all__ = ["CRF"]
