"""Word vectors in a safetensors file that is mapped, not read: loading takes no time."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...serialize import PathLike, load_metadata
from ...serialize import save as save_arrays
from .table import Floats, Ids

_FORMAT = "tinygrad_seq.word_vectors.1"
_DTYPES = {"F32": np.float32, "I64": np.int64, "U8": np.uint8}


class Stored(NamedTuple):
    """What a file holds: the words (read when the function is called), vectors, counts."""

    words: Callable[[], list[str]]
    vectors: Floats
    counts: Ids | None


def save(path: PathLike, words: list[str], vectors: Floats, counts: Ids | None) -> None:
    """Write words, vectors and counts, whole or not at all.

    "vectors" (V, d) F32;  "words" U8, in UTF-8, a line end after each;  "counts" (V,) I64, if any
    Raises ValueError for a word that holds a line end, or is not valid Unicode.
    """
    for word in words:
        if "\n" in word:
            raise ValueError(f"{os.fspath(path)}: the word {word!r} holds a line end")
    try:
        text = "".join(f"{word}\n" for word in words).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{os.fspath(path)}: a word is not valid Unicode: {error}") from error
    arrays: dict[str, Any] = {"vectors": vectors, "words": np.frombuffer(text, np.uint8)}
    if counts is not None:
        arrays["counts"] = counts
    save_arrays(path, arrays, {"format": _FORMAT})


def load(path: PathLike, mmap: bool) -> Stored:
    """Return what `save` wrote; with `mmap` the vectors stay in the file, read where looked at.

    Raises FileNotFoundError, and ValueError for a file that is damaged or of another kind; for
    words that do not fit the vectors when they are first asked for.
    """
    name = os.fspath(path)
    if load_metadata(path).get("format") != _FORMAT:  # also checks that the file is whole
        raise ValueError(f"{name}: not word vectors that this package saved")
    arrays = _mapped(path)
    vectors, text, counts = (arrays.get(key) for key in ("vectors", "words", "counts"))
    if vectors is None or vectors.dtype != np.float32 or vectors.ndim != 2:
        raise ValueError(f"{name}: no float32 table 'vectors' (V, d)")
    if text is None or text.dtype != np.uint8 or text.ndim != 1:
        raise ValueError(f"{name}: no bytes 'words'")
    if counts is not None and (counts.dtype != np.int64 or counts.shape != vectors.shape[:1]):
        raise ValueError(f"{name}: 'counts' are not {len(vectors)} int64")
    size, bytes_of_words = len(vectors), text

    def words() -> list[str]:
        try:
            *listed, rest = bytes_of_words.tobytes().decode().split("\n")
        except UnicodeDecodeError as error:
            raise ValueError(f"{name}: its words are not UTF-8: {error}") from error
        if len(listed) != size or rest:
            raise ValueError(f"{name}: {len(listed)} words for {size} vectors")
        return listed

    return Stored(words, vectors if mmap else vectors.copy(), counts)


def _mapped(path: PathLike) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a whole safetensors file, mapped into memory."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for key, about in header.items():
        dtype, shape = _DTYPES.get(about["dtype"]), tuple(about["shape"])
        if dtype is None:
            raise ValueError(f"{os.fspath(path)}: {key!r} has dtype {about['dtype']}")
        if math.prod(shape) == 0:  # nothing to map
            arrays[key] = np.empty(shape, dtype)
            continue
        start = 8 + length + about["data_offsets"][0]
        arrays[key] = np.asarray(np.memmap(path, dtype, "r", offset=start, shape=shape))
    return arrays
