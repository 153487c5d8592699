"""Failing training: a clear error, and nothing changed: parameters, optimiser, place, files."""

import math
import re

import numpy as np
import pytest
from trainings import classifier_training, language_training, state_of

import tinygrad_seq as tg
from tinygrad_seq import nn, optim
from tinygrad_seq.data import TruncatedBPTT
from tinygrad_seq.engine.primitive import primitive

pytestmark = pytest.mark.usefixtures("no_pictures")

CHECKPOINT = "checkpoint.safetensors"
TRAININGS = [language_training, classifier_training]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def learned(trainer):
    """What a failed batch must leave as it was: all but the place and the generators."""
    state = state_of(trainer)
    return state[:2] + state[-5:]


def spoil(trainer, change):
    """Makes the trainer's loss `change` of what it is."""
    loss = trainer.loss

    def spoiled(batch, carry):
        value, carry = loss(batch, carry)
        return change(value), carry

    trainer.loss = spoiled


@primitive(x=lambda g, x: g * math.inf)
def infinite_gradient(x):
    """x, with a gradient that is not finite."""
    return x * 1


@pytest.mark.parametrize("make", TRAININGS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("epochs", [0, 1])
def test_loss_that_is_not_finite(value, make, epochs, tmp_path):
    trainer = make(tmp_path, checkpoint_every=1)
    trainer.fit(epochs)
    before, files = learned(trainer), contents(tmp_path)
    spoil(trainer, lambda loss: loss + value)
    with pytest.raises(FloatingPointError, match=f"loss is {value} in epoch {epochs + 1}, batch 1"):
        trainer.fit(2)
    assert learned(trainer) == before
    assert contents(tmp_path) == files


@pytest.mark.parametrize("make", TRAININGS)
@pytest.mark.parametrize("clip", [1.0, None])
def test_gradient_that_is_not_finite(clip, make, tmp_path):
    """With and without clipping: a finite loss is no licence to write NaN into the parameters."""
    trainer = make(tmp_path, clip=clip)
    trainer.fit(1)
    before, files = learned(trainer), contents(tmp_path)
    bias = trainer.model.output.bias
    spoil(trainer, lambda loss: loss + infinite_gradient(bias).sum() - bias.sum())
    with pytest.raises(FloatingPointError, match="not finite"):
        trainer.fit(2)
    assert learned(trainer) == before
    assert contents(tmp_path) == files


def test_validation_that_is_nan(tmp_path):
    trainer = language_training(tmp_path, patience=1)
    trainer.fit(1)
    trainer.validate = lambda: math.nan
    files, best = contents(tmp_path), trainer.best
    with pytest.raises(FloatingPointError, match="validation after epoch 2 is NaN"):
        trainer.fit(3)
    assert contents(tmp_path) == files
    assert (trainer.epoch, trainer.best) == (1, best)


def test_training_goes_on_after_a_failure(tmp_path):
    """From the checkpoint, once the reason is gone: as if nothing had happened."""
    language_training(tmp_path / "whole").fit(2)
    trainer = language_training(tmp_path)
    trainer.fit(1)
    good = trainer.loss
    spoil(trainer, lambda loss: loss + math.nan)
    with pytest.raises(FloatingPointError):
        trainer.fit(2)
    trainer.loss = good
    assert trainer.resume()
    trainer.fit(2)
    whole = tg.load(tmp_path / "whole" / CHECKPOINT)
    for name, array in tg.load(tmp_path / CHECKPOINT).items():
        assert array.tobytes() == whole[name].tobytes(), name


def other_model(folder):
    return language_training(folder, layers=1)


def other_cell(folder):
    return language_training(folder, cell=nn.GRU)


def other_optimizer(folder):
    trainer = language_training(folder)
    trainer.optimizer = optim.SGD(trainer.model.parameters(), lr=0.1, momentum=0.9)
    trainer.batch_schedule = optim.WarmupCosine(trainer.optimizer, 4, 30)
    return trainer


def other_batches(folder):
    trainer = language_training(folder)
    trainer.batches = TruncatedBPTT(np.arange(90) % 7, 4, 5)
    return trainer


def other_schedule(folder):
    trainer = language_training(folder)
    trainer.batch_schedule = optim.ReduceLROnPlateau(trainer.optimizer)
    return trainer


def more_schedules(folder):
    trainer = language_training(folder)
    trainer.schedule = optim.ExponentialLR(trainer.optimizer, 0.5)
    return trainer


def no_schedule(folder):
    return language_training(folder, batch_schedule=None)


def more_generators(folder):
    return language_training(folder, generators={"noise": tg.Generator(3)})


@pytest.mark.parametrize(
    "make",
    [
        classifier_training,
        other_model,
        other_cell,
        other_optimizer,
        other_batches,
        other_schedule,
        more_schedules,
        no_schedule,
        more_generators,
    ],
)
def test_checkpoint_of_another_training(make, tmp_path):
    language_training(tmp_path).fit(1)
    trainer, files = make(tmp_path), contents(tmp_path)
    next(iter(trainer.batches))  # a place of its own
    before, best = state_of(trainer), trainer.best_state
    with pytest.raises(ValueError, match=rf"{re.escape(str(tmp_path / CHECKPOINT))}: not a check"):
        trainer.resume()
    assert state_of(trainer) == before
    assert trainer.best_state.keys() == best.keys()
    assert contents(tmp_path) == files


def cut_short(content):
    return content[: len(content) // 2]


def other_text(content):
    return b"epoch 3\n" * 40


def without_position(content):
    return content.replace(b'\\"position\\"', b'\\"pozition\\"')


def other_progress(content):
    return content.replace(b'\\"progress\\": [6', b'\\"progress\\": {6')


def list_for_a_state(content):
    return content.replace(b'\\"batch_schedule\\": {\\"last_epoch\\": 6', b"[" * 30)


DAMAGES = [
    cut_short,
    other_text,
    without_position,
    other_progress,
    list_for_a_state,
    lambda content: b"",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoint(damage, tmp_path):
    language_training(tmp_path).fit(1)
    content = (tmp_path / CHECKPOINT).read_bytes()
    assert damage(content) != content
    (tmp_path / CHECKPOINT).write_bytes(damage(content))
    trainer = language_training(tmp_path, seed=1)
    before = state_of(trainer)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / CHECKPOINT))):
        trainer.resume()
    assert state_of(trainer) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree.pop("carry"),
        lambda tree: tree.pop("best_state"),
        lambda tree: tree["states"].pop("optimizer"),
        lambda tree: tree["states"].update({"generator default": {"bit_generator": "PCG64"}}),
        lambda tree: tree["states"]["batches"].update(position=1000),
        lambda tree: tree["states"]["batches"].update(position=-1),
        lambda tree: tree["states"]["model"].popitem(),
        lambda tree: tree["best_state"].popitem(),
        lambda tree: tree.update(progress=[1, 2]),
        lambda tree: tree.update(progress=7),
        lambda tree: tree.update(best="good"),
        lambda tree: tree.update(carry=[["text"]]),
        lambda tree: tree.update(history=5),
        lambda tree: tree.update(states=[1]),
    ],
)
def test_lying_checkpoint(change, tmp_path):
    """Well-formed files that are no state of this training, each wrong in one place."""
    language_training(tmp_path).fit(1)
    tree = tg.load_checkpoint(tmp_path / CHECKPOINT)
    change(tree)
    tg.save_checkpoint(tmp_path / CHECKPOINT, tree)
    trainer = language_training(tmp_path, seed=1)
    before = state_of(trainer)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / CHECKPOINT))):
        trainer.resume()
    assert state_of(trainer) == before


def test_a_checkpoint_that_is_no_tree(tmp_path):
    tg.save_checkpoint(tmp_path / CHECKPOINT, [1, 2])
    with pytest.raises(ValueError, match="not a checkpoint of this training"):
        language_training(tmp_path).resume()
    tg.save(tmp_path / CHECKPOINT, {"x": np.zeros(2)})
    with pytest.raises(ValueError, match="not a checkpoint"):
        language_training(tmp_path).resume()


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        trainer = language_training(folder)
        before = state_of(trainer)
        with pytest.raises(OSError, match="file"):
            trainer.fit(1)
        assert state_of(trainer) == before


def test_checkpoint_that_cannot_be_written(tmp_path, monkeypatch):
    """The older files stay whole; the training in memory goes on where it stood."""
    trainer = language_training(tmp_path)
    trainer.fit(1)
    files = contents(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tinygrad_seq.serialize.save_file", full)
        patch.setattr("tinygrad_seq.train.trainer.History.save_csv", full)
        with pytest.raises(OSError, match="No space left"):
            trainer.fit(2)
    assert contents(tmp_path) == files
    trainer.fit(3)
    assert len(contents(tmp_path)["metrics.csv"].splitlines()) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 2, "validate": None}, "patience needs validate"),
        ({"patience": 0}, "patience is 0, expected 1 or more"),
        ({"patience": -1}, "patience is -1, expected 1 or more"),
    ],
)
def test_bad_patience(options, message):
    with pytest.raises(ValueError, match=message):
        language_training(**options)
