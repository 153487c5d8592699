"""Compiled functions on threads: tables of sizes and addresses, filled in and worked through."""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from . import workers
from .loading import available as available
from .loading import load as load
from .memory import address as address
from .memory import memory as memory
from .workers import PIECES

HEAD = object.__basicsize__ // 8

_SOURCE = (
    workers.SHARING
    + f"""

def run(job, arrays, scratch, pool, pieces):
    if pool:
        put_word(pool, {PIECES}, pieces)
    job, table, arrays = word(job, {HEAD}), word(scratch, {HEAD}), arrays + {tuple.__basicsize__}
    pack, steps, finish, n = word(job, 0), word(job, 1), word(job, 2), word(job, 3)
    words, made, taken, packs = word(job, 4), word(job, 5), word(job, 6), word(job, 7)
    at = job + 8 * 8
    for i in range(words):
        put_word(table, i, word(at, i))
    at += 8 * words
    for i in range(made):
        put_word(table, word(at, 2 * i), table + word(at, 2 * i + 1))
    at += 16 * made
    for i in range(taken):
        put_word(table, word(at, i), word(word(arrays, i), {HEAD}))
    if pack:
        share(pool, pack, table + 8 * packs, n)
    share(pool, steps, table, n)
    if finish:
        share(pool, finish, table, n)
"""
)
"""An array's object is a head, as every object's, then the address of its elements: NumPy's C API
has it so; a tuple's is a head and its length, then its items. Reading an address there takes 1 ns
in place of 1.7 us for `array.ctypes.data`."""

# ---- how many threads ----------------------------------------------------------------------------

_chosen: int | None = None


def get_num_threads() -> int:
    """Return how many threads a kernel splits its work into.

    Before set_num_threads: $OMP_NUM_THREADS, or the processors that this process may use.
    """
    if _chosen is not None:
        return _chosen
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return workers.most()


def set_num_threads(n: int) -> None:
    """Nothing; afterwards kernels split their work for n threads, and so does NumPy's BLAS.

    The BLAS is told through threadpoolctl, where that is installed. The same n gives the same bits.
    Raises TypeError unless n is an int, ValueError unless it is at least 1.
    """
    global _chosen
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"set_num_threads: n is {type(n).__name__}, expected int")
    if n < 1:
        raise ValueError(f"set_num_threads: n is {n}, expected at least 1")
    _chosen = n
    if importlib.util.find_spec("threadpoolctl") is not None:
        importlib.import_module("threadpoolctl").threadpool_limits(n, user_api="blas")


@functools.cache
def _driver() -> Callable[[int, int, int, int, int], None]:
    """Return the compiled `run` of _SOURCE."""
    from . import native  # Numba is imported when something is compiled

    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5)(native.load(_SOURCE)["run"])


# ---- work ----------------------------------------------------------------------------------------


class Job:
    """Compiled functions and their table, complete but for the addresses of arrays.

    functions: addresses of pack, steps and finish, 0 where there is none. pack(k, packs, n, pool)
    is called first, for every chunk k < n, then steps(k, table, n, pool), then finish, likewise;
    each waits for all chunks of the one before. pool: 0, or of threads that one chunk may use.
    words: the table, and from position `packs` on that of pack
    made: for each part of the scratch memory (positions of words that are its address, bytes)
    taken: for each array of `run`, the position of the word that is its address
    """

    def __init__(
        self,
        functions: tuple[int, int, int],
        n: int,
        words: Sequence[int],
        made: Iterable[tuple[Sequence[int], int]] = (),
        taken: Iterable[int] = (),
        packs: int = 0,
    ) -> None:
        self.size, offsets = aligned(8 * len(words)), []
        for places, count in made:
            for position in places:
                offsets += [position, self.size]
            self.size += aligned(count)
        positions = list(taken)
        head = [*functions, n, len(words), len(offsets) // 2, len(positions), packs]
        self.n = n
        self.array = np.array([*head, *words, *offsets, *positions], np.int64)

    def run(self, arrays: Iterable[Any], helpers: int = 0) -> None:
        """Nothing; does the work on these arrays, which lie in memory as the functions expect.

        helpers: how many threads may work on one chunk, for functions that see to that themselves
        """
        run, held, scratch = _driver(), tuple(arrays), memory((self.size,), _BYTE)
        pool = workers.pool
        at = pool.take(max(self.n, helpers)) if self.n > 1 or helpers > 1 else 0
        try:
            run(id(self.array), id(held), id(scratch), at, helpers)
        finally:
            if at:
                pool.give_back()


_BYTE = np.dtype(np.uint8)


def aligned(count: int) -> int:
    """Return the first multiple of 64, a cache line's bytes, that is not less."""
    return -(-count // 64) * 64
