"""Text and sequences as arrays: words and characters, vocabularies, batches."""

from . import audio, features, series, synthetic, voices
from .batches import (
    GeneratedBatches,
    PaddedBatches,
    Prefetcher,
    TruncatedBPTT,
    pad_sequences,
)
from .corpus import (
    Corpus,
    Tagged,
    built_in_text,
    load_corpus,
    part_of,
    read_columns,
    read_groups,
    read_labelled,
    read_pairs,
    read_tagged,
)
from .recordings import (
    AudioFolder,
    Recording,
    Trial,
    leave_one_out,
    read_recordings,
    read_table,
    read_trials,
)
from .text import characters, join_words, read_text, words
from .vocabulary import SPECIALS, Vocabulary

__all__ = [
    "SPECIALS",
    "AudioFolder",
    "Corpus",
    "GeneratedBatches",
    "PaddedBatches",
    "Prefetcher",
    "Recording",
    "Tagged",
    "Trial",
    "TruncatedBPTT",
    "Vocabulary",
    "audio",
    "built_in_text",
    "characters",
    "features",
    "join_words",
    "leave_one_out",
    "load_corpus",
    "pad_sequences",
    "part_of",
    "read_columns",
    "read_groups",
    "read_labelled",
    "read_pairs",
    "read_recordings",
    "read_table",
    "read_tagged",
    "read_text",
    "read_trials",
    "series",
    "synthetic",
    "voices",
    "words",
]
