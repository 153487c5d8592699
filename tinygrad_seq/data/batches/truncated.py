"""Windows of one long stream, for truncated backpropagation through time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ...engine import checks
from .padding import Array, Ids
from .position import Epochs


class TruncatedBPTT(Epochs):
    """Windows of B parallel streams cut from one text, for truncated backpropagation through time.

    ids (N,) integers;  iterating gives x (T, B), y (T, B) int64,  y[t] the token after x[t]
    Column b of each batch continues column b of the batch before, so a state can be carried on.
    Of the S = (N-1) // batch_size steps of a stream, each is a target once an epoch; the last
    window may be shorter than `length`.
    Iterating starts at the position within the epoch, which `state_dict` holds; at the end the
    next epoch begins. An iterator raises RuntimeError once another is made or a state is loaded.
    Raises TypeError for other dtypes, ValueError for sizes below 1 or a text too short.
    """

    def __init__(self, ids: npt.ArrayLike, batch_size: int, length: int) -> None:
        self.batch_size = checks.integer("TruncatedBPTT: batch_size", batch_size, 1)
        self.length = checks.integer("TruncatedBPTT: length", length, 1)
        stream = np.asarray(ids)
        if stream.ndim != 1:
            raise ValueError(f"TruncatedBPTT: ids have shape {stream.shape}, expected (N,)")
        if stream.size <= self.batch_size:
            needed = f"at least {self.batch_size + 1}, one more than batch_size"
            raise ValueError(f"TruncatedBPTT: {stream.size} ids, expected {needed}")
        if stream.dtype.kind not in "iu" or not np.can_cast(stream.dtype, np.int64):
            raise TypeError(f"TruncatedBPTT: ids have dtype {stream.dtype}, expected integers")
        self.steps = (stream.size - 1) // self.batch_size
        used = self.steps * self.batch_size
        self._inputs = stream[:used].reshape(self.batch_size, self.steps)  # (B, S)
        self._targets = stream[1 : used + 1].reshape(self.batch_size, self.steps)  # (B, S)
        self._checksum = zlib.crc32(np.ascontiguousarray(stream, dtype=np.int64).data)
        super().__init__()

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-self.steps // self.length)

    def __iter__(self) -> Iterator[tuple[Ids, Ids]]:
        def batch(i: int) -> tuple[Ids, Ids]:
            window = slice(i * self.length, (i + 1) * self.length)
            return self._window(self._inputs, window), self._window(self._targets, window)

        return self._rest(batch)

    def _settings(self) -> dict[str, int]:
        return {
            "batch_size": self.batch_size,
            "length": self.length,
            "steps": self.steps,
            "checksum": self._checksum,
        }

    @staticmethod
    def _window(streams: Array, window: slice) -> Ids:
        return np.array(streams[:, window].T, dtype=np.int64, order="C")  # (T, B)
