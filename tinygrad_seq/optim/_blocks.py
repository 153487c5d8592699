"""Arrays cut into blocks that stay in the processor's cache from one pass over them to the next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..engine.backend import Array

BLOCK = 32_768  # elements: 128 kB in float32


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Views of the same rows of every array, one block after another, for elementwise work.

    arrays: of one shape and backend. Cut along the first axis where NumPy holds them, else whole.
    """
    first = arrays[0]
    if first.size <= BLOCK or not isinstance(first, np.ndarray):
        yield arrays
        return
    rows = max(1, BLOCK * len(first) // first.size)
    for start in range(0, len(first), rows):
        yield tuple([array[start : start + rows] for array in arrays])
