"""Vocabularies: order, limits, encoding and decoding, files."""

import json
import os
from collections import Counter
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq.data import SPECIALS, Lexicon, Vocabulary, words

TEXT = words(topics["while"] + topics["for"], lower=True)
WORDS = st.lists(st.sampled_from(["a", "b", "cc", "<unk>", "<eos>", "é", "\ud800"]), max_size=30)


def test_order_is_specials_then_count_then_token():
    vocabulary = Vocabulary.build(["b", "c", "a", "c", "b", "d", "c"])
    assert vocabulary.tokens == (*SPECIALS, "c", "b", "a", "d")
    assert (vocabulary.pad, vocabulary.unk, vocabulary.sos, vocabulary.eos) == (0, 1, 2, 3)
    assert [vocabulary[token] for token in "cbad"] == [4, 5, 6, 7]


@given(WORDS, st.randoms(use_true_random=False))
def test_order_of_the_text_does_not_matter(tokens, random):
    shuffled = random.sample(tokens, len(tokens))
    assert Vocabulary.build(tokens) == Vocabulary.build(iter(shuffled))


@given(WORDS, st.integers(1, 4), st.none() | st.integers(4, 9))
def test_limits_keep_the_commonest(tokens, min_count, max_size):
    vocabulary = Vocabulary.build(tokens, min_count=min_count, max_size=max_size)
    counts = Counter(token for token in tokens if token not in SPECIALS)
    kept = vocabulary.tokens[4:]
    left = [counts[token] for token in counts if token not in vocabulary]
    assert all(counts[token] >= min_count for token in kept)
    assert max_size is None or len(vocabulary) <= max_size
    if len(vocabulary) == max_size:
        assert max(left, default=0) <= min(
            (counts[token] for token in kept), default=max(left, default=0)
        )
    else:
        assert max(left, default=0) < min_count


def test_real_text_round_trips():
    vocabulary = Vocabulary.build(TEXT)
    ids = vocabulary.encode(TEXT)
    assert ids.dtype == np.int64
    assert vocabulary.decode(ids) == TEXT
    assert len(vocabulary) == len(set(TEXT)) + 4
    assert list(vocabulary) == list(vocabulary.tokens)


@given(WORDS)
def test_round_trip(tokens):
    vocabulary = Vocabulary.build(tokens)
    assert vocabulary.decode(vocabulary.encode(tokens), skip_specials=False) == tokens
    ordinary = [token for token in tokens if token not in SPECIALS]
    assert vocabulary.decode(vocabulary.encode(tokens, sos=True, eos=True)) == ordinary


def test_encode_marks_the_ends_and_the_unknown():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.encode(["a", "?", "b"], sos=True, eos=True).tolist() == [2, 4, 1, 5, 3]
    assert vocabulary.encode([]).shape == (0,)
    assert vocabulary.decode([2, 4, 1, 5, 3, 0]) == ["a", "b"]
    assert vocabulary.decode([2, 4, 1, 3], skip_specials=False) == ["<sos>", "a", "<unk>", "<eos>"]
    assert vocabulary.decode([]) == []
    assert "a" in vocabulary
    assert "?" not in vocabulary
    assert 4 not in vocabulary
    assert vocabulary.index("?") == vocabulary["?"] == 1


def test_special_in_the_text_is_the_special():
    vocabulary = Vocabulary.build(["a", "<unk>", "<unk>", "<eos>", "b", "b"])
    assert vocabulary.tokens == (*SPECIALS, "b", "a")
    assert vocabulary.encode(["<eos>", "<unk>"]).tolist() == [3, 1]


def test_without_specials():
    vocabulary = Vocabulary.build(["a", "<unk>"], specials=())
    assert vocabulary.tokens == ("<unk>", "a")
    assert [vocabulary.pad, vocabulary.unk, vocabulary.sos, vocabulary.eos] == [None] * 4
    assert vocabulary.decode([0, 1]) == ["<unk>", "a"]
    with pytest.raises(KeyError, match="unknown token 'b'"):
        vocabulary.encode(["a", "b"])
    with pytest.raises(KeyError, match="unknown token 'b'"):
        vocabulary["b"]
    with pytest.raises(ValueError, match="no '<sos>' among the specials"):
        vocabulary.encode(["a"], sos=True)
    with pytest.raises(ValueError, match="no '<eos>' among the specials"):
        vocabulary.encode(["a"], eos=True)


def test_other_specials_keep_their_order():
    vocabulary = Vocabulary.build(["a"], specials=["<eos>", "<mask>", "<pad>"])
    assert vocabulary.tokens == ("<eos>", "<mask>", "<pad>", "a")
    assert (vocabulary.eos, vocabulary.pad, vocabulary.unk) == (0, 2, None)
    assert vocabulary.decode([0, 1, 2, 3]) == ["a"]


def test_equality_and_hash():
    assert Vocabulary(["a"]) == Vocabulary(["a"])
    assert hash(Vocabulary(["a"])) == hash(Vocabulary(["a"]))
    assert Vocabulary(["a"]) != Vocabulary(["b"])
    assert Vocabulary(["a"], specials=["b"]) != Vocabulary(["b", "a"], specials=[])
    assert Vocabulary(["a"]) != ["a"]
    assert repr(Vocabulary(["a"], specials=["b"])) == "Vocabulary(2 tokens, specials=('b',))"


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda v: Vocabulary.build("abc"), TypeError, "tokens is one str"),
        (lambda v: Vocabulary.build(["a", 3]), TypeError, "tokens hold 3, a int"),
        (lambda v: Vocabulary.build(["a"], specials="<pad>"), TypeError, "specials is one str"),
        (lambda v: Vocabulary.build(["a"], specials=["x", "x"]), ValueError, r"twice: \['x'\]"),
        (lambda v: Vocabulary.build(["a"], min_count=0), ValueError, "min_count is 0"),
        (lambda v: Vocabulary.build(["a"], min_count=1.5), TypeError, "min_count is 1.5"),
        (lambda v: Vocabulary.build(["a"], min_count=True), TypeError, "min_count is True"),
        (lambda v: Vocabulary.build(["a"], max_size=3), ValueError, "max_size is 3, expected 4"),
        (lambda v: Vocabulary(["a", "b", "a"]), ValueError, r"stand twice: \['a'\]"),
        (lambda v: Vocabulary(["<pad>"]), ValueError, r"stand twice: \['<pad>'\]"),
        (lambda v: Vocabulary([b"a"]), TypeError, "tokens hold b'a', a bytes"),
        (lambda v: v.encode("ab"), TypeError, "tokens is one str"),
        (lambda v: v.encode(["a", 4]), TypeError, "token 4 is a int"),
        (lambda v: v.index(4), TypeError, "token 4 is a int"),
        (lambda v: v.decode([0, 6]), IndexError, "index 6, expected 0 to 5"),
        (lambda v: v.decode([-1]), IndexError, "index -1, expected 0 to 5"),
        (lambda v: v.decode([1.0]), TypeError, "dtype float64"),
        (lambda v: v.decode([True]), TypeError, "dtype bool"),
        (lambda v: v.decode(3), ValueError, r"shape \(\), expected \(T,\)"),
        (lambda v: v.decode([[1, 2]]), ValueError, r"shape \(1, 2\), expected \(T,\)"),
    ],
)
def test_bad_arguments(call, error, named):
    with pytest.raises(error, match=named):
        call(Vocabulary(["a", "b"]))


# ---------------------------------------------------------------- files


@settings(deadline=None)
@given(WORDS, st.sampled_from([SPECIALS, (), ("<unk>",), ("a", "<eos>")]))
def test_file_round_trip(tmp_path_factory, tokens, specials):
    vocabulary = Vocabulary.build(tokens, specials=specials)
    path = tmp_path_factory.getbasetemp() / "vocabulary.json"
    vocabulary.save(path)
    loaded = Vocabulary.load(path)
    assert loaded == vocabulary
    assert (loaded.pad, loaded.unk, loaded.eos) == (vocabulary.pad, vocabulary.unk, vocabulary.eos)
    assert Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    Vocabulary(["old"]).save(tmp_path / "v")

    def broken(*names):
        raise OSError("lost")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="lost"):
        Vocabulary(["new"]).save(tmp_path / "v")
    assert Vocabulary.load(tmp_path / "v") == Vocabulary(["old"])
    assert os.listdir(tmp_path) == ["v"]


GOOD = Vocabulary(["a", "b"]).to_dict()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"[" * 100_000,
        json.dumps(GOOD).encode()[:-1],
        json.dumps({**GOOD, "format": "other"}).encode(),
        json.dumps({**GOOD, "tokens": "ab"}).encode(),
        json.dumps({**GOOD, "tokens": None}).encode(),
        json.dumps({**GOOD, "specials": {"a": 1}}).encode(),
        json.dumps({**GOOD, "tokens": ["a", "a"]}).encode(),
        json.dumps({**GOOD, "tokens": ["a", 1]}).encode(),
        json.dumps({**GOOD, "tokens": ["a", ["b"]]}).encode(),
        json.dumps({**GOOD, "tokens": ["<pad>"]}).encode(),
    ],
)
def test_damaged_file(tmp_path, content):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(ValueError, match="v: not a saved vocabulary: "):
        Vocabulary.load(tmp_path / "v")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        Vocabulary.load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="expected a regular file"):
        Vocabulary.load(tmp_path)


def test_lexicon_numbers_words_and_spells_them():
    known, letters = Vocabulary(["cat", "a"]), Vocabulary(["a", "t", "c"])
    lexicon = Lexicon([["A", "cat"], [], ["cat", "tab", "A"]], known, letters)
    assert [ids.tolist() for ids in lexicon.sentences] == [[0, 1], [], [1, 2, 0]]
    assert lexicon.known.tolist() == [known["a"], known["cat"], known.unk]
    numbers = np.array([[2, 1], [1, 2]])
    spelt, sizes, places = lexicon.spelt(numbers, multiple=4)
    assert (spelt.shape, sizes.tolist()) == ((3, 4), [3, 3, 3, 3])
    assert letters.decode(spelt[:, 0]) == ["c", "a", "t"]
    assert places.tolist() == [[1, 0], [0, 1]]
    spelt, sizes, _ = lexicon.spelt(numbers * 0, multiple=1)
    assert (spelt.tolist(), sizes.tolist()) == ([[letters.unk]], [1])


@pytest.mark.parametrize("sentences", [[], [[]], [["a", ""]]])
def test_lexicon_needs_words(sentences):
    with pytest.raises(ValueError, match="Lexicon: sentences have an empty word, or none"):
        Lexicon(sentences, Vocabulary(["a"]), Vocabulary(["a"]))
