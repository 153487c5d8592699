"""Metrics of written text, by the libraries that the field compares with: sacrebleu and jiwer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    lowercase: bool = False,
    tokenize: str = "13a",
) -> float:
    """Return the corpus BLEU of sacrebleu, from 0 to 100.

    references: one for each hypothesis, or several for each
    lowercase, tokenize: sacrebleu's own
    Raises ValueError for numbers that differ or are 0, ImportError without sacrebleu.
    Source: Papineni et al. 2002; Post 2018.
    """
    _check_numbers("bleu", hypotheses, references)
    several = [[r] if isinstance(r, str) else list(r) for r in references]
    most = max(map(len, several))
    columns = [[r[i] if i < len(r) else None for r in several] for i in range(most)]
    sacrebleu = _library("sacrebleu")
    score = sacrebleu.corpus_bleu(
        list(hypotheses), columns, lowercase=lowercase, tokenize=tokenize, force=True
    )
    return float(score.score)


def word_error_rate(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Return (substituted + deleted + inserted words) / words of all references, 0 or more.

    Raises ValueError for numbers that differ or no words at all, ImportError without jiwer.
    """
    _check_numbers("word_error_rate", hypotheses, references)
    _check_words("word_error_rate", references)
    return float(_library("jiwer").wer(list(references), list(hypotheses)))


def character_error_rate(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Return (substituted + deleted + inserted characters) / characters of all references.

    Raises ValueError for numbers that differ or no characters at all, ImportError without jiwer.
    """
    _check_numbers("character_error_rate", hypotheses, references)
    _check_words("character_error_rate", references)
    return float(_library("jiwer").cer(list(references), list(hypotheses)))


def _check_numbers(name: str, hypotheses: Sequence[Any], references: Sequence[Any]) -> None:
    if isinstance(hypotheses, str) or isinstance(references, str):
        raise TypeError(f"{name}: got a text, expected a list of them")
    if len(hypotheses) != len(references) or len(references) == 0:
        raise ValueError(
            f"{name}: {len(hypotheses)} hypotheses and {len(references)} references, "
            "expected as many of both, at least one"
        )


def _check_words(name: str, references: Sequence[str]) -> None:
    if not any(reference.split() for reference in references):
        raise ValueError(f"{name}: the references are all empty")


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"this metric needs {name}: pip install 'tinygrad-seq[examples]'"
        ) from error
