"""Numbers that say how good a model is. All take arrays, Tensors or lists, and return floats."""

from .classification import accuracy, macro_f1, unweighted_recall
from .entities import F1, Entity, entities, entity_f1
from .losses import bits, perplexity
from .text import bleu, character_error_rate, word_error_rate
from .verification import equal_error_rate, normalized_cosines

__all__ = [
    "F1",
    "Entity",
    "accuracy",
    "bits",
    "bleu",
    "character_error_rate",
    "entities",
    "entity_f1",
    "equal_error_rate",
    "macro_f1",
    "normalized_cosines",
    "perplexity",
    "unweighted_recall",
    "word_error_rate",
]
