"""Text and sequences as arrays: words and characters, vocabularies, batches."""

from tinygrad_seq.data.batches import PaddedBatches, TruncatedBPTT
from tinygrad_seq.data.corpus import Corpus, built_in_text, load_corpus
from tinygrad_seq.data.padding import pad_sequences
from tinygrad_seq.data.text import characters, join_words, read_text, words
from tinygrad_seq.data.vocabulary import SPECIALS, Vocabulary

__all__ = [
    "SPECIALS",
    "Corpus",
    "PaddedBatches",
    "TruncatedBPTT",
    "Vocabulary",
    "built_in_text",
    "characters",
    "join_words",
    "load_corpus",
    "pad_sequences",
    "read_text",
    "words",
]
