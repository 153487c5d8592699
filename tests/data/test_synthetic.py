"""Made-up tasks: what stands where, and what is asked."""

import math
from random import Random

import numpy as np
import pytest

from tinygrad_seq.data import synthetic


@pytest.fixture
def random():
    return np.random.default_rng(3)


@pytest.mark.parametrize("T", [2, 7, 100])
def test_adding_problem(T, random):
    x, y = synthetic.adding_problem(random, T, 500)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((T, 500, 2), np.float32, (500,), np.float32)
    marks = x[..., 1]
    assert set(np.unique(marks)) <= {0, 1}
    np.testing.assert_array_equal(marks[: T // 2].sum(axis=0), 1)
    np.testing.assert_array_equal(marks[T // 2 :].sum(axis=0), 1)
    for b in range(20):
        assert y[b] == pytest.approx(sum(x[t, b, 0] for t in range(T) if marks[t, b]))
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.03)


def test_copy_memory(random):
    x, y = synthetic.copy_memory(random, 20, 300)
    assert (x.shape, x.dtype, y.shape) == ((40, 300, 10), np.float32, (40, 300))
    np.testing.assert_array_equal(x.sum(axis=-1), 1)
    said = x.argmax(axis=-1)
    assert set(np.unique(said[:10])) == set(range(8))
    np.testing.assert_array_equal(y[30:], said[:10])
    np.testing.assert_array_equal(y[:30], 8)
    np.testing.assert_array_equal(said[29], 9)
    np.testing.assert_array_equal(np.delete(said[10:], 19, axis=0), 8)


def test_copying_by_guessing():
    assert synthetic.copy_by_guessing(100) == pytest.approx(0.1733, abs=5e-5)
    assert synthetic.copy_by_guessing(20) == pytest.approx(10 * math.log(8) / 40)


@pytest.mark.parametrize("T", [10, 25, 100])
def test_temporal_order(T, random):
    x, y = synthetic.temporal_order(random, T, 400)
    assert (x.shape, x.dtype, y.shape) == ((T, 400, 6), np.float32, (400,))
    ids = x.argmax(axis=-1)
    places = ids < 2
    np.testing.assert_array_equal(places.sum(axis=0), 2)
    assert not places[: T // 10].any()
    assert not places[2 * T // 10 : 5 * T // 10].any()
    assert not places[6 * T // 10 :].any()
    first, second = ids.T[places.T].reshape(400, 2).T
    np.testing.assert_array_equal(y, 2 * first + second)
    assert np.bincount(y, minlength=4).min() > 60


def test_sizes_that_make_no_task(random):
    for make, T in ((synthetic.adding_problem, 1), (synthetic.copy_memory, 0),
                    (synthetic.temporal_order, 9)):  # fmt: skip
        with pytest.raises(ValueError, match=f"{make.__name__}: length is {T}"):
            make(random, T, 4)
        with pytest.raises(ValueError, match=f"{make.__name__}: number is 0"):
            make(random, 20, 0)


def test_tagged_sentences(random):
    sentences = synthetic.tagged_sentences(random, 400)
    before = {"NOUN": {"the"}, "VERB": {"can", "they"}}
    tags = {}
    for words, found, _ in sentences:
        assert words[-1] == "."
        for i, (word, tag) in enumerate(zip(words, found, strict=True)):
            tags.setdefault(word, []).append(tag)
            assert tag != "NOUN" or words[i - 1] in before["NOUN"]
            assert tag != "VERB" or words[i - 1] in before["VERB"] or found[i - 1] == "NOUN"
    assert set(tags["walk"]) == {"NOUN", "VERB"}
    commonest = sum(max(map(t.count, set(t))) for t in tags.values())
    assert commonest / sum(map(len, tags.values())) == pytest.approx(0.84, abs=0.02)


def test_number_pairs(random):
    pairs = synthetic.number_pairs(random)
    assert len(set(pairs)) == len(pairs) == 648
    assert ("two hundred and forty six", "zwei hundert sechs und vierzig") in pairs
    assert pairs != synthetic.number_pairs(random)


def test_names(random):
    made = synthetic.names(random, 200)
    assert len(made) == 200
    assert {len(name) for name in made} == {4, 6}
    assert all(set(name[::2]) <= set("klmnrst") and set(name[1::2]) <= set("aeio") for name in made)


def test_opinions_and_remarks():
    made = synthetic.opinions(Random(1), 300)
    assert 100 < sum(good for _, good in made) < 200
    for text, good in made:
        assert text.split()[-1] in synthetic.sentences.OPINIONS[good].split()
    for text in synthetic.remarks(Random(1), 300):
        words = text.split()
        good = words[3] in synthetic.sentences.OPINIONS[1].split()
        assert " ".join(words[4:]) in synthetic.sentences.COMPANY[good]
    assert synthetic.remarks(Random(1), 1)[0].startswith(made[0][0])


def test_court():
    lines = synthetic.court(Random(1), 200).split("\n")
    assert len(lines) == 200
    for line in lines:
        who = line.split()[1]
        assert (", and he " in line) == (who in ("king", "man"))
        assert not (who == "man" and "throne" in line)


def test_world_and_its_analogies():
    sentences = list(synthetic.world(Random(1), 2000))
    words = {word for sentence in sentences for word in sentence}
    lines = synthetic.world_analogies().splitlines()
    assert [line for line in lines if line[0] == ":"] == [": gender", ": capitals"]
    questions = [line.split() for line in lines if line[0] != ":"]
    assert {len(question) for question in questions} == {4}
    assert len(questions) == 60
    assert {word for question in questions for word in question} <= words
    assert "king queen man woman" in lines
    assert not any("king" in sentence and "husband" in sentence for sentence in sentences)


def test_numbers_below_one_are_refused():
    for make in (synthetic.opinions, synthetic.remarks, synthetic.court, synthetic.names):
        with pytest.raises(ValueError, match=rf"{make.__name__}: number is 0"):
            make(Random(1), 0)
    with pytest.raises(ValueError, match="world: number is 0"):
        list(synthetic.world(Random(1), 0))


SHAPES = {"x": ("T", "N", 2), "y": ("N",)}


def test_arrays_in_a_file(tmp_path):
    x, y = np.arange(24.0).reshape(4, 3, 2), np.array([0, 1, 2])
    synthetic.write_arrays(tmp_path / "a", x=x, y=y)
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    ours, theirs = synthetic.read_arrays(tmp_path / "a", SHAPES, {"y": 3})
    assert (ours.dtype, theirs.dtype) == (np.float32, y.dtype)
    np.testing.assert_array_equal(ours, x)
    np.testing.assert_array_equal(theirs, y)
    assert synthetic.read_arrays(tmp_path / "a", {"y": ("N",)})[0].dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((4, 3, 2))}, "expected the arrays x, y"),
        ({"x": np.zeros((4, 3)), "y": [0]}, r"x is \(4, 3\), expected \(T, N, 2\)"),
        ({"x": np.zeros((4, 3, 2)), "y": [0]}, r"y is \(1,\), expected \(3\)"),
        ({"x": np.zeros((4, 0, 2)), "y": []}, r"x is \(4, 0, 2\), expected \(T, N, 2\)"),
        ({"x": np.full((1, 1, 2), np.nan), "y": [0]}, r"x\[0, 0, 0\] is nan"),
        ({"x": np.full((1, 1, 2), "a"), "y": [0]}, "x is <U1, expected numbers"),
        ({"x": np.zeros((1, 2, 2)), "y": [2, 3]}, r"y\[1\] is 3, expected 0 to 2"),
        ({"x": np.zeros((1, 2, 2)), "y": [0, -1]}, r"y\[1\] is -1, expected 0 to 2"),
        ({"x": np.zeros((1, 1, 2)), "y": [0.0]}, "y is float64, expected integers"),
    ],
)
def test_arrays_that_do_not_fit(arrays, message, tmp_path):
    synthetic.write_arrays(tmp_path / "a", **arrays)
    with pytest.raises(ValueError, match=f"a: {message}"):
        synthetic.read_arrays(tmp_path / "a", SHAPES, {"y": 3})


def test_files_that_hold_no_arrays(tmp_path):
    path = tmp_path / "a"
    synthetic.write_arrays(path, x=np.zeros((400, 3, 2)), y=np.zeros(3))
    whole = path.read_bytes()
    for content in (b"", b"text", b"PK\3\4", whole[:-30], whole[:50], whole[:9] + whole[300:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="a: no arrays that can be read"):
            synthetic.read_arrays(path, SHAPES)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"one\.npy: no arrays .*: not an \.npz file"):
        synthetic.read_arrays(tmp_path / "one.npy", SHAPES)
    np.savez(tmp_path / "objects.npz", x=np.array([{}], dtype=object), y=np.zeros(1))
    with pytest.raises(ValueError, match=r"objects\.npz: no arrays that can be read"):
        synthetic.read_arrays(tmp_path / "objects.npz", SHAPES)
    with pytest.raises(FileNotFoundError):
        synthetic.write_arrays(tmp_path / "missing" / "a", x=[0])
