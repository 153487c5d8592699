"""gensim and this package, given the same vectors and files, say the same; needs gensim."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from tinygrad_seq.word2vec import WordVectors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    KeyedVectors = pytest.importorskip(
        "gensim.models", reason="gensim is not installed (extra: bench)"
    ).KeyedVectors
    DATA = Path(pytest.importorskip("gensim.test.utils").datapath(""))

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def both():
    """The words of gensim's own evaluation files, with random vectors, in both packages."""
    words = {}
    for name in ("questions-words.txt", "wordsim353.tsv", "simlex999.txt"):
        for line in (DATA / name).read_text().split("\n"):
            if line[:1] not in (":", "#"):
                words.update(dict.fromkeys(w for w in line.split() if w[0].isalpha()))
    words = [w for i, w in enumerate(words) if i % 9]
    random = np.random.default_rng(0)
    vectors = random.normal(size=(len(words), 20)).astype(np.float32)
    table = np.zeros((len(words), 32), dtype=np.float32)
    table[:, :20] = vectors
    theirs = KeyedVectors(20)
    theirs.add_vectors(words, vectors)
    return WordVectors(words, table[:, :20]), theirs


def test_questions(both):
    wv, theirs = both
    a, b, c, d = wv.words[10:50:10]
    for terms in (((a,), ()), ((a, b), (c,)), ((a, d), (c, b)), (([a, 0.5], (b, 2)), ((c, -1.5),))):
        arguments = [[tuple(t) if isinstance(t, list) else t for t in side] for side in terms]
        assert wv.most_similar(*arguments) == theirs.most_similar(*arguments)
        restricted = {"topn": 5, "restrict_vocab": 300}
        assert wv.most_similar(*arguments, **restricted) == theirs.most_similar(
            *arguments, **restricted
        )
    for words in ((a, b), (c, c), (b, d)):
        assert wv.similarity(*words) == pytest.approx(theirs.similarity(*words), abs=1e-6)
        assert wv.rank(*words) == theirs.rank(*words)
        ours, answers = (x.most_similar_cosmul([words[0], d], [words[1]]) for x in both)
        assert [word for word, _ in ours] == [word for word, _ in answers]
        scores = [score for _, score in answers]
        assert [score for _, score in ours] == pytest.approx(scores, rel=1e-5)
    assert wv.n_similarity([a, b], [c, d, a]) == pytest.approx(
        theirs.n_similarity([a, b], [c, d, a]), abs=1e-6
    )
    assert wv.doesnt_match([a, b, c, d]) == theirs.doesnt_match([a, b, c, d])
    assert np.array_equal(wv.most_similar(a, topn=None), theirs.most_similar(a, topn=None))


OPTIONS = [
    {},
    {"case_insensitive": False},
    {"restrict_vocab": 700},
    {"dummy4unknown": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_analogies(both, options, tmp_path):
    """Every twentieth of the Google set's questions."""
    lines = (DATA / "questions-words.txt").read_text().split("\n")
    path = tmp_path / "questions.txt"
    path.write_text("\n".join(x for i, x in enumerate(lines) if x[:1] == ":" or i % 20 == 0))
    ours, theirs = (x.evaluate_word_analogies(path, **options) for x in both)
    assert ours == theirs
    assert ours[1][-1]["incorrect"]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["wordsim353.tsv", "simlex999.txt"])
def test_pairs(both, name, options):
    ours, theirs = (x.evaluate_word_pairs(DATA / name, **options) for x in both)
    assert ours[0] == pytest.approx(tuple(theirs[0]), abs=1e-5)
    assert ours[1] == pytest.approx(tuple(theirs[1]), abs=1e-5)
    assert ours[2] == theirs[2]


FORMS = [
    ({}, {}, {}),
    ({"binary": True}, {"binary": True}, {"binary": True}),
    ({"write_header": False}, {"no_header": True}, {"write_header": False}),
]


@pytest.mark.parametrize(("ours", "reading", "theirs"), FORMS)
@pytest.mark.parametrize("name", ["vectors", "vectors.gz"])
def test_each_loads_the_others_files(both, ours, reading, theirs, name, tmp_path):
    wv, kv = both
    wv.save_word2vec_format(tmp_path / name, **ours)
    loaded = KeyedVectors.load_word2vec_format(str(tmp_path / name), **reading)
    assert loaded.index_to_key == wv.words
    assert np.array_equal(loaded.vectors, wv.vectors)
    assert loaded.most_similar("king", topn=20) == wv.most_similar("king", topn=20)
    kv.save_word2vec_format(str(tmp_path / f"theirs-{name}"), **theirs)
    back = WordVectors.load_word2vec_format(tmp_path / f"theirs-{name}", **reading)
    assert back.words == kv.index_to_key
    assert np.array_equal(back.vectors, kv.vectors)
    assert back.most_similar("king", topn=20) == kv.most_similar("king", topn=20)
    if not name.endswith(".gz"):
        assert (tmp_path / name).read_bytes() == (tmp_path / f"theirs-{name}").read_bytes()


def test_counts_travel(tmp_path):
    files = str(tmp_path / "vectors"), str(tmp_path / "counts")
    wv = WordVectors(["a", "b"], [[1, 2], [3, 4]], counts=[7, 5])
    wv.save_word2vec_format(*files)
    loaded = KeyedVectors.load_word2vec_format(*files)
    assert [loaded.get_vecattr(word, "count") for word in "ab"] == [7, 5]
    loaded.save_word2vec_format(*files)
    assert WordVectors.load_word2vec_format(*files).counts.tolist() == [7, 5]
