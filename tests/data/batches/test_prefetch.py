"""Batches made ahead: the same ones in the same order; errors arrive; threads end; resuming."""

import contextlib
import itertools
import json
import os
import threading
import time

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq.data import PaddedBatches, Prefetcher, TruncatedBPTT


def make(**options):
    return PaddedBatches([[i] * (1 + i % 5) for i in range(23)], 4, seed=3, bucket=2, **options)


def equal(left, right):
    return [[x.tolist() for x in batch] for batch in left] == [
        [x.tolist() for x in batch] for batch in right
    ]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert [t.name for t in threading.enumerate() if t.name == "Prefetcher"] == []


@pytest.mark.parametrize("ahead", [1, 2, 100])
def test_order_is_kept(ahead):
    expected = make()
    batches = Prefetcher(make(), ahead)
    assert len(batches) == len(expected) == 6
    for _ in range(3):
        assert equal(list(batches), list(expected))
    windows = TruncatedBPTT(np.arange(50), 2, 5)
    assert equal(list(Prefetcher(windows, ahead)), list(TruncatedBPTT(np.arange(50), 2, 5)))


@pytest.mark.parametrize("ahead", [1, 3, 100])
@pytest.mark.parametrize("stop", range(7))
def test_resume_equals_uninterrupted(stop, ahead):
    expected = [batch for batches in [make()] for _ in range(3) for batch in batches]
    first, second = Prefetcher(make(), ahead), Prefetcher(make(), ahead)
    list(first)
    iterator = iter(first)
    given = list(itertools.islice(iterator, stop))
    state = json.loads(json.dumps(first.state_dict()))
    iterator.close()
    second.load_state_dict(state)
    assert equal([*given, *second, *second], expected[6:])
    assert first.state_dict() == state  # what was made ahead is not lost
    assert equal([*given, *first, *first], expected[6:])


def test_the_position_is_that_of_the_batches_themselves():
    alone, ahead = make(), Prefetcher(make(), 3)
    assert ahead.state_dict() == alone.state_dict()
    for _ in zip(alone, ahead, strict=True):
        assert ahead.state_dict() == alone.state_dict()
    assert ahead.state_dict() == alone.state_dict()


def test_batches_are_made_ahead_but_not_too_far():
    made = []
    batches = Prefetcher(make(), 2, transform=lambda batch: made.append(len(made)) or batch)
    assert made == []
    iterator = iter(batches)
    for n in range(3):
        next(iterator)
        deadline = time.monotonic() + 10
        while len(made) < min(n + 4, 6) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert min(n + 4, 6) <= len(made) <= min(n + 5, 6)  # given, two waiting, one in hand
    iterator.close()


def test_transform_runs_elsewhere_with_the_callers_backend(backend_name):
    def transform(batch):
        assert threading.current_thread() is not threading.main_thread()
        return tg.tensor(batch[0].astype(np.float32))

    with Prefetcher(make(), transform=transform) as batches:
        found = [(x.backend, x.tolist()) for x in batches]
    assert found == [(backend_name, x.tolist()) for x, _ in make()]


def test_errors_arrive_where_their_batch_would_have_come():
    def transform(batch):
        if 7 in batch[0]:
            raise ZeroDivisionError("seven")
        return batch

    plain, batches, given = make(), Prefetcher(make(), 100, transform), []
    whole = list(plain)
    at = next(i for i, (x, _) in enumerate(whole) if 7 in x)
    with pytest.raises(ZeroDivisionError, match="seven"):
        given.extend(iter(batches))
    assert equal(given, whole[:at])
    with pytest.raises(ZeroDivisionError):  # the same batch, once more
        next(iter(batches))
    batches = Prefetcher(make(), 1, transform)
    iterator = iter(batches)
    assert equal([next(iterator) for _ in range(at)], whole[:at])
    with pytest.raises(ZeroDivisionError):
        next(iterator)
    assert batches.state_dict()["position"] == at


def test_closing_and_beginning_anew():
    batches = Prefetcher(make(), 1)
    first = iter(batches)
    next(first)
    second = iter(batches)
    rest = list(second)
    assert len(rest) == 5
    with pytest.raises(RuntimeError, match="iterated over anew"):
        next(first)
    with batches:
        third = iter(batches)
        next(third)
    with pytest.raises(RuntimeError, match="closed"):
        next(third)
    for _ in range(3):
        batches.close()
    assert len(list(batches)) == 5


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_has_no_thread_to_wait_for():
    batches = Prefetcher(make(), 1)
    iterator = iter(batches)
    next(iterator)
    child = os.fork()
    if child == 0:  # no test runs on in here
        status = 1
        with contextlib.suppress(BaseException):
            try:
                list(iterator)
            except RuntimeError as error:
                status = 0 if "a fork" in str(error) else 2
            status += len(list(batches)) not in (4, 5)  # one may have waited in the queue
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(iterator)) == 5


def test_dropped_iterators_end_their_threads():
    for _ in range(20):
        next(iter(Prefetcher(make(), 1)))


def test_bad_input():
    with pytest.raises(ValueError, match="ahead is 0"):
        Prefetcher(make(), 0)
    batches = Prefetcher(make())
    with pytest.raises(ValueError, match="state has no 'sequences'"):
        batches.load_state_dict({"position": 1})
