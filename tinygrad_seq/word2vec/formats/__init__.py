"""Files of word vectors: word2vec's, GloVe's, and a mapped one of our own."""

from .reading import read_counts, read_vectors
from .stored import store, stored
from .writing import write_counts, write_vectors

__all__ = [
    "read_counts",
    "read_vectors",
    "store",
    "stored",
    "write_counts",
    "write_vectors",
]
