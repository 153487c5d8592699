"""A text to train on and one to validate with: from a file, from a folder, or built in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from .text import read_text


class Corpus(NamedTuple):
    """Two texts, and a sentence's worth on where the second comes from."""

    train: str
    validation: str
    source: str


def built_in_text() -> str:
    """Return the help topics that every Python ships with: about 700,000 characters of English."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def load_corpus(
    path: str | os.PathLike[str] | None = None,
    validation: str | os.PathLike[str] | None = None,
    held_out: float = 0.1,
) -> Corpus:
    """Return the texts of `path`, plain or gzip: a file, or a folder with train.txt and val.txt.

    path: None for the built-in text
    validation: a file; where None, val.* beside a file called train.*, else the last part of the
    text, cut at a line end
    held_out: that part's share, between 0 and 1
    Raises FileNotFoundError or ValueError for what is missing or is not text.
    """
    if not 0.0 < held_out < 1.0:
        raise ValueError(f"load_corpus: held_out is {held_out}, expected between 0 and 1")
    if path is None:
        return _split(built_in_text(), held_out, "the built-in text")
    path = Path(path)
    if path.is_dir():
        train, beside = _only(path, "train.txt*"), _only(path, "val.txt*")
        return Corpus(read_text(train), read_text(beside), str(beside))
    text = read_text(path)
    if validation is None and path.name.startswith("train."):
        beside = path.with_name("val." + path.name.removeprefix("train."))
        validation = beside if beside.exists() else None
    if validation is not None:
        return Corpus(text, read_text(validation), str(validation))
    return _split(text, held_out, str(path))


def _split(text: str, held_out: float, name: str) -> Corpus:
    cut = text.find("\n", int(len(text) * (1 - held_out))) + 1
    if cut == 0 or cut == len(text):
        cut = int(len(text) * (1 - held_out))
    return Corpus(text[:cut], text[cut:], f"the last {1 - cut / max(len(text), 1):.0%} of {name}")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise FileNotFoundError(f"{folder}: no {pattern} in this folder")
    return found[0]
