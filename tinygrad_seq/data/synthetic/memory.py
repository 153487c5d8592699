"""Made-up tasks that ask what a recurrent network can remember."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ...engine import checks

Task: TypeAlias = tuple[npt.NDArray[np.float32], npt.NDArray[Any]]


def adding_problem(generator: np.random.Generator, length: int, number: int) -> Task:
    """Return x (T, B, 2), numbers from 0 to 1 and marks, and y (B,), the sum of the two marked.

    length: T;  number: B of sequences
    One mark stands in each half of the T steps. Always saying 1 has a mean square error of 1/6.
    Raises ValueError for a length below 2 or a number below 1.
    Source: Hochreiter & Schmidhuber 1997, section 5.4; sizes as in Le, Jaitly & Hinton 2015.
    """
    length, number = _check_sizes("adding_problem", length, 2, number)
    x = np.zeros((length, number, 2), dtype=np.float32)
    x[..., 0] = generator.random((length, number))
    first, second = (
        generator.integers(0, length // 2, number),
        generator.integers(length // 2, length, number),
    )
    x[first, range(number), 1] = x[second, range(number), 1] = 1
    return x, (x[..., 0] * x[..., 1]).sum(axis=0)


def copy_memory(generator: np.random.Generator, length: int, number: int) -> Task:
    """Return x (T + 20, B, 10) one-hot and y (T + 20, B): ten symbols, to be said T steps later.

    length: T;  number: B of sequences
    x: ten of eight symbols (0 to 7), blanks (8), at step T + 9 a sign (9), blanks;  y: T + 10
    blanks, the ten symbols. Saying blanks, then any symbol, costs `copy_by_guessing(length)`.
    Raises ValueError for sizes below 1.
    Source: Arjovsky, Shah & Bengio 2016, section 4.1.
    """
    length, number = _check_sizes("copy_memory", length, 1, number)
    symbols = generator.integers(0, 8, (10, number))
    ids, y = np.full((length + 20, number), 8), np.full((length + 20, number), 8)
    ids[:10], ids[length + 9], y[-10:] = symbols, 9, symbols
    return np.eye(10, dtype=np.float32)[ids], y


def copy_by_guessing(length: int) -> float:
    """Return the nats a step of `copy_memory` without a memory: 10 log 8 / (length + 20)."""
    return 10 * math.log(8) / (checks.integer("copy_by_guessing: length", length, 1) + 20)


def temporal_order(generator: np.random.Generator, length: int, number: int) -> Task:
    """Return x (T, B, 6) one-hot and y (B,) from 0 to 3: which two symbols came, in which order.

    length: T;  number: B of sequences
    X (0) or Y (1) stands somewhere in the second tenth of the steps and again in the sixth, four
    distractors (2 to 5) at all others; y = 2 · the first + the second. 3/4 is wrong by guessing.
    Raises ValueError for a length below 10 or a number below 1.
    Source: Hochreiter & Schmidhuber 1997, section 5.6; places as in Martens & Sutskever 2011.
    """
    length, number = _check_sizes("temporal_order", length, 10, number)
    ids = generator.integers(2, 6, (length, number))
    early, late = (
        generator.integers(a * length // 10, (a + 1) * length // 10, number) for a in (1, 5)
    )
    ids[early, range(number)], ids[late, range(number)] = generator.integers(0, 2, (2, number))
    return np.eye(6, dtype=np.float32)[ids], 2 * ids[early, range(number)] + ids[
        late, range(number)
    ]


def _check_sizes(name: str, length: int, least: int, number: int) -> tuple[int, int]:
    return (
        checks.integer(f"{name}: length", length, least),
        checks.integer(f"{name}: number", number, 1),
    )
