"""Which vectors this processor has: their width, and how many registers hold them."""

from __future__ import annotations

import os
import pathlib

import llvmlite.binding as llvm

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

WIDTHS = {"avx512": 64, "avx2": 32, "neon": 16, "plain": 16}
REGISTERS = {"avx512": 32, "avx2": 16, "neon": 32, "plain": 16}
FEATURES = llvm.get_host_cpu_features()


def processor() -> str:
    """Return which vectors this processor has: "avx512", "avx2", "neon" or "plain".

    The environment variable TINYGRAD_SEQ_VECTORS names narrower ones than there are.
    Raises ValueError where it names none of them.
    """
    chosen = os.environ.get("TINYGRAD_SEQ_VECTORS")
    if chosen:
        if chosen not in WIDTHS:
            raise ValueError(f"TINYGRAD_SEQ_VECTORS is {chosen!r}, expected one of {list(WIDTHS)}")
        return chosen
    if FEATURES.get("avx512f") and FEATURES.get("avx512dq"):
        return "avx512"
    if FEATURES.get("avx2") and FEATURES.get("fma"):
        return "avx2"
    return "neon" if FEATURES.get("neon") else "plain"


PROCESSOR = processor()
BYTES = WIDTHS[PROCESSOR]
