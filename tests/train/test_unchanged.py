"""--resume: with the options that a training was begun with, or not at all."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn, train
from tinygrad_seq.data import GeneratedBatches

pytestmark = pytest.mark.usefixtures("no_pictures")


class Number(nn.Module):
    """One parameter."""

    def __init__(self):
        self.w = nn.Parameter(np.full((), 2, np.float32))


@pytest.fixture
def fitted(monkeypatch, tmp_path):
    """What trains a Number by a program with these options, in folders within its own."""

    def fit(*given, parts=("part",)):
        parser = train.program_parser("What it does.", str(tmp_path), epochs=1, batch=4)
        parser.add_argument("--length", type=int, default=5)
        parser.add_argument("--say")
        monkeypatch.setattr("sys.argv", ["program.py", *given])
        options, model = train.parse_options(parser, "say"), Number()
        batches = GeneratedBatches(lambda random, epoch: random.normal(), 3)
        for part in parts:
            inside = train.in_folder(options, part)
            loss = lambda batch, _: (model.w * batch, None)  # noqa: E731
            trainer = train.fit(model, loss, batches, None, inside)
        return trainer

    return fit


def test_what_shapes_a_training_is_not_changed(fitted, tmp_path):
    fitted("--data", "x")
    path = tmp_path / "part" / "checkpoint.safetensors"
    assert tg.load_checkpoint(path)["about"] == {
        "data": "x", "seed": 0, "lr": 4e-3, "clip": 1.0, "batch": 4, "length": 5,
    }  # fmt: skip
    before = path.read_bytes()
    for name, new, was in (
        ("--lr", 0.01, 0.004), ("--batch", 2, 4), ("--length", 6, 5), ("--data", "y", "x"),
        ("--seed", 1, 0), ("--clip", 0.5, 1.0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="--resume") as error:
            fitted("--data", "x", name, str(new), "--resume")
        said = f"--resume: {name} is {new}, the checkpoint was trained with {was} ({path})"
        assert str(error.value) == said
    with pytest.raises(ValueError, match="--data is none, the checkpoint was trained with x"):
        fitted("--resume")
    assert path.read_bytes() == before


def test_what_does_not_shape_it_may_change(fitted, tmp_path, capsys):
    fitted()
    save = str(tmp_path / "m")
    more = ("--say", "x", "--epochs", "2", "--checkpoint-every", "1", "--save", save)
    assert fitted("--resume", "--backend", "numpy", *more).epoch == 2
    assert "resumed after epoch 1, batch 0" in capsys.readouterr().out


def test_without_a_checkpoint_it_is_refused(fitted, tmp_path):
    path = tmp_path / "part" / "checkpoint.safetensors"
    with pytest.raises(FileNotFoundError, match=f"--resume: there is no {path}"):
        fitted("--resume")
    assert not path.exists()


def test_of_several_trainings_the_first_must_be_there(fitted, tmp_path, capsys):
    fitted(parts=["a"])
    capsys.readouterr()
    fitted("--resume", parts=["a", "b"])
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "resumed after epoch 1, batch 0"
    assert out[2] == f"begun: there is no {tmp_path / 'b' / 'checkpoint.safetensors'} yet"
    with pytest.raises(FileNotFoundError, match="c/checkpoint"):
        fitted("--resume", parts=["c", "a"])


def test_a_checkpoint_without_options_is_refused(fitted, tmp_path):
    fitted()
    path = tmp_path / "part" / "checkpoint.safetensors"
    tree = tg.load_checkpoint(path)
    for wrong in (None, [], "x"):
        tg.save_checkpoint(path, {**tree, "about": wrong})
        with pytest.raises(ValueError, match="not a checkpoint of this training: it names no opt"):
            fitted("--resume")


def test_an_option_that_the_program_has_not(monkeypatch):
    monkeypatch.setattr("sys.argv", ["program.py"])
    with pytest.raises(ValueError, match=r"later has \['sya'\], which are no options"):
        train.parse_options(train.plain_parser("What it does.", "runs/x"), "sya")
