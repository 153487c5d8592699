"""Many sequences padded to one length a batch, time first."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engine import checks
from .padding import Array, Ids, check_pad, numbers, pad_sequences, same_dtype
from .position import Epochs


class PaddedBatches(Epochs):
    """Batches of sequences padded to the longest of each batch, with their lengths.

    sequences: N of (T_i,) or (T_i, ...), T_i may be 0;  targets: N numbers, or N of (T_i,)
    outputs: N of (S_i, ...) of lengths of their own, in place of targets (translation, CTC)
    Iterating gives x (T, B, ...), lengths (B,) and, with targets, y (B,) or (T, B), with outputs,
    y (S, B, ...) and their lengths (B,); y is padded with target_pad.
    bucket: how many batches' sequences are sorted by length together; 1 sorts none. Of sequences
    and outputs, those that are longer in all are sorted by first
    The order of an epoch follows from `seed` and the epoch's number alone. Iterating starts at the
    position within the epoch, which `state_dict` holds; at the end the next epoch begins. An
    iterator raises RuntimeError once another is made or a state is loaded; a state is refused
    where lengths or integers are others.
    Raises TypeError, ValueError for sequences, targets and sizes that do not fit.
    """

    def __init__(
        self,
        sequences: Sequence[npt.ArrayLike],
        batch_size: int,
        *,
        targets: Sequence[npt.ArrayLike] | npt.ArrayLike | None = None,
        outputs: Sequence[npt.ArrayLike] | None = None,
        pad: float = 0,
        target_pad: float = -100,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        bucket: int = 1,
    ) -> None:
        self.batch_size = checks.integer("PaddedBatches: batch_size", batch_size, 1)
        self.bucket = checks.integer("PaddedBatches: bucket", bucket, 1)
        self.seed = checks.integer("PaddedBatches: seed", seed, 0)
        self.shuffle, self.drop_last = bool(shuffle), bool(drop_last)
        self.pad, self.target_pad = pad, target_pad
        self._sequences = same_dtype("PaddedBatches: sequences", sequences)
        check_pad("PaddedBatches: pad", pad, self._sequences[0].dtype)
        self._lengths = np.array([len(s) for s in self._sequences], dtype=np.int64)
        self._targets: list[Array] | Array | None = None
        if targets is not None:
            self._targets = _checked_targets(targets, self._lengths, target_pad)
        self._outputs: list[Array] | None = None
        if outputs is not None:
            self._outputs = self._checked_outputs(outputs)
        self._keys = [self._lengths]
        if self._outputs is not None:
            written = np.array([len(s) for s in self._outputs], dtype=np.int64)
            self._keys = sorted([self._lengths, written], key=np.sum)  # the last weighs the most
        if not len(self):
            few = f"{len(self._sequences)} sequences fill no batch of {batch_size}"
            raise ValueError(f"PaddedBatches: drop_last, and {few}")
        super().__init__()

    def __len__(self) -> int:
        """Batches in an epoch."""
        count = len(self._sequences)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        plan = self._plan()
        return self._rest(lambda i: self._batch(plan[i]))

    def _settings(self) -> dict[str, int]:
        return {
            "sequences": len(self._sequences),
            "batch_size": self.batch_size,
            "shuffle": int(self.shuffle),
            "seed": self.seed,
            "drop_last": int(self.drop_last),
            "bucket": self.bucket,
            "checksum": self._checksum,
        }

    @functools.cached_property
    def _checksum(self) -> int:
        """A number that other data hardly has: of all lengths and all integers.

        Floats may differ in their last bits, where threads or processors are others.
        """
        total = 0
        for lengths in self._keys:
            total = zlib.crc32(lengths.tobytes(), total)
        parts: list[Iterable[Array] | None] = [self._sequences, self._targets, self._outputs]
        for part in parts:
            for array in part if part is not None else ():
                if array.dtype.kind != "f":
                    total = zlib.crc32(array.tobytes(), total)
        return total

    def _plan(self) -> list[Ids]:
        """Return the indices of each batch of this epoch."""
        generator = np.random.default_rng([self.seed, self._epoch])
        order = np.arange(len(self._sequences))
        if self.shuffle:
            generator.shuffle(order)
        if self.bucket > 1:
            width = self.bucket * self.batch_size
            groups = [order[i : i + width] for i in range(0, len(order), width)]
            order = np.concatenate(
                [group[np.lexsort([key[group] for key in self._keys])] for group in groups]
            )
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        plan = [order[i : i + self.batch_size] for i in starts]
        if self.shuffle and self.bucket > 1:
            plan = [plan[i] for i in generator.permutation(len(plan))]
        return plan

    def _batch(self, chosen: Ids) -> tuple[Array, ...]:
        padded, lengths = pad_sequences([self._sequences[i] for i in chosen], pad=self.pad)
        if self._outputs is not None:
            written = [self._outputs[i] for i in chosen]
            return padded, lengths, *pad_sequences(written, pad=self.target_pad)
        if self._targets is None:
            return padded, lengths
        if isinstance(self._targets, np.ndarray):
            return padded, lengths, self._targets[chosen]
        targets, _ = pad_sequences([self._targets[i] for i in chosen], pad=self.target_pad)
        return padded, lengths, targets

    def _checked_outputs(self, outputs: Sequence[npt.ArrayLike]) -> list[Array]:
        """Return the outputs as N arrays (S_i, ...)."""
        if self._targets is not None:
            raise ValueError("PaddedBatches: got targets and outputs, expected one of them")
        if len(outputs) != len(self._sequences):
            counts = f"{len(outputs)}, expected {len(self._sequences)}"
            raise ValueError(f"PaddedBatches: outputs are {counts}, one a sequence")
        arrays = same_dtype("PaddedBatches: outputs", outputs)
        check_pad("PaddedBatches: target_pad", self.target_pad, arrays[0].dtype)
        return arrays


def _checked_targets(
    targets: Sequence[npt.ArrayLike] | npt.ArrayLike, lengths: Ids, pad: float
) -> list[Array] | Array:
    """Return targets as one array (N,) if they are numbers, else as N arrays (T_i, ...)."""
    what = "PaddedBatches: targets"
    items: list[Any] = list(targets)  # type: ignore[arg-type]
    if len(items) != len(lengths):
        raise ValueError(f"{what} are {len(items)}, expected {len(lengths)}, one a sequence")
    if all(np.ndim(item) == 0 for item in items):
        return numbers(what, items)
    arrays = same_dtype(what, items)
    for i, (array, length) in enumerate(zip(arrays, lengths, strict=True)):
        if len(array) != length:
            raise ValueError(f"{what}[{i}] has length {len(array)}, its sequence {length}")
    check_pad("PaddedBatches: target_pad", pad, arrays[0].dtype)
    return arrays
