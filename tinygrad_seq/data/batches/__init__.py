"""Batches with time first, each kind knowing its position in the epoch."""

from .generated import GeneratedBatches
from .padded import PaddedBatches
from .padding import pad_sequences
from .prefetch import Prefetcher
from .truncated import TruncatedBPTT

__all__ = ["GeneratedBatches", "PaddedBatches", "Prefetcher", "TruncatedBPTT", "pad_sequences"]
