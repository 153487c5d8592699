"""Sums over all paths through time, exact and in log space: alignments of CTC, tags of a CRF."""

from .crf import crf_log_partition
from .ctc import ctc_alignments, ctc_loss

__all__ = ["crf_log_partition", "ctc_alignments", "ctc_loss"]
