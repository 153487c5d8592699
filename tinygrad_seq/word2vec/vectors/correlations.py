"""The lecture's table: how much each word's vector has to do with each other's."""

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
