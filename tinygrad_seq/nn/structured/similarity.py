"""GE2E: embeddings of one speaker (or any class) near its centroid, and far from the others'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ops
from ...engine.creation import ones
from ...engine.tensor import Tensor
from ..module import Module, Parameter


class GE2E(Module):
    """loss(w · cos(utterance, centroid) + b), w kept above 0.

    loss: `ops.ge2e_softmax_loss` or `ops.ge2e_contrast_loss`
    weight w starts at 10, bias b at -5
    Source: Wan, Wang, Papir & Lopez Moreno 2018, eq. 5-9.
    """

    def __init__(
        self, loss: Callable[[Tensor], Tensor] = ops.ge2e_softmax_loss, dtype: Any = np.float32
    ) -> None:
        self.loss = loss
        self.weight = Parameter(ones(dtype=dtype) * 10.0)
        self.bias = Parameter(ones(dtype=dtype) * -5.0)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the loss of embeddings (N, M, D): N speakers, M utterances each, M at least 2."""
        similarity = ops.ge2e_similarity(embeddings)
        return self.loss(ops.maximum(self.weight, 1e-6) * similarity + self.bias)
