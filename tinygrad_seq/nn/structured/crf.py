"""CRF: tags that depend on their neighbours, scored and found as whole sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...engine.backend import backend_of, values, xp
from ...engine.random import Generator
from ...engine.tensor import Tensor, tensor_at
from ...ops.losses import reduced
from ...ops.scan import check_lengths
from .._check import check_input, check_sizes
from ..linear import uniform_parameter
from ..module import Module


class CRF(Module):
    """A linear-chain conditional random field: p(tags) = exp(score(tags)) / Σ exp(score(any tags)).

    score(y) = start[y_0] + Σ_t emissions[t, y_t] + Σ_t transitions[y_(t-1), y_t] + end[y_last]
    transitions (K, K), from row to column, start_transitions and end_transitions (K,) start
    uniform in ±0.1; one of -inf forbids
    Raises ValueError for fewer than one tag.
    Source: Lafferty, McCallum & Pereira 2001.
    """

    def __init__(
        self, num_tags: int, dtype: Any = np.float32, generator: Generator | None = None
    ) -> None:
        check_sizes("CRF", num_tags=num_tags)
        self.num_tags = num_tags
        self.start_transitions = uniform_parameter((num_tags,), 0.1, dtype, generator)
        self.end_transitions = uniform_parameter((num_tags,), 0.1, dtype, generator)
        self.transitions = uniform_parameter((num_tags, num_tags), 0.1, dtype, generator)

    def forward(
        self, emissions: Tensor, tags: Any, lengths: Any = None, reduction: str = "mean"
    ) -> Tensor:
        """Return the loss: -log p(tags), in nats a sequence.

        emissions (T, B, K), scores of each tag; tags (T, B), integers from 0 to K - 1
        lengths (B,), 0 to T: what lies beyond is padding; the loss of nothing is 0
        reduction: "mean" over the sequences, "sum", or "none"
        Raises ValueError, TypeError or IndexError for shapes, lengths or tags that do not fit.
        """
        total = self.log_partition(emissions, lengths)
        return reduced(total - self.score(emissions, tags, lengths), reduction)

    def log_partition(self, emissions: Tensor, lengths: Any = None) -> Tensor:
        """Return log Σ exp(score) over all sequences of tags: (T, B, K) -> (B,)."""
        host = self._lengths(emissions, lengths)
        start, end = self.start_transitions, self.end_transitions
        return ops.crf_log_partition(emissions, self.transitions, start, end, host)

    def score(self, emissions: Tensor, tags: Any, lengths: Any = None) -> Tensor:
        """Return the score of these tags (T, B): (B,). Raises IndexError for tags out of range."""
        host = self._lengths(emissions, lengths)
        f, steps = xp(emissions.array), len(emissions)
        inside = np.arange(steps)[:, None] < host  # (T, B)
        y = f.asarray(self._tags(tags, inside))
        rows, here = f.arange(len(host)), tensor_at(f.asarray(inside), None)
        at = emissions[f.arange(steps)[:, None], rows, y]
        total = ops.where(here, at, 0.0).sum(axis=0)
        if steps > 1:
            moves = self.transitions[y[:-1], y[1:]]
            total = total + ops.where(here[1:], moves, 0.0).sum(axis=0)
        last = y[f.asarray(np.maximum(host - 1, 0)), rows]
        ends = self.start_transitions[y[0]] + self.end_transitions[last]
        return total + ops.where(here[0], ends, 0.0)

    def viterbi(self, emissions: Tensor, lengths: Any = None) -> tuple[list[list[int]], np.ndarray]:
        """Return the tags of the highest score for each sequence, and these scores (B,).

        Of equal ones, those of the lower numbers from the end on.
        Source: Viterbi 1967.
        """
        host = self._lengths(emissions, lengths)
        x, moves, start, end = (
            backend_of(p.array).to_numpy(p.array)
            for p in (emissions, self.transitions, self.start_transitions, self.end_transitions)
        )
        best, origins = start + x[0], []
        for t in range(1, len(x)):
            paths = best[:, :, None] + moves  # (B, from, to)
            origins.append(paths.argmax(axis=1))
            best = np.where((t < host)[:, None], paths.max(axis=1) + x[t], best)
        scores = np.where(host > 0, (best + end).max(axis=1), 0)
        last = (best + end).argmax(axis=1)
        found = []
        for b, length in enumerate(host):
            tags = [int(last[b])][:length]
            for t in range(length - 2, -1, -1):
                tags.append(int(origins[t][b, tags[-1]]))
            found.append(tags[::-1])
        return found, scores

    def _lengths(self, emissions: Tensor, lengths: Any) -> np.ndarray:
        """Return the lengths on the host, after checking them and the emissions."""
        check_input("CRF: emissions", emissions, self.num_tags, self.transitions)
        if emissions.ndim != 3 or emissions.shape[0] == 0:
            raise ValueError(f"CRF: emissions are {emissions.shape}, expected (T, B, K)")
        steps, batch, _ = emissions.shape
        return check_lengths(np.full(batch, steps) if lengths is None else lengths, steps, batch)

    def _tags(self, tags: Any, inside: np.ndarray) -> np.ndarray:
        """Return the tags (T, B) on the host, 0 in the padding; raises for those out of range."""
        array = values(tags)
        host = np.asarray(array) if isinstance(array, list) else backend_of(array).to_numpy(array)
        if host.shape != inside.shape:
            raise ValueError(f"CRF: tags are {host.shape}, expected {inside.shape}")
        if host.dtype.kind not in "iu":
            raise TypeError(f"CRF: tags are {host.dtype}, expected integers")
        wrong = inside & ((host < 0) | (host >= self.num_tags))
        if wrong.any():
            t, b = np.argwhere(wrong)[0]
            raise IndexError(
                f"CRF: tag {t} of sequence {b} is {host[t, b]}, expected 0 to {self.num_tags - 1}"
            )
        return np.where(inside, host, 0)

    def describe(self) -> str:
        """Return the number of tags."""
        return str(self.num_tags)
