"""Padding: what stands within the lengths is the sequences, what stands outside is the pad."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.data import pad_sequences

SEQUENCES = st.lists(st.lists(st.integers(1, 99), max_size=6), min_size=1, max_size=12)


@given(SEQUENCES, st.integers(-3, 3))
def test_padding_round_trip(sequences, pad):
    padded, lengths = pad_sequences(sequences, pad=pad)
    assert padded.shape == (max(map(len, sequences)), len(sequences))
    assert padded.dtype == lengths.dtype == np.int64
    assert [padded[:n, b].tolist() for b, n in enumerate(lengths)] == sequences
    assert all((padded[n:, b] == pad).all() for b, n in enumerate(lengths))


def test_padding_of_vectors_keeps_their_dtype():
    rng = np.random.default_rng(0)
    sequences = [rng.random((n, 3), dtype=np.float32) for n in (2, 0, 4)]
    padded, lengths = pad_sequences(sequences, pad=np.nan)
    assert (padded.shape, padded.dtype) == ((4, 3, 3), np.float32)
    assert lengths.tolist() == [2, 0, 4]
    for b, sequence in enumerate(sequences):
        assert np.array_equal(padded[: len(sequence), b], sequence)
        assert np.isnan(padded[len(sequence) :, b]).all()
    assert pad_sequences([sequences[0].astype(np.float64)])[0].dtype == np.float64


@pytest.mark.parametrize(
    ("sequences", "dtype", "expected"),
    [
        ([[1, 2], []], None, np.int64),
        ([[1.0], []], None, np.float32),
        ([[True], []], None, np.bool_),
        ([[np.zeros(2), np.zeros(2)], []], None, np.float64),
        ([np.zeros(2, np.float16), np.zeros(1, np.float64)], None, np.float64),
        ([np.zeros(2, np.int8), np.zeros(1, np.uint32)], None, np.int64),
        ([[1, 2], []], np.int32, np.int32),
        ([[1, 2], []], "float32", np.float32),
        ([[], []], None, np.int64),
        ([np.zeros((0, 4), np.float32), []], None, np.float32),
    ],
)
def test_dtype_of_padding(sequences, dtype, expected):
    padded, lengths = pad_sequences(sequences, dtype=dtype)
    assert padded.dtype == expected
    assert lengths.tolist() == [len(sequence) for sequence in sequences]


def test_empty_sequences_take_the_others_shape():
    assert pad_sequences([[], [[1.0, 2.0]]])[0].shape == (1, 2, 2)
    assert pad_sequences([[], []])[0].shape == (0, 2)


@pytest.mark.parametrize(
    ("sequences", "options", "error", "named"),
    [
        ([], {}, ValueError, "sequences are none"),
        ([1, 2], {}, ValueError, r"sequences\[0\] is a single number"),
        ([[1], 2], {}, ValueError, r"sequences\[1\] is a single number"),
        (["ab"], {}, TypeError, r"sequences\[0\] has dtype <U2"),
        ([[1], [None]], {}, TypeError, r"sequences\[1\] has dtype object"),
        ([[2**63]], {}, TypeError, r"sequences\[0\] has dtype uint64"),
        ([[1j]], {}, TypeError, r"sequences\[0\] has dtype complex"),
        ([[[1], [1, 2]]], {}, ValueError, r"sequences\[0\] is no regular array"),
        ([[1], [1.0]], {}, TypeError, "sequences mix dtypes of kinds"),
        ([[1], [[1, 2]]], {}, ValueError, r"sequences\[1\] has shape \(1, 2\), expected \(T,\)"),
        (
            [np.zeros((1, 3)), np.zeros((0, 2))],
            {},
            ValueError,
            r"sequences\[1\] has shape \(0, 2\), expected \(T, 3\)",
        ),
        ([[1]], {"pad": 0.5}, ValueError, "pad is 0.5, which int64 cannot hold"),
        ([[1]], {"pad": np.nan}, ValueError, "pad is nan"),
        ([[True]], {"pad": -100}, ValueError, "pad is -100, which bool"),
        ([[1]], {"pad": -1000, "dtype": np.int8}, ValueError, "pad is -1000, which int8"),
        ([[1]], {"pad": "0"}, TypeError, "pad is '0', expected a number"),
        ([[1], [200]], {"dtype": np.int8}, ValueError, r"sequences\[1\] holds numbers that int8"),
        (
            [[1.5]],
            {"dtype": np.int64},
            TypeError,
            "sequences have dtype float32, which does not become int64",
        ),
        (
            [[1]],
            {"dtype": "U3"},
            TypeError,
            "sequences have dtype int64, which does not become <U3",
        ),
    ],
)
def test_bad_padding(sequences, options, error, named):
    with pytest.raises(error, match=f"pad_sequences: {named}"):
        pad_sequences(sequences, **options)
