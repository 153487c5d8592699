"""Which analogies vectors answer right: gensim's rule, and the same for many questions at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ...machine import runtime
from .table import Floats, Ids, Key, WordTable, check_restriction

Quadruple: TypeAlias = tuple[str, str, str, str]

CANDIDATES = 5  # gensim looks at so many words that may answer
WORDS_AT_ONCE = 4096  # a product for so many
TILE = 512  # words whose cosines with a thousand words of questions stay in a core's cache
DOUBT = 1e-5  # scores nearer to each other than this are not told apart by rounded products


class Vectors(Protocol):
    """The part of `WordVectors` that the rule is stated by."""

    def most_similar(
        self, positive: list[Key], negative: list[Key], topn: int, restrict_vocab: int | None
    ) -> list[tuple[str, float]]:
        """Return the nearest words."""

    def get_index(self, key: Any) -> int:
        """Return the index of a word."""


class Known:
    """The words that may answer, under the key (the word, or the word in capitals) they compare by.

    keys: of each of the first `restrict_vocab` words;  first: index of the first word of a key
    """

    def __init__(self, wv: WordTable, restrict_vocab: int | None, upper: bool) -> None:
        check_restriction(restrict_vocab)
        words = wv.words[:restrict_vocab]
        self.keys = [word.upper() for word in words] if upper else words
        self.restrict_vocab = restrict_vocab
        self.first = dict(zip(reversed(self.keys), range(len(words) - 1, -1, -1), strict=True))

    def members(self, keys: set[str]) -> dict[str, list[int]]:
        """Return the indices of all words of each of some keys."""
        found: dict[str, list[int]] = {key: [] for key in keys}
        for index, key in enumerate(self.keys):
            if key in found:
                found[key].append(index)
        return found


def answer(wv: Vectors, known: Known, question: Quadruple) -> bool:
    """Whether a : b is answered by c : expected.

    Of the five words nearest to b - a + c (3CosAdd) the first that is none of a, b, c counts. This
    is the definition that `answers` is a fast form of.
    """
    a, b, c, expected = question
    positive: list[Key] = [known.first[b], known.first[c]]
    near = wv.most_similar(positive, [known.first[a]], CANDIDATES, known.restrict_vocab)
    keys = [known.keys[wv.get_index(word)] for word, _ in near]
    return expected == next((key for key in keys if key not in (a, b, c)), keys[-1] if keys else "")


def answers(wv: Any, known: Known, questions: Sequence[Quadruple]) -> npt.NDArray[np.bool_]:
    """Whether each of N questions is answered right, (N,): `answer` of each, by products of many.

    Where rounding might decide, and in the corners of the rule, `answer` is asked itself.
    """
    if not questions:
        return np.empty(0, dtype=bool)
    keys = {key: number for number, key in enumerate(dict.fromkeys(chain.from_iterable(questions)))}
    members = list(known.members(set(keys)).items())
    members.sort(key=lambda item: keys[item[0]])
    words = [np.array(indices, dtype=np.int64) for _, indices in members]
    numbers = np.fromiter(map(keys.__getitem__, chain.from_iterable(questions)), dtype=np.int64)
    a, b, c, d = numbers = numbers.reshape(-1, 4).T
    first = np.array([indices[0] for indices in words], dtype=np.int64)
    variants = np.array([len(indices) - 1 for indices in words], dtype=np.int64)
    expected = _cells(d, words)  # the words that count as right
    left_out = _distinct(np.concatenate([_cells(key, words) for key in numbers]))
    terms = first[np.stack([b, c, a], axis=1)]
    near, beyond = _rivals(wv, len(known.keys), terms, expected, left_out)
    doubtful = (near > 0) & (beyond == 0)
    corners = (d == numbers[:3]).any(axis=0) | (variants[numbers[:3]].sum(axis=0) >= CANDIDATES)
    right: npt.NDArray[np.bool_] = near == 0
    for number in np.flatnonzero(doubtful | corners).tolist():
        right[number] = answer(wv, known, questions[number])
    return right


def _cells(keys: Ids, words: list[Ids]) -> Ids:
    """Pairs (question, word) for all words of a key of each question, keys (N,)."""
    every = [words[key] for key in keys.tolist()]
    questions = np.repeat(np.arange(len(keys)), list(map(len, every)))
    return np.stack([questions, np.concatenate([*every, words[0][:0]])], axis=1)


def _distinct(cells: Ids) -> Ids:
    """The pairs (N, 2) that differ, in order."""
    ordered = cells[np.lexsort(cells.T[::-1])]
    distinct: Ids = ordered[np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))]
    return distinct


def _rivals(wv: WordTable, size: int, terms: Ids, expected: Ids, left_out: Ids) -> tuple[Ids, Ids]:
    """Rivals of each question's expected word: scores above its own less DOUBT, and plus DOUBT.

    terms (N, 3): indices of b, c, a;  the score of a word is cos b + cos c - cos a
    expected, left_out: pairs (question, word): whose own score counts, and who is no rival
    Each cosine is computed once, for a block of words at a time. A question with a rival beyond
    doubt is not asked further, so its counts are of some block only.
    """
    used, places = np.unique(terms, return_inverse=True)
    directions, places = _units(wv, used), places.reshape(-1, 3)  # (U, d), (N, 3) rows of it
    question, word = expected.T
    own = np.full(len(terms), -np.inf, dtype=np.float32)
    answering, columns = np.unique(word, return_inverse=True)
    cosines = directions @ _units(wv, answering).T
    np.maximum.at(own, question, _sums(cosines, places[question], columns))
    limits = np.stack([own - np.float32(DOUBT), own + np.float32(DOUBT)], axis=1)
    cells = left_out[np.argsort(left_out[:, 1], kind="stable")]
    counts = np.zeros((len(terms), 2), dtype=np.int64)
    alive = np.ones(len(terms), dtype=bool)
    count = _kernel() if runtime.available() else count_definition
    for start in range(0, size, WORDS_AT_ONCE):
        words = np.arange(start, min(start + WORDS_AT_ONCE, size))
        cosines = directions @ _units(wv, words).T  # (U, W)
        counts[alive] += count(cosines, places[alive], limits[alive])
        question, word = cells[slice(*np.searchsorted(cells[:, 1], [start, words[-1] + 1]))].T
        question, word = question[alive[question]], word[alive[question]]
        sums = _sums(cosines, places[question], word - start)
        np.subtract.at(counts, question, sums[:, None] > limits[question])
        alive &= counts[:, 1] <= 0
    return counts[:, 0], counts[:, 1]


def count_definition(cosines: Floats, places: Ids, limits: Floats) -> npt.NDArray[np.int32]:
    """How many of W words score above each of N questions' two limits, (N, 2).

    cosines (U, W);  places (N, 3): rows of b, c, a;  limits (N, 2)
    """
    counts = np.zeros(limits.shape, dtype=np.int32)
    for low in range(0, len(places), TILE):
        some = slice(low, low + TILE)
        scores = _sums(cosines, places[some], np.s_[:])  # (Q, W)
        for limit in (0, 1):
            counts[some, limit] = np.count_nonzero(scores > limits[some, limit, None], axis=1)
    return counts


@functools.cache
def _kernel() -> Callable[[Floats, Ids, Floats], npt.NDArray[np.int32]]:
    """Return `count_definition` as one loop, compiled by Numba at first use."""
    import numba

    @numba.njit(cache=True, nogil=True)
    def count(cosines: Floats, places: Ids, limits: Floats) -> npt.NDArray[np.int32]:
        counts = np.zeros(limits.shape, dtype=np.int32)
        for start in range(0, cosines.shape[1], TILE):
            stop = min(start + TILE, cosines.shape[1])
            for n in range(len(places)):
                b = cosines[places[n, 0]][start:stop]  # of a row: known to be contiguous
                c = cosines[places[n, 1]][start:stop]
                a = cosines[places[n, 2]][start:stop]
                low, high = limits[n, 0], limits[n, 1]
                near, beyond = np.int32(0), np.int32(0)  # as wide as the floats: vectors
                for w in range(stop - start):
                    score = b[w] + c[w] - a[w]
                    near = np.int32(near + np.int32(score > low))
                    beyond = np.int32(beyond + np.int32(score > high))
                counts[n, 0] += near
                counts[n, 1] += beyond
        return counts

    compiled: Callable[[Floats, Ids, Floats], npt.NDArray[np.int32]] = count
    return compiled


def _sums(cosines: Floats, places: Ids, columns: Any) -> Any:
    """Score of some columns: cos b + cos c - cos a, added in this order wherever it is computed."""
    b, c, a = places.T
    sums: Any = cosines[b, columns] + cosines[c, columns] - cosines[a, columns]
    return sums


def _units(wv: WordTable, ids: Ids) -> Floats:
    norms = wv.norms[ids]
    norms[norms == 0] = 1  # a copy
    units: Floats = wv.vectors[ids] / norms[:, None]
    return units
