"""Reading word2vec's text and binary files and GloVe's text files."""

from __future__ import annotations

import gzip
import io
import math
import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Literal

import numpy as np

from ...serialize import PathLike, check_readable
from .table import Floats, Ids

WIDEST = 1 << 20  # numbers in a row
LONGEST = 1 << 16  # bytes in a word
_CHUNK = 1 << 20  # bytes read at once
_GZIP = b"\x1f\x8b"


def read_vectors(
    path: PathLike,
    binary: bool = False,
    header: bool = True,
    limit: int | None = None,
    encoding: str = "utf-8",
    unicode_errors: str = "strict",
    duplicates: Literal["error", "first"] = "error",
) -> tuple[list[str], Floats]:
    """Return the words and vectors (V, d) of a file, plain or gzip.

    header: whether the first line says V and d (word2vec), or the file begins with a vector (GloVe)
    limit: read only the first so many rows
    unicode_errors: what becomes of words that are not `encoding`: "strict", "replace", "ignore"
    duplicates: "first" leaves out a word that has come before, as gensim does
    Memory and time grow with what the file holds, whatever its header says.
    Raises FileNotFoundError, and ValueError naming file and line (of a binary file: row) for all
    that is damaged, or not as the header says.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}, expected 1 or more")
    if binary and not header:
        raise ValueError("a binary file has a header: no_header is for text")
    name = os.fspath(path)
    with _opened(path) as (file, size):
        table = _Table(name, encoding, unicode_errors, duplicates)
        line = 0
        if header:
            line, (rows, width) = 1, _read_header(name, file)
            wanted = rows if limit is None else min(rows, limit)
            least = wanted * (4 * width + 2 if binary else 2 * width + 2) - 1
            if size is not None and least > size:
                says = f"the header says {rows} rows of {width} numbers"
                raise ValueError(f"{name}: {says}, at least {least} bytes; the file has {size}")
            table.make(width, wanted if size is not None else 0)
        whole = header and (limit is None or limit >= rows)
        if binary:
            _read_binary(file, table, wanted, whole)
        else:
            _read_text(file, table, line, wanted if header else limit, whole)
    return table.finished()


def read_counts(path: PathLike, words: Sequence[str], encoding: str, unicode_errors: str) -> Ids:
    """Return how often each word occurred (V,), from a file of lines "word count".

    Raises ValueError for other lines, and if one of the words is missing.
    """
    name, counts = os.fspath(path), {}
    with _opened(path) as (file, _):
        for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), start=1):
            word, _, count = line.strip(b"\r\n").rpartition(b" ")
            if not count.isdigit():
                raise ValueError(f"{name}, line {number}: {line[:40]!r}, expected a word and count")
            counts[_decoded(word, encoding, unicode_errors, f"{name}, line {number}")] = int(count)
    missing = [word for word in words if word not in counts]
    if missing:
        raise ValueError(f"{name}: no counts of {len(missing)} words, such as {missing[:5]}")
    return np.array([counts[word] for word in words], dtype=np.int64)


class _Table:
    """Rows as they are read: words and vectors, in memory that grows with them."""

    def __init__(self, name: str, encoding: str, unicode_errors: str, duplicates: str) -> None:
        if duplicates not in ("error", "first"):
            raise ValueError(f"duplicates is {duplicates!r}, expected 'error' or 'first'")
        self.name, self.encoding, self.errors = name, encoding, unicode_errors
        self.duplicates = duplicates
        self.words: dict[str, int] = {}
        self.vectors: Floats = np.empty((0, 0), dtype=np.float32)
        self.width = 0

    def make(self, width: int, rows: int) -> None:
        """Nothing; makes room for so many rows."""
        self.width, self.vectors = width, np.empty((rows, width), dtype=np.float32)

    def add(self, word: bytes, row: Floats, where: str) -> None:
        """Nothing; adds a row (d,)."""
        text = _decoded(word, self.encoding, self.errors, where)
        if text in self.words:
            if self.duplicates == "error":
                first = f"it is row {self.words[text] + 1} already"
                raise ValueError(
                    f"{where}: the word {text!r}: {first} (duplicates='first' keeps it)"
                )
            return
        place = len(self.words)
        if place == len(self.vectors):
            grown = np.empty((max(1024, 2 * place), self.width), dtype=np.float32)
            grown[:place] = self.vectors
            self.vectors = grown
        self.words[text] = place
        self.vectors[place] = row

    def finished(self) -> tuple[list[str], Floats]:
        """Return the words and vectors."""
        vectors = self.vectors[: len(self.words)]
        return list(self.words), vectors if len(vectors) == len(self.vectors) else vectors.copy()


def _read_header(name: str, file: IO[bytes]) -> tuple[int, int]:
    line = file.readline(200)
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        expected = "expected 'rows width' (GloVe's files have no header: no_header=True)"
        raise ValueError(f"{name}, line 1: the header is {line[:40]!r}, {expected}")
    rows, width = map(int, parts)
    if not 1 <= width <= WIDEST:
        raise ValueError(f"{name}, line 1: rows of {width} numbers, expected 1 to {WIDEST}")
    return rows, width


def _read_text(file: IO[bytes], table: _Table, line: int, wanted: int | None, whole: bool) -> None:
    """Nothing; reads rows into the table.

    line: number of the line before;  whole: whether nothing may follow the `wanted` rows
    """
    found, name = 0, table.name
    while wanted is None or found < wanted:
        room = 1024 if wanted is None else min(1024, wanted - found)
        lines = _some_lines(file, name, line, room, table.width)
        if not lines:
            break
        if not table.width:
            width = len(lines[0].split()) - 1
            if not 1 <= width <= WIDEST:
                raise ValueError(f"{name}, line 1: {lines[0][:40]!r}, expected a word and numbers")
            table.make(width, 0)
        words, rows = _parse(lines, table.width, name, line + 1)
        for number, word, row in zip(
            range(line + 1, line + 1 + len(lines)), words, rows, strict=True
        ):
            table.add(word, row, f"{name}, line {number}")
        line, found = line + len(lines), found + len(lines)
    if whole and wanted is not None:
        if found < wanted:
            raise ValueError(f"{name}: the header says {wanted} rows, the file has {found}")
        if any(more.strip() for more in iter(lambda: file.readline(_CHUNK), b"")):
            raise ValueError(f"{name}: the header says {wanted} rows, the file has more")
    if found == 0 and not whole:
        raise ValueError(f"{name}: the file is empty, expected vectors")


def _some_lines(file: IO[bytes], name: str, line: int, most: int, width: int) -> list[bytes]:
    """Up to `most` lines, and not much more than a chunk; none where only blank ones follow."""
    longest = LONGEST + 64 * (width or WIDEST)
    lines: list[bytes] = []
    held = 0
    while len(lines) < most and held < _CHUNK:
        text = file.readline(longest)
        if len(text) == longest:
            raise ValueError(f"{name}, line {line + len(lines) + 1}: longer than {longest} bytes")
        if not text.strip():
            if not text or not any(
                more.strip() for more in iter(lambda: file.readline(_CHUNK), b"")
            ):
                break
            raise ValueError(f"{name}, line {line + len(lines) + 1}: blank, expected a vector")
        lines.append(text)
        held += len(text)
    return lines


def _parse(lines: list[bytes], width: int, name: str, first: int) -> tuple[list[bytes], Floats]:
    """Words and vectors (N, d) of lines, all numbers by one call."""
    words, texts = [], []
    for number, line in enumerate(lines, start=first):
        word, _, numbers = line.rstrip().partition(b" ")
        if numbers.count(b" ") != width - 1:
            word, numbers = _unusual(line, width, f"{name}, line {number}")
        words.append(word)
        texts.append(numbers)
    rows = _numbers(b" ".join(texts))
    if rows.size != len(lines) * width:
        for number, text in enumerate(texts, start=first):
            if _numbers(text).size != width:
                raise ValueError(f"{name}, line {number}: {text[:40]!r} are not {width} numbers")
        raise ValueError(f"{name}, lines {first} to {first + len(lines) - 1}: not numbers")
    rows = rows.reshape(len(lines), width)
    check_finite(rows, [f"{name}, line {first + row}" for row in range(len(rows))])
    return words, rows


def _unusual(line: bytes, width: int, where: str) -> tuple[bytes, bytes]:
    """Word and numbers of a line with other white space, or spaces in its word (as in GloVe's)."""
    fields = line.split()
    word = fields[: max(len(fields) - width, 0)]
    if not word or line[:1].isspace() or (len(word) > 1 and _numbers(word[-1]).size == 1):
        raise ValueError(f"{where}: {len(fields) - 1} numbers after the word, expected {width}")
    return b" ".join(word), b" ".join(fields[-width:])


def _numbers(text: bytes) -> Floats:
    """The numbers of a text of nothing but numbers; of any other text, none."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # what NumPy 2.3 raises it warned of
        try:
            numbers: Floats = np.fromstring(text, dtype=np.float32, sep=" ")
        except (ValueError, DeprecationWarning):
            return np.empty(0, dtype=np.float32)
    return numbers


@np.errstate(over="ignore", invalid="ignore")
def _read_binary(file: IO[bytes], table: _Table, wanted: int, whole: bool) -> None:
    """Nothing; reads rows "word, space, d little-endian float32" into the table."""
    name, width, held, place = table.name, table.width, b"", 0
    for row in range(1, wanted + 1):
        space = held.find(b" ", place)
        if space < 0 or len(held) < space + 1 + 4 * width:
            held, place = held[place:] + file.read(_CHUNK + 4 * width), 0
            space = held.find(b" ")
            if (space if space >= 0 else len(held)) > LONGEST:
                raise ValueError(f"{name}, row {row}: a word of more than {LONGEST} bytes")
            if space < 0 or len(held) < space + 1 + 4 * width:
                cut = f"the file ends in row {row} of {wanted}"
                raise ValueError(f"{name}: {cut}: it is cut short, or its header is wrong")
        vector = np.frombuffer(held, "<f4", width, space + 1)
        where = f"{name}, row {row}"
        if not math.isfinite(np.dot(vector, vector)):  # quicker than to look at each number
            check_finite(vector[None], [where])
        table.add(held[place:space].lstrip(b"\n"), vector, where)
        place = space + 1 + 4 * width
    if whole and (held[place:] + file.read(1 << 10)).strip(b"\n"):
        raise ValueError(f"{name}: the header says {wanted} rows of {width}, the file has more")


def check_finite(rows: Floats, names: Sequence[str]) -> None:
    """Raise ValueError, naming it, for the first of some rows (N, d) that is not finite."""
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(f"{names[int(np.argmin(finite))]}: numbers that are not finite")


def _decoded(word: bytes, encoding: str, errors: str, where: str) -> str:
    try:
        text = word.decode(encoding, errors)
    except UnicodeDecodeError as error:
        hint = "unicode_errors='replace' or 'ignore' reads it"
        raise ValueError(f"{where}: the word {word[:40]!r} is not {encoding} ({hint})") from error
    if not text:
        raise ValueError(f"{where}: a vector without a word")
    return text


@contextmanager
def _opened(path: PathLike) -> Iterator[tuple[IO[bytes], int | None]]:
    """A file's bytes, unpacked if it is gzip, and how many there are if it is not."""
    check_readable(path)
    with open(path, "rb") as raw:
        if raw.peek(2)[:2] != _GZIP:
            yield raw, os.fstat(raw.fileno()).st_size
            return
        try:
            with gzip.GzipFile(fileobj=raw) as unpacked, io.BufferedReader(unpacked) as file:
                yield file, None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{os.fspath(path)}: damaged gzip: {error}") from error
