"""Word vectors: training, using, evaluating and saving them."""

from .vectors import WordVectors

__all__ = ["WordVectors"]
