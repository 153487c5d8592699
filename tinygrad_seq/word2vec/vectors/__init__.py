"""Trained word vectors: using, evaluating, saving and drawing them."""

from .correlations import correlation_table, feature_table, one_hot_table
from .opening import open_vectors
from .word_vectors import WordVectors

__all__ = ["WordVectors", "correlation_table", "feature_table", "one_hot_table", "open_vectors"]
