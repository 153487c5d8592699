"""Words and the vector of each: a table that is looked up by word or by index."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]
Key: TypeAlias = str | int | np.integer[Any]

ROWS_AT_ONCE = 1 << 14


class WordTable:
    """V words, each with a vector of width d; wv["king"], wv[7] and wv[["king", "queen"]] are rows.

    words: V different str, by custom the commonest first
    vectors (V, d) float32, not copied: rows may be a view of padded memory, or of a file. Whoever
    writes into it later leaves `norms` as they were.
    counts (V,): how often each word occurred in the training text, or None
    Raises TypeError for other types, ValueError for shapes that do not fit and a word given twice.
    """

    def __init__(
        self, words: Iterable[str], vectors: npt.ArrayLike, counts: npt.ArrayLike | None = None
    ) -> None:
        if isinstance(words, str):
            raise TypeError("WordVectors: words is one str, expected several")
        listed = list(words)
        for word in listed:
            if not isinstance(word, str):
                raise TypeError(f"WordVectors: words hold {word!r}, expected str")
        self._set(lambda: listed, vectors, counts)
        if len(listed) != len(self):
            raise ValueError(f"WordVectors: {len(listed)} words for {len(self)} vectors")
        _ = self.key_to_index  # made now, so that a word given twice is an error here

    def _set(
        self,
        words: Callable[[], list[str]],
        vectors: npt.ArrayLike,
        counts: npt.ArrayLike | None,
    ) -> None:
        """Nothing; takes the arrays, and the words as a function that is called at first need."""
        if not isinstance(vectors, np.ndarray):
            vectors = np.array(vectors, dtype=np.float32)
        if vectors.dtype != np.float32:
            raise TypeError(f"WordVectors: vectors are {vectors.dtype}, expected float32")
        if vectors.ndim != 2 or vectors.shape[1] == 0:
            raise ValueError(f"WordVectors: vectors have shape {vectors.shape}, expected (V, d)")
        self._read_words = words
        self.vectors: Floats = vectors.view()
        self.vectors.flags.writeable = False
        self.vector_size: int = vectors.shape[1]
        self.counts: Ids | None = None
        if counts is not None:
            given = np.asarray(counts)
            if given.shape != (len(vectors),):
                shape = f"({len(vectors)},)"
                raise ValueError(f"WordVectors: counts have shape {given.shape}, expected {shape}")
            if given.size and given.dtype.kind not in "iu":
                raise TypeError(f"WordVectors: counts are {given.dtype}, expected integers")
            self.counts = given.astype(np.int64)

    @cached_property
    def words(self) -> list[str]:
        """The words in order of index."""
        return self._read_words()

    @property
    def index_to_key(self) -> list[str]:
        """The words in order of index, by gensim's name."""
        return self.words

    @cached_property
    def key_to_index(self) -> dict[str, int]:
        """The index of each word."""
        indices = dict(zip(self.words, range(len(self.words)), strict=True))
        if len(indices) != len(self.words):
            twice = [word for word, count in Counter(self.words).items() if count > 1]
            raise ValueError(f"WordVectors: words that stand twice: {twice[:5]}")
        return indices

    @cached_property
    def norms(self) -> Floats:
        """Length of each vector, (V,).  Raises ValueError if a vector is not finite."""
        norms = np.empty(len(self), dtype=np.float32)
        for start in range(0, len(self), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            norms[rows] = np.linalg.norm(self.vectors[rows], axis=1)
        if not np.isfinite(norms).all():
            odd = [self.words[i] for i in np.flatnonzero(~np.isfinite(norms))[:5]]
            raise ValueError(f"WordVectors: vectors that are not finite, of the words {odd}")
        return norms

    def __len__(self) -> int:
        return len(self.vectors)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and word in self.key_to_index

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __getitem__(self, key: Key | Iterable[Key]) -> Floats:
        return self.vectors[self._ids(key) if _several(key) else self.get_index(key)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} words, vectors of {self.vector_size})"

    def get_index(self, key: Any) -> int:
        """Return the index of a word, or an index as it is.

        Raises KeyError for an unknown word, IndexError outside 0 ... V-1, TypeError for the rest.
        """
        if isinstance(key, str):
            index = self.key_to_index.get(key)
            if index is None:
                near = next((w for w in (key.lower(), key.title(), key.upper()) if w in self), None)
                hint = "" if near is None else f" ({near!r} is)"
                raise KeyError(f"{key!r} is not among the {len(self)} words{hint}")
            return index
        if isinstance(key, bool | np.bool_) or not hasattr(key, "__index__"):
            raise TypeError(f"WordVectors: {key!r} is a {type(key).__name__}, expected a word")
        index = operator.index(key)
        if not 0 <= index < len(self):
            raise IndexError(f"WordVectors: index {index}, expected 0 to {len(self) - 1}")
        return index

    def get_vector(self, key: Key, norm: bool = False) -> Floats:
        """Return the vector (d,) of a word or index; with `norm`, of length 1 (0 stays 0)."""
        vector: Floats = self.vectors[self.get_index(key)]
        return unit(vector) if norm else vector

    def _ids(self, keys: Any) -> Ids:
        return np.array([self.get_index(key) for key in keys], dtype=np.int64)


def unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return vectors (..., d) scaled to length 1; those of length 0 stay."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    norms[norms == 0] = 1
    scaled: npt.NDArray[Any] = vectors / norms
    return scaled


def check_restriction(restrict_vocab: int | None) -> None:
    """Raise ValueError unless `restrict_vocab` is None or at least 1."""
    if restrict_vocab is not None and restrict_vocab < 1:
        raise ValueError(f"restrict_vocab is {restrict_vocab}, expected 1 or more")


def _several(key: object) -> bool:
    return not isinstance(key, str) and np.ndim(key) > 0  # type: ignore[arg-type]
