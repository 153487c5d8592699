"""Word vectors: training, using, evaluating and saving them."""

from .corpus import EncodedCorpus
from .phrases import Phrases
from .trainer import Word2Vec
from .vectors import WordVectors, correlation_table, feature_table, one_hot_table, open_vectors

__all__ = [
    "EncodedCorpus",
    "Phrases",
    "Word2Vec",
    "WordVectors",
    "correlation_table",
    "feature_table",
    "one_hot_table",
    "open_vectors",
]
