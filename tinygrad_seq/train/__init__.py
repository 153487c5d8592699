"""Training: the loop, what it leaves behind, and the numbers that judge a model."""

from .history import History
from .metrics import bits, perplexity
from .trainer import Trainer

__all__ = ["History", "Trainer", "bits", "perplexity"]
