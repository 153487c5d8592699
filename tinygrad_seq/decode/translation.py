"""What a sequence-to-sequence model makes of many sources, whatever their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..data import Tokenizer, pad_sequences
from ..engine.modes import no_grad
from ..engine.tensor import Tensor
from .beam import beam_search
from .generation import generate


class Writer(Protocol):
    """A model that reads a source and then writes, step by step, as nn.Seq2Seq does."""

    def start(self, source: Any, lengths: Any) -> Any:
        """Return the state after sources (T, B) of these lengths (B,)."""

    def step(self, state: Any, tokens: np.ndarray) -> tuple[Any, Tensor]:
        """Return (next state, logits (B, V)) after tokens (B,)."""


def translate(
    model: Writer,
    sources: Sequence[np.ndarray],
    *,
    sos: int,
    eos: int,
    beam: int = 1,
    max_length: int = 100,
    batch_size: int = 64,
) -> list[list[int]]:
    """Return the tokens that a model writes for each source, from `sos` to `eos`, both left out.

    model: in evaluation mode, unless dropout is meant   sources: N of (T_i,) integers
    beam: 1 writes greedily, more by `beam_search` with its defaults   max_length: tokens at most
    batch_size: sources of about one length that are read together
    Raises ValueError for a beam or batch_size below 1, FloatingPointError where beam search finds
    that every token is impossible, and as `generate` and `beam_search`.
    """
    if beam < 1 or batch_size < 1:
        raise ValueError(f"translate: beam is {beam}, batch_size {batch_size}, expected 1 or more")
    written: list[list[int]] = [[] for _ in sources]
    order = np.argsort([len(source) for source in sources], kind="stable")
    for first in range(0, len(order), batch_size):
        rows = order[first : first + batch_size]
        padded, lengths = pad_sequences([sources[row] for row in rows])
        with no_grad():
            state = model.start(padded, lengths)
        prompt = np.full((1, len(rows)), sos)
        if beam == 1:
            found = generate(model.step, state, prompt, eos=eos, max_length=max_length)
        else:
            searched = beam_search(
                model.step, state, prompt, beam=beam, eos=eos, max_length=max_length
            )
            if not all(searched):
                raise FloatingPointError("translate: every token has a logit of -inf")
            found = [hypotheses[0].tokens for hypotheses in searched]
        for row, tokens in zip(rows, found, strict=True):
            written[row] = tokens
    return written


def translate_texts(
    model: Writer,
    texts: Sequence[str],
    source: Tokenizer,
    target: Tokenizer,
    *,
    beam: int = 1,
    max_length: int = 100,
) -> list[str]:
    """Return the text that a model writes for each text.

    source: how texts are read   target: how they are written, with <sos> and <eos>
    model, beam, max_length: as `translate` takes them
    Raises ValueError for a target without <sos> or <eos>, and as `translate`.
    """
    sos, eos = target.vocabulary.sos, target.vocabulary.eos
    if sos is None or eos is None:
        raise ValueError("translate_texts: target has no <sos> or no <eos> among its specials")
    sources = [source.encode(text) for text in texts]
    written = translate(model, sources, sos=sos, eos=eos, beam=beam, max_length=max_length)
    return [target.decode(tokens) for tokens in written]
