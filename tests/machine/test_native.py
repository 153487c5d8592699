"""Sources as machine code: what a text means, and a cache that may be damaged or of no use."""

import ctypes
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq.machine import loading, runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
if runtime.available():
    from tinygrad_seq.machine import native

SUM = """
def total(table, out):
    put_f8(out, get_f8(out) + get_f8(table))
"""

EVERYTHING = """
def inner(table, i, x):
    put_word(table, i, word(table, i) + x)

def outer(a, b, table):
    '''Every kind of statement and expression.'''
    first, second = a + 2 * b, a - b
    second *= -3
    for i in range(4):
        for j in range(i, 4):
            inner(table, j, first if i == j else second)
    for i in range(3, -1, -1):
        inner(table, 4, i * word(table, i))
    for i in range(a % 5, 40, b % 7 + 1):
        inner(table, 5, i)
    if a > b and a & 1 != 0:
        inner(table, 6, min(a // 3, b))
    elif b:
        inner(table, 6, 1 if a < b or a >= 100 else 2)
    else:
        pass
"""

SHARED = """
def later(table, i):
    put_word(table, i, 7)

def shared(table, n):
    while word(table, 0) < n:
        put_word(table, 0, word(table, 0) + 2)
        pause()
    count(table, 1, n)
    put_word(table, 2, swap(table, 1, n + 1, 3) * 10 + fetch(table, 1))
    put_word(table, 3, swap(table, 1, n + 5, 4) * 10 + fetch(table, 1))
    call(later, (table, 4))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder, and nothing loaded yet."""
    monkeypatch.setenv(loading.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(native, "_loaded", {})
    loading.warn_uncached.cache_clear()
    return tmp_path


def called(address, *args):
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(args))(address)(*args)


def added(x, y):
    """x + y, by the compiled function."""
    numbers, out = np.array([x], np.float64), np.array([y], np.float64)
    called(native.load(SUM)["total"], numbers.ctypes.data, out.ctypes.data)
    return float(out[0])


@settings(max_examples=50)
@given(st.integers(0, 200), st.integers(0, 200))
def test_a_text_means_what_python_makes_of_it(a, b):
    words = np.zeros(7, np.int64)

    def put_word(table, i, x):
        table[i] = x

    names = {"put_word": put_word, "word": lambda table, i: int(table[i])}
    exec(EVERYTHING, names)
    names["outer"](a, b, words)
    found = np.zeros(7, np.int64)
    called(native.load(EVERYTHING)["outer"], a, b, found.ctypes.data)
    np.testing.assert_array_equal(found, words)


@pytest.mark.parametrize("n", [0, 1, 4, -3])
def test_words_that_threads_share_loops_and_addresses_of_functions(n):
    """A word is swapped if what stands there is what was expected: 1 and the new, 0 and the old."""
    table = np.array([0, 1, 0, 0, 0], np.int64)
    called(native.load(SHARED)["shared"], table.ctypes.data, n)
    assert table.tolist() == [max(0, n + n % 2), 3, 13, 3, 7]


def test_many_threads_count_and_swap_one_word():
    source = """
def raise_it(table, n):
    for i in range(n):
        count(table, 0, 1)
        old = fetch(table, 1)
        while swap(table, 1, old, old + 1) < 1:
            old = fetch(table, 1)
"""
    table, function = np.zeros(2, np.int64), native.load(source)["raise_it"]
    arguments = (function, table.ctypes.data, 100_000)
    threads = [threading.Thread(target=called, args=arguments) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table.tolist() == [400_000, 400_000]


def test_floats_and_comparisons_with_nan():
    text = """
def larger(table):
    a, b = get_f8(table), get_f8(table + 8)
    put_f8(table + 16, a if a > b or a != a else b)
"""
    function = native.load(text)["larger"]
    for a, b in [(1.0, 2.0), (2.0, 1.0), (np.nan, 1.0), (np.inf, 3.0)]:
        numbers = np.array([a, b, 0.0])
        called(function, numbers.ctypes.data)
        np.testing.assert_array_equal(numbers[2], np.maximum(a, b))


def test_what_is_not_known_is_an_error():
    with pytest.raises(KeyError, match="unheard_of"):
        native.load("def f(x):\n    unheard_of(x)\n")
    with pytest.raises(KeyError, match="absent"):
        native.load(SUM)["absent"]


def test_code_is_found_on_disk_again(folder, monkeypatch):
    assert added(1, 2) == 3
    (path,) = folder.iterdir()
    native._loaded.clear()
    monkeypatch.setattr(native, "compiled", None)
    assert added(3, 4) == 7
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("damage", [b"", b"rubbish", "cut", "flipped"])
def test_damaged_files_are_made_anew(folder, damage):
    assert added(1, 2) == 3
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    kinds = {"cut": whole[:-5], "flipped": whole[:-1] + bytes([whole[-1] ^ 1])}
    path.write_bytes(kinds.get(damage, damage))
    native._loaded.clear()
    assert added(5, 6) == 11
    native._loaded.clear()
    assert path.read_bytes() == whole


def test_folder_that_cannot_be_made_warns_once(folder, monkeypatch):
    blocked = folder / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv(loading.CACHE_VARIABLE, str(blocked))
    with pytest.warns(RuntimeWarning, match="compiled code is not cached"):
        assert added(1, 2) == 3
    native._loaded.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert added(2, 2) == 4
