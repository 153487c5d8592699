"""The likeliest alignment, read: repeats collapsed, blanks dropped."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq.decode import best_path

PATHS = {
    (0, 0, 0, 0, 0): [],
    (1, 1, 0, 1, 2): [1, 1, 2],
    (2, 2, 2, 1, 1): [2, 1],
    (0, 2, 0, 0, 2): [2, 2],
    (1, 2, 1, 2, 2): [1, 2, 1, 2],
}


def logits(rows, classes=3):
    """Logits (T, B, V) whose largest are at these paths (B, T)."""
    noise = np.random.default_rng(0).uniform(size=(len(rows[0]), len(rows), classes))
    return noise + 2 * (np.transpose(rows)[:, :, None] == np.arange(classes))


def test_repeats_and_blanks(backend_name):
    x = tg.tensor(logits(list(PATHS)), requires_grad=True)
    assert best_path(x) == list(PATHS.values())
    assert best_path(x, lengths=[5, 4, 3, 1, 0]) == [[], [1, 1], [2], [], []]
    assert best_path(x, blank=2) == [[0], [1, 0, 1], [1], [0, 0], [1, 1]]


def test_padding_is_not_read():
    x = logits([(1, 2, 2), (1, 1, 0)])
    x[1:, 0] = np.nan
    assert best_path(tg.tensor(x), [1, 3]) == [[1], [1]]
    with pytest.raises(FloatingPointError, match="frame 1 of sequence 0 is NaN"):
        best_path(tg.tensor(x))


def test_bad_input():
    for shape, options, match in (
        ((3, 2), {}, r"logits are \(3, 2\), expected \(T, B, V\)"),
        ((3, 2, 4), {"blank": 4}, "blank is 4, expected 0 to 3"),
        ((3, 2, 4), {"lengths": [1, 4]}, "a length is 4, expected 0 to 3"),
    ):
        with pytest.raises(ValueError, match=match):
            best_path(tg.tensor(np.zeros(shape)), **options)
