"""How alike vectors are, and losses that make those alike that belong together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.backend import values, xp
from ...engine.tensor import Tensor, tensor_at
from ..activations import relu, sigmoid
from ..elementwise import abs, maximum, minimum, pow, sqrt, where
from ..reductions import logsumexp, max, mean, sum
from ..shape import expand_dims
from .predictions import check_same_shape, reduced


def cosine_similarity(x: Tensor, y: Any, axis: int = -1, eps: float = 1e-8) -> Tensor:
    """x · y / (max(|x|, eps) · max(|y|, eps)) along the axis: the cosine."""
    length_x = sqrt(maximum(sum(x * x, axis), eps * eps))
    length_y = sqrt(maximum(sum(y * y, axis), eps * eps))
    return sum(x * y, axis) / (length_x * length_y)


def pairwise_distance(x: Tensor, y: Any, p: float = 2.0, eps: float = 1e-6) -> Tensor:
    """(Σ |x - y + eps|^p)^(1/p) along the last axis: the distance, never quite 0.

    x, y (..., D), which broadcast   p: more than 0   ->   (...)
    Raises ValueError for another p.
    """
    if not p > 0:
        raise ValueError(f"pairwise_distance: p is {p}, expected more than 0")
    return pow(sum(pow(abs(x - y + eps), p), -1), 1 / p)


def triplet_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0); PyTorch's triplet_margin_loss.

    anchor, positive, negative (..., D)   d: `pairwise_distance` with p and eps
    swap: whether d(positive, negative) counts in place of d(anchor, negative) where it is smaller
    reduction: "mean", "sum", or "none", (...)
    Raises ValueError if the shapes differ.
    Source: Schroff, Kalenichenko & Philbin 2015; swap, Balntas et al. 2016.
    """
    for name, other in (("positive", positive), ("negative", negative)):
        if other.shape != anchor.shape:
            raise ValueError(f"triplet_loss: {name}: {other.shape}, expected {anchor.shape}")
    apart = pairwise_distance(anchor, negative, p, eps)
    if swap:
        apart = minimum(apart, pairwise_distance(positive, negative, p, eps))
    return reduced(relu(pairwise_distance(anchor, positive, p, eps) - apart + margin), reduction)


def cosine_embedding_loss(
    x: Tensor, y: Tensor, targets: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 - cos(x, y) where the target is 1, max(cos(x, y) - margin, 0) where it is -1.

    x, y (N, D)   targets (N,), 1 or -1
    Raises ValueError for shapes that do not fit, or other targets.
    """
    check_same_shape("cosine_embedding_loss", x, y)
    labels = values(targets)
    labels = labels if hasattr(labels, "shape") else xp(values(x)).asarray(labels)
    if labels.shape != x.shape[:-1]:
        raise ValueError(f"cosine_embedding_loss: targets: {labels.shape}, expected {x.shape[:-1]}")
    if not bool(((labels == 1) | (labels == -1)).all()):
        raise ValueError("cosine_embedding_loss: targets: expected nothing but 1 and -1")
    cosine = cosine_similarity(x, y)
    together = tensor_at(labels == 1, None)
    return reduced(where(together, 1 - cosine, relu(cosine - margin)), reduction)


# ---- generalised end-to-end ----------------------------------------------------------------------


def ge2e_similarity(embeddings: Tensor) -> Tensor:
    """Cosines between each utterance and each speaker's centroid, its own without itself.

    embeddings (N, M, D), of N speakers M utterances each, M at least 2   ->   (N, M, N)
    Raises ValueError for another shape.
    Source: Wan, Wang, Papir & Lopez Moreno 2018, eq. 1, 8, 9.
    """
    if embeddings.ndim != 3 or embeddings.shape[1] < 2 or 0 in embeddings.shape:
        raise ValueError(
            f"ge2e_similarity: embeddings are {embeddings.shape}, expected (N, M, D), M at least 2"
        )
    speakers, count, _ = embeddings.shape
    centroids = mean(embeddings, 1)  # (N, D)
    others = (sum(embeddings, 1, keepdims=True) - embeddings) / (count - 1)  # (N, M, D)
    every = cosine_similarity(expand_dims(embeddings, 2), centroids)  # (N, M, N)
    own = cosine_similarity(embeddings, others)  # (N, M)
    return where(_own(embeddings, speakers), expand_dims(own, 2), every)


def _own(like: Tensor, speakers: int) -> Tensor:
    """Return booleans (N, 1, N): whether a centroid is the utterance's own speaker's."""
    return tensor_at(xp(values(like)).asarray(np.eye(speakers, dtype=bool)[:, None]), None)


def ge2e_softmax_loss(similarity: Tensor, reduction: str = "mean") -> Tensor:
    """-log of the softmax of an utterance's similarities, at its own speaker.

    similarity (N, M, N), scaled: w · `ge2e_similarity` + b   ->   (N, M), or their mean or sum
    Source: Wan, Wang, Papir & Lopez Moreno 2018, eq. 6.
    """
    return reduced(logsumexp(similarity, -1) - _of_own(similarity), reduction)


def ge2e_contrast_loss(similarity: Tensor, reduction: str = "mean") -> Tensor:
    """1 - σ(own speaker's similarity) + the largest σ(other speaker's similarity).

    similarity (N, M, N), scaled: w · `ge2e_similarity` + b, N at least 2   ->   (N, M), or reduced
    Source: Wan, Wang, Papir & Lopez Moreno 2018, eq. 7.
    """
    others = where(_own(similarity, similarity.shape[0]), -1.0, sigmoid(similarity))
    return reduced(1 - sigmoid(_of_own(similarity)) + max(others, -1), reduction)


def _of_own(similarity: Tensor) -> Tensor:
    """Return each utterance's similarity to its own speaker: (N, M, N) -> (N, M)."""
    if similarity.ndim != 3 or similarity.shape[0] != similarity.shape[2]:
        raise ValueError(f"ge2e loss: similarities are {similarity.shape}, expected (N, M, N)")
    return sum(where(_own(similarity, similarity.shape[0]), similarity, 0.0), -1)
