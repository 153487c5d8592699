"""Memory by address, in functions that are inlined into others."""

import pathlib

import numpy as np
import pytest

import tinygrad_seq
from tinygrad_seq.machine import runtime

needs_numba = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")

INLINED = '''\
"""target[at] += the numbers of source up to its first 0, for every at below end / 8."""
import numpy as np
from numba import njit
from tinygrad_seq.machine.addresses import put_word, word


@njit
def add(source, target, end):
    at = 0
    while at < end:
        total, i = word(target + at, 0), 0
        while word(source, i) > 0:
            total += word(source, i)
            i += 1
        put_word(target + at, total)
        at += 8


@njit("void(int64,int64)")
def add_once(source, target):
    add(source, target, np.int64(8))
'''


@needs_numba
def test_an_offset_of_0_known_to_the_caller_is_no_access_through_null():
    """`add_once` left the target alone: the code made `target` an offset from the pointer `at`."""
    source, target = np.array([3, 2, 1, 0]), np.array([10, 20])
    runtime.load(INLINED).add_once(source.ctypes.data, target.ctypes.data)
    assert target.tolist() == [16, 20]


def test_addresses_become_pointers_in_one_place():
    """The others lack the mark that keeps their accesses: see `pointer`."""
    root = pathlib.Path(tinygrad_seq.__file__).parent
    found = [path for path in root.rglob("*.py") if "inttoptr(" in path.read_text("utf-8")]
    assert [path.name for path in found] == ["addresses.py"]
