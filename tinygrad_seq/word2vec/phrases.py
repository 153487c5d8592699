"""Phrases: pairs of words that stand together more often than chance become one word."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..serialize import PathLike, load_checkpoint, save_checkpoint

FORMAT = "tinygrad_seq.phrases"

Score = Callable[[int, int, int, int, int, int], float]


def original_score(
    first: int, second: int, pair: int, words: int, vocabulary: int, least: int
) -> float:
    """Return (pair - least) / (first · second) · vocabulary.

    Source: Mikolov et al. 2013, "Distributed representations of words and phrases", equation 6
    """
    return (pair - least) / first / second * vocabulary


def npmi_score(
    first: int, second: int, pair: int, words: int, vocabulary: int, least: int
) -> float:
    """Return the pair's normalised pointwise mutual information, -1 to 1; -inf under `least`.

    log(p(a, b) / (p(a) p(b))) / -log p(a, b).   Source: Bouma 2009
    """
    if pair < least:
        return -math.inf
    p = pair / words
    return math.log(p / (first / words * second / words)) / -math.log(p)


SCORES: dict[str, Score] = {"default": original_score, "npmi": npmi_score}


class Phrases:
    """Joins words that often stand side by side: ["new", "york"] becomes ["new_york"].

    sentences: lists of words, read once, from which the phrases are learnt
    min_count: words and pairs that occur less often are none
    threshold: a pair whose score is above it is a phrase
    delimiter: what joins the words
    scoring: "default" (Mikolov et al. 2013), "npmi" (-1 to 1), or a function (count of the first
    word, of the second, of the pair, of all words, of different words and pairs, min_count)
    connector_words: may stand inside a phrase without counting: "bank of america"
    Scores and defaults are gensim's. Phrases of four words: Phrases over the joined sentences.
    Raises ValueError for no words at all, TypeError for words that are not str.
    """

    def __init__(
        self,
        sentences: Iterable[Iterable[str]],
        min_count: int = 5,
        threshold: float = 10.0,
        delimiter: str = "_",
        scoring: str | Score = "default",
        connector_words: Iterable[str] = (),
    ) -> None:
        if not callable(scoring) and scoring not in SCORES:
            raise ValueError(f"Phrases: scoring is {scoring!r}, expected one of {sorted(SCORES)}")
        if min_count < 1:
            raise ValueError(f"Phrases: min_count is {min_count}, expected 1 or more")
        self.delimiter, self.connectors = delimiter, frozenset(connector_words)
        score = scoring if callable(scoring) else SCORES[scoring]
        singles, chains = self._count(sentences)
        words, vocabulary = sum(singles.values()), len(singles) + len(chains)
        self.scores: dict[tuple[str, ...], float] = {}
        for chain, count in chains.items():
            first, second = singles[chain[0]], singles[chain[-1]]
            if min(first, second, count) < min_count:
                continue
            value = score(first, second, count, words, vocabulary, min_count)
            if value > threshold:
                self.scores[chain] = value

    def _count(self, sentences: Iterable[Iterable[str]]) -> tuple[Counter[str], Counter[Any]]:
        singles: Counter[str] = Counter()
        chains: Counter[tuple[str, ...]] = Counter()
        for sentence in sentences:
            words = _words(sentence)
            singles.update(words)
            if self.connectors:
                chains.update(self._chains(words))
            else:
                chains.update(itertools.pairwise(words))
        if not singles:
            raise ValueError("Phrases: the sentences have no words")
        return singles, chains

    def _chains(self, words: list[str]) -> Iterator[tuple[str, ...]]:
        """Yield two words that are no connectors, with the connectors between them."""
        start = None
        for i, word in enumerate(words):
            if word not in self.connectors:
                if start is not None:
                    yield tuple(words[start : i + 1])
                start = i

    def __getitem__(self, sentence: Iterable[str]) -> list[str]:
        return self.join(sentence)

    def __len__(self) -> int:
        return len(self.scores)

    def join(self, sentence: Iterable[str]) -> list[str]:
        """Return the sentence with its phrases joined, from left to right, none overlapping."""
        words, joined, i = _words(sentence), [], 0
        while i < len(words):
            end = i + 1
            if words[i] not in self.connectors:
                while end < len(words) and words[end] in self.connectors:
                    end += 1
                chain = tuple(words[i : end + 1])
                if end < len(words) and chain in self.scores:
                    joined.append(self.delimiter.join(chain))
                    i = end + 1
                    continue
            joined.append(words[i])
            i += 1
        return joined

    def save(self, path: PathLike) -> None:
        """Nothing; writes the phrases to a file of JSON inside safetensors."""
        tree = {
            "format": FORMAT,
            "delimiter": self.delimiter,
            "connectors": sorted(self.connectors),
            "phrases": [list(chain) for chain in self.scores],
            "scores": np.array(list(self.scores.values()), np.float64),
        }
        save_checkpoint(path, tree)

    @classmethod
    def load(cls, path: PathLike) -> Phrases:
        """Return the phrases that `save` wrote.  Raises ValueError for a file of something else."""
        tree = load_checkpoint(path)
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise ValueError(f"{path}: no saved Phrases")
        phrases = cls.__new__(cls)
        phrases.delimiter, phrases.connectors = tree["delimiter"], frozenset(tree["connectors"])
        chains, scores = map(tuple, tree["phrases"]), tree["scores"].tolist()
        phrases.scores = dict(zip(chains, scores, strict=True))
        return phrases


def _words(sentence: Iterable[str]) -> list[str]:
    if isinstance(sentence, str):
        raise TypeError("Phrases: a sentence is one str, expected a list of words")
    words = list(sentence)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"Phrases: a sentence holds {word!r}, expected str")
    return words
