"""Analogies and judgements of similarity: gensim's rules, and the fast form of them."""

import gzip
import warnings

import numpy as np
import pytest

from tinygrad_seq.word2vec import WordVectors
from tinygrad_seq.word2vec.vectors import analogies
from tinygrad_seq.word2vec.vectors.evaluation import read_analogies

QUESTIONS = """: royal family
man king woman queen
woman queen man king
King man Queen woman
man king woman apple

: food
apple orange king prince
man woman apple zebra
"""


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(QUESTIONS)
    return path


def test_analogies_by_section(people, questions):
    score, sections = people.evaluate_word_analogies(questions)
    royal = [
        ("MAN", "KING", "WOMAN", "QUEEN"),
        ("WOMAN", "QUEEN", "MAN", "KING"),
        ("KING", "MAN", "QUEEN", "WOMAN"),
    ]
    wrong = ("MAN", "KING", "WOMAN", "APPLE")
    food = ("APPLE", "ORANGE", "KING", "PRINCE")
    assert sections == [
        {"section": "royal family", "correct": royal, "incorrect": [wrong]},
        {"section": "food", "correct": [food], "incorrect": []},
        {"section": "Total accuracy", "correct": [*royal, food], "incorrect": [wrong]},
    ]
    assert score == 4 / 5


def test_unknown_words_count_as_wrong_where_asked(people, questions):
    score, sections = people.evaluate_word_analogies(questions, dummy4unknown=True)
    assert score == 4 / 6
    assert sections[1]["incorrect"] == [("MAN", "WOMAN", "APPLE", "ZEBRA")]


def test_case_matters_where_asked(people, questions):
    score, sections = people.evaluate_word_analogies(questions, case_insensitive=False)
    assert sections[0]["correct"] == [
        ("man", "king", "woman", "queen"),
        ("woman", "queen", "man", "king"),
    ]
    assert score == 3 / 4


def test_restricted_vocabulary_asks_and_answers(people, questions):
    """Of the first four words every other question has an unknown one."""
    score, sections = people.evaluate_word_analogies(questions, restrict_vocab=4)
    assert score == 1
    assert len(sections[-1]["correct"]) == 3
    score, sections = people.evaluate_word_analogies(questions, restrict_vocab=3)
    assert (score, sections[-1]["correct"], sections[-1]["incorrect"]) == (0.0, [], [])


def test_gzip_files_and_lines_that_are_no_questions(people, tmp_path):
    path = tmp_path / "questions.gz"
    path.write_bytes(gzip.compress((QUESTIONS + "man king woman\n").encode()))
    expected = r"left out 1 lines that are not four words \(line 10\)"
    with pytest.warns(UserWarning, match=expected):
        assert people.evaluate_word_analogies(path)[0] == 4 / 5


def test_analogy_files_that_cannot_be_used(people, tmp_path):
    path = tmp_path / "bad.txt"
    for text, message in {
        "a b c d\n": "bad.txt, line 1: a question before any ': section'",
        ": only a name\n": "bad.txt: no questions",
        "": "bad.txt: no questions",
    }.items():
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            people.evaluate_word_analogies(path)
    path.write_bytes(b": s\na b c \xff\n")
    with pytest.raises(ValueError, match=r"bad\.txt: not UTF-8 text"):
        people.evaluate_word_analogies(path)
    with pytest.raises(FileNotFoundError):
        people.evaluate_word_analogies(tmp_path / "missing.txt")


def variants(random, size, width, *, ties):
    """Vectors of words among which are case variants, and (with `ties`) equal vectors."""
    stems = [a + b + c for a in "abcde" for b in "fghij" for c in ("", "k", "lm")]
    words = [*stems, *map(str.upper, stems), *map(str.title, stems)]
    words = random.permutation(sorted(set(words)))[:size].tolist()
    vectors = random.normal(size=(size, width)).astype(np.float32)
    if ties:
        vectors = np.round(vectors) + np.float32(0.5)
        vectors[random.integers(0, size, size // 3)] = vectors[0]
    return WordVectors(words, vectors)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("restrict_vocab", [None, 60])
@pytest.mark.parametrize("upper", [False, True])
def test_many_at_once_equal_one_by_one(ties, width, restrict_vocab, upper, monkeypatch):
    """In blocks of 16 words: a question that is decided early keeps its answer."""
    monkeypatch.setattr(analogies, "WORDS_AT_ONCE", 16)
    random = np.random.default_rng(width)
    wv = variants(random, 150, width, ties=ties)
    known = analogies.Known(wv, restrict_vocab, upper)
    pool = sorted(known.first)[:40]
    questions = [tuple(random.choice(pool, 4).tolist()) for _ in range(300)]
    for number in range(0, 300, 3):
        a, b, c, _ = questions[number]
        nearest = wv.most_similar([known.first[b], known.first[c]], [known.first[a]], 1)[0][0]
        if nearest in known.first:
            questions[number] = a, b, c, nearest
    one_by_one = [analogies.answer(wv, known, question) for question in questions]
    assert analogies.answers(wv, known, questions).tolist() == one_by_one
    assert 0 < sum(one_by_one) < 300


def test_compiled_count_equals_its_definition():
    random = np.random.default_rng(0)
    cosines = random.uniform(-1, 1, size=(9, 1300)).astype(np.float32)
    places = random.integers(0, 9, size=(700, 3))
    limits = np.sort(random.uniform(-1, 2, size=(700, 2)).astype(np.float32), axis=1)
    expected = analogies.count_definition(cosines, places, limits)
    assert np.array_equal(analogies._kernel()(cosines, places, limits), expected)
    b, c, a = (cosines[places[:, k]] for k in range(3))
    plain = ((b + c - a)[:, :, None] > limits[:, None]).sum(axis=1)
    assert np.array_equal(expected, plain)


def test_a_vocabulary_of_thousands_without_compiled_code(monkeypatch, questions):
    random = np.random.default_rng(3)
    words = [f"w{i}" for i in range(9000)]
    wv = WordVectors(words, random.normal(size=(9000, 3)).astype(np.float32))
    lines = [" ".join(random.choice(words, 4)) for _ in range(50)]
    questions.write_text("\n".join([": all", *lines]))
    compiled = wv.evaluate_word_analogies(questions)
    monkeypatch.setattr(analogies.runtime, "available", lambda: False)
    assert wv.evaluate_word_analogies(questions) == compiled


def test_words_of_a_section_keep_their_case(questions):
    (name, first), _ = read_analogies(questions, upper=True)
    assert name == "royal family"
    assert first[0] == ("MAN", "KING", "WOMAN", "QUEEN")


PAIRS = """# a comment
man\twoman\t1.5
King\tqueen\t5
apple\torange\t9.5
apple\tzebra\t3
man\tapple\t1
"""


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    return path


def test_word_pairs(people, pairs):
    pearson, spearman, unknown = people.evaluate_word_pairs(pairs)
    words = [("man", "woman"), ("king", "queen"), ("apple", "orange"), ("man", "apple")]
    model = [people.similarity(*pair) for pair in words]
    assert pearson[0] == pytest.approx(np.corrcoef(model, [1.5, 5, 9.5, 1])[0, 1], abs=1e-12)
    assert spearman[0] == pytest.approx(np.corrcoef([0, 2, 3, 1], [1, 2, 3, 0])[0, 1], abs=1e-12)
    assert pearson.statistic == pearson[0]
    assert spearman.pvalue == spearman[1] == pytest.approx(0.2, abs=1e-12)  # of r 0.8, N 4
    assert unknown == 20.0


def test_word_pairs_options(people, pairs, tmp_path):
    *_, unknown = people.evaluate_word_pairs(pairs, case_insensitive=False)
    assert unknown == 40.0
    *_, unknown = people.evaluate_word_pairs(pairs, restrict_vocab=5)
    assert unknown == 40.0
    there = people.evaluate_word_pairs(pairs, dummy4unknown=True)
    assert there[2] == 20.0
    model = [people.similarity(*p) for p in (("man", "woman"), ("king", "queen"))]
    model += [people.similarity("apple", "orange"), 0, people.similarity("man", "apple")]
    expected = np.corrcoef(model, [1.5, 5, 9.5, 3, 1])[0, 1]
    assert there[0][0] == pytest.approx(expected, abs=1e-12)
    commas = tmp_path / "pairs.csv"
    commas.write_text("Word 1,Word 2,Human\n" + PAIRS.replace("\t", ","))
    with pytest.warns(UserWarning, match=r"left out 1 lines .* between ',' \(line 1\)"):
        assert people.evaluate_word_pairs(commas, ",") == people.evaluate_word_pairs(pairs)


def test_word_pairs_that_cannot_be_judged(people, tmp_path):
    path = tmp_path / "pairs.tsv"
    for text in ("zebra\tlion\t3\n", "", "# nothing\n"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"pairs.tsv: no pair of words, of \d, has vectors"):
            people.evaluate_word_pairs(path)
    path.write_text("man\tking\t3\n")
    with pytest.raises(ValueError, match="N at least 2"):
        people.evaluate_word_pairs(path)
    with pytest.raises(ValueError, match="restrict_vocab is 0"):
        people.evaluate_word_pairs(path, restrict_vocab=0)
    wv = WordVectors(["man", "king"], [[1, np.nan], [1, 2]])
    with pytest.raises(ValueError, match="not finite"), warnings.catch_warnings():
        wv.evaluate_word_pairs(path)
