"""The map of words: principal components, and the picture."""

import sys

import numpy as np
import pytest

from tinygrad_seq.word2vec.vectors.picture import principal_coordinates


def test_principal_coordinates_are_those_of_the_covariance():
    rows = np.random.default_rng(0).normal(size=(30, 6)) * [5, 1, 3, 0.1, 0.2, 1]
    places = principal_coordinates(rows)
    centred = rows - rows.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    for column, which in ((0, -1), (1, -2)):
        expected = centred @ directions[:, which]
        np.testing.assert_allclose(np.abs(places[:, column]), np.abs(expected), atol=1e-9)
        assert places[:, column] @ places[:, column] == pytest.approx(values[which])
        assert places[np.abs(places[:, column]).argmax(), column] > 0
    assert places[:, 0] @ places[:, 1] == pytest.approx(0, abs=1e-9)


def test_points_on_a_line_and_too_few_points():
    places = principal_coordinates([[0, 0, 0], [1, 2, 2], [3, 6, 6]])
    np.testing.assert_allclose(places, [[-4, 0], [-1, 0], [5, 0]], atol=1e-12)
    assert principal_coordinates([[3, 4]]).tolist() == [[0, 0]]
    places = principal_coordinates([[3], [6], [6]])
    np.testing.assert_allclose(places, [[2, 0], [-1, 0], [-1, 0]], atol=1e-12)


def test_the_picture_is_a_png(people, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "map.png"
    places = people.save_map(path, people.words)
    assert path.read_bytes().startswith(b"\x89PNG")
    np.testing.assert_array_equal(places, principal_coordinates(people.vectors))
    groups = {"people": ["man", "woman"], "food": ["apple"]}
    assert people.save_map(path, groups).shape == (3, 2)


def test_words_with_marks_of_formulas(tmp_path):
    pytest.importorskip("matplotlib")
    from tinygrad_seq.word2vec import WordVectors

    words = ["$", "$a_{", "x^", "a\\b", "\x85", "<unk>"]
    wv = WordVectors(words, np.eye(6, dtype=np.float32))
    wv.save_map(tmp_path / "map.png", words[:4] + words[5:])
    assert (tmp_path / "map.png").exists()


def test_what_cannot_be_drawn(people, tmp_path, monkeypatch):
    path = tmp_path / "map.png"
    with pytest.raises(ValueError, match="words is empty"):
        people.save_map(path, [])
    with pytest.raises(KeyError, match="'zebra' is not among"):
        people.save_map(path, ["man", "zebra"])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError):
        people.save_map(path, ["man"])
    assert not path.exists()
