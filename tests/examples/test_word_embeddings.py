"""examples/word_embeddings.py as its users run it."""

import json
import re
from itertools import product

import numpy as np
import pytest
from example_runs import PROGRAM, call, complaint, run

import tinygrad_seq as tg

EMBEDDINGS = PROGRAM.with_name("word_embeddings.py")
SMALL = ("--epochs", 3, "--width", 6, "--hidden", 8, "--lr", 0.02, "--batch", 32)
SCORE = re.compile(r"(.+): ([\d.]+) nats a prediction(?:, perplexity ([\d.]+))?")
KINDS = list(product(["language", "skipgram", "cbow"],
                     ["softmax", "sampled", "nce", "negative", "tree"]))  # fmt: skip


def start(folder, *options):
    return run(folder, *options, path=EMBEDDINGS)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A text of cats and dogs, and days and nights."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    random = np.random.default_rng(0)
    halves = [["the cat sleeps here .", "the dog sleeps here ."],
              ["every day is long .", "every night is long ."]]  # fmt: skip
    chosen = random.integers(0, 2, (400, 2)).tolist()
    path.write_text("\n".join(halves[i][j] for i, j in chosen))
    return path


def test_one_hot(tmp_path):
    """By itself it prints what word_embeddings.py begins with, and leaves no file."""
    out = run(tmp_path, path=PROGRAM.with_name("one_hot.py"))
    assert "     cat [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]" in out
    assert "king - queen = [-1.92  0.1   0.03 -0.05]" in out
    assert not list(tmp_path.iterdir())
    code, out, _ = call(tmp_path, "--help", path=PROGRAM.with_name("one_hot.py"))
    assert (code, "the lecture's sentences" in out) == (0, True)


def test_without_arguments(tmp_path):
    """The lecture's examples; the language model learns, and like words become neighbours."""
    out = start(tmp_path)
    assert "one-hot vectors of the 14 words" in out
    assert "     cat [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]" in out
    assert "gender   -1.00    1.00   -0.95    0.97    0.01    0.02" in out
    assert "man - woman = [-2.   -0.01 -0.01 -0.03]" in out
    losses = [float(nats) for _, nats, _ in SCORE.findall(out)]
    assert losses[-1] < 0.65 < 2 < losses[0]
    learnt = out[out.rindex("correlation") :]
    for word, other in (("king", "queen"), ("man", "woman"), ("apple", "orange")):
        for one, two in ((word, other), (other, word)):
            near = re.search(rf"{one} .*nearest: (.*)", learnt)[1].split(", ")
            assert two in near
    left = {path.name for path in (tmp_path / "runs" / "word_embeddings").iterdir()}
    assert left == {"checkpoint.safetensors", "loss.png", "metrics.csv", "model.safetensors"}


@pytest.mark.parametrize(("model", "output"), KINDS, ids=map("-".join, KINDS))
def test_every_model_with_every_output(model, output, text, tmp_path):
    options = ("--data", text, *SMALL, "--model", model, "--output", output, "--words", "cat,dog")
    options += ("--batch", 2) if model == "language" else ()
    out = start(tmp_path, *options)
    judged = SCORE.findall(out)
    assert [name for name, _, _ in judged] == ["validation"] * 3
    assert float(judged[2][1]) < float(judged[0][1])
    for _, nats, perplexity in judged:
        assert bool(perplexity) is (output != "negative")
        if perplexity:
            assert float(perplexity) == pytest.approx(np.exp(float(nats)), rel=1e-3)
    assert re.search(r"cat    1.00 .*\n +dog +-?\d\.\d\d    1.00   nearest: ", out)


def test_save_load_evaluate_resume(text, tmp_path):
    saved = tmp_path / "models" / "small.safetensors"
    options = ("--data", text, *SMALL, "--batch", 2, "--output", "sampled", "--words", "cat,dog")
    trained = start(tmp_path, *options, "--save", saved)
    loaded = start(tmp_path, "--load", saved, "--words", "cat,dog", "--evaluate", text)
    ((name, nats, _),) = SCORE.findall(loaded)
    assert name == str(text)
    assert float(nats) < 1.2
    table = loaded[loaded.index("correlation") : loaded.index(f"{text}: ")]
    assert trained[trained.rindex("correlation") :] == table
    assert loaded.splitlines()[-1].startswith(f"{text}: ")
    other = tmp_path / "resumed"
    start(tmp_path, *options, "--epochs", 1, "--folder", other)
    resumed = start(tmp_path, *options, "--folder", other, "--resume")
    assert "resumed after epoch 1" in resumed
    assert tg.load(saved).keys() == tg.load(other / "model.safetensors").keys()
    for key, array in tg.load(saved).items():  # the samples drawn are part of what is resumed
        np.testing.assert_array_equal(array, tg.load(other / "model.safetensors")[key])


@pytest.mark.parametrize("model", ["language", "skipgram", "cbow"])
def test_every_backend(model, backend_name, text, tmp_path):
    options = ("--data", text, *SMALL, "--epochs", 1, "--model", model, "--words", "cat,dog")
    host = SCORE.findall(start(tmp_path, *options, "--backend", "numpy"))
    found = SCORE.findall(start(tmp_path, *options, "--backend", backend_name))
    assert float(found[0][1]) == pytest.approx(float(host[0][1]), abs=2e-3)


def test_what_it_cannot_use_is_one_clear_line(text, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "one.txt").write_text("word")
    tg.save(tmp_path / "other", {"a": np.zeros(3, np.float32)})
    about = {"class": "WordModel", "settings": {"vocabulary": {}, "counts": []}}
    lie = {"model": json.dumps(about)}
    tg.save(tmp_path / "lie", {"a": np.zeros(3, np.float32)}, lie)
    for options, message in {
        ("--data", "empty.txt"): "the file is empty",
        ("--data", "one.txt"): "the text: 1 words, expected at least 2",
        ("--data", text, "--model", "bert"): "invalid choice: 'bert'",
        ("--data", text, "--width", 0): "argument --width: 0 is less than 1",
        ("--load", "missing"): "missing",
        ("--load", "other"): "other: not a model of this program",
        ("--load", "lie"): "lie: not a model of this program",
        ("--load", "lie", "--resume"): "--load uses a trained model",
    }.items():
        found = complaint(call(tmp_path, *options, path=EMBEDDINGS), EMBEDDINGS)
        assert message in found
    out = start(tmp_path, "--data", text, *SMALL, "--words", "zebra")
    assert "none of zebra is among the model's words" in out
