"""Products of large matrices on the threads that kernels run on, into memory that is used again.

A BLAS has threads of its own, which wait for its next product on the processors that the kernels'
threads need: a step that has both takes twice the time.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import runtime
from ..memory import memory

SMALL = 2**18
"""Multiplications below which a product is left to NumPy, whose BLAS takes one thread for it."""


def product(x: Any, y: Any, bias: Any = None) -> Any:
    """Return x @ y + bias of matrices, by NumPy where there is no kernel for them.

    x (M, K)   y (K, N)   bias (N,) or None   ->   (M, N)
    """
    if not _is_ours(x, y, bias):
        out = x @ y
        if bias is not None:
            out += bias
        return out
    (m, k), n = x.shape, y.shape[1]
    size = x.itemsize
    flipped = not y.flags.c_contiguous
    if flipped and not y.flags.f_contiguous:
        y, flipped = np.ascontiguousarray(y), False
    threads = max(1, min(runtime.get_num_threads(), -(-m // 12)))
    strides = x.strides[0] // size, x.strides[1] // size
    job = _job(x.dtype.char, m, k, n, *strides, flipped, bias is not None, threads)
    out = memory((m, n), x.dtype)
    job.run([x, out, *([] if bias is None else [np.ascontiguousarray(bias)]), y])
    return out


def _is_ours(x: Any, y: Any, bias: Any) -> bool:
    """Return whether the product is large, of NumPy's arrays, and of one dtype with a kernel."""
    if type(x) is not np.ndarray or type(y) is not np.ndarray or x.ndim != 2 or y.ndim != 2:
        return False
    dtype = x.dtype
    return (
        math.prod(x.shape) * y.shape[1] >= SMALL
        and x.shape[1] == y.shape[0]
        and dtype.char in "fd"
        and dtype.isnative
        and dtype == y.dtype
        and (bias is None or (type(bias) is np.ndarray and bias.dtype == dtype))
        and (bias is None or bias.shape == (y.shape[1],))
        and all(s % dtype.itemsize == 0 for s in x.strides)
        and runtime.available()
    )


@functools.lru_cache(maxsize=256)
def _job(
    kind: str,
    m: int,
    k: int,
    n: int,
    row: int,
    column: int,
    flipped: bool,
    biased: bool,
    threads: int,
) -> runtime.Job:
    """Return the work of a product: pack y, then each thread its rows."""
    from . import packed  # Numba is imported when something is compiled

    d, size = {"f": ("f4", 4), "d": ("f8", 8)}[kind]
    library = packed.library(d)
    words = [m, k, n, row, column, 0, 0, 0, 0]  # then packed y, x, out, bias
    packs = len(words)
    words += [1, 0, k, n, int(flipped), 0]
    made = [([5, packs + 5], packed.packed_size(k, n, size) * size)]
    taken = [6, 7, *([8] if biased else []), packs + 1]
    functions = (library["pack"], library["dense"], 0)
    return runtime.Job(functions, threads, words, made, taken, packs)
