"""Batches with time first, each kind knowing its position in the epoch."""

from .generated import GeneratedBatches
from .padded import PaddedBatches
from .padding import pad_sequences
from .position import Batches
from .prefetch import Prefetcher
from .truncated import TruncatedBPTT

__all__ = [
    "Batches",
    "GeneratedBatches",
    "PaddedBatches",
    "Prefetcher",
    "TruncatedBPTT",
    "pad_sequences",
]
