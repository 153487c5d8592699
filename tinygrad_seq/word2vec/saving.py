"""A model of word vectors as a file: settings, vocabulary, how far training came, the vectors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ..serialize import PathLike, load_checkpoint, save_checkpoint
from .definition import Array

FORMAT = "tinygrad_seq.word2vec"

Model = TypeVar("Model")


def write(
    path: PathLike, settings: dict[str, Any], words: Sequence[str], counts: Array,
    progress: dict[str, Any], model: dict[str, Array],
) -> None:  # fmt: skip
    """Nothing; writes a safetensors file. The words stand in it as bytes and their lengths."""
    text = [word.encode() for word in words]
    tree = {
        "format": FORMAT,
        "settings": settings,
        "words": np.frombuffer(b"".join(text), np.uint8),
        "word_lengths": np.array([len(word) for word in text], np.int64),
        "counts": counts,
        **progress,
        "model": model,
    }
    save_checkpoint(path, tree)


def read(path: PathLike, build: Callable[[dict[str, Any]], Model]) -> Model:
    """Return what `build` makes of the settings, words, counts, progress and model of a file.

    Raises FileNotFoundError, and ValueError for a file that is damaged or of something else.
    """
    tree = load_checkpoint(path)
    try:
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise ValueError("it holds no Word2Vec")
        return build(tree | _vocabulary(tree))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"{path}: not a saved Word2Vec: {error}") from error


def _vocabulary(tree: dict[str, Any]) -> dict[str, Any]:
    """The words as str and their counts as int64."""
    ends = np.concatenate([[0], np.cumsum(tree["word_lengths"])]).tolist()
    text = tree["words"].tobytes()
    if ends[-1] != len(text):
        raise ValueError(f"its words are {len(text)} bytes long, expected {ends[-1]}")
    words = [text[a:b].decode() for a, b in itertools.pairwise(ends)]
    if len(tree["counts"]) != len(words):
        raise ValueError(f"{len(words)} words have {len(tree['counts'])} counts")
    return {"words": words, "counts": tree["counts"].astype(np.int64)}
