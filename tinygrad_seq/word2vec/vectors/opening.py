"""Word vectors of any file, by its name."""

from __future__ import annotations

import os

from ...serialize import PathLike
from .word_vectors import WordVectors


def open_vectors(path: PathLike, no_header: bool = False) -> WordVectors:
    """Return the vectors of a file: word2vec's .bin, .txt or .vec, plain or .gz, or `save`'s.

    no_header: the text begins with its first word, as GloVe's files do
    Raises as `WordVectors.load_word2vec_format` and `WordVectors.load`.
    """
    name = os.fspath(path).removesuffix(".gz")
    if not name.endswith((".bin", ".txt", ".vec")):
        return WordVectors.load(path)
    binary = name.endswith(".bin")
    return WordVectors.load_word2vec_format(path, binary=binary, no_header=no_header)
