"""Text and sequences as arrays: words and characters, vocabularies, batches."""

from tinygrad_seq.data.batches import PaddedBatches, TruncatedBPTT
from tinygrad_seq.data.padding import pad_sequences
from tinygrad_seq.data.text import characters, join_words, read_text, words
from tinygrad_seq.data.vocabulary import SPECIALS, Vocabulary

__all__ = [
    "SPECIALS",
    "PaddedBatches",
    "TruncatedBPTT",
    "Vocabulary",
    "characters",
    "join_words",
    "pad_sequences",
    "read_text",
    "words",
]
