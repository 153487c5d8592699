"""What programs keep: options of a training and settings of a model, neither believed blindly."""

import pytest
import task_runs

from tinygrad_seq import train


def test_resuming_generated_batches_of_another_shape_is_refused(tmp_path):
    options = ("--hidden", 4, "--epochs", 1, "--length", 5, "--batch", 2, "--cell", "rnn")
    task_runs.run("long_memory", tmp_path, *options)
    for name, new, was in (("--length", 6, 5), ("--batch", 3, 2), ("--seed", 1, 0)):
        line = task_runs.complaint("long_memory", tmp_path, *options, "--resume", name, new)
        assert f"--resume: {name} is {new}, the checkpoint was trained with {was} (" in line


@pytest.mark.parametrize(
    ("name", "kind", "more"),
    [
        ("emotion", "EmotionModel", {"emotions": ["a", "b"], "dropout": 0}),
        ("speaker", "SpeakerModel", {"speakers": ["a", "b"], "cohort": 2, "embedding": 3}),
        ("speech_recognition", "Recogniser", {"words": ["a"], "layers": 1, "dropout": 0}),
        ("spoken_digits", "DigitModel", {"digits": ["a"], "layers": 1, "dropout": 0}),
    ],
)
def test_statistics_in_a_model_file_are_checked(name, kind, more, tmp_path):
    pytest.importorskip("soundfile")
    make = getattr(task_runs.program(name), kind)
    settings = {"mean": [0.0] * 40, "deviation": [1.0] * 40, "hidden": 4, **more}
    model = make(**settings)
    train.save_model(tmp_path / "m", model, settings)
    train.load_model(tmp_path / "m", make)
    for wrong in (
        {"mean": [0.0]}, {"deviation": [2.0]}, {"deviation": [0.0] * 40},
        {"mean": [0.0], "deviation": [1.0]}, {"mean": ["0"] * 40},
    ):  # fmt: skip
        train.save_model(tmp_path / "m", model, settings | wrong)
        with pytest.raises(ValueError, match="m: not a model of this program"):
            train.load_model(tmp_path / "m", make)


def test_what_a_forecaster_knows_is_checked(tmp_path):
    make = task_runs.program("forecast").Forecaster
    settings = {"months": list(range(9)), "values": [1.0, 2.0, 3.0] * 3, "seen": 6, "window": 2}
    settings |= {"transform": "none", "hidden": 4, "dropout": 0}
    model = make(**settings)
    for wrong in ({"seen": 10}, {"seen": -6}, {"window": 0}, {"window": 6}, {"window": "2"}):
        train.save_model(tmp_path / "m", model, settings | wrong)
        with pytest.raises(ValueError, match="m: not a model of this program"):
            train.load_model(tmp_path / "m", make)
