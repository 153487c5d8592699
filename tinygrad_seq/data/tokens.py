"""Tokens of text as numbers, quickly: words of a byte stream or of lists, numbered as they come.

A token of a text is what stands between white space (str.split's, Unicode's included), a sentence
is a line. The definition splits lines in Python; the compiled scanner hashes the bytes as it goes.
"""

from __future__ import annotations

import gzip
import io
import itertools
import os
import pathlib
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..machine import runtime
from ..serialize import check_readable

Ids: TypeAlias = npt.NDArray[np.int32]

CHUNK = 1 << 18
"""Bytes read at a time, and so the longest token that there can be."""
BATCH = 1 << 16
"""Tokens of lists numbered at a time."""


class Block(NamedTuple):
    """A part of a corpus: ids (n,), and how many of them stand before each end of a sentence."""

    ids: Ids
    ends: npt.NDArray[np.int64]


class Numbered(NamedTuple):
    """A corpus in blocks, its words numbered in the order in which they came.

    size: of how many different words   word(i): the word of number i
    """

    blocks: list[Block]
    size: int
    word: Callable[[int], str]


def number_tokens(corpus: Any) -> Numbered:
    """Return a corpus with its words numbered.

    corpus: a path (str or PathLike) of a text in UTF-8, plain or gzip, or an open file of one, or
    an iterable of sentences, each an iterable of str
    Raises TypeError for other things, ValueError for text that is not UTF-8, for a damaged gzip
    file, and for a token of over 256 KiB.
    """
    if isinstance(corpus, str | os.PathLike):
        check_readable(corpus)
        with open(corpus, "rb") as file:
            return _number_stream(file, os.fspath(corpus))
    if hasattr(corpus, "read"):
        return _number_stream(corpus, str(getattr(corpus, "name", "the stream")))
    if isinstance(corpus, bytes) or not isinstance(corpus, Iterable):
        raise TypeError(
            f"the corpus is a {type(corpus).__name__}, expected a path, an open file, or an "
            "iterable of lists of str"
        )
    return _number_sentences(corpus)


# ---- lists ---------------------------------------------------------------------------------------


def _number_sentences(sentences: Iterable[Any]) -> Numbered:
    index: defaultdict[Any, int] = defaultdict()
    index.default_factory = index.__len__
    blocks = []
    try:
        for batch in _batches(sentences):
            flat = itertools.chain.from_iterable(batch)
            ids = np.fromiter(map(index.__getitem__, flat), np.int32)
            ends = np.cumsum(np.fromiter(map(len, batch), np.int64, len(batch)))
            blocks.append(Block(ids, ends))
    except TypeError as error:
        if "unhashable" in str(error):
            raise TypeError(f"a sentence holds a token that is no str: {error}") from None
        raise
    index.default_factory = None
    words = list(index)
    for word in words:
        if not isinstance(word, str):
            kind = type(word).__name__
            raise TypeError(f"a sentence holds {word!r}, a {kind}, expected tokens that are str")
    return Numbered(blocks, len(words), words.__getitem__)


def _batches(sentences: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield lists of sentences, each of about BATCH tokens or of one sentence."""
    batch, tokens = [], 0
    for number, sentence in enumerate(sentences):
        if isinstance(sentence, str | bytes) or not isinstance(sentence, Iterable):
            raise TypeError(
                f"sentence {number} is a {type(sentence).__name__}, expected a list of tokens"
                + (": split it" if isinstance(sentence, str) else "")
            )
        if not hasattr(sentence, "__len__"):
            sentence = list(sentence)
        batch.append(sentence)
        tokens += len(sentence)
        if tokens >= BATCH:
            yield batch
            batch, tokens = [], 0
    if batch:
        yield batch


# ---- bytes ---------------------------------------------------------------------------------------


def _number_stream(stream: Any, name: str) -> Numbered:
    with _reading(name):
        read = _bytes_reader(stream)
        if runtime.available():
            return _Scanner(name).scan(read)
        return _number_sentences(_lines(read, name))


def _bytes_reader(stream: Any) -> Callable[[int], bytes]:
    """Return a function that reads up to so many bytes of the text, unpacked if it is gzip."""

    def encoded(size: int) -> bytes:
        data = stream.read(size)
        if not isinstance(data, str | bytes):
            raise TypeError(f"read() of the corpus returned a {type(data).__name__}")
        return data.encode() if isinstance(data, str) else data

    start = encoded(2)
    while 0 < len(start) < 2 and (more := encoded(2 - len(start))):
        start += more
    source = _Joined(start, encoded)
    if start == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=io.BufferedReader(source, CHUNK)).read
    return io.BufferedReader(source, CHUNK).read


class _Joined(io.RawIOBase):
    """A stream of bytes that were read already and those that follow."""

    def __init__(self, start: bytes, read: Callable[[int], bytes]) -> None:
        self.start, self.more = start, read

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Return how many bytes were put into the buffer, 0 at the end."""
        data = self.start or self.more(len(buffer))
        self.start = data[len(buffer) :]
        data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name}: a damaged gzip file: {error}") from error


def _lines(read: Callable[[int], bytes], name: str) -> Iterator[list[str]]:
    """Yield the tokens of each line: the definition of the scanner."""
    rest, place, number = b"", 0, 1
    while data := read(CHUNK):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield _split(line, name, place, number)
            place, number = place + len(line) + 1, number + 1
    yield _split(rest, name, place, number)


def _split(line: bytes, name: str, place: int, number: int) -> list[str]:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _not_text(name, place + error.start, number) from None
    tokens = (text.removeprefix("\ufeff") if place == 0 else text).split()
    if max(map(len, tokens), default=0) > CHUNK // 4:
        for token in tokens:
            if len(token.encode()) >= CHUNK:
                raise _too_long(name, number)
    return tokens


def _not_text(name: str, place: int, line: int) -> ValueError:
    return ValueError(f"{name}: byte {place}, in line {line}, is not UTF-8")


def _too_long(name: str, line: int) -> ValueError:
    return ValueError(f"{name}: line {line} has a token of over {CHUNK} bytes; is it a text?")


class _Scanner:
    """Words met so far, in a hash table of open addressing, as the compiled scanner keeps them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.code: Any = runtime.load(
            pathlib.Path(__file__).with_name("scanner.py").read_text(encoding="utf-8")
        )
        self.slots = np.zeros(1 << 19, np.int64)
        self.starts = np.zeros(1 << 18, np.int64)  # of each word in `text`, and the last one's end
        self.text = np.zeros(1 << 20, np.uint8)
        self.count = 0

    def scan(self, read: Callable[[int], bytes]) -> Numbered:
        """Return the text's words, numbered."""
        buffer = np.zeros(CHUNK, np.uint8)
        view = buffer.data
        blocks, kept, place, line, ended = [], 0, 0, 1, False
        while not ended:
            data = read(CHUNK - kept)
            ended = not data
            view[kept : kept + len(data)] = data
            size = kept + len(data)
            begin = 3 if place == 0 and data[:3] == b"\xef\xbb\xbf" else 0  # a byte order mark
            self._make_room()
            ids, ends = np.empty(CHUNK // 2 + 1, np.int32), np.empty(CHUNK // 2 + 1, np.int64)
            at, self.count, tokens, sentences, lines, sound = self.code.scan(
                buffer,
                begin,
                size,
                ended,
                self.slots,
                self.starts,
                self.text,
                self.count,
                ids,
                ends,
            )
            line += lines
            if not sound:
                raise _not_text(self.name, place + at, line)
            if at == 0 and size == CHUNK:
                raise _too_long(self.name, line)
            blocks.append(Block(ids[:tokens].copy(), ends[:sentences].copy()))
            kept, place = size - at, place + at
            buffer[:kept] = buffer[at:size].copy()
        return Numbered(blocks, self.count, self._word)

    def _make_room(self) -> None:
        """Nothing; afterwards a chunk can bring nothing but new words."""
        most = self.count + CHUNK // 2 + 1
        if most >= len(self.starts):
            self.starts = np.concatenate([self.starts, np.zeros_like(self.starts)])
        if self.starts[self.count] + CHUNK > len(self.text):
            self.text = np.concatenate([self.text, np.zeros_like(self.text)])
        if 2 * most > len(self.slots):
            slots = np.zeros(2 * len(self.slots), np.int64)
            self.code.move(self.slots, slots)
            self.slots = slots

    def _word(self, i: int) -> str:
        return bytes(self.text[self.starts[i] : self.starts[i + 1]]).decode()
