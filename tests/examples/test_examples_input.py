"""examples/language_model.py given what it cannot use: one clear line, and nothing changed."""

import contextlib
import json
import random
import re

import numpy as np
import pytest
from example_runs import TINY, call, complaint, finish, run, start

import tinygrad_seq as tg
from tinygrad_seq.engine.backend import get_backend


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of two words."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text("tick tock " * 40)
    run(folder, "--data", "text.txt", *TINY, "--epochs", 1, "--save", "model")
    (folder / "empty.txt").write_text("")
    (folder / "short.txt").write_text("tick")
    (folder / "binary").write_bytes(random.Random(0).randbytes(1000))
    (folder / "cut").write_bytes((folder / "model").read_bytes()[:-9])
    tg.save(folder / "other", tg.load(folder / "model"), {"made": "elsewhere"})
    about = json.loads(tg.load_metadata(folder / "model")["model"])
    for name, lie in {
        "lie1": {"settings": {**about["settings"], "hidden": 5}},
        "lie2": {"settings": {}},
        "lie3": {"settings": {**about["settings"], "tokenizer": {"unit": "?"}}},
    }.items():
        metadata = {"model": json.dumps({**about, **lie})}
        tg.save(folder / name, tg.load(folder / "model"), metadata)
    tg.save(folder / "lie4", tg.load(folder / "model"), {"model": "[1"})
    return folder


TRAIN = ("--data", "text.txt", *TINY)
LOAD = ("--load", "model")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "missing.txt"), "missing.txt"),
        (("--data", "empty.txt"), "empty.txt: the file is empty"),
        (("--data", "binary"), "binary: not UTF-8 text"),
        (("--data", "short.txt"), "expected at least 33, one more than batch_size"),
        (("--data", "."), "neither train.txt nor"),
        ((*TRAIN, "--validation", "missing.txt"), "missing.txt"),
        ((*TRAIN, "--validation", "binary"), "binary: not UTF-8 text"),
        ((*TRAIN, "--evaluate", "missing.txt"), "missing.txt"),
        ((*TRAIN, "--generate", ""), "--generate: the prompt is empty"),
        ((*TRAIN, "--generate", "tick x!"), "--generate: the model does not know ['!', 'x']"),
        ((*TRAIN, "--tokens", "words", "--generate", " "), "--generate: the prompt is empty"),
        ((*TRAIN, "--tokens", "words", "--generate", "tick talk"), "does not know ['talk']"),
        ((*TRAIN, "--layers", "-1"), "argument --layers: -1 is less than 1"),
        ((*TRAIN, "--layers", "0"), "argument --layers: 0 is less than 1"),
        ((*TRAIN, "--hidden", "-1"), "argument --hidden: -1 is less than 1"),
        ((*TRAIN, "--hidden", "0"), "argument --hidden: 0 is less than 1"),
        ((*TRAIN, "--hidden", "1.5"), "argument --hidden: invalid"),
        ((*TRAIN, "--embedding", "-8"), "argument --embedding: -8 is negative"),
        ((*TRAIN, "--batch", "0"), "argument --batch: 0 is less than 1"),
        ((*TRAIN, "--steps", "0"), "argument --steps: 0 is less than 1"),
        ((*TRAIN, "--epochs", "0"), "argument --epochs: 0 is less than 1"),
        ((*TRAIN, "--dropout", "1.5"), "argument --dropout: 1.5 is not between 0 and 1"),
        ((*TRAIN, "--free-running", "2"), "argument --free-running: 2 is not between 0 and 1"),
        ((*TRAIN, "--lr", "-1"), "argument --lr: -1 is not a number above 0"),
        ((*TRAIN, "--lr", "nan"), "argument --lr: nan is not a number above 0"),
        ((*TRAIN, "--clip", "-1"), "argument --clip: -1 is not a number above 0"),
        ((*TRAIN, "--min-count", "0"), "argument --min-count: 0 is less than 1"),
        ((*TRAIN, "--patience", "0"), "argument --patience: 0 is less than 1"),
        ((*TRAIN, "--seed", "-1"), "argument --seed: -1 is negative"),
        ((*TRAIN, "--length", "-1"), "argument --length: -1 is negative"),
        ((*TRAIN, "--temperature", "-1"), "temperature is -1.0, expected a finite number above 0"),
        ((*TRAIN, "--top-k", "0"), "argument --top-k: 0 is less than 1"),
        ((*TRAIN, "--top-p", "0"), "top_p is 0.0, expected more than 0"),
        ((*TRAIN, "--cell", "transformer"), "argument --cell: invalid choice: 'transformer'"),
        ((*TRAIN, "--tied"), "tied weights need --embedding 12, as wide as the hidden state"),
        ((*TRAIN, "--backend", "torch"), "backend is 'torch', expected one of"),
        ((*TRAIN, "--folder", "text.txt"), "text.txt"),
        ((*TRAIN, "--save", "text.txt/model"), "text.txt"),
        ((*TRAIN, "--load", "model"), "--load uses a trained model"),
        ((*LOAD, "--resume"), "--load uses a trained model"),
        (("--load", "missing"), "missing"),
        (("--load", "."), ".: a folder"),
        (("--load", "text.txt"), "text.txt: not valid safetensors"),
        (("--load", "cut"), "cut: not valid safetensors"),
        (("--load", "other"), "other: not a model of this program"),
        *((("--load", f"lie{i}"), f"lie{i}: ") for i in (1, 2, 3, 4)),
        ((*LOAD, "--generate", "tick ß"), "--generate: the model does not know ['ß']"),
        ((*LOAD, "--generate", ""), "--generate: the prompt is empty"),
        ((*LOAD, "--evaluate", "empty.txt"), "empty.txt: 0 chars, expected at least 2"),
        ((*LOAD, "--evaluate", "binary"), "binary: not UTF-8 text"),
    ],
    ids=lambda part: " ".join(part[-2:]) if isinstance(part, tuple) else "",
)
def test_bad_input_is_one_clear_line(options, message, trained):
    before = {path: path.read_bytes() for path in trained.iterdir() if path.is_file()}
    assert message in complaint(call(trained, *options))
    assert {path: path.read_bytes() for path in trained.iterdir() if path.is_file()} == before


def test_cupy_without_a_gpu_is_one_clear_line(trained):
    with contextlib.suppress(RuntimeError):
        get_backend("cupy")
        pytest.skip("there is a GPU")
    assert "backend 'cupy' " in complaint(call(trained, *TRAIN, "--backend", "cupy"))


def test_the_environment_chooses_the_backend_too(trained, monkeypatch):
    monkeypatch.setenv("TINYGRAD_SEQ_BACKEND", "abacus")
    assert "backend is 'abacus'" in complaint(call(trained, *TRAIN))
    code, _, err = call(trained, *LOAD, "--length", 1, "--backend", "numpy")
    assert code == 0, err


@pytest.mark.parametrize("options", [("--data", "missing.txt"), (*LOAD, "--generate", "ß")])
def test_processes_end_in_the_same_way(options, trained):
    assert complaint(finish(start(trained, *options))) == complaint(call(trained, *options))


def test_resuming_another_model_is_refused(trained, tmp_path):
    run(trained, *TRAIN, "--folder", tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    options = (*TRAIN, "--folder", tmp_path, "--resume")
    for name, new, was in (
        ("--hidden", 13, 12), ("--cell", "gru", "lstm"), ("--batch", 5, 4), ("--seed", 5, 0),
        ("--schedule", "plateau", "cosine"), ("--lr", 0.5, 0.02), ("--clip", 2.0, 1.0),
    ):  # fmt: skip
        line = complaint(call(trained, *options, name, new))
        said = f"--resume: {name} is {new}, the checkpoint was trained with {was}"
        assert line.endswith(f"error: {said} ({tmp_path}/checkpoint.safetensors)")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_diverging_training_is_one_clear_line(trained, tmp_path):
    huge = ("--lr", "3e38", "--clip", "1e30", "--folder", tmp_path)
    code, _, err = finish(start(trained, *TRAIN, *huge))  # NumPy warns of overflows before
    assert code == 2
    assert "Traceback" not in err
    last = r"language_model\.py: error: (the loss is|.*gradients|the validation) .*(nan|inf|NaN).*"
    assert re.fullmatch(last, err.rpartition("\r")[2].strip().splitlines()[-1])
    left = tg.load(tmp_path / "checkpoint.safetensors") if any(tmp_path.iterdir()) else {}
    assert not any(np.isnan(array).any() for array in left.values())


def test_sizes_that_no_memory_holds(trained):
    huge = ("--hidden", 10**15, "--embedding", 0)
    assert "Unable to allocate" in complaint(call(trained, *TRAIN, *huge))
