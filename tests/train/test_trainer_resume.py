"""Resuming: training that was stopped anywhere ends bit for bit like training that was not."""

import subprocess
import sys
from pathlib import Path

import pytest
from trainings import (
    Stop,
    bits_of,
    classifier_training,
    language_training,
    state_in,
    state_of,
    stopping,
)

import tinygrad_seq as tg
from tinygrad_seq import nn, optim
from tinygrad_seq.data import Prefetcher

pytestmark = pytest.mark.usefixtures("no_pictures")


def prefetched_training(*arguments, **options):
    """The classifier's training, whose batches a thread makes ahead."""
    trainer = classifier_training(*arguments, **options)
    trainer.batches = Prefetcher(trainer.batches, 3)
    return trainer


TRAININGS = {
    "language": language_training,
    "classifier": classifier_training,
    "prefetched": prefetched_training,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The state at the end of each training that nobody stopped."""
    ends = {}
    for name, make in TRAININGS.items():
        folder = tmp_path_factory.mktemp(name)
        make(folder, seed=4).fit(3)
        ends[name] = state_in(folder)
    assert ends["prefetched"] == ends["classifier"]
    return ends


@pytest.mark.parametrize("stop", [2, 6, 7, 17])
@pytest.mark.parametrize("every", [1, 2, 4])
@pytest.mark.parametrize("name", TRAININGS)
def test_resumed_equals_uninterrupted(name, every, stop, whole, tmp_path):
    make = TRAININGS[name]
    with pytest.raises(Stop):
        make(tmp_path, seed=4, checkpoint_every=every, loss=stopping(stop)).fit(3)
    resumed = make(tmp_path, seed=99)  # nothing of its own beginning may be left
    assert resumed.resume() == (stop >= min(every, 6))
    if resumed.step == 0:
        resumed = make(tmp_path, seed=4)
    assert stop - every < resumed.step <= stop
    resumed.fit(3)
    assert state_in(tmp_path) == whole[name]


def test_resumed_at_the_end_of_an_epoch(whole, tmp_path):
    for name, make in TRAININGS.items():
        folder = tmp_path / name
        for epoch in (1, 2, 3):
            trainer = make(folder, seed=4 if epoch == 1 else epoch)
            assert trainer.resume() == (epoch > 1)
            trainer.fit(epoch)
            assert trainer.epoch == epoch
        assert state_in(folder) == whole[name]


def test_stopping_changes_something(whole, tmp_path):
    """The comparison is not blind: another seed ends elsewhere, in all that draws from it."""
    language_training(tmp_path, seed=5).fit(3)
    other, same = state_in(tmp_path), whole["language"]
    assert other["states"]["model"] != same["states"]["model"]
    assert other["states"]["optimizer"] != same["states"]["optimizer"]
    assert other["states"]["generator default"] != same["states"]["generator default"]
    assert other["states"]["batch_schedule"] == same["states"]["batch_schedule"]


def test_the_state_between_batches_is_carried(tmp_path):
    """Without the saved carry a resumed epoch would go on from a zero state."""
    with pytest.raises(Stop):
        language_training(tmp_path, checkpoint_every=1, loss=stopping(3)).fit(1)
    first = language_training(None, loss=stopping(3))
    with pytest.raises(Stop):
        first.fit(1)
    resumed = language_training(tmp_path, seed=9)
    assert resumed.resume()
    assert isinstance(resumed.carry, tuple)
    carried = [bits_of(part.numpy()) for part in resumed.carry]
    assert carried == [bits_of(part.numpy()) for part in first.carry]
    assert resumed.carry[0].numpy().any()


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU])
def test_a_state_of_one_tensor_is_carried_too(cell, tmp_path):
    language_training(tmp_path / "whole", cell=cell).fit(2)
    with pytest.raises(Stop):
        language_training(tmp_path, cell=cell, checkpoint_every=2, loss=stopping(9)).fit(2)
    resumed = language_training(tmp_path, seed=1, cell=cell)
    assert resumed.resume()
    resumed.fit(2)
    assert state_in(tmp_path) == state_in(tmp_path / "whole")


@pytest.mark.parametrize("make", TRAININGS.values())
def test_resumed_on_every_backend(make, backend_name, tmp_path, monkeypatch):
    """The carried state, the best parameters and the optimiser's come back to where they lived."""
    make(tmp_path / "whole").fit(2)
    with pytest.raises(Stop):
        make(tmp_path, checkpoint_every=2, loss=stopping(9)).fit(2)
    resumed = make(tmp_path, seed=1)
    assert resumed.resume()
    resumed.fit(2)
    assert {p.backend for p in resumed.model.parameters()} == {backend_name}
    assert state_in(tmp_path) == state_in(tmp_path / "whole")


def test_rates_of_two_schedules_are_resumed_as_they_were(tmp_path):
    """Whichever schedule was stepped last has the say, in the resumed training as well."""

    def make(folder, seed=0):
        trainer = language_training(folder, seed)
        trainer.schedule = optim.ExponentialLR(trainer.optimizer, 0.5)
        trainer.batch_schedule = optim.ExponentialLR(trainer.optimizer, 0.9)
        return trainer

    make(tmp_path / "whole").fit(3)
    for epoch in (1, 2, 3):
        trainer = make(tmp_path, seed=epoch - 1)
        trainer.resume()
        trainer.fit(epoch)
    assert state_in(tmp_path) == state_in(tmp_path / "whole")


def test_the_best_and_the_patience_are_resumed(tmp_path):
    losses = [3.0, 2.0, 2.0, 2.5, 1.0]

    def make(seed):
        trainer = language_training(tmp_path, seed, patience=2)
        trainer.validate = lambda: losses[trainer.epoch]
        return trainer

    first = make(0)
    first.fit(2)
    best = bits_of(first.model.state_dict())
    first.fit(3)
    resumed = make(1)
    assert resumed.resume()
    assert not resumed.stopped
    resumed.fit(9)
    assert resumed.epoch == 4  # two epochs without a better one than epoch 2's
    resumed.restore_best()
    assert bits_of(resumed.model.state_dict()) == best


def test_tied_weights_stay_tied(tmp_path):
    language_training(tmp_path).fit(1)
    resumed = language_training(tmp_path, seed=1)
    resumed.resume()
    assert resumed.model.output.weight is resumed.model.embedding.weight
    resumed.fit(2)
    states = resumed.model.state_dict()
    assert bits_of(states["output.weight"]) == bits_of(states["embedding.weight"])


def test_resuming_twice_is_resuming_once(tmp_path):
    language_training(tmp_path).fit(2)
    trainer = language_training(tmp_path, seed=1)
    assert trainer.resume()
    once = state_of(trainer)
    assert trainer.resume()
    assert state_of(trainer) == once


def test_nothing_to_resume(tmp_path):
    for folder in (None, tmp_path, tmp_path / "missing"):
        trainer = language_training(folder)
        before = state_of(trainer)
        assert trainer.resume() is False
        assert state_of(trainer) == before
    assert not (tmp_path / "missing").exists()


def test_resumed_in_a_fresh_process(whole, tmp_path):
    with pytest.raises(Stop):
        language_training(tmp_path, seed=4, checkpoint_every=4, loss=stopping(9)).fit(3)
    program = (
        "import pathlib, sys; from trainings import language_training\n"
        "trainer = language_training(pathlib.Path(sys.argv[1]), seed=77)\n"
        "assert trainer.resume() and trainer.step == 8\n"
        "trainer.fit(3)"
    )
    here = Path(__file__).parent
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, cwd=here)
    assert state_in(tmp_path) == whole["language"]


def test_a_checkpoint_names_its_arrays(tmp_path):
    language_training(tmp_path).fit(1)
    names = tg.load(tmp_path / "checkpoint.safetensors")
    assert {"/states/model/output.weight", "/best_state/embedding.weight"} <= set(names)
