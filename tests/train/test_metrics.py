"""Metrics against examples counted by hand."""

import math
import sys

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq.train import metrics


def test_accuracy():
    assert metrics.accuracy([1, 2, 3, 4], [1, 2, 0, 0]) == 0.5
    assert metrics.accuracy(np.array([[1, 2], [0, 1]]), tg.tensor([[1, -1], [0, -1]]), -1) == 1.0
    assert metrics.accuracy(["a", "b", "c"], ["a", "b", "b"]) == pytest.approx(2 / 3)


def test_macro_f1_of_classes():
    """Class 0: 1 right of 2 predicted and 2 true; 1: 1 of 2 and 1; 2: 0 of 0 and 1."""
    found = metrics.macro_f1([0, 1, 0, 1], [0, 1, 2, 0])
    assert found == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)
    assert metrics.macro_f1(["a", "b"], ["a", "b"]) == 1.0


def test_macro_f1_of_several_classes_an_item():
    """Columns: 1 right of 2 and 1; 0 of 1 and 1; never predicted, never true; 1 of 1 and 2."""
    predicted = np.array([[1, 0, 0, 1], [1, 1, 0, 0]], bool)
    right = np.array([[1, 1, 0, 1], [0, 0, 0, 1]], bool)
    assert metrics.macro_f1(predicted, right) == pytest.approx((2 / 3 + 0 + 0 + 2 / 3) / 4)


def test_unweighted_recall():
    """Of class 0 two of three are found, of 1 one of one, of 2 none of two; 3 is only predicted."""
    found = metrics.unweighted_recall([0, 0, 1, 1, 3, 3], [0, 0, 0, 1, 2, 2])
    assert found == pytest.approx((2 / 3 + 1 + 0) / 3)
    columns = np.array([[1, 0], [0, 0]], bool), np.array([[1, 0], [1, 0]], bool)
    assert metrics.unweighted_recall(*columns) == 0.5


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("O O", []),
        ("B-PER I-PER O B-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),
        ("B-PER B-PER I-PER", [(0, 1, "PER"), (1, 3, "PER")]),
        ("I-PER I-PER O I-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),
        ("B-PER I-LOC I-LOC", [(0, 1, "PER"), (1, 3, "LOC")]),
        ("B-PER O I-PER", [(0, 1, "PER"), (2, 3, "PER")]),
        ("B-creative-work I-creative-work", [(0, 2, "creative-work")]),
        ("", []),
    ],
)
def test_entities(tags, wanted):
    assert metrics.entities(tags.split()) == wanted


def test_entity_f1():
    right = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG", "O"], ["O"]]
    found = [["B-PER", "I-PER", "O", "B-ORG"], ["O", "B-ORG", "I-ORG"], ["B-LOC"]]
    assert metrics.entity_f1(found, right) == (pytest.approx(1 / 4), pytest.approx(1 / 3), 2 / 7)
    assert metrics.entity_f1(right, right) == (1, 1, 1)
    assert metrics.entity_f1([["O"]], [["O"]]) == (0, 0, 0)
    for a, b, match in (
        ([["O"]], [], "1 predictions, 0 targets"),
        ([["O"], ["O", "O"]], [["O"], ["O"]], "sentence 1 has 2 tags, expected 1"),
        ([["O"], ["X-PER"]], [["O"], ["O"]], "sentence 1: tag 0 is 'X-PER'"),
        ([["B"]], [["O"]], "sentence 0: tag 0 is 'B'"),
    ):
        with pytest.raises(ValueError, match=match):
            metrics.entity_f1(a, b)


def test_bleu():
    """p1 = 4/5, p2 = 3/4, p3 = 2/3, p4 = 1/2, no brevity penalty."""
    pytest.importorskip("sacrebleu")
    wanted = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert metrics.bleu(["a b c d e"], ["a b c d f"]) == pytest.approx(wanted)
    assert metrics.bleu(["A b c d E"], ["a b c d f"], lowercase=True) == pytest.approx(wanted)
    assert metrics.bleu(["a b c d"], ["a b c d e f"]) == pytest.approx(100 * math.exp(1 - 6 / 4))
    assert metrics.bleu(["a b c d e"] * 2, [["x", "a b c d e"], ["a b c d e"]]) == pytest.approx(
        100
    )


def test_error_rates():
    """One word substituted, one deleted, one inserted; of 6. One letter of 3 in each text."""
    pytest.importorskip("jiwer")
    found = metrics.word_error_rate(["a x c", "d e", "f g"], ["a b c", "d", "f g h"])
    assert found == pytest.approx(3 / 7)
    assert metrics.character_error_rate(["abx", "de"], ["abc", "def"]) == pytest.approx(2 / 6)
    assert metrics.word_error_rate(["", "a"], ["a b", "a"]) == pytest.approx(2 / 3)
    assert metrics.word_error_rate(["a b c d"], ["x"]) == 4.0


@pytest.mark.parametrize(
    ("scores", "same", "wanted"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 0.0),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 1.0),
        ([4, 3, 2, 1], [1, 0, 1, 0], 0.5),
        ([1, 1, 1, 1], [1, 0, 1, 0], 0.5),
        ([9, 8, 7, 6, 5, 4, 3, 2], [1, 1, 1, 0, 1, 0, 0, 0], 0.25),
        ([5, 4, 3, 2, 1], [1, 0, 1, 0, 0], 1 / 3),
    ],
)
def test_equal_error_rate(scores, same, wanted):
    assert metrics.equal_error_rate(scores, same) == pytest.approx(wanted)
    stretched = np.exp(np.array(scores, float))  # only the order matters
    assert metrics.equal_error_rate(tg.tensor(stretched), np.array(same, bool)) == pytest.approx(
        wanted
    )


def test_equal_error_rate_of_two_normals():
    """Means two deviations apart: Φ(-1) = 0.1587."""
    rng = np.random.default_rng(0)
    same = np.arange(40_000) % 2 == 0
    found = metrics.equal_error_rate(rng.normal(size=40_000) + 2 * same, same)
    assert found == pytest.approx(0.1587, abs=0.005)


def test_losses():
    assert metrics.perplexity(math.log(8)) == pytest.approx(8)
    assert metrics.perplexity(1e4) == math.inf
    assert math.isnan(metrics.perplexity(math.nan))
    assert metrics.bits(math.log(8)) == pytest.approx(3)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: metrics.accuracy([1], [1, 2]),
            ValueError,
            r"predictions are \(1,\), targets \(2,",
        ),
        (lambda: metrics.accuracy([], []), ValueError, "no targets"),
        (lambda: metrics.accuracy([1], [0], ignore_index=0), ValueError, "every target is 0"),
        (lambda: metrics.macro_f1([[1]], [[1]]), TypeError, "int64 and int64, expected booleans"),
        (lambda: metrics.macro_f1(np.ones((1, 1, 1)), np.ones((1, 1, 1))), ValueError, "expected"),
        (lambda: metrics.unweighted_recall([[False]], [[False]]), ValueError, "no class occurs"),
        (lambda: metrics.equal_error_rate([1.0, 2], [1, 1]), ValueError, "both kinds"),
        (lambda: metrics.equal_error_rate([1.0, math.nan], [0, 1]), ValueError, "score 1 is NaN"),
        (lambda: metrics.equal_error_rate([1.0, 2], [0, 2]), ValueError, "labels expected 0 and 1"),
        (lambda: metrics.word_error_rate(["a"], ["a", "b"]), ValueError, "1 hypotheses and 2 ref"),
        (lambda: metrics.word_error_rate(["a"], [" "]), ValueError, "references are all empty"),
        (lambda: metrics.bleu([], []), ValueError, "0 hypotheses and 0 references"),
        (lambda: metrics.bleu("a", "a"), TypeError, "got a text, expected a list"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("name", ["sacrebleu", "jiwer"])
def test_without_the_library(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    function = metrics.bleu if name == "sacrebleu" else metrics.word_error_rate
    with pytest.raises(ImportError, match=rf"needs {name}: pip install"):
        function(["a"], ["a"])


def test_normalized_cosines_by_their_formula():
    rng = np.random.default_rng(0)
    a, b, cohort = (rng.standard_normal((n, 3)) for n in (4, 4, 6))
    found = metrics.normalized_cosines(a, b, 5 * cohort, 3)

    def cos(x, y):
        return x @ y / math.sqrt(x @ x * (y @ y))

    for x, y, score in zip(a, b, found, strict=True):
        wanted = 0.0
        for one in (x, y):
            known = sorted(cos(one, other) for other in cohort)[-3:]
            wanted += (cos(x, y) - np.mean(known)) / np.std(known)
        assert score == pytest.approx(wanted)
    with pytest.raises(ValueError, match=r"cohort \(6, 2\), expected"):
        metrics.normalized_cosines(a, b, cohort[:, :2], 3)
    with pytest.raises(ValueError, match="nearest is 7, expected 2 to 6"):
        metrics.normalized_cosines(a, b, cohort, 7)
