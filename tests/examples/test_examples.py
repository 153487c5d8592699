"""examples/language_model.py as its users run it, on small texts."""

import gzip
import json
import math
import random
import re
import signal
from collections import Counter

import pytest
from example_runs import PROGRAM, TINY, call, complaint, finish, run, scores, start

import tinygrad_seq as tg


@pytest.fixture
def text(tmp_path):
    """A text file in a folder of its own: sentences of a small grammar."""
    choose = random.Random(0).choice
    sentences = (
        f"The {choose(['cat', 'dog', 'mouse'])} {choose(['sat', 'ran', 'slept'])} "
        f"{choose(['here', 'there'])}, and {choose(['it rained', 'the sun shone'])}.\n"
        for _ in range(30)
    )
    path = tmp_path / "text.txt"
    path.write_text("".join(sentences))
    return path


VARIANTS = [
    ("--cell", "rnn", "--schedule", "constant"),
    ("--cell", "gru", "--layers", "2", "--schedule", "plateau"),
    ("--cell", "lstm", "--embedding", "0"),
    ("--cell", "gru", "--embedding", "0", "--tokens", "words"),
    ("--tied", "--embedding", "12"),
    ("--tokens", "words", "--tied", "--embedding", "12", "--min-count", "2"),
    ("--free-running", "0.5"),
    ("--cell", "rnn", "--free-running", "0.3", "--tokens", "words"),
]


@pytest.mark.parametrize("variant", VARIANTS, ids=" ".join)
def test_variants(variant, text, tmp_path):
    out = run(tmp_path, "--data", text, *TINY, *variant, "--generate", "The cat")
    unit = "word" if "words" in variant else "char"
    names = ["validation", "validation", "validation, in order"]
    judged = scores(out)
    assert [name for name, _, _ in judged] == names
    assert {kind for _, _, kind in judged} == {unit}
    assert judged[1][1] < judged[0][1]
    assert judged[1][1] < math.log(40)
    written = out[out.index("loss.png") + len("loss.png\n") :]
    assert written.lower().startswith("the cat")
    assert len(written) > len("the cat") + 20
    left = {path.name for path in (tmp_path / "runs" / "language_model").iterdir()}
    assert left == {"checkpoint.safetensors", "loss.png", "metrics.csv", "model.safetensors"}


def test_every_backend(backend_name, text, tmp_path, monkeypatch):
    """Training, free running, generating and scoring, with the one switch; the same numbers."""
    options = ("--data", text, *TINY, "--free-running", "0.2", "--epochs", 1, "--dropout", 0)
    host = scores(run(tmp_path, *options, "--backend", "numpy"))
    found = scores(run(tmp_path, *options, "--backend", backend_name))
    assert [nats for _, nats, _ in found] == pytest.approx([nats for _, nats, _ in host], abs=2e-3)


def test_save_load_generate_evaluate(text, tmp_path):
    model = tmp_path / "models" / "small.safetensors"  # in a folder that is made
    trained = run(
        tmp_path, "--data", text, *TINY, "--save", model, "--generate", "The d", "--temperature", 0
    )
    greedy = ("--load", model, "--generate", "The d", "--temperature", 0, "--length", 20)
    written = run(tmp_path, *greedy)
    assert trained.endswith(written)
    assert run(tmp_path, *greedy, "--seed", 7) == written
    assert run(tmp_path, *greedy[:-1], 5) == written[: len("The d") + 5] + "\n"
    assert run(tmp_path, *greedy[:-1], 0) == "The d\n"
    sampled = ("--load", model, "--generate", "The d", "--length", 60, "--temperature", 2)
    drawn = [run(tmp_path, *sampled, "--seed", seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    for one_left in (("--top-k", 1), ("--top-p", 1e-6)):
        cut = run(tmp_path, *sampled[:-3], 20, "--temperature", 2, *one_left)
        assert cut == written
    (judged,) = scores(run(tmp_path, "--load", model, "--evaluate", text))
    assert judged[0] == "evaluation, in order"
    both = run(tmp_path, *greedy, "--evaluate", text)
    assert scores(both) == [judged]
    assert both.startswith(written)
    assert scores(both.splitlines()[-1]) == [judged]
    assert run(tmp_path, "--load", model, "--length", 3).strip("\n") != ""


def test_the_last_score_is_that_of_the_saved_model(text, tmp_path):
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(text.read_text()[:500])
    out = run(tmp_path, "--data", text, "--validation", held_out, *TINY)
    model = tmp_path / "runs" / "language_model" / "model.safetensors"
    (judged,) = scores(run(tmp_path, "--load", model, "--evaluate", held_out))
    assert judged[1:] == scores(out)[-1][1:]
    about = json.loads(tg.load_metadata(model)["model"])
    assert about["settings"]["cell"] == "lstm"


def test_resumed_equals_uninterrupted(text, tmp_path):
    options = ("--data", text, *TINY, "--free-running", "0.3", "--checkpoint-every", "3")
    options += ("--epochs", "4")
    whole = run(tmp_path, *options, "--folder", "whole")
    process = start(tmp_path, *options, "--folder", "parts")
    for line in process.stdout:
        if line.startswith("validation: "):
            process.send_signal(signal.SIGINT)
            break
    code, _, err = finish(process)
    assert code == 130
    assert err.strip().splitlines()[-1] == "interrupted; --resume goes on from the last checkpoint"
    assert "Traceback" not in err
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    resumed = run(tmp_path, *options, "--folder", "parts", "--resume")
    assert re.search(r"resumed after epoch \d, batch \d+", resumed)
    after = scores(resumed)
    assert after == scores(whole)[-len(after) :]
    assert len(after) >= 2
    files = [tmp_path / name / "model.safetensors" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_resume_with_nothing_to_resume_is_refused(text, tmp_path):
    said = complaint(call(tmp_path, "--data", text, *TINY, "--resume", "--folder", "f"))
    assert "error: --resume: there is no f/checkpoint.safetensors" in said
    assert list((tmp_path / "f").iterdir()) == []


def test_built_in_text_beats_guessing_by_frequency(tmp_path):
    """The trivial answer: each character as often as in the text it is judged by."""
    options = ("--hidden", "48", "--epochs", "1", "--batch", "64", "--steps", "32", "--lr", "0.02")
    out = run(tmp_path, *options, "--length", "10")
    held_out = tg.data.load_corpus().validation
    counts = Counter(held_out).values()
    entropy = -sum(n / len(held_out) * math.log(n / len(held_out)) for n in counts)
    assert scores(out)[-1][1] < entropy - 0.3
    assert "validation on the last 10% of the built-in text" in out


def test_folder_and_compressed_text(text, tmp_path):
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "train.txt.gz").write_bytes(gzip.compress(text.read_bytes()))
    (packed / "val.txt.gz").write_bytes(gzip.compress(text.read_bytes()[:800]))
    assert f"validation on {packed / 'val.txt.gz'}" in run(tmp_path, "--data", packed, *TINY)


def test_strange_characters_are_unknown_in_validation(text, tmp_path):
    strange = tmp_path / "strange.txt"
    strange.write_text("Ὀδυσσεύς" * 40)
    out = run(tmp_path, "--data", text, "--validation", strange, *TINY)
    assert all(math.isfinite(nats) for _, nats, _ in scores(out))
    model = tmp_path / "runs" / "language_model" / "model.safetensors"
    assert len(scores(run(tmp_path, "--load", model, "--evaluate", strange))) == 1


def test_a_text_without_latin_letters_is_written_on(tmp_path):
    (tmp_path / "text.txt").write_text("мама мыла раму\n" * 30)
    out = run(tmp_path, "--data", "text.txt", *TINY)
    assert set(out.splitlines()[-1]) <= set("мама мыла раму")


def test_help_explains():
    out = run(".", "--help")
    text = PROGRAM.read_text()
    for option in re.findall(r'add\("(--[\w-]+)"', text):
        assert option in out
    assert "python examples/language_model.py --load MODEL --generate" in out
    assert "(default: 2; 1 for what is built in)" in out
