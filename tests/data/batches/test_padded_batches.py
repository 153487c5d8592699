"""Padded batches: every sequence once, targets beside it, resuming as if never stopped."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.data import PaddedBatches

SEQUENCES = st.lists(st.lists(st.integers(1, 99), max_size=6), min_size=1, max_size=12)
OPTIONS = st.fixed_dictionaries(
    {
        "shuffle": st.booleans(),
        "seed": st.integers(0, 2**70),
        "bucket": st.integers(1, 4),
        "batch_size": st.integers(1, 5),
    }
)


def equal(left, right):
    return [[(x.dtype, x.tolist()) for x in batch] for batch in left] == [
        [(x.dtype, x.tolist()) for x in batch] for batch in right
    ]


def columns(batches):
    """The sequences, in order, that the batches hold."""
    return [x[:n, b].tolist() for x, lengths, *_ in batches for b, n in enumerate(lengths)]


@given(SEQUENCES, OPTIONS)
def test_every_sequence_once_an_epoch(sequences, options):
    batches = PaddedBatches(sequences, **options)
    for _ in range(2):
        given_out = list(batches)
        assert len(given_out) == len(batches)
        assert sorted(columns(given_out)) == sorted(sequences)
        for x, lengths in given_out:
            assert x.shape == (lengths.max(), len(lengths))
            assert (x[np.arange(len(x))[:, None] >= lengths] == 0).all()


@given(SEQUENCES, OPTIONS, st.booleans(), st.integers(0, 100))
def test_resume_equals_uninterrupted_padded(sequences, options, drop_last, stop):
    options["drop_last"] = drop_last and len(sequences) >= options["batch_size"]
    whole = PaddedBatches(sequences, **options)
    expected = [batch for _ in range(3) for batch in whole]
    first, second = (PaddedBatches(sequences, **options) for _ in range(2))
    list(first)
    stop %= len(first) + 1
    given_out = list(itertools.islice(first, stop))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert equal([*given_out, *second, *second], expected[len(first) :])


def test_order_follows_seed_and_epoch():
    sequences = [[i] for i in range(50)]

    def epochs(seed):
        batches = PaddedBatches(sequences, 7, seed=seed)
        return [columns(batches), columns(batches)]

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    assert epochs(1)[0] != epochs(1)[1]
    assert epochs(1)[0] != sequences


def test_unshuffled_order_is_kept():
    sequences = [[i] * (i % 4) for i in range(10)]
    batches = PaddedBatches(sequences, 3, shuffle=False)
    assert columns(batches) == columns(batches) == sequences


@pytest.mark.parametrize("shuffle", [True, False])
def test_buckets_waste_less(shuffle):
    lengths = np.random.default_rng(0).integers(0, 50, 200)
    sequences = [[1] * n for n in lengths]

    def size(bucket):
        return sum(x.size for x, _ in PaddedBatches(sequences, 8, shuffle=shuffle, bucket=bucket))

    assert size(25) < 1.2 * lengths.sum() < size(1)


def test_drop_last_drops_only_the_rest():
    sequences = [[i] for i in range(1, 11)]
    for bucket in (1, 2):
        batches = PaddedBatches(sequences, 4, drop_last=True, bucket=bucket)
        assert [x.shape for x, _ in batches] == [(1, 4)] * len(batches)
        assert len(batches) == 2
    assert len(PaddedBatches(sequences, 4)) == 3


@given(SEQUENCES, OPTIONS)
def test_targets_stay_with_their_sequences(sequences, options):
    totals = [sum(sequence) for sequence in sequences]
    for x, _, y in PaddedBatches(sequences, targets=totals, **options):
        assert y.dtype == np.int64
        assert np.array_equal(x.sum(0), y)
    doubled = [[2 * token for token in sequence] for sequence in sequences]
    for x, lengths, y in PaddedBatches(sequences, targets=doubled, **options):
        assert y.shape == x.shape
        outside = np.arange(len(x))[:, None] >= lengths
        assert np.array_equal(y, np.where(outside, -100, 2 * x))


def test_dtypes_of_targets():
    def dtype(targets):
        return next(iter(PaddedBatches([[1], [2]], 2, targets=targets)))[2].dtype

    assert dtype([0.5, 1.5]) == np.float32
    assert dtype(np.array([0.5, 1.5])) == np.float64
    assert dtype([np.float64(0.5), np.float64(1.5)]) == np.float64
    assert dtype([True, False]) == np.bool_
    assert dtype([[1.0], [2.0]]) == np.float32


def test_float_sequences_and_pads():
    sequences = [np.ones((n, 2), np.float32) for n in (3, 0, 1)]
    x, lengths, y = next(
        iter(
            PaddedBatches(
                sequences,
                3,
                shuffle=False,
                pad=-1.5,
                targets=[[1, 2, 3], [], [4]],
                target_pad=-1,
            )
        )
    )
    assert (x.shape, x.dtype) == ((3, 3, 2), np.float32)
    assert (x[:, 1] == -1.5).all()
    assert lengths.tolist() == [3, 0, 1]
    assert y.tolist() == [[1, -1, 4], [2, -1, -1], [3, -1, -1]]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "named"),
    [
        (([], 1), {}, ValueError, "sequences are none"),
        (([[1]], 0), {}, ValueError, "batch_size is 0"),
        (([[1]], 1), {"bucket": 0}, ValueError, "bucket is 0"),
        (([[1]], 1), {"seed": -1}, ValueError, "seed is -1"),
        (([[1]], 1), {"seed": None}, TypeError, "seed is None"),
        (([[1]], 2), {"drop_last": True}, ValueError, "1 sequences fill no batch of 2"),
        (([[1]], 1), {"pad": 0.5}, ValueError, "pad is 0.5"),
        (([1, 2], 1), {}, ValueError, r"sequences\[0\] is a single number"),
        (([[1], ["a"]], 1), {}, TypeError, r"sequences\[1\] has dtype"),
        (([[1]], 1), {"targets": [1, 2]}, ValueError, "targets are 2, expected 1"),
        (([[1]], 1), {"targets": [[1, 2]]}, ValueError, r"targets\[0\] has length 2, its seq.* 1"),
        (([[1], [2]], 1), {"targets": [1, [2]]}, ValueError, r"targets\[0\] is a single number"),
        (([[1]], 1), {"targets": ["a"]}, TypeError, "targets has dtype <U1"),
        (([[1]], 1), {"targets": [[True]]}, ValueError, "target_pad is -100, which bool"),
    ],
)
def test_bad_batches(arguments, options, error, named):
    with pytest.raises(error, match=f"PaddedBatches: .*{named}"):
        PaddedBatches(*arguments, **options)


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        ({"position": 4}, ValueError, r"state\['position'\] is 4, expected at most 3"),
        ({"epoch": -1}, ValueError, r"state\['epoch'\] is -1"),
        ({"epoch": None}, TypeError, r"state\['epoch'\] is None"),
        ({"seed": 1}, ValueError, "seed 1, expected 0"),
        ({"sequences": 5}, ValueError, "sequences 5, expected 6"),
        ({"batch_size": 3}, ValueError, "batch_size 3, expected 2"),
        ({"shuffle": 0}, ValueError, "shuffle 0, expected 1"),
        ({"drop_last": 1}, ValueError, "drop_last 1, expected 0"),
        ({"bucket": 2}, ValueError, "bucket 2, expected 1"),
    ],
)
def test_bad_padded_state_changes_nothing(change, error, named):
    batches = PaddedBatches([[1]] * 6, 2)
    next(iter(batches))
    before = batches.state_dict()
    with pytest.raises(error, match=f"PaddedBatches: .*{named}"):
        batches.load_state_dict({**before, **change})
    assert batches.state_dict() == before


@pytest.mark.parametrize(
    ("sequences", "options"),
    [
        ([[1, 2], [3], [4]], {"targets": [0, 1, 1]}),
        ([[1, 2], [3], [5]], {"targets": [0, 1, 0]}),
        ([[1], [2, 3], [5]], {"targets": [0, 1, 1]}),
        ([[1, 2], [3], [5]], {"outputs": [[0], [1], [1]]}),
    ],
)
def test_a_state_of_other_data_is_refused(sequences, options):
    batches = PaddedBatches([[1, 2], [3], [5]], 2, targets=[0, 1, 1])
    state = json.loads(json.dumps(batches.state_dict()))
    with pytest.raises(ValueError, match=r"state has checksum \d+, expected \d+"):
        PaddedBatches(sequences, 2, **options).load_state_dict(state)
    batches.load_state_dict(state)
    near = [PaddedBatches([[x]], 1).state_dict() for x in (0.1, np.float32(0.1) * 3 / 3)]
    assert near[0] == near[1]


def test_buckets_shuffle_batches_and_keep_ties_in_order():
    sequences = [[i] * (i % 5) for i in range(400)]
    shuffled = [lengths.max() for _, lengths in PaddedBatches(sequences, 4, bucket=100)]
    assert shuffled != sorted(shuffled)
    assert columns(PaddedBatches(sequences, 4, bucket=100, shuffle=False)) == sorted(
        sequences, key=len
    )


@given(SEQUENCES, OPTIONS)
def test_outputs_have_lengths_of_their_own(sequences, options):
    written = [[sum(sequence), *[7] * (len(sequence) // 2)] for sequence in sequences]
    found = []
    for x, lengths, y, counts in PaddedBatches(sequences, outputs=written, **options):
        assert y.shape == (counts.max(), len(lengths))
        assert (y[np.arange(len(y))[:, None] >= counts] == -100).all()
        assert np.array_equal(y[0], x.sum(axis=0))
        found += [y[:n, b].tolist() for b, n in enumerate(counts)]
    assert sorted(found) == sorted(written)


def test_buckets_sort_what_is_longer_first():
    generator = np.random.default_rng(0)
    short = [[1] * n for n in generator.integers(1, 20, 400)]
    long = [[1] * (len(s) + n) for s, n in zip(short, generator.integers(1, 20, 400), strict=True)]
    for sequences, outputs in ((short, long), (long, short)):
        batches = list(PaddedBatches(sequences, 8, outputs=outputs, bucket=50))
        waste = [sum(b[i].size for b in batches) / sum(b[i + 1].sum() for b in batches)
                 for i in (0, 2)]  # fmt: skip
        assert waste[sequences is short] < 1.05  # the longer ones
        assert waste[sequences is long] < 1.5  # without order 1.8


def test_bad_outputs():
    with pytest.raises(ValueError, match="outputs are 1, expected 2"):
        PaddedBatches([[1], [2]], 2, outputs=[[1]])
    with pytest.raises(ValueError, match="targets and outputs"):
        PaddedBatches([[1], [2]], 2, outputs=[[1], [2]], targets=[1, 2])
