"""WordVectors: look-ups, and questions against their formulas in float64."""

import numpy as np
import pytest

from tinygrad_seq.word2vec import WordVectors


def cosines(wv, direction):
    """cos(row, direction) of every row, in float64."""
    rows = np.array(wv.vectors, dtype=float)
    return rows @ direction / np.linalg.norm(rows, axis=1) / np.linalg.norm(direction)


def unit(wv, word):
    return wv[word].astype(float) / np.linalg.norm(wv[word].astype(float))


def best(wv, scores, topn, left_out):
    order = [i for i in np.argsort(-scores) if wv.words[i] not in left_out]
    return [(wv.words[i], pytest.approx(scores[i], abs=1e-6)) for i in order[:topn]]


def test_look_ups(wv):
    assert len(wv) == 50
    assert wv.vector_size == 7
    assert list(wv) == wv.words == wv.index_to_key
    assert wv.words[1] == "Queen"
    assert [wv.key_to_index[word] for word in wv] == list(range(50))
    assert "king" in wv
    assert "queen" not in wv
    assert 3 not in wv
    assert np.array_equal(wv["été"], wv.vectors[2])
    assert np.array_equal(wv[2], wv.vectors[2])
    assert np.array_equal(wv[["king", 4, "Queen"]], wv.vectors[[0, 4, 1]])
    assert np.array_equal(wv[np.array([5, 5])], wv.vectors[[5, 5]])
    assert wv.get_index("word3") == wv.get_index(3) == 3
    assert np.linalg.norm(wv.get_vector("king", norm=True)) == pytest.approx(1)
    assert wv.counts.tolist() == list(range(50, 0, -1))
    assert repr(wv) == "WordVectors(50 words, vectors of 7)"


def test_the_table_is_not_copied_and_not_written_through():
    table = np.ones((2, 3), dtype=np.float32)
    wv = WordVectors(["a", "b"], table)
    assert np.shares_memory(wv.vectors, table)
    for array in (wv.vectors, wv["a"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
    table[0] = 2  # whose memory it is still writes
    assert wv["a"].tolist() == [2, 2, 2]


def test_similarity_and_distance(wv):
    expected = unit(wv, "king") @ unit(wv, "été")
    assert wv.similarity("king", "été") == pytest.approx(expected, abs=1e-12)
    assert wv.distance("king", 2) == pytest.approx(1 - expected, abs=1e-12)
    assert wv.similarity("king", "king") == pytest.approx(1, abs=1e-12)


def test_n_similarity_is_of_the_means(wv):
    there, back = wv.vectors[:3].astype(float).mean(0), wv.vectors[[4, 9]].astype(float).mean(0)
    expected = there @ back / np.linalg.norm(there) / np.linalg.norm(back)
    assert wv.n_similarity(wv.words[:3], ["word4", 9]) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("topn", [0, 1, 3, 48, 50, 500])
def test_most_similar(topn, wv):
    scores = cosines(wv, unit(wv, "king") + unit(wv, "été") - unit(wv, "Queen"))
    expected = best(wv, scores, topn, ("king", "été", "Queen"))
    assert wv.most_similar(["king", "été"], ["Queen"], topn=topn) == expected


def test_most_similar_takes_words_indices_vectors_and_weights(wv):
    assert wv.most_similar("king") == wv.most_similar([0]) == wv.similar_by_word("king")
    assert wv.most_similar([("king", 1.0)]) == wv.most_similar("king")
    vector = np.linspace(-1, 1, 7).astype(np.float32)
    expected = best(wv, cosines(wv, vector), 4, ())
    assert wv.most_similar(vector, topn=4) == wv.similar_by_vector(vector, topn=4) == expected
    assert wv.most_similar(np.stack([vector, vector]), topn=4) == expected
    scores = cosines(wv, 2 * unit(wv, "king") - 0.5 * unit(wv, "Queen") + vector)
    answer = wv.most_similar([("king", 2), vector], [("Queen", -0.5)], topn=5)
    assert answer == best(wv, scores, 5, ("king", "Queen"))


def test_most_similar_of_a_restricted_vocabulary(wv):
    scores = cosines(wv, wv["word40"].astype(float))[:10]
    assert wv.most_similar("word40", topn=20, restrict_vocab=10) == best(wv, scores, 20, ())
    np.testing.assert_allclose(
        wv.most_similar("word40", topn=None, restrict_vocab=10), scores, atol=1e-6
    )
    assert wv.most_similar("king", topn=None).shape == (50,)


def test_most_similar_cosmul(wv):
    terms = [(1 + cosines(wv, unit(wv, word))) / 2 for word in ("king", "été", "Queen", "word7")]
    expected = best(wv, terms[0] * terms[1] / (terms[2] * terms[3] + 1e-6), 6, ("king", "été"))
    words = [word for word, _ in expected]
    answer = wv.most_similar_cosmul(["king", "été"], ["Queen", "word7"], topn=6)
    assert [word for word, _ in answer] == words
    for (_, score), (_, wanted) in zip(answer, expected, strict=True):
        assert score == pytest.approx(wanted.expected, rel=1e-5)
    nearest = [word for word, _ in wv.most_similar("king", topn=49)]
    assert [word for word, _ in wv.most_similar_cosmul("king", topn=49)] == nearest


def test_analogy(people):
    assert people.analogy("man", "king", "woman")[0][0] == "queen"
    assert [word for word, _ in people.analogy("woman", "queen", "man", topn=2)] == [
        "king",
        "prince",
    ]


def test_doesnt_match(people):
    assert people.doesnt_match(["king", "prince", "man", "apple"]) == "apple"
    assert people.doesnt_match(["apple", "orange", "queen"]) == "queen"
    assert people.doesnt_match(["apple"]) == "apple"


def test_rank(wv):
    for place, (word, _) in enumerate(wv.most_similar("king", topn=49), start=1):
        assert wv.rank("king", word) == place


def test_correlation(wv):
    words = ["king", "word9", "été", "king"]
    table = wv.correlation(words)
    np.testing.assert_allclose(table, np.corrcoef(wv[words].astype(float)), atol=1e-12)
    assert (table <= 1).all()


def test_a_vector_of_length_0_is_at_0_to_all():
    wv = WordVectors(["a", "b", "c"], [[0, 0], [1, 0], [-1, 0]])
    assert wv.similarity("a", "b") == 0
    assert wv.most_similar("a") == [("b", 0), ("c", 0)]
    assert wv.most_similar("b") == [("a", 0), ("c", -1)]
    assert wv.most_similar(["b", "c"]) == [("a", 0)]
    assert wv.most_similar_cosmul("b", ["c"])[0] == ("a", pytest.approx(1, rel=1e-5))


def test_equal_scores():
    wv = WordVectors(list("abcde"), np.tile(np.float32([1, 2]), (5, 1)))
    assert sorted(word for word, _ in wv.most_similar("c")) == ["a", "b", "d", "e"]
    assert len(wv.most_similar("c", topn=2)) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("abc", [[1.0]]), ValueError, "3 words for 1 vectors"),
        ((["a", "b", "a"], np.eye(3, dtype=np.float32)), ValueError, r"stand twice: \['a'\]"),
        ((["a", 3], [[1.0], [2.0]]), TypeError, "words hold 3"),
        ((["ab"], [1.0]), ValueError, r"shape \(1,\), expected \(V, d\)"),
        ((["ab"], [[]]), ValueError, r"shape \(1, 0\), expected \(V, d\)"),
        ((["ab"], np.eye(1)), TypeError, "vectors are float64, expected float32"),
        ((["ab"], [[1.0]], [1, 2]), ValueError, r"counts have shape \(2,\), expected \(1,\)"),
        ((["ab"], [[1.0]], [0.5]), TypeError, "counts are float64, expected integers"),
    ],
)
def test_tables_that_do_not_fit(arguments, error, message):
    words, *rest = arguments
    with pytest.raises(error, match=message):
        WordVectors(list(words), *rest)


def test_one_text_is_no_list_of_words():
    with pytest.raises(TypeError, match="words is one str"):
        WordVectors("ab", np.eye(2, dtype=np.float32))


@pytest.mark.parametrize(
    "question",
    [
        lambda wv, word: wv[word],
        lambda wv, word: wv[["king", word]],
        lambda wv, word: wv.similarity("king", word),
        lambda wv, word: wv.n_similarity(["king"], [word]),
        lambda wv, word: wv.most_similar(word),
        lambda wv, word: wv.most_similar("king", word),
        lambda wv, word: wv.most_similar_cosmul("king", word),
        lambda wv, word: wv.analogy("king", word, "été"),
        lambda wv, word: wv.doesnt_match(["king", word]),
        lambda wv, word: wv.rank("king", word),
        lambda wv, word: wv.correlation(["king", word]),
    ],
)
def test_unknown_words(question, wv):
    with pytest.raises(KeyError, match="'zebra' is not among the 50 words"):
        question(wv, "zebra")
    with pytest.raises(KeyError, match=r"'KING' is not among the 50 words \('king' is\)"):
        question(wv, "KING")
    with pytest.raises(IndexError, match="index 50, expected 0 to 49"):
        question(wv, 50)
    with pytest.raises(IndexError, match="index -1, expected 0 to 49"):
        question(wv, -1)
    for wrong in (True, 0.5):
        with pytest.raises((TypeError, ValueError)):
            question(wv, wrong)


def test_questions_without_words(wv):
    with pytest.raises(ValueError, match="neither positive nor negative"):
        wv.most_similar()
    with pytest.raises(ValueError, match="no positive words"):
        wv.most_similar_cosmul(negative="king")
    with pytest.raises(ValueError, match="ws2 is empty"):
        wv.n_similarity(["king"], [])
    with pytest.raises(ValueError, match="words is empty"):
        wv.doesnt_match([])
    with pytest.raises(ValueError, match=r"shape \(3,\), expected \(7,\)"):
        wv.most_similar(np.ones(3))
    with pytest.raises(ValueError, match="restrict_vocab is 0, expected 1 or more"):
        wv.most_similar("king", restrict_vocab=0)


def test_vectors_that_are_not_finite_are_named():
    for odd in (np.nan, np.inf):
        wv = WordVectors(["a", "b", "c"], [[1, 2], [odd, 1], [0, 1]])
        for question in (wv.most_similar, wv.most_similar_cosmul, wv.similar_by_word):
            with pytest.raises(ValueError, match=r"not finite, of the words \['b'\]"):
                question("a")


def test_a_constant_vector_correlates_with_nothing():
    wv = WordVectors(["flat", "steep"], [[2, 2], [1, 2]])
    with pytest.raises(ValueError, match="the vector of 'flat' is constant"):
        wv.correlation(["steep", "flat"])
