"""The training loop: what it calls, what it counts, when it stops, what it leaves behind."""

import csv
import math
import sys
import threading
import time

import numpy as np
import pytest
from trainings import bits_of, classifier_training, language_training

import tinygrad_seq as tg
from tinygrad_seq import nn, optim
from tinygrad_seq.data import TruncatedBPTT
from tinygrad_seq.train import History, Trainer
from tinygrad_seq.train.history import COLUMNS


class Line(nn.Module):
    """y = w x, with a second parameter that only some losses use."""

    def __init__(self):
        self.w = nn.Parameter(np.array([0.0]))
        self.other = nn.Parameter(np.array([1.0]))


def line_training(loss, **options):
    """A training on windows of 0 ... 12, four batches an epoch, by plain gradient descent."""
    model = Line()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    batches = TruncatedBPTT(np.arange(13), 1, 3)
    return Trainer(
        model,
        optimizer,
        lambda batch, carry: loss(model, batch, carry),
        batches,
        progress=False,
        **options,
    )


def test_loss_falls():
    for make in (language_training, classifier_training):
        rows = make(loss=None).fit(15).rows
        assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]
    rows = language_training().fit(15).rows
    assert rows[-1]["validation_loss"] < 0.9 * rows[0]["validation_loss"]


def test_steps_are_those_of_gradient_descent():
    """w = w - lr (w - 1), batch by batch, and the loss of an epoch is the mean over its batches."""
    trainer = line_training(lambda model, *_: (((model.w - 1) ** 2 * 0.5).sum(), None))
    rows = trainer.fit(2).rows
    w, losses = 0.0, []
    for _ in range(8):
        losses.append((w - 1) ** 2 / 2)
        w -= 0.1 * (w - 1)
    assert trainer.model.w.item() == pytest.approx(w, rel=1e-14)
    means = [np.mean(losses[:4]), np.mean(losses[4:])]
    assert [row["train_loss"] for row in rows] == pytest.approx(means, rel=1e-14)
    assert [row["step"] for row in rows] == [4, 8]


def test_carry_is_passed_on_within_an_epoch_only():
    seen = []

    def loss(model, batch, carry):
        seen.append(carry)
        return (model.w * 0).sum(), int(batch[0][0, 0])

    line_training(loss).fit(2)
    assert seen == [None, 0, 3, 6] * 2


def test_modes_and_graphs():
    """Training in training mode with a graph, validation in evaluation mode without."""
    seen = []

    def note(name, model):
        seen.append((name, model.training, tg.is_grad_enabled()))

    def loss(model, *_):
        note("train", model)
        return model.w.sum(), None

    trainer = line_training(loss, validate=lambda: note("validate", trainer.model) or 0.0)
    trainer.model.eval()
    trainer.fit(2)
    once = [("train", True, True)] * 4 + [("validate", False, False)]
    assert seen == once * 2


def test_schedules_are_stepped_when_they_should_be():
    trainer = line_training(lambda model, *_: (model.w.sum(), None), validate=lambda: 1.0)
    trainer.schedule = optim.ReduceLROnPlateau(trainer.optimizer, patience=0)
    assert [round(row["lr"], 12) for row in trainer.fit(4).rows] == [0.1, 0.1, 0.01, 0.001]
    trainer = line_training(lambda model, *_: (model.w.sum(), None))
    trainer.batch_schedule = optim.ExponentialLR(trainer.optimizer, 0.5)
    assert [row["lr"] for row in trainer.fit(2).rows] == [0.1 / 2**4, 0.1 / 2**8]
    assert trainer.history.rows[0]["validation_loss"] is None


def test_plateau_without_validation_watches_the_training_loss():
    trainer = line_training(lambda model, *_: ((model.w * 0).sum() + 1.0, None))
    trainer.schedule = optim.ReduceLROnPlateau(trainer.optimizer, patience=0)
    trainer.fit(2)
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_clip_is_the_norm_of_what_the_optimiser_updates():
    """A frozen part's gradients, which nobody sets back, take nothing from the others' share."""

    def loss(model, *_):
        return (3 * model.w + 4 * model.other).sum(), None

    both = line_training(loss, clip=1.0)
    both.fit(1)
    assert both.model.w.item() == pytest.approx(4 * -0.1 * 3 / 5, rel=1e-5)
    one = line_training(loss, clip=1.0)
    one.optimizer = optim.SGD([one.model.w], lr=0.1)
    one.fit(1)
    assert one.model.w.item() == pytest.approx(4 * -0.1, rel=1e-5)
    assert one.model.other.item() == 1.0
    free = line_training(loss)
    free.fit(1)
    assert free.model.w.item() == pytest.approx(4 * -0.1 * 3, rel=1e-12)


@pytest.mark.parametrize(
    ("losses", "patience", "epochs"),
    [
        ([5.0, 4.0, 3.0, 2.0, 1.0], 1, 5),
        ([5.0, 6.0, 3.0, 2.0, 1.0], 1, 2),
        ([5.0, 6.0, 3.0, 4.0, 3.0], 2, 5),
        ([5.0, 5.0, 5.0, 4.0, 4.0], 2, 3),  # equal is not better
        ([math.inf, math.inf, math.inf, 1.0, 1.0], 2, 3),
    ],
)
def test_early_stopping(losses, patience, epochs):
    trainer = line_training(
        lambda model, *_: (model.w.sum(), None),
        validate=lambda: losses[trainer.epoch],
        patience=patience,
    )
    assert len(trainer.fit(5).rows) == epochs
    assert trainer.stopped or epochs == 5
    assert len(trainer.fit(5).rows) == epochs


def test_restore_best():
    losses = [3.0, 1.0, math.inf, 1.0, 2.0]
    weights = []

    def validate():
        weights.append(trainer.model.w.item())
        return losses[trainer.epoch]

    trainer = line_training(lambda model, *_: (model.w.sum(), None), validate=validate)
    with pytest.raises(RuntimeError, match="no validation"):
        trainer.restore_best()
    trainer.fit(5)
    assert trainer.model.w.item() == weights[4]
    trainer.restore_best()
    assert trainer.model.w.item() == weights[1]
    blind = line_training(lambda model, *_: (model.w.sum(), None))
    blind.fit(1)
    with pytest.raises(RuntimeError, match="no validation"):
        blind.restore_best()
    assert blind.model.w.item() == pytest.approx(-0.4)


def test_fit_goes_on_to_so_many_epochs_in_all():
    trainer, other = language_training(), None
    trainer.fit(2)
    assert trainer.fit(2) is trainer.history
    assert trainer.step == 12
    trainer.fit(3)
    other = language_training()
    other.fit(3)
    assert bits_of(trainer.history.rows) == bits_of(other.history.rows)
    assert language_training().fit(0).rows == []


def test_files_left_behind(tmp_path):
    folder = tmp_path / "runs" / "first"
    history = language_training(folder).fit(3)
    names = {"checkpoint.safetensors", "loss.png", "metrics.csv"}
    assert {path.name for path in folder.iterdir()} == names
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [int(row["step"]) for row in rows] == [6, 12, 18]
    for row, kept in zip(rows, history.rows, strict=True):
        assert {name: float(text) for name, text in row.items()} == kept
    assert_png(folder / "loss.png")


def assert_png(path):
    from matplotlib.image import imread

    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    image = imread(path)
    assert image.shape[0] > 200
    assert image.std() > 0


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"epoch": 1, "train_loss": 1.0, "validation_loss": None}],
        [{"epoch": i, "train_loss": i, "validation_loss": math.inf} for i in (1, 2)],
    ],
)
def test_pictures_of_odd_histories(rows, tmp_path):
    History(rows).save_picture(tmp_path / "loss.png")
    assert_png(tmp_path / "loss.png")


def test_without_validation_the_table_has_an_empty_column(tmp_path):
    language_training(tmp_path, validate=None).fit(1)
    with open(tmp_path / "metrics.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["validation_loss"] == ""


def test_without_matplotlib_the_rest_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.warns(UserWarning, match=r"no loss\.png"):
        language_training(tmp_path).fit(1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.safetensors", "metrics.csv"]


def slow(loss):
    def slowed(batch, carry):
        time.sleep(0.03)  # the bar is drawn ten times a second at most
        return loss(batch, carry)

    return slowed


def test_progress_is_shown_unless_unwanted(capfd):
    language_training().fit(1)
    assert capfd.readouterr() == ("", "")
    language_training(progress=True, loss=slow).fit(2)
    out, err = capfd.readouterr()
    assert out == ""
    assert "epoch 2/2" in err
    assert "loss=" in err


def test_works_in_another_thread(tmp_path):
    language_training(tmp_path / "main").fit(1)
    failures = []

    def work():
        try:
            language_training(tmp_path / "thread").fit(1)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []
    states = [tg.load(tmp_path / name / "checkpoint.safetensors") for name in ("main", "thread")]
    assert bits_of(states[0]) == bits_of(states[1])
