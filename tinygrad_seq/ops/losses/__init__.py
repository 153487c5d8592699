"""Losses: of predictions beside targets, and of vectors beside each other."""

from .predictions import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    cross_entropy_rows,
    l1_loss,
    mse_loss,
    nll_loss,
    reduced,
)
from .similarity import (
    cosine_embedding_loss,
    cosine_similarity,
    ge2e_contrast_loss,
    ge2e_similarity,
    ge2e_softmax_loss,
    pairwise_distance,
    triplet_loss,
)

__all__ = [
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "cross_entropy_rows",
    "ge2e_contrast_loss",
    "ge2e_similarity",
    "ge2e_softmax_loss",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "pairwise_distance",
    "reduced",
    "triplet_loss",
]
