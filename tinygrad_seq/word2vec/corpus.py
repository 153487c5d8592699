"""A corpus as ids: words counted, rare ones left out, the commonest first, ready to train on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.tokens import Numbered, number_tokens

Ids = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """A corpus read once: what `Word2Vec.encode` returns and `Word2Vec.fit` takes.

    words: V words, the commonest first, equal counts in order of code point
    counts (V,): how often each occurs in the text that the vocabulary is from
    ids (N,) int32: the text without the words that are not in the vocabulary
    starts (S + 1,): where each of S sentences starts in ids, and their end
    text_words: words of the text, the others included
    """

    words: Sequence[str]
    counts: Counts
    ids: Ids = field(repr=False)
    starts: npt.NDArray[np.int64] = field(repr=False)
    text_words: int

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return (
            f"EncodedCorpus({len(self.ids)} of {self.text_words} words, "
            f"{len(self.starts) - 1} sentences, vocabulary of {len(self.words)})"
        )


def encode(corpus: Any, min_count: int) -> EncodedCorpus:
    """Return a corpus encoded with the vocabulary of its own words that occur `min_count` times.

    corpus: what `data.tokens.number_tokens` reads; it is read once
    Raises ValueError where no word is left, or no two in one sentence, and as `number_tokens`.
    """
    numbered = number_tokens(corpus)
    total = np.zeros(numbered.size, np.int64)
    for block in numbered.blocks:
        total += np.bincount(block.ids, minlength=numbered.size)
    if not total.sum():
        name = os.fspath(corpus) if isinstance(corpus, str | os.PathLike) else "the corpus"
        raise ValueError(f"{name} is empty: it has no words (a generator can be read only once)")
    often = np.flatnonzero(total >= min_count)
    if not len(often):
        top = int(np.argmax(total))
        raise ValueError(
            f"no word occurs min_count = {min_count} times: of {len(total)} different words the "
            f"commonest, {numbered.word(top)!r}, occurs {total[top]} times"
        )
    words = {int(i): numbered.word(int(i)) for i in often}
    order = sorted(words, key=lambda i: (-total[i], words[i]))
    place = np.full(numbered.size, -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return _encoded(numbered, place, [words[i] for i in order], total[order])


def encode_with(corpus: Any, words: Sequence[str], counts: Counts) -> EncodedCorpus:
    """Return a corpus encoded with a vocabulary that there is already; other words are left out.

    Raises ValueError where no word is left, or no two in one sentence, and as `number_tokens`.
    """
    numbered = number_tokens(corpus)
    index: Mapping[str, int] = dict(zip(words, range(len(words)), strict=True))
    places = (index.get(numbered.word(i), -1) for i in range(numbered.size))
    place = np.fromiter(places, np.int32, numbered.size)
    return _encoded(numbered, place, words, counts)


def new_words(
    corpus: Any, known: Sequence[str], min_count: int
) -> tuple[list[str], Counts, Counts]:
    """Return the words of a corpus that are not known, their counts, and those of the known ones.

    new words: those that occur `min_count` times, the commonest first
    Raises as `number_tokens`.
    """
    numbered = number_tokens(corpus)
    total = np.zeros(numbered.size, np.int64)
    for block in numbered.blocks:
        total += np.bincount(block.ids, minlength=numbered.size)
    index = dict(zip(known, range(len(known)), strict=True))
    more = np.zeros(len(known), np.int64)
    found = {}
    for i, count in enumerate(total.tolist()):
        word = numbered.word(i)
        if word in index:
            more[index[word]] = count
        elif count >= min_count:
            found[word] = count
    words = sorted(found, key=lambda word: (-found[word], word))
    return words, np.array([found[word] for word in words], np.int64), more


def _encoded(numbered: Numbered, place: Ids, words: Sequence[str], counts: Counts) -> EncodedCorpus:
    """The corpus with number i as id place[i], or left out where that is -1."""
    ids, starts, before, text = [np.empty(0, np.int32)], [np.zeros(1, np.int64)], 0, 0
    for block in numbered.blocks:
        placed = place[block.ids]
        kept = placed >= 0
        so_far = np.concatenate([[0], np.cumsum(kept)])
        ids.append(placed[kept])
        starts.append(before + so_far[block.ends])
        before, text = before + int(so_far[-1]), text + len(kept)
    ends = np.concatenate([*starts, [before]])  # a last sentence may have no end
    sentences = np.concatenate([[0], ends[1:][np.diff(ends) > 0]]).astype(np.int64)
    if before == 0:
        raise ValueError(f"the corpus has none of the {len(words)} words of the vocabulary")
    if np.diff(sentences).max() < 2:
        raise ValueError(
            "no sentence has two words of the vocabulary: nothing has a context"
            + (" (was the corpus one list of words in place of a list of lists?)")
        )
    return EncodedCorpus(words, counts, np.concatenate(ids), sentences, text)
