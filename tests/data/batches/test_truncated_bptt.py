"""Truncated BPTT: every target once, columns that continue, resuming as if never stopped."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.data import TruncatedBPTT


def copies(batches):
    return [tuple(array.copy() for array in batch) for batch in batches]


def equal(left, right):
    return [[(x.dtype, x.tolist()) for x in batch] for batch in left] == [
        [(x.dtype, x.tolist()) for x in batch] for batch in right
    ]


@st.composite
def streams(draw):
    batch_size = draw(st.integers(1, 5))
    size = draw(st.integers(batch_size + 1, 60))
    return np.arange(size) * 3, batch_size, draw(st.integers(1, 12))


@given(streams())
def test_every_target_once(case):
    ids, batch_size, length = case
    batches = TruncatedBPTT(ids, batch_size, length)
    targets = np.concatenate([y.T.ravel() for _, y in batches])
    used = (len(ids) - 1) // batch_size * batch_size
    assert sorted(targets) == ids[1 : used + 1].tolist()


@given(streams())
def test_columns_continue(case):
    ids, batch_size, length = case
    given_out = copies(TruncatedBPTT(ids, batch_size, length))
    x = np.concatenate([x for x, _ in given_out])
    y = np.concatenate([y for _, y in given_out])
    assert np.array_equal(x[1:], y[:-1])
    assert np.array_equal(y, x + 3)
    assert np.array_equal(np.append(x.T.ravel(), y[-1, -1]), ids[: x.size + 1])


@given(streams())
def test_shapes_and_number_of_windows(case):
    ids, batch_size, length = case
    batches = TruncatedBPTT(ids, batch_size, length)
    given_out = copies(batches)
    assert len(given_out) == len(batches)
    for x, y in given_out:
        assert x.dtype == y.dtype == np.int64
        assert x.shape == y.shape
        assert x.shape[1] == batch_size
    assert {len(x) for x, _ in given_out[:-1]} <= {length}
    assert 1 <= len(given_out[-1][0]) <= length


def test_small_stream_by_hand():
    batches = TruncatedBPTT(np.arange(12), batch_size=2, length=3)
    (x, y), (x_last, y_last) = batches
    assert x.tolist() == [[0, 5], [1, 6], [2, 7]]
    assert y.tolist() == [[1, 6], [2, 7], [3, 8]]
    assert x_last.tolist() == [[3, 8], [4, 9]]
    assert y_last.tolist() == [[4, 9], [5, 10]]


@given(streams(), st.integers(0, 100))
def test_resume_equals_uninterrupted(case, stop):
    whole = copies(TruncatedBPTT(*case)) * 2  # two epochs
    first, second = TruncatedBPTT(*case), TruncatedBPTT(*case)
    stop %= len(first) + 1
    given_out = copies(itertools.islice(first, stop))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    given_out += copies(second)
    assert equal(given_out + copies(second), whole)


def test_state_counts_batches_given_out():
    batches = TruncatedBPTT(np.arange(11), 2, 2)
    positions = [batches.state_dict()["position"]]
    positions += [batches.state_dict()["position"] for _ in batches]
    assert [*positions, batches.state_dict()["position"]] == [0, 1, 2, 3, 0]


def test_batches_are_the_callers_own():
    ids = np.arange(11)
    batches = TruncatedBPTT(ids, 2, 2)
    for x, y in batches:
        x[:] = y[:] = -1
    assert ids.tolist() == list(range(11))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64])
def test_integer_streams_become_int64(dtype):
    x, y = next(iter(TruncatedBPTT(np.arange(9, dtype=dtype), 2, 9)))
    assert (x.dtype, y.dtype) == (np.int64, np.int64)
    assert x.tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        (([], 1, 1), ValueError, "0 ids, expected at least 2"),
        ((range(4), 4, 1), ValueError, "4 ids, expected at least 5"),
        ((range(9), 0, 1), ValueError, "batch_size is 0, expected 1 or more"),
        ((range(9), 1, -1), ValueError, "length is -1"),
        ((range(9), 2.0, 1), TypeError, "batch_size is 2.0, expected an integer"),
        ((range(9), True, 1), TypeError, "batch_size is True"),
        ((range(9), 1, "3"), TypeError, "length is '3'"),
        ((np.zeros((3, 3), int), 1, 1), ValueError, r"shape \(3, 3\), expected \(N,\)"),
        ((np.zeros(9), 1, 1), TypeError, "dtype float64"),
        ((np.zeros(9, bool), 1, 1), TypeError, "dtype bool"),
        ((np.zeros(9, np.uint64), 1, 1), TypeError, "dtype uint64"),
        ((list("abcdef"), 1, 1), TypeError, "dtype <U1"),
    ],
)
def test_bad_streams(arguments, error, named):
    with pytest.raises(error, match=f"TruncatedBPTT: .*{named}"):
        TruncatedBPTT(*arguments)


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        ({"position": 4}, ValueError, r"state\['position'\] is 4, expected at most 3"),
        ({"position": -1}, ValueError, r"state\['position'\] is -1"),
        ({"position": 1.0}, TypeError, r"state\['position'\] is 1.0"),
        ({"length": 3}, ValueError, "length 3, expected 2"),
        ({"batch_size": 3}, ValueError, "batch_size 3, expected 2"),
        ({"steps": 6}, ValueError, "steps 6, expected 5"),
        ({"position": None}, TypeError, r"state\['position'\] is None"),
    ],
)
def test_bad_state_changes_nothing(change, error, named):
    batches = TruncatedBPTT(np.arange(11), 2, 2)
    next(iter(batches))
    before = batches.state_dict()
    with pytest.raises(error, match=f"TruncatedBPTT: .*{named}"):
        batches.load_state_dict({**before, **change})
    for state, kind in (({}, ValueError), ({"position": 1}, ValueError), (None, TypeError)):
        with pytest.raises(kind, match="TruncatedBPTT: state "):
            batches.load_state_dict(state)
    assert batches.state_dict() == before
