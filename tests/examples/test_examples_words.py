"""examples/word_vectors.py and transfer_learning.py as their users run them, on small texts."""

import re

import numpy as np
import pytest
from example_runs import PROGRAM, call, complaint, run

from tinygrad_seq import train
from tinygrad_seq.word2vec import WordVectors

VECTORS = PROGRAM.with_name("word_vectors.py")
TRANSFER = PROGRAM.with_name("transfer_learning.py")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The folder and output of a run without arguments, but shorter."""
    folder = tmp_path_factory.mktemp("world")
    return folder, run(folder, "--epochs", 20, "--workers", 1, path=VECTORS)


def test_the_built_in_world_has_its_analogies(world):
    folder, out = world
    shares = dict(re.findall(r"analogies, (.+): \d+ of \d+ right, ([\d.]+)%", out))
    assert shares.keys() == {"gender", "capitals", "Total accuracy"}
    assert float(shares["Total accuracy"]) > 80  # a guess among 116 words: 1
    losses = [float(x) for x in re.findall(r"epoch \d+: loss ([\d.]+)", out)]
    assert losses[-1] < losses[0]
    assert re.search(r"near apple: (orange|pear|plum) ", out)
    left = {path.name for path in (folder / "runs" / "word_vectors").iterdir()}
    names = {"checkpoint.safetensors", "vectors.safetensors", "map.png", "questions.txt"}
    assert left == names


def test_the_tables_of_one_hot_and_learnt_vectors(world):
    _, out = world
    one_hot, learnt = (
        np.array([line.split()[1:] for line in part.splitlines()[1:9]], dtype=float)
        for part in out.split("correlation ")[1:]
    )
    assert np.abs(one_hot - np.eye(8)).max() <= 0.01
    assert np.array_equal(learnt, learnt.T)
    assert learnt[6, 7] > 0.9  # apple and orange have the same company
    assert learnt[6, :6].max() < learnt[6, 7]


def test_the_same_seed_gives_the_same_vectors(world, tmp_path):
    folder, out = world
    again = run(tmp_path, "--epochs", 20, "--workers", 1, path=VECTORS)
    assert again == out
    name = "runs/word_vectors/vectors.safetensors"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_saved_vectors_are_used(world, tmp_path):
    folder, out = world
    saved = folder / "runs" / "word_vectors" / "vectors.safetensors"
    questions = saved.with_name("questions.txt")
    words = ("--words", "apple king queen")
    told = run(tmp_path, "--load", saved, "--evaluate", questions, *words, path=VECTORS)
    assert re.findall("analogies.*", told) == re.findall("analogies.*", out)
    assert re.findall("near apple.*", told) == re.findall("near apple.*", out)
    wv = WordVectors.load(saved)
    for name, binary, header in (
        ("v.bin", True, True),
        ("v.txt.gz", False, True),
        ("g.txt", False, False),
    ):
        wv.save_word2vec_format(tmp_path / name, binary=binary, write_header=header)
        options = () if header else ("--no-header",)
        assert (
            run(tmp_path, "--load", name, *options, "--evaluate", questions, *words, path=VECTORS)
            == told
        )


def test_a_text_of_ones_own(tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat\na dog ran\nthe dog sat\na cat ran\n" * 30)
    options = ("--data", "text.txt", "--width", 12, "--min-count", 2, "--sample", 0, "--epochs", 2)
    for architecture in ("skipgram", "cbow"):
        out = run(tmp_path, *options, "--architecture", architecture, "--save", "own", path=VECTORS)
        assert "WordVectors(6 words, vectors of 12)" in out
    assert sorted(WordVectors.load(tmp_path / "own")) == ["a", "cat", "dog", "ran", "sat", "the"]
    cbow = (*options, "--architecture", "cbow", "--resume")
    assert "resumed after epoch 2" in run(tmp_path, *cbow, path=VECTORS)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name, new, was in (
        ("--width", 13, 12), ("--architecture", "skipgram", "cbow"), ("--lr", 0.5, 0.07),
        ("--seed", 1, 0), ("--epochs", 3, 2),
    ):  # fmt: skip
        said = complaint(call(tmp_path, *cbow, name, new, path=VECTORS), path=VECTORS)
        assert f"--resume: {name} is {new}, the checkpoint was trained with {was} (" in said
    none = call(tmp_path, *cbow, "--folder", "none", path=VECTORS)
    assert "none/checkpoint.safetensors" in complaint(none, path=VECTORS)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "missing.txt"), "missing.txt"),
        (("--data", "empty.txt"), "empty.txt is empty: it has no words"),
        (("--load", "missing.txt"), "missing.txt"),
        (("--load", "lying.txt"), "the header says 5 rows"),
        (("--load", "empty.txt"), "empty.txt, line 1: the header is b''"),
        (("--load", "good.txt", "--words", "a zebra"), "--words: the vectors lack ['zebra']"),
        (("--load", "good.txt", "--words", " "), "--words is empty"),
        (("--load", "good.txt", "--evaluate", "empty.txt"), "empty.txt: no questions"),
        (("--load", "good.txt", "--data", "empty.txt"), "--load uses a trained model"),
        (("--width", "0"), "argument --width: 0 is less than 1"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(options, message, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "lying.txt").write_text("5 1\na 1\n")
    (tmp_path / "good.txt").write_text("2 2\na 1 2\nb 2 1\n")
    assert message in complaint(call(tmp_path, *options, path=VECTORS), path=VECTORS)


RIGHT = re.compile(r"(learnt|random) vectors, (frozen|trained too): ([\d.]+)% right")


def shares(out):
    """Share of right answers by (vectors, how)."""
    return {(kind, how): float(share) for kind, how, share in RIGHT.findall(out)}


def test_learnt_vectors_beat_random_ones(tmp_path):
    found = shares(run(tmp_path, "--trials", 3, path=TRANSFER))
    assert found["learnt", "frozen"] > 90
    assert found["learnt", "frozen"] > found["random", "frozen"] + 15
    assert found["learnt", "trained too"] > found["random", "trained too"] + 5
    (tmp_path / "t.tsv").write_text("the film was awful\t0\nthe song was great\t1\nwell\t0,1\n")
    model = tmp_path / "runs" / "transfer_learning" / "model.safetensors"
    again = run(tmp_path, "--load", model, "--evaluate", "t.tsv", path=TRANSFER)
    assert again == "t.tsv: 100.0% of 2 right\n"


@pytest.fixture
def labelled(tmp_path):
    """A folder as GoEmotions has it: of a good and a bad mood, and what is neither."""
    folder = tmp_path / "moods"
    folder.mkdir()
    (folder / "labels.tsv").write_text(
        "id\temotion\tgroup\n0\tjoy\tpositive\n1\tanger\tnegative\n2\tneutral\tneutral\n"
    )
    rows = ["so happy now\t0", 'very angry "again\t1', "a chair\t2", "happy, angry\t0,1"] * 15
    for name in ("train.tsv", "dev.tsv"):
        (folder / name).write_text("\n".join(rows) + "\n")
    return folder


def test_labelled_texts_of_a_folder(labelled, tmp_path):
    options = ("--data", labelled, "--examples", 10, "--trials", 1, "--epochs", 30)
    out = run(tmp_path, *options, path=TRANSFER)
    assert "10 labelled texts; judged on 30, 50.0% of them of one class" in out
    assert min(shares(out).values()) == 100
    (tmp_path / "glove.txt").write_text("happy 1 0\nangry 0 1\n")
    more = ("--vectors", tmp_path / "glove.txt", "--no-header")
    assert "WordVectors(2 words, vectors of 2)" in run(tmp_path, *options, *more, path=TRANSFER)


def test_a_comparison_is_resumed(tmp_path, monkeypatch):
    options = ("--trials", 2, "--epochs", 5, "--examples", 10)
    whole = run(tmp_path, *options, "--folder", "whole", path=TRANSFER)
    find, left = train.Scores.find, [5]

    def interrupted(scores, name, compute):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return find(scores, name, compute)

    monkeypatch.setattr(train.Scores, "find", interrupted)
    code, out, err = call(tmp_path, *options, "--folder", "parts", path=TRANSFER)
    assert (code, "Traceback" in err) == (130, False)
    assert whole.startswith(out)
    assert len(shares(out)) == 2
    monkeypatch.setattr(train.Scores, "find", find)
    assert run(tmp_path, *options, "--folder", "parts", "--resume", path=TRANSFER) == whole
    files = [tmp_path / name / "model.safetensors" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()
    again = call(tmp_path, *options, "--folder", "parts", "--resume", "--lr", 1, path=TRANSFER)
    assert "--lr is 1.0, the checkpoint was trained with 0.01" in complaint(again, path=TRANSFER)


def test_folders_that_cannot_be_used(labelled, tmp_path):
    def told(*options):
        return complaint(call(tmp_path, "--data", labelled, *options, path=TRANSFER), path=TRANSFER)

    assert "30 texts to train on, 30 to judge by, expected more" in told("--examples", 31)
    (labelled / "dev.tsv").write_text("a text\t7\n")
    assert "dev.tsv, line 1: expected text, a tab and labels that exist" in told()
    run(tmp_path, "--trials", 1, "--epochs", 1, "--save", "m", path=TRANSFER)
    (tmp_path / "both.tsv").write_text("well\t0,1\n")
    both = call(tmp_path, "--load", "m", "--evaluate", "both.tsv", path=TRANSFER)
    assert "both.tsv: no texts that are all positive" in complaint(both, path=TRANSFER)
    (labelled / "dev.tsv").unlink()
    assert "dev.tsv" in told()
