"""What one asks of words: which are similar, which are nearest, which does not belong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .table import Floats, Key, WordTable, check_restriction, unit

Term: TypeAlias = Key | npt.NDArray[Any] | tuple[Key | npt.NDArray[Any], float]
Terms: TypeAlias = Term | Sequence[Term] | None
Ranked: TypeAlias = list[tuple[str, float]]

_SHIFT = 1e-6  # in the denominator of most_similar_cosmul, as Levy & Goldberg have it


class SimilarWords(WordTable):
    """A table of words that answers by cosines of their vectors."""

    def similarity(self, w1: Key, w2: Key) -> float:
        """Return the cosine of two words' vectors."""
        return _cosine(self.get_vector(w1), self.get_vector(w2))

    def distance(self, w1: Key, w2: Key) -> float:
        """Return 1 - similarity."""
        return 1 - self.similarity(w1, w2)

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """Return the cosine of the mean vectors of two lists of words.

        Raises ValueError if a list is empty.
        """
        for name, words in (("ws1", ws1), ("ws2", ws2)):
            if not len(words):
                raise ValueError(f"n_similarity: {name} is empty")
        return _cosine(self[ws1].mean(axis=0, dtype=float), self[ws2].mean(axis=0, dtype=float))

    def most_similar(
        self,
        positive: Terms = None,
        negative: Terms = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Return the `topn` words nearest to a sum of vectors, with their cosines, nearest first.

        positive, negative: words, indices, vectors (d,), or pairs of one of these and its weight
        (1 and -1 by default); vectors of words count with length 1; the words asked with are left
        out of the answer
        restrict_vocab: only the first so many words answer
        With topn None: all cosines (V,) in order of index.
        Source: Mikolov et al. 2013, 3CosAdd; executed as gensim does.
        """
        vectors, weights, asked = self._terms("most_similar", positive, negative)
        if not vectors:
            raise ValueError("most_similar: neither positive nor negative words")
        mean = np.zeros(self.vector_size, dtype=np.float32)
        for vector, weight in zip(vectors, weights, strict=True):
            mean += np.float64(weight) * vector
        direction = unit(mean.astype(np.float64)).astype(np.float32)
        return self._answer(self._cosines(direction, restrict_vocab), asked, topn)

    def most_similar_cosmul(
        self,
        positive: Terms = None,
        negative: Terms = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Return the `topn` words by product of cosines: no single large one decides.

        Score: the product over positive words of (1 + cos)/2, divided by that over negative words
        plus 1e-6. Arguments and result as `most_similar`, without weights.
        Source: Levy & Goldberg 2014, equation 4 (3CosMul)
        """
        above, _, asked = self._terms("most_similar_cosmul", positive, None)
        below, _, asked_below = self._terms("most_similar_cosmul", None, negative)
        if not above:
            raise ValueError("most_similar_cosmul: no positive words")
        high, low = (
            [(1 + self._cosines(unit(vector), restrict_vocab)) / 2 for vector in vectors]
            for vectors in (above, below)
        )
        scores = np.prod(high, axis=0) / (np.prod(low, axis=0) + _SHIFT)
        return self._answer(scores, asked + asked_below, topn)

    def similar_by_word(
        self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words nearest to a word, as `most_similar`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(
        self, vector: npt.NDArray[Any], topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words nearest to a vector (d,), as `most_similar`."""
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def analogy(self, a: Key, b: Key, c: Key, topn: int = 1) -> Ranked:
        """Return the words that are to c as b is to a, best first: nearest to b - a + c.

        analogy("man", "king", "woman") asks for "queen".
        """
        ranked: Ranked = self.most_similar([b, c], [a], topn=topn)
        return ranked

    def doesnt_match(self, words: Sequence[Key]) -> str:
        """Return the word that is farthest from the mean direction of all.

        Raises ValueError for no words.
        """
        if not len(words):
            raise ValueError("doesnt_match: words is empty")
        ids = self._ids(words)
        rows = unit(self.vectors[ids])
        return self.words[int(ids[np.argmin(rows @ unit(rows.mean(axis=0)))])]

    def rank(self, w1: Key, w2: Key) -> int:
        """Return the place of w2 among the words nearest to w1, from 1."""
        first, second = self.get_index(w1), self.get_index(w2)
        cosines = self._cosines(unit(self.vectors[first]), None)
        nearer = cosines > cosines[second]
        nearer[first] = False
        return int(np.count_nonzero(nearer)) + 1

    def correlation(self, words: Sequence[Key]) -> npt.NDArray[np.float64]:
        """Return Pearson's correlations (n, n) of the words' vectors, each with each.

        Raises ValueError if a vector's elements are all equal: it correlates with nothing.
        """
        ids = self._ids(words)
        rows = self.vectors[ids].astype(float)
        rows -= rows.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(rows, axis=1)
        for index, length in zip(ids, lengths, strict=True):
            if length == 0:
                raise ValueError(f"correlation: the vector of {self.words[index]!r} is constant")
        table: npt.NDArray[np.float64] = (rows / lengths[:, None]) @ (rows / lengths[:, None]).T
        return table.clip(-1, 1)

    def _cosines(self, direction: Floats, restrict_vocab: int | None) -> Floats:
        """Cosines (V,) of the first `restrict_vocab` words with a vector of length 1."""
        check_restriction(restrict_vocab)
        norms = self.norms[:restrict_vocab]
        products: Floats = np.dot(self.vectors[:restrict_vocab], direction)
        return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)

    def _answer(self, scores: npt.NDArray[Any], asked: list[int], topn: int | None) -> Any:
        """The words of the largest scores, or the scores themselves where topn is None."""
        if topn is None:
            return scores
        wanted = min(max(topn, 0) + len(asked), len(scores))
        losses = -scores  # ties are left as gensim leaves them
        best = np.argpartition(losses, wanted)[:wanted] if wanted < len(losses) else slice(None)
        best = np.arange(len(losses))[best][np.argsort(losses[best])]
        found = [(self.words[i], float(scores[i])) for i in best if i not in asked]
        return found[: max(topn, 0)]

    def _terms(
        self, who: str, positive: Terms, negative: Terms
    ) -> tuple[list[npt.NDArray[Any]], list[float], list[int]]:
        """Vectors, weights, and the indices of those that are words."""
        vectors, weights, asked = [], [], []
        for terms, sign in ((positive, 1.0), (negative, -1.0)):
            for term in _listed(terms):
                key, weight = term if isinstance(term, tuple) else (term, sign)
                if np.ndim(key):
                    vector = np.asarray(key)
                    if vector.shape != (self.vector_size,):
                        expected = f"expected ({self.vector_size},)"
                        raise ValueError(f"{who}: a vector has shape {vector.shape}, {expected}")
                else:
                    asked.append(self.get_index(key))
                    vector = self._unit(asked[-1])
                vectors.append(vector)
                weights.append(float(weight))
        return vectors, weights, asked

    def _unit(self, index: int) -> Floats:
        row: Floats = self.vectors[index] / (self.norms[index] or np.float32(1))
        return row


def _listed(terms: Terms) -> list[Any]:
    """One term, several, or a matrix of vectors, as a list."""
    if terms is None:
        return []
    vector = isinstance(terms, np.ndarray) and terms.ndim == 1 and terms.dtype.kind == "f"
    if vector or isinstance(terms, str) or not isinstance(terms, Iterable):
        return [terms]
    return list(terms)


def _cosine(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(unit(a.astype(float)) @ unit(b.astype(float)))
