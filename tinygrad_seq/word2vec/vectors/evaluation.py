"""How well vectors answer analogies and agree with people on similarity, as gensim measures it."""

from __future__ import annotations

import os
import warnings
from itertools import compress
from typing import Any

import numpy as np

from ...data.text import read_text
from ...serialize import PathLike
from .agreement import Correlation, pearson, spearman
from .analogies import Known, Quadruple, answers
from .table import WordTable, unit


def read_analogies(path: PathLike, upper: bool) -> list[tuple[str, list[Quadruple]]]:
    """Return the sections of an analogy file: their names and questions.

    Lines are ": name of a section" or four words; others are left out, with a warning.
    Raises ValueError for a question before any section, or no question at all.
    """
    sections: list[tuple[str, list[Quadruple]]] = []
    left_out = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        words = (line.upper() if upper else line).split()
        if line.startswith(": "):
            sections.append((line.lstrip(": ").strip(), []))
        elif words and not sections:
            raise ValueError(f"{os.fspath(path)}, line {number}: a question before any ': section'")
        elif len(words) == 4:
            sections[-1][1].append((words[0], words[1], words[2], words[3]))
        elif words:
            left_out.append(number)
    _warn(path, left_out, "four words")
    if not any(questions for _, questions in sections):
        raise ValueError(f"{os.fspath(path)}: no questions of four words")
    return sections


def read_pairs(
    path: PathLike, delimiter: str, upper: bool
) -> tuple[list[tuple[str, str]], list[float]]:
    """Return the pairs of words of a file, and people's judgement of their similarity.

    Lines are word, word, number between delimiters, or begin with "#"; others are left out, with a
    warning.
    """
    pairs, judgements, left_out = [], [], []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.startswith("#") or not line.strip():
            continue
        try:
            first, second, judgement = (line.upper() if upper else line).split(delimiter)
            judgements.append(float(judgement))
        except ValueError:
            left_out.append(number)
        else:
            pairs.append((first, second))
    _warn(path, left_out, f"two words and a number between {delimiter!r}")
    return pairs, judgements


def evaluate_word_analogies(
    wv: WordTable,
    analogies: PathLike,
    restrict_vocab: int | None = 300_000,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
) -> tuple[float, list[dict[str, Any]]]:
    """Return what `WordVectors.evaluate_word_analogies` documents."""
    sections = read_analogies(analogies, case_insensitive)
    known = Known(wv, restrict_vocab, case_insensitive)
    unknown = {word for _, questions in sections for q in questions for word in q}
    unknown.difference_update(known.first)
    asked = [[unknown.isdisjoint(q) for q in questions] for _, questions in sections]
    questions = [
        q for (_, qs), there in zip(sections, asked, strict=True) for q in compress(qs, there)
    ]
    judged = []
    right = iter(answers(wv, known, questions).tolist())
    for (name, section), there in zip(sections, asked, strict=True):
        kinds: dict[str, list[Quadruple]] = {"correct": [], "incorrect": []}
        for question, is_known in zip(section, there, strict=True):
            if is_known or dummy4unknown:
                correct = is_known and next(right)
                kinds["correct" if correct else "incorrect"].append(question)
        judged.append({"section": name, **kinds})
    total: dict[str, Any] = {
        kind: [question for section in judged for question in section[kind]]
        for kind in ("correct", "incorrect")
    }
    judged.append({"section": "Total accuracy", **total})
    count = len(total["correct"]) + len(total["incorrect"])
    return len(total["correct"]) / count if count else 0.0, judged


def evaluate_word_pairs(
    wv: WordTable,
    pairs: PathLike,
    delimiter: str = "\t",
    restrict_vocab: int | None = 300_000,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
) -> tuple[Correlation, Correlation, float]:
    """Return what `WordVectors.evaluate_word_pairs` documents."""
    words, judgements = read_pairs(pairs, delimiter, case_insensitive)
    known = Known(wv, restrict_vocab, case_insensitive)
    there = np.array([a in known.first and b in known.first for a, b in words], dtype=bool)
    ids = [[known.first.get(word, 0) for word in pair] for pair in words]
    if not (there.any() or (dummy4unknown and words)):
        raise ValueError(f"{os.fspath(pairs)}: no pair of words, of {len(words)}, has vectors")
    rows = unit(wv.vectors[np.array(ids)].astype(float))  # (N, 2, d)
    cosines = np.where(there, np.einsum("nd,nd->n", rows[:, 0], rows[:, 1]), 0.0)
    if not np.isfinite(cosines).all():
        _ = wv.norms  # raises, naming the words
    kept = slice(None) if dummy4unknown else there
    gold, model = np.array(judgements)[kept], cosines[kept]
    unknown = float(np.count_nonzero(~there)) / len(words) * 100
    return pearson(gold, model), spearman(gold, model), unknown


def _warn(path: PathLike, numbers: list[int], expected: str) -> None:
    if numbers:
        lines = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
        many = f"{len(numbers)} lines that are not {expected} (line {lines})"
        warnings.warn(f"{os.fspath(path)}: left out {many}", stacklevel=4)
