"""Writing word2vec's text and binary files and GloVe's text files."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO

from ...serialize import PathLike, replacing
from .reading import check_finite
from .table import Floats, Ids

_NUMBERS = 1 << 20  # written at once


def write_vectors(
    path: PathLike,
    words: Sequence[str],
    vectors: Floats,
    binary: bool = False,
    header: bool = True,
    limit: int | None = None,
) -> None:
    """Write words and vectors (V, d), packed if the name ends in .gz, whole or not at all.

    Text has the fewest digits that are read back as the same float32: gensim's bytes.
    Raises ValueError for words that are empty or hold a space or line end, which the formats
    cannot tell apart, and for vectors that are not finite.
    """
    if binary and not header:
        raise ValueError("a binary file has a header: write_header=False is for text")
    count = len(words) if limit is None else min(limit, len(words))
    for word in islice(words, count):
        if not word or " " in word or "\n" in word:
            raise ValueError(f"{word!r} is empty or holds a space or line end: cannot be written")
    with _written(path) as file:
        if header:
            file.write(f"{count} {vectors.shape[1]}\n".encode())
        rows_at_once = max(1, _NUMBERS // vectors.shape[1])
        for start in range(0, count, rows_at_once):
            rows = vectors[start : min(start + rows_at_once, count)]
            some = words[start : start + len(rows)]
            check_finite(rows, some)
            file.writelines(
                _encoded(word) + b" " + row.astype("<f4").tobytes()
                if binary
                else _encoded(word) + b" " + " ".join(map(str, row)).encode() + b"\n"
                for word, row in zip(some, rows, strict=True)
            )


def write_counts(path: PathLike, words: Sequence[str], counts: Ids) -> None:
    """Write lines "word count", whole or not at all."""
    with _written(path) as file:
        for word, count in zip(words, counts.tolist(), strict=True):
            file.write(_encoded(word) + f" {count}\n".encode())


def _encoded(word: str) -> bytes:
    try:
        return word.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{word!r} is not valid Unicode: cannot be written") from error


@contextmanager
def _written(path: PathLike) -> Iterator[IO[bytes]]:
    with replacing(path) as temporary, open(temporary, "wb") as raw:
        if os.fspath(path).endswith(".gz"):
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        else:
            yield raw
