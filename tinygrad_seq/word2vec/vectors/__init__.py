"""Trained word vectors: using, evaluating, saving and drawing them."""

from .word_vectors import WordVectors

__all__ = ["WordVectors"]
