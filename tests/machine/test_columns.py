"""What goes along a row: sums and maxima of column loops, of any width, in one part or several."""

import numpy as np
import pytest
from machine_columns import Columns

from tinygrad_seq.machine import runtime

pytestmark = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")
WIDTHS = [16, 32]
if runtime.available():
    from tinygrad_seq.machine.processor import BYTES

    WIDTHS = [width for width in (16, 32, 64) if width <= BYTES]

CODE = [
    ("load", 0), ("load", 1), ("load", 2),
    ("sum", 0, 0), ("max", 1, 1), ("sum", 0, 1), ("sum", 2, 2), ("max", 1, 0),
]  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_parts_of_one_sum_are_joined(dtype, width):
    loop = Columns(dtype, CODE, width)
    random = np.random.default_rng(0)
    for n in [*range(1, 40), 63, 64, 65, 127, 129, 200]:  # loops go on by up to four vectors
        a, b, c = random.integers(-99, 99, (3, n)).astype(dtype)
        assert loop([a, b, c]).tolist() == [(a + b).sum(), max(a.max(), b.max()), c.sum()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("at", [0, 3, 16, 20, 70, 100])
def test_nan_anywhere_is_in_sum_and_maximum(width, at):
    loop = Columns("f4", CODE, width)
    a, b, c = np.ones((3, 101), np.float32)
    a[at] = np.nan
    total, largest, other = loop([a, b, c])
    assert np.isnan(total)
    assert np.isnan(largest)
    assert other == 101
