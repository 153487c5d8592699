"""Attention, encoders and decoders, tags in chains, similarity of speakers."""

from .attention import AdditiveAttention, Attention, DotAttention, GeneralAttention, Memory
from .crf import CRF
from .sampling import scheduled_sampling
from .seq2seq import Decoder, DecoderState, Encoder, Seq2Seq
from .similarity import GE2E

__all__ = [
    "CRF",
    "GE2E",
    "AdditiveAttention",
    "Attention",
    "Decoder",
    "DecoderState",
    "DotAttention",
    "Encoder",
    "GeneralAttention",
    "Memory",
    "Seq2Seq",
    "scheduled_sampling",
]
