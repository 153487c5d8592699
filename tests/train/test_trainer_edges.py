"""Edges of the trainer that once lost state without a word."""

import numpy as np
import pytest
from trainings import state_of

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim
from tinygrad_seq.data import TruncatedBPTT
from tinygrad_seq.train import Trainer

pytestmark = pytest.mark.usefixtures("no_pictures")


def training(folder=None, model=None, **options):
    tg.manual_seed(3)
    model = model or nn.Sequential(
        nn.Embedding(5, 4), nn.Dropout(0.3, tg.Generator(7)), nn.Linear(4, 5)
    )
    optimizer = optim.Adam(model.parameters())
    batches = TruncatedBPTT(np.arange(60) % 5, 2, 4)

    def loss(batch, carry):
        x, y = batch
        logits = model(tg.tensor(x)).reshape(-1, 5)
        return ops.cross_entropy(logits, tg.tensor(y.reshape(-1))), carry

    return Trainer(model, optimizer, loss, batches, folder=folder, progress=False, **options)


def test_parameters_outside_the_model_are_refused():
    model, head = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizer = optim.SGD([*model.parameters(), *head.parameters()])
    with pytest.raises(ValueError, match="not the model's"):
        Trainer(model, optimizer, lambda b, c: None, TruncatedBPTT(np.arange(9), 1, 2))


def test_batches_know_their_position():
    model = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="batches are a list"):
        Trainer(model, optim.SGD(model.parameters()), lambda b, c: None, [1, 2])


def test_a_batch_that_failed_is_trained_again():
    interrupted, whole = training(), training()
    loss, calls = interrupted.loss, []

    def failing(batch, carry):
        calls.append(batch)
        if len(calls) == 3:
            raise OSError("gone for a moment")
        return loss(batch, carry)

    interrupted.loss = failing
    with pytest.raises(OSError, match="moment"):
        interrupted.fit(1)
    interrupted.fit(1)
    whole.fit(1)
    assert interrupted.step == whole.step == len(whole.batches)
    assert interrupted.history.rows[0]["train_loss"] == whole.history.rows[0]["train_loss"]


def test_generators_inside_the_model_are_resumed(tmp_path):
    whole = training()
    whole.fit(2)
    training(tmp_path).fit(1)
    resumed = training(tmp_path)
    assert resumed.resume()
    resumed.fit(2)
    assert state_of(resumed)[:2] == state_of(whole)[:2]


def test_a_validation_that_raises_leaves_training_mode():
    def validate():
        raise OSError("no data")

    trainer = training(validate=validate)
    with pytest.raises(OSError, match="no data"):
        trainer.fit(1)
    assert trainer.model.training


def test_a_generator_state_out_of_range_changes_nothing(tmp_path):
    trainer = training(tmp_path)
    trainer.fit(1)
    path = tmp_path / "checkpoint.safetensors"
    tree = tg.load_checkpoint(path)
    tree["states"]["generator default"]["state"]["state"] = -1
    tg.save_checkpoint(path, tree)
    other = training(tmp_path)
    before = state_of(other)
    with pytest.raises(ValueError, match="not a checkpoint of this training"):
        other.resume()
    assert state_of(other) == before
