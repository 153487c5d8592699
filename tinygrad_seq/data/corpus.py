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
    """Return the help topics that every Python ships with: some 450,000 characters of English."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def load_corpus(
    path: str | os.PathLike[str] | None = None,
    validation: str | os.PathLike[str] | None = None,
    held_out: float = 0.1,
) -> Corpus:
    """Return the texts of `path`, plain or gzip: a file, or a folder with train.txt and val.txt.

    path: None for the built-in text
    validation: a file; where None, val.* in the folder or beside a file called train.*, else the
    last part of the text, cut at a line end
    held_out: that part's share, between 0 and 1
    Raises FileNotFoundError or ValueError for what is missing, empty or not text.
    """
    if not 0.0 < held_out < 1.0:
        raise ValueError(f"load_corpus: held_out is {held_out}, expected between 0 and 1")
    if path is not None and Path(path).is_dir():
        folder, path = Path(path), part_of(path, "train.txt")
        validation = part_of(folder, "val.txt") if validation is None else validation
    elif path is not None and validation is None and Path(path).name.startswith("train."):
        beside = Path(path).with_name("val." + Path(path).name.removeprefix("train."))
        validation = beside if beside.exists() else None
    text = built_in_text() if path is None else _some_text(path)
    if validation is not None:
        return Corpus(text, _some_text(validation), str(validation))
    return _split(text, held_out, "the built-in text" if path is None else str(path))


def _some_text(path: str | os.PathLike[str]) -> str:
    text = read_text(path)
    if not text:
        raise ValueError(f"{os.fspath(path)}: the file is empty, expected text")
    return text


def _split(text: str, held_out: float, name: str) -> Corpus:
    if len(text) < 2:
        raise ValueError(f"{name}: one character, expected at least two: to train and to validate")
    cut = text.find("\n", int(len(text) * (1 - held_out))) + 1
    if cut == 0 or cut == len(text):
        cut = min(max(int(len(text) * (1 - held_out)), 1), len(text) - 1)
    return Corpus(text[:cut], text[cut:], f"the last {1 - cut / len(text):.0%} of {name}")


def part_of(folder: str | os.PathLike[str], name: str) -> Path:
    """Return the file `name` of a folder, such as "train.tsv", or the same packed by gzip.

    Raises FileNotFoundError where there is neither.
    """
    for path in (Path(folder) / name, Path(folder) / f"{name}.gz"):
        if path.exists():
            return path
    raise FileNotFoundError(f"{folder}: neither {name} nor {name}.gz in this folder")
