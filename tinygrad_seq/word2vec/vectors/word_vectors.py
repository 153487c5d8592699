"""WordVectors: trained vectors, their files, and how well they agree with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from ...serialize import PathLike
from . import evaluation, picture, reading, stored, writing
from .agreement import Correlation
from .similar import SimilarWords
from .table import WordTable


class WordVectors(SimilarWords):
    """Words and their vectors, and the questions one asks of them, under gensim's names.

    Similarity is the cosine; a vector of length 0 is at 0 to all. What is asked of an unknown word
    raises KeyError, never leaves the word out.
    """

    __doc__ = f"{__doc__}\n{WordTable.__doc__}"

    @classmethod
    def load(cls, path: PathLike, mmap: bool = True) -> Self:
        """Return the vectors that `save` wrote.

        mmap: leave them in the file, whose parts are read when they are looked at: loading then
        takes no time and no memory, whatever the size
        Raises FileNotFoundError, ValueError for a damaged file.
        """
        self = cls.__new__(cls)
        self._set(*stored.load(path, mmap))
        return self

    def save(self, path: PathLike) -> None:
        """Write words, vectors and counts as safetensors, whole or not at all."""
        stored.save(path, self.words, self.vectors, self.counts)

    @classmethod
    def load_word2vec_format(
        cls,
        path: PathLike,
        fvocab: PathLike | None = None,
        binary: bool = False,
        encoding: str = "utf-8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        no_header: bool = False,
        duplicates: Literal["error", "first"] = "error",
    ) -> Self:
        """Return the vectors of a word2vec file, text or binary, or a GloVe file (`no_header`).

        fvocab: a file of lines "word count";  limit: read only the first so many words
        unicode_errors: of words that are not `encoding`: "strict", "replace" or "ignore"
        duplicates: "first" leaves out a word that has come before
        Files may be gzip. Raises FileNotFoundError, and ValueError naming the line (of a binary
        file the row) that is damaged or not as the header says.
        """
        words, vectors = reading.read_vectors(
            path, binary, not no_header, limit, encoding, unicode_errors, duplicates
        )
        counts = None
        if fvocab is not None:
            counts = reading.read_counts(fvocab, words, encoding, unicode_errors)
        return cls(words, vectors, counts)

    def save_word2vec_format(
        self,
        path: PathLike,
        fvocab: PathLike | None = None,
        binary: bool = False,
        write_header: bool = True,
        limit: int | None = None,
    ) -> None:
        """Write a word2vec file, text or binary, or without a header a GloVe file.

        fvocab: a second file, of lines "word count";  limit: only the first so many words
        A path that ends in .gz is packed. Raises ValueError for words with spaces or line ends,
        vectors that are not finite, and `fvocab` without counts.
        """
        if fvocab is not None and self.counts is None:
            raise ValueError("save_word2vec_format: fvocab is given, but there are no counts")
        writing.write_vectors(path, self.words, self.vectors, binary, write_header, limit)
        if fvocab is not None and self.counts is not None:
            writing.write_counts(fvocab, self.words[:limit], self.counts[:limit])

    def save_map(
        self, path: PathLike, words: Sequence[str] | Mapping[str, Sequence[str]]
    ) -> npt.NDArray[np.float64]:
        """Draw words at their two principal components as a PNG, and return the places (n, 2).

        words: several, or by name of a group: each has its colour
        Raises ImportError where matplotlib is missing.
        """
        return picture.save_map(self, path, words)

    def evaluate_word_analogies(
        self,
        analogies: PathLike,
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[float, list[dict[str, Any]]]:
        """Return the share of analogies answered right, and the questions of each section.

        analogies: a file of lines "a b c expected", in sections that begin with ": name"
        restrict_vocab: only the first so many words are asked about and answer
        case_insensitive: compare words in capitals; of several that are then equal the first counts
        dummy4unknown: count questions with unknown words as wrong, instead of leaving them out
        Each section is {"section": name, "correct": [(a, b, c, expected), ...], "incorrect": ...},
        the last one, "Total accuracy", all of them: gensim's figures, by products of many at once.
        Raises FileNotFoundError, and ValueError for a file without questions or sections.
        """
        return evaluation.evaluate_word_analogies(
            self, analogies, restrict_vocab, case_insensitive, dummy4unknown
        )

    def evaluate_word_pairs(
        self,
        pairs: PathLike,
        delimiter: str = "\t",
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[Correlation, Correlation, float]:
        """Return how well cosines agree with people: Pearson, Spearman, and unknown pairs in %.

        pairs: a file of lines "word<delimiter>word<delimiter>judgement"; "#" begins a comment
        dummy4unknown: count pairs with unknown words as of cosine 0, instead of leaving them out
        Each correlation is (statistic, pvalue). Other arguments as `evaluate_word_analogies`.
        Raises FileNotFoundError, and ValueError where no pair is known.
        """
        return evaluation.evaluate_word_pairs(
            self, pairs, delimiter, restrict_vocab, case_insensitive, dummy4unknown
        )
