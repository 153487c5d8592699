"""Padded batches of what a model learns to write: each next step, or texts from other texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .padded import PaddedBatches

if TYPE_CHECKING:
    from ..text import Tokenizer


def next_step_batches(
    sequences: Sequence[npt.ArrayLike], batch_size: int, **options: Any
) -> PaddedBatches:
    """Return batches of all steps but the last, whose targets are all but the first.

    sequences: N of (T_i, ...), T_i 1 or more   options: as `PaddedBatches` takes them
    Raises ValueError for a sequence without steps, TypeError and ValueError as `PaddedBatches`.
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    for i, array in enumerate(arrays):
        if array.ndim == 0 or not len(array):
            raise ValueError(f"next_step_batches: sequence {i} is {array.shape}, expected (T, ...)")
    inputs, targets = [array[:-1] for array in arrays], [array[1:] for array in arrays]
    return PaddedBatches(inputs, batch_size, targets=targets, **options)


def pair_batches(
    pairs: Sequence[tuple[str, str]],
    source: Tokenizer,
    target: Tokenizer,
    batch_size: int,
    **options: Any,
) -> PaddedBatches:
    """Return batches of texts and of what is to be written for them, for teacher forcing.

    pairs: (text, what to write)   source, target: their tokenizers, target's with <sos> and <eos>
    Iterating gives sources (T, B), their lengths (B,), targets <sos> ... <eos> (S, B), theirs (B,),
    each side padded with its own <pad>.
    options: as `PaddedBatches` takes them
    Raises ValueError for a tokenizer without <pad>, or a target's without <sos> or <eos>.
    """
    pads = source.vocabulary.pad, target.vocabulary.pad
    if pads[0] is None or pads[1] is None:
        raise ValueError("pair_batches: a vocabulary has no <pad> among its specials")
    sources = [source.encode(text) for text, _ in pairs]
    targets = [target.encode(text, sos=True, eos=True) for _, text in pairs]
    return PaddedBatches(
        sources, batch_size, outputs=targets, pad=pads[0], target_pad=pads[1], **options
    )
