"""Texts to train on and to validate with; sentences with tags, translations or labels."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .text import read_text


class Corpus(NamedTuple):
    """Two texts, and a sentence's worth on where the second comes from."""

    train: str
    validation: str
    source: str


class Tagged(NamedTuple):
    """A sentence's words and their tags, as many, and the line of the file with the first."""

    words: list[str]
    tags: list[str]
    line: int


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


def read_tagged(path: str | os.PathLike[str], longest: int | None = None) -> list[Tagged]:
    """Return the sentences of a file, plain or gzip: a word, a tab and its tag on each line.

    An empty line ends a sentence; further columns are left out.
    longest: how many words a sentence may have
    Raises ValueError naming file and line for other lines, sentences too long, a file without any,
    and as `read_text`.
    """
    name, sentences = os.fspath(path), []
    current = Tagged([], [], 0)
    for number, line in enumerate([*read_text(path).split("\n"), ""], start=1):
        word, _, rest = line.partition("\t")
        tag = rest.partition("\t")[0]
        if word.strip() and tag.strip():
            current = current if current.words else Tagged([], [], number)
            current.words.append(word)
            current.tags.append(tag)
        elif line.strip():
            raise ValueError(f"{name}, line {number}: expected a word, a tab and a tag")
        elif current.words:
            _check_length(f"{name}, line {current.line}: a sentence", len(current.words), longest)
            sentences.append(current)
            current = Tagged([], [], 0)
    if not sentences:
        raise ValueError(f"{name}: no sentences in it")
    return sentences


def check_tags(
    name: str | os.PathLike[str], sentences: Iterable[Tagged], tags: Container[str]
) -> None:
    """Nothing; raises ValueError, with the file's name and the line, for a tag not among these."""
    for _, found, line in sentences:
        for number, tag in enumerate(found, start=line):
            if tag not in tags:
                raise ValueError(f"{name}, line {number}: the model has no tag {tag!r}")


def read_pairs(
    path: str | os.PathLike[str],
    split: Callable[[str], list[str]] = str.split,
    longest: int | None = None,
) -> list[tuple[str, str]]:
    """Return the last two columns of each line of a file, plain or gzip: texts and their partners.

    split: the tokens of a text, of which there must be one at least, and `longest` at most
    Raises ValueError naming file and line for other lines, for a file without any, and as
    `read_text`.
    """
    name, pairs = os.fspath(path), []
    for number, columns in read_columns(path):
        counts = [len(split(column)) for column in columns[-2:]]
        if len(counts) < 2 or 0 in counts:
            raise ValueError(f"{name}, line {number}: expected a sentence, a tab and another")
        _check_length(f"{name}, line {number}: a sentence", max(counts), longest)
        pairs.append((columns[-2], columns[-1]))
    if not pairs:
        raise ValueError(f"{name}: no pairs in it")
    return pairs


def read_dialogues(
    path: str | os.PathLike[str],
    turns: int = 0,
    split: Callable[[str], list[str]] = str.split,
    longest: int | None = None,
) -> list[tuple[str, str]]:
    """Return what is said and the reply, the last two columns of each line of a file.

    turns: how many earlier turns, with " / " between, stand before what is said; only lines of four
    columns or more, a dialogue's number first, have such, from the lines of the same number above
    split: the tokens of a turn, of which there must be one at least, and `longest` at most
    Raises ValueError naming file and line for other lines, for a file without any, and as
    `read_text`.
    """
    name, pairs, before, dialogue = os.fspath(path), [], list[str](), ""
    for number, columns in read_columns(path):
        counts = [len(split(column)) for column in columns[-2:]]
        if len(counts) < 2 or 0 in counts:
            raise ValueError(f"{name}, line {number}: expected what is said, a tab and the reply")
        _check_length(f"{name}, line {number}: a turn", max(counts), longest)
        if len(columns) < 4 or columns[0] != dialogue:
            before, dialogue = [], columns[0]
        said = [*before, columns[-2]]
        pairs.append((" / ".join(said[-1 - turns :]), columns[-1]))
        before = [*said, columns[-1]]
    if not pairs:
        raise ValueError(f"{name}: no dialogues in it")
    return pairs


def read_labelled(
    path: str | os.PathLike[str], labels: Container[str]
) -> list[tuple[str, list[str]]]:
    """Return each line's text and labels, of a file, plain or gzip: text, a tab, "3,17".

    labels: those that there are
    Raises ValueError naming file and line for other lines and labels, for a file without any, and
    as `read_text`.
    """
    name, texts = os.fspath(path), []
    for number, columns in read_columns(path):
        found = columns[-1].split(",")
        if len(columns) < 2 or not all(label in labels for label in found):
            raise ValueError(f"{name}, line {number}: expected text, a tab and labels that exist")
        texts.append(("\t".join(columns[:-1]), found))
    if not texts:
        raise ValueError(f"{name}: no texts in it")
    return texts


def read_labelled_folder(
    folder: str | os.PathLike[str],
) -> tuple[list[tuple[str, list[str]]], list[tuple[str, list[str]]], dict[str, str]]:
    """Return the texts of train.tsv and of dev.tsv, plain or gzip, and the groups of labels.tsv.

    Raises as `part_of`, `read_labelled` and `read_groups`.
    """
    groups = read_groups(part_of(folder, "labels.tsv"))
    texts, held_out = (
        read_labelled(part_of(folder, name), groups) for name in ("train.tsv", "dev.tsv")
    )
    return texts, held_out, groups


def read_groups(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the group of each label, of a table with titles, `id` and `group` among them.

    Raises ValueError naming file and line for other tables, and as `read_text`.
    """
    name, groups = os.fspath(path), dict[str, str]()
    _, titles = next(read_columns(path), (1, []))
    if not {"id", "group"} <= set(titles):
        raise ValueError(f"{name}: expected the titles id and group, with tabs between")
    for number, columns in itertools.islice(read_columns(path), 1, None):
        if len(columns) != len(titles):
            fault = f"{len(columns)} columns, expected {len(titles)}"
            raise ValueError(f"{name}, line {number}: {fault}")
        groups[columns[titles.index("id")]] = columns[titles.index("group")]
    return groups


def read_columns(path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each line's number, from 1, and its columns, with tabs between; as `read_text` else.

    A line ends with its line feed alone, whatever other separators it holds; the last may lack it.
    """
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines if lines[-1] else lines[:-1], start=1):
        yield number, line.split("\t")


def _check_length(what: str, count: int, longest: int | None) -> None:
    if longest is not None and count > longest:
        raise ValueError(f"{what} of {count} words, expected at most {longest}")
