"""The lecture's tables: one-hot vectors, features, correlations of one word with another."""

from __future__ import annotations

from collections.abc import Sequence

from .word_vectors import WordVectors


def correlation_table(vectors: WordVectors, words: Sequence[str], nearest: int = 0) -> str:
    """Return a line of the words, and one for each with its correlations to all of them.

    nearest: how many words of all to name at a line's end, the most similar ones
    Raises KeyError for unknown words, ValueError for vectors whose elements are all equal.
    """
    lines = [" ".join([f"{'correlation':>12}", *(f"{word:>7.7s}" for word in words)])]
    for word, row in zip(words, vectors.correlation(words), strict=True):
        line = " ".join([f"{word:>12.12s}", *(f"{value:7.2f}" for value in row)])
        if nearest:
            near = ", ".join(other for other, _ in vectors.most_similar(word, topn=nearest))
            line += f"   nearest: {near}"
        lines.append(line)
    return "\n".join(lines)


def one_hot_table(words: Sequence[str]) -> str:
    """Return a line for each word with its one-hot vector: 1 at its own place, 0 at the others."""
    rows = [[int(i == place) for i in range(len(words))] for place in range(len(words))]
    return "\n".join(f"{word:>8} {row}" for word, row in zip(words, rows, strict=True))


def feature_table(vectors: WordVectors, features: Sequence[str]) -> str:
    """Return a line of all words, and one for each feature with what each word has of it.

    features: the names of the vectors' elements
    Raises ValueError unless there are as many as elements.
    """
    table = vectors.vectors.T
    if len(features) != len(table):
        raise ValueError(f"feature_table: {len(features)} features, expected {len(table)}")
    lines = [" ".join([" " * 12, *(f"{word:>7.7s}" for word in vectors.words)])]
    for name, row in zip(features, table, strict=True):
        lines.append(" ".join([f"{name:>12.12s}", *(f"{value:7.2f}" for value in row)]))
    return "\n".join(lines)
