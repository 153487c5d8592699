"""Phrases against gensim's formulas, worked out by hand."""

import itertools
import math

import pytest

from tinygrad_seq.word2vec import Phrases

SENTENCES = [
    ["new", "york", "is", "big"],
    ["in", "new", "york", "now"],
    ["new", "york", "new", "york"],
    ["a", "new", "hat"],
    ["is", "a", "big", "hat"],
]


def test_scores_are_those_of_the_paper():
    phrases = Phrases(SENTENCES, min_count=1, threshold=0)
    pairs = {pair for s in SENTENCES for pair in itertools.pairwise(s)}
    vocabulary = len({word for s in SENTENCES for word in s}) + len(pairs)
    assert phrases.scores[("new", "york")] == pytest.approx((4 - 1) / 5 / 4 * vocabulary)
    assert set(phrases.scores) == {("new", "york")}  # the others occur once: (1 - 1) / ... = 0
    assert phrases[["the", "new", "york", "york"]] == ["the", "new_york", "york"]


def test_npmi_is_one_for_words_that_are_always_together():
    together = [["a", "b"]] * 4 + [["c", "d", "c", "e"]] * 2
    phrases = Phrases(together, min_count=2, threshold=-1, scoring="npmi")
    words = 16
    expected = math.log((4 / words) / (4 / words) ** 2) / -math.log(4 / words)
    assert expected == pytest.approx(1)
    assert phrases.scores[("a", "b")] == pytest.approx(1)
    assert phrases.scores[("c", "d")] == pytest.approx(
        math.log((2 / words) / (4 / words * 2 / words)) / -math.log(2 / words)
    )


def test_connectors_stand_inside_phrases():
    sentences = [["bank", "of", "america", "of", "old"]] * 5
    phrases = Phrases(sentences, min_count=1, threshold=0.1, connector_words=["of"])
    assert phrases[sentences[0]] == ["bank_of_america", "of", "old"]
    assert phrases[["bank", "of"]] == ["bank", "of"]
    assert phrases[["of", "bank", "america"]] == ["of", "bank", "america"]


def test_phrases_of_phrases():
    sentences = [["new", "york", "city"], ["new", "york", "city", "x"]] * 5
    first = Phrases(sentences, min_count=1, threshold=0.1)
    second = Phrases((first[s] for s in sentences), min_count=1, threshold=0.1, delimiter=" ")
    assert second[first[["new", "york", "city"]]] == ["new_york city"]


def test_saved_phrases_join_as_before(tmp_path):
    phrases = Phrases(SENTENCES, min_count=1, threshold=0, connector_words=["the"])
    phrases.save(tmp_path / "phrases")
    loaded = Phrases.load(tmp_path / "phrases")
    assert (loaded.scores, loaded.delimiter) == (phrases.scores, "_")
    assert [loaded[s] for s in SENTENCES] == [phrases[s] for s in SENTENCES]
    assert len(loaded) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (([],), ValueError, "no words"),
        ((["a b"],), TypeError, "one str"),
        (([["a", 1]],), TypeError, "holds 1"),
        ((SENTENCES, 0), ValueError, "min_count is 0"),
        ((SENTENCES, 1, 1, "_", "pmi"), ValueError, "scoring is 'pmi'"),
    ],
)
def test_bad_phrases(arguments, error, text):
    with pytest.raises(error, match=text):
        Phrases(*arguments)
