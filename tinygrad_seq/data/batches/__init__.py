"""Batches with time first, each kind knowing its position in the epoch."""

from .aligned import next_step_batches, pair_batches
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
    "next_step_batches",
    "pad_sequences",
    "pair_batches",
]
