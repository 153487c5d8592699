"""What programs share: sizes as options, a loss's mean, pictures written whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import tinygrad_seq as tg
from tinygrad_seq import nn, ops, optim, train
from tinygrad_seq.data import GeneratedBatches
from tinygrad_seq.decode import greedy


def parsed(monkeypatch, *options, **sizes):
    monkeypatch.setattr("sys.argv", ["program.py", *options])
    return train.parse_options(train.program_parser("What it does.", "runs/x", **sizes))


def test_sizes_are_options(monkeypatch, capsys):
    sizes = {"embedding": 8, "hidden": 16, "layers": 2, "dropout": 0.25, "batch": 4}
    options = parsed(monkeypatch, "--hidden", "5", "--dropout", "0.5", **sizes)
    assert train.settings_of(options, "hidden", "layers", "dropout") == {
        "hidden": 5, "layers": 2, "dropout": 0.5,
    }  # fmt: skip
    assert train.settings_of(options, "embedding", "batch") == {"embedding": 8, "batch": 4}
    assert "layers" not in parsed(monkeypatch, hidden=3)
    assert parsed(monkeypatch, "--min-count", "3", min_count=1, longest=9).min_count == 3
    for wrong in (("--dropout", "2"), ("--hidden", "0"), ("--batch", "1.5"), ("--layers", "3")):
        with pytest.raises(SystemExit):
            parsed(monkeypatch, *wrong, hidden=3, dropout=0.1, batch=2)
        assert wrong[0] in capsys.readouterr().err


def test_help_names_the_defaults_of_the_program(capsys):
    parser = train.program_parser("What it does.", "runs/x", hidden=7)
    parser.set_defaults(lr=0.5)
    parser.print_help()
    said = " ".join(capsys.readouterr().out.split())
    assert "peak learning rate (default: 0.5)" in said
    assert "width of h (default: 7)" in said


def test_defaults_by_data(monkeypatch, capsys):
    sizes = {"layers": (2, 1), "dropout": (0.25, 0.0), "batch": 4}
    found = parsed(monkeypatch, epochs=(8, 3), **sizes)
    assert (found.epochs, found.layers, found.dropout, found.batch) == (3, 1, 0.0, 4)
    found = parsed(monkeypatch, "--data", "x", "--layers", "5", epochs=(8, 3), **sizes)
    assert (found.epochs, found.layers, found.dropout, found.batch) == (8, 5, 0.25, 4)
    parser = train.program_parser("What it does.", "runs/x", epochs=(8, 3), **sizes)
    parser.add_argument("--sample", type=float, default=train.ByData(1e-3, 0.0))
    parser.print_help()
    said = " ".join(capsys.readouterr().out.split())
    assert "passes over the data (default: 8; 3 for what is built in)" in said
    assert "recurrent layers (default: 2; 1 for what is built in)" in said
    monkeypatch.setattr("sys.argv", ["program.py", "--data", "x"])
    assert train.parse_options(parser).sample == 1e-3
    assert parsed(monkeypatch).epochs is None


def test_sampling_is_an_option(monkeypatch):
    parser = train.plain_parser("What it does.", "runs/x")
    train.add_sampling(parser, 0.5)
    for given, expected in {
        (): (0.5, None, None),
        ("--temperature", "2", "--top-k", "3", "--top-p", "0.5"): (2.0, 3, 0.5),
    }.items():
        monkeypatch.setattr("sys.argv", ["program.py", *given])
        sampler = train.sampling_of(train.parse_options(parser))
        assert (sampler.temperature, sampler.top_k, sampler.top_p) == expected
    monkeypatch.setattr("sys.argv", ["program.py", "--temperature", "0"])
    assert train.sampling_of(train.parse_options(parser)) is greedy
    monkeypatch.setattr("sys.argv", ["program.py", "--temperature", "-1"])
    with pytest.raises(ValueError, match=r"temperature is -1\.0"):
        train.sampling_of(train.parse_options(parser))
    monkeypatch.setattr("sys.argv", ["program.py", "--top-k", "0"])
    with pytest.raises(SystemExit):
        train.parse_options(parser)


def test_where_a_model_cannot_be_saved_is_known_before_training(monkeypatch, tmp_path):
    options = parsed(monkeypatch, "--folder", str(tmp_path / "f"), "--epochs", "1")
    assert train.model_path(options) == tmp_path / "f" / "model.safetensors"
    assert train.model_path(options, "other") == tmp_path / "f" / "other"
    model, batches = Constant(), GeneratedBatches(lambda random, epoch: np.float32([1]), 1)
    (tmp_path / "file").write_text("")
    for wrong, error in (("", IsADirectoryError), ("file/model", OSError)):
        options.save = str(tmp_path / wrong)
        with pytest.raises(error, match=str(tmp_path)):
            train.fit(model, model.total, batches, None, options)
    assert model.modes == []
    assert list((tmp_path / "f").iterdir()) == []


class Constant(nn.Module):
    """Says what it is, and remembers in which mode it was asked."""

    def __init__(self):
        self.w = nn.Parameter(np.full((), 2, np.float32))
        self.modes = []

    def total(self, batch):
        self.modes.append((self.training, (self.w * 1.0).requires_grad))
        return (self.w * tg.tensor(batch)).sum(), len(batch)


def test_mean_loss_weighs_batches_by_what_they_hold():
    model = Constant()
    batches = [np.float32([1, 2, 3]), np.float32([10])]
    assert train.mean_loss(model, model.total, batches) == pytest.approx(2 * 16 / 4)
    assert model.modes == [(False, False)] * 2
    assert model.training
    assert train.mean_loss(model.eval(), model.total, batches[:1]) == 4
    assert not model.training
    with pytest.raises(ValueError, match="nothing to judge"):
        train.mean_loss(model, model.total, [])
    loss, state = train.averaged(model.total)(batches[0], None)
    assert (loss.item(), loss.requires_grad, state) == (4, True, None)


def test_stream_loss_hands_the_state_on():
    model, seen = Constant(), []

    def total(batch, state):
        seen.append(state)
        return *model.total(batch), len(seen)

    batches = [np.float32([1, 2]), np.float32([10]), np.float32([0])]
    assert train.stream_loss(model, total, batches) == pytest.approx(2 * 13 / 4)
    assert seen == [None, 1, 2]
    assert model.modes == [(False, False)] * 3
    assert model.training
    with pytest.raises(ValueError, match="nothing to judge"):
        train.stream_loss(model, total, [])


def test_courses_of_the_learning_rate():
    rates = {}
    for name, course in train.SCHEDULES.items():
        optimizer = optim.SGD(Constant().parameters(), lr=1.0)
        found = course(optimizer, 100)
        if "batch_schedule" in found:
            for _ in range(100):
                found["batch_schedule"].step()
        if "schedule" in found:
            for loss in (1.0, 2.0, 3.0):
                found["schedule"].step(loss)
        rates[name] = optimizer.param_groups[0]["lr"]
    assert rates["cosine"] == pytest.approx(0, abs=1e-3)
    assert (rates["plateau"], rates["constant"]) == (0.25, 1.0)


def test_mean_loss_leaves_the_mode_as_it_was_after_an_error():
    model = Constant()

    def total(batch):
        raise FloatingPointError("bad batch")

    with pytest.raises(FloatingPointError, match="bad batch"):
        train.mean_loss(model, total, [None])
    assert model.training
    assert ops.exp(model.w).requires_grad


def test_picture(tmp_path, capsys):
    path = tmp_path / "new" / "line.png"
    with train.picture(path) as axes:
        axes.plot([1, 2])
    assert path.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"picture: {path}\n"
    with train.picture(path, (9, 2), columns=3) as columns:
        assert columns.shape == (3,)
    before = path.read_bytes()
    with pytest.raises(KeyError), train.picture(path):
        raise KeyError
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["line.png"]


def test_fit_takes_an_optimizer_with_its_schedules(monkeypatch, tmp_path):
    options = parsed(monkeypatch, "--folder", str(tmp_path), "--lr", "0.5", "--epochs", "2")
    model = Constant()
    batches = GeneratedBatches(lambda random, epoch: np.float32([1, 3]), 3)

    def fitted(**more):
        return train.fit(
            model, lambda batch, _: (model.total(batch)[0] / len(batch), None), batches,
            lambda: model.w.item(), options, **more,
        )  # fmt: skip

    sgd = optim.SGD(model.parameters(), lr=options.lr)
    trainer = fitted(optimizer=sgd)
    assert trainer.optimizer is sgd
    assert model.w.item() == pytest.approx(2 - 6 * 0.5, abs=1e-5)  # clipped to 1, at one rate
    assert not model.training
    assert [row["lr"] for row in trainer.history.rows] == [0.5, 0.5]
    usual = fitted()
    assert usual.history.rows[-1]["lr"] < 0.05
    with pytest.raises(ValueError, match="weight_decay"):
        fitted(optimizer=sgd, weight_decay=0.1)
    with pytest.raises(ValueError, match="batch_schedule"):
        fitted(batch_schedule=sgd)


def test_fit_without_validation_keeps_the_last_epoch(monkeypatch, tmp_path):
    options = parsed(monkeypatch, "--folder", str(tmp_path), "--epochs", "3", "--lr", "0.1")
    inside = train.in_folder(options, "part")
    assert (inside.folder, inside.lr) == (str(tmp_path / "part"), 0.1)
    assert options.folder == str(tmp_path)
    model = Constant()
    batches = GeneratedBatches(lambda random, epoch: np.float32([1, 3]), 3)
    trainer = train.fit(model, lambda batch, _: (model.w * model.w, None), batches, None, inside)
    assert trainer.history.rows[-1]["validation_loss"] is None
    assert model.w.item() < 1.9
    assert not model.training
    assert (tmp_path / "part" / "checkpoint.safetensors").exists()


def test_a_folder_in_theirs_is_never_elsewhere(monkeypatch):
    options = parsed(monkeypatch, "--folder", "here", "--seed", "3")
    assert train.in_folder(options, "without Jürgen 2.5").folder == str(
        Path("here/without Jürgen 2.5")
    )
    assert train.in_folder(options, "..").folder == str(Path("here/%2E."))
    names = ["a/../../b", "a%2F..", "/etc", "a\\b", "C:x", "a\0"]
    folders = [Path(train.in_folder(options, name).folder) for name in names]
    assert {folder.parent for folder in folders} == {Path("here")}
    assert [folder.name for folder in folders] == [
        "a%2F..%2F..%2Fb", "a%252F..", "%2Fetc", "a%5Cb", "C%3Ax", "a%00",
    ]  # fmt: skip
    assert train.in_folder(options, "x").seed == 3
    assert options.folder == "here"


def test_confusion_picture(tmp_path):
    train.confusion_picture(tmp_path / "a.png", [0, 1, 1], [0, 1, 0], ["yes", "no", "never"])
    assert (tmp_path / "a.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="confusion_picture: predictions are"):
        train.confusion_picture(tmp_path / "b.png", [0, 1], [0], ["yes", "no"])
    for said, meant, which in (([-1], [0], "predictions are -1"), ([0], [2], "targets are 2")):
        with pytest.raises(IndexError, match=f"{which} to .*, expected 0 to 1"):
            train.confusion_picture(tmp_path / "b.png", said, meant, ["yes", "no"])
    assert not (tmp_path / "b.png").exists()


def test_similarity_picture(tmp_path):
    train.similarity_picture(tmp_path / "a.png", [[1.0, 0], [2, 0], [0, 1]], ["a", "a", "b"])
    assert (tmp_path / "a.png").stat().st_size > 3000
    with pytest.raises(
        ValueError, match=r"similarity_picture: vectors are \(2,\), expected \(2, D\)"
    ):
        train.similarity_picture(tmp_path / "b.png", [1.0, 2.0], ["a", "b"])
    assert not (tmp_path / "b.png").exists()


class Listed(nn.Module):
    """Built of groups by name."""

    def __init__(self, groups, size=3):
        self.names = groups.values()
        self.w = nn.Parameter(np.zeros(size, np.float32))


@pytest.mark.parametrize(
    "settings", [{"groups": [1]}, {"groups": {}, "size": 10**18}, {"groups": {}, "size": 4}, {}]
)
def test_models_with_other_settings(settings, tmp_path):
    model = Listed({"a": 1})
    train.save_model(tmp_path / "m", model, {"groups": {"a": 1}})
    assert train.load_model(tmp_path / "m", Listed).w.shape == (3,)
    train.save_model(tmp_path / "m", model, settings)
    with pytest.raises(ValueError, match="m: not a model of this program: "):
        train.load_model(tmp_path / "m", Listed)
    tg.save(tmp_path / "m", model.state_dict(), {"model": "[" * 10**5})
    with pytest.raises(ValueError, match="m: not a model of this program: "):
        train.load_model(tmp_path / "m", Listed)


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, IndexError, ImportError, FloatingPointError, RecursionError]
)
def test_every_fault_is_one_line(error, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["here/program.py"])

    def main():
        raise error("what is wrong")

    with pytest.raises(SystemExit, match="2"):
        train.run_program(main)
    assert capsys.readouterr().err.replace("'", "") == "program.py: error: what is wrong\n"


def test_a_picture_shows_its_labels_whole(tmp_path):
    names = [f"voice {i // 10}" for i in range(40)]
    vectors = np.random.default_rng(0).normal(size=(40, 8))
    train.similarity_picture(tmp_path / "alike.png", vectors, names)
    pixels = imread(tmp_path / "alike.png")
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    assert all(np.all(edge == 1) for edge in edges)  # white
