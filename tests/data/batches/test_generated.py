"""Batches that are made on demand: each follows from its place, resuming as if never stopped."""

import json

import pytest

from tinygrad_seq.data import GeneratedBatches, PaddedBatches, TruncatedBPTT


def made(number=3, seed=1):
    """Batches of what they are made from: the epoch and a number drawn."""
    return GeneratedBatches(lambda random, epoch: (epoch, random.integers(10**9)), number, seed)


def test_batches_follow_from_seed_epoch_and_place():
    batches = made()
    assert len(batches) == 3
    epochs = [list(batches), list(batches)]
    assert [[epoch for epoch, _ in batches] for batches in epochs] == [[0] * 3, [1] * 3]
    assert len({drawn for batches in epochs for _, drawn in batches}) == 6
    again = made()
    assert [list(again), list(again)] == epochs
    assert list(made(seed=2)) != epochs[0]


def test_batches_go_on_where_they_were():
    whole, first = made(), made()
    expected = [*whole, *whole]
    found = [batch for _, batch in zip(range(2), first, strict=False)]
    second = made()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert [*found, *second, *second] == expected


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, "seed 2, expected 1"),
        ({"number": 4}, "number 4, expected 3"),
        ({"position": 4}, r"state\['position'\] is 4, expected at most 3"),
        ({"epoch": -1}, r"state\['epoch'\] is -1"),
    ],
)
def test_bad_state_changes_nothing(change, named):
    batches = made()
    next(iter(batches))
    before = batches.state_dict()
    with pytest.raises(ValueError, match=named):
        batches.load_state_dict({**before, **change})
    assert batches.state_dict() == before


def test_a_batch_that_could_not_be_made_comes_next_time():
    interrupted = []

    def make(random, epoch):
        if epoch == 0 and batches.state_dict()["position"] == 1 and not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return epoch, random.integers(10**9)

    batches, found = GeneratedBatches(make, 3, 1), []
    with pytest.raises(KeyboardInterrupt):
        found.extend(batches)
    assert batches.state_dict()["position"] == 1
    assert [*found, *batches] == list(made())


def kinds():
    return (
        made(number=4),
        PaddedBatches([[i] * (i % 4) for i in range(16)], 4),
        TruncatedBPTT(range(41), 2, 5),
    )


@pytest.mark.parametrize("n", range(3))
def test_iterators_that_were_overtaken_say_so(n):
    batches, again = kinds()[n], kinds()[n]
    first = iter(batches)
    next(first)
    second = iter(batches)
    with pytest.raises(RuntimeError, match="iterated over anew, or loaded, in the meantime"):
        next(first)
    assert len(list(second)) == 3
    third = iter(batches)  # begun before the state is loaded, used after
    batches.load_state_dict(again.state_dict())
    with pytest.raises(RuntimeError, match="in the meantime"):
        next(third)
    pairs = zip(batches, again, strict=True)
    assert all(str(ours) == str(theirs) for ours, theirs in pairs)


def test_batches_that_are_none():
    with pytest.raises(ValueError, match="number is 0"):
        made(number=0)
    with pytest.raises(ValueError, match="seed is -1"):
        made(seed=-1)
    with pytest.raises(ValueError, match="has no 'position'"):
        made().load_state_dict({"number": 3, "seed": 1})
