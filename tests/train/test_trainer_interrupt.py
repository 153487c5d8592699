"""Interrupted training: Ctrl-C, Ctrl-C twice, kill -9; what is left and how it goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trainings import Stop, language_training, state_in, stopping

import tinygrad_seq as tg

pytestmark = pytest.mark.usefixtures("no_pictures")

HERE = Path(__file__).parent
PROGRAM = """
import pathlib, sys, time
from trainings import language_training

def slow(loss):
    def slowed(batch, carry):
        print("batch", flush=True)
        time.sleep(float(sys.argv[2]))
        return loss(batch, carry)
    return slowed

trainer = language_training(pathlib.Path(sys.argv[1]), seed=4, loss=slow, **eval(sys.argv[3]))
trainer.resume()
trainer.fit(4)
"""


def start(folder, seconds, **options):
    """A process that trains, and says "batch" at the beginning of each."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(seconds), repr(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=HERE,
    )


def wait_for_batches(process, count):
    for _ in range(count):
        assert process.stdout.readline() == "batch\n", process.stderr.read()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The state after four epochs that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    language_training(folder, seed=4).fit(4)
    return state_in(folder)


@pytest.mark.parametrize("batches", [1, 9])
def test_interrupted_training_is_saved_and_goes_on(batches, whole, tmp_path):
    process = start(tmp_path, 0.2)
    wait_for_batches(process, batches)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert process.returncode in (130, -signal.SIGINT)
    assert rest == ""  # the batch ended, no other began
    resumed = language_training(tmp_path, seed=1)
    assert resumed.resume()
    assert resumed.step == batches
    resumed.fit(4)
    assert state_in(tmp_path) == whole


def test_second_interrupt_is_immediate(tmp_path):
    process = start(tmp_path, 30)
    wait_for_batches(process, 1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # the batch still runs
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode in (130, -signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_killed_training_leaves_a_checkpoint_to_go_on_from(whole, tmp_path):
    """A few kills at random moments, each life resumed by the next; the last ends like `whole`."""
    moments, lives = random.Random(3), 4
    for life in range(lives):
        process = start(tmp_path, 0.03, checkpoint_every=1)
        wait_for_batches(process, 2)
        time.sleep(moments.random() * 0.1)
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        trainer = language_training(tmp_path, seed=life)
        assert trainer.resume()
        assert trainer.step > life  # every life got further
        assert trainer.epoch < 4
    trainer.fit(4)
    assert state_in(tmp_path) == whole
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 5


def interrupt_at(number):
    """A wrapper of losses that presses Ctrl-C in the middle of a batch."""

    def wrap(loss):
        calls = 0

        def pressed(batch, carry):
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGINT)
            return loss(batch, carry)

        return pressed

    return wrap


def test_interrupt_in_the_same_process(whole, tmp_path):
    """The trainer can go on by itself as well, and Ctrl-C means what it meant before."""
    handler = signal.getsignal(signal.SIGINT)
    trainer = language_training(tmp_path, seed=4, loss=interrupt_at(8))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(4)
    assert signal.getsignal(signal.SIGINT) is handler
    assert (trainer.epoch, trainer.step) == (1, 8)
    trainer.fit(4)
    assert state_in(tmp_path) == whole


def test_interrupt_in_the_last_batch_of_an_epoch(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        language_training(tmp_path, seed=4, loss=interrupt_at(6)).fit(4)
    resumed = language_training(tmp_path, seed=1)
    resumed.resume()
    assert (resumed.epoch, resumed.step) == (0, 6)
    resumed.fit(4)
    assert state_in(tmp_path) == whole


def test_interrupt_during_validation_starts_no_batch(whole, tmp_path):
    trainer = language_training(tmp_path, seed=4)
    validate = trainer.validate

    def pressed():
        if trainer.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return validate()

    trainer.validate = pressed
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(4)
    assert (trainer.epoch, trainer.step, trainer.count) == (2, 12, 0)
    resumed = language_training(tmp_path, seed=1)
    assert resumed.resume()
    resumed.fit(4)
    assert state_in(tmp_path) == whole


def test_interrupt_at_the_very_end_is_not_lost(tmp_path):
    trainer = language_training(tmp_path)
    trainer.validate = lambda: os.kill(os.getpid(), signal.SIGINT) or 1.0
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(1)
    assert (trainer.epoch, trainer.step) == (1, 6)


def test_signals_are_set_back_after_an_error():
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stop):
        language_training(loss=stopping(2)).fit(1)
    assert signal.getsignal(signal.SIGINT) is handler


def test_interrupt_without_a_folder(tmp_path, monkeypatch):
    """Without a folder Ctrl-C still lets the batch end; nothing is written anywhere."""
    monkeypatch.chdir(tmp_path)
    trainer = language_training(loss=interrupt_at(2), checkpoint_every=1)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(1)
    assert trainer.step == 2
    assert list(tmp_path.iterdir()) == []
    assert tg.is_grad_enabled()
