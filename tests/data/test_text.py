"""Text: reading files, splitting into words and characters, joining again."""

import gzip
import json
from pydoc_data.topics import topics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.data import (
    Tokenizer,
    Vocabulary,
    characters,
    join_words,
    letter_ids,
    read_text,
    words,
)

TEXTS = st.text(st.sampled_from("aB1é\u0301 \n\t'\u2019-.,;()\"“”—_<$%😀"), max_size=40) | st.lists(
    st.sampled_from(["<eos>", "<unk>", "<pad", "x", " ", "\n", "...", "--", "3.14"])
).map("".join)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("don't state-of-the-art \u2019tis", ["don't", "state-of-the-art", "\u2019", "tis"]),
        ("dogs' tails", ["dogs", "'", "tails"]),
        ("3.14 1,000,000. 5th 3.5x", ["3.14", "1,000,000", ".", "5th", "3", ".", "5x"]),
        ("wait... well--known -", ["wait", "...", "well", "--", "known", "-"]),
        ("_x_ a_b", ["_", "x", "_", "a", "_", "b"]),
        ("<unk> <b> <eos>", ["<unk>", "<", "b", ">", "<eos>"]),
        ("déjà de\u0301ja\u0300", ["déjà", "de\u0301ja\u0300"]),
        ("Война и мир", ["Война", "и", "мир"]),
        ("a\nb\n\nc", ["a", "b", "c"]),
    ],
)
def test_words(text, tokens):
    assert words(text) == tokens


def test_line_ends_and_lower_case():
    assert words("A b\n\nC", line_end="<eos>") == ["A", "b", "<eos>", "<eos>", "C"]
    assert words("A b\nİ <UNK>", lower=True) == ["a", "b", "i\u0307", "<unk>"]


def test_an_apostrophe_ends_an_elided_word():
    text = "Aujourd'hui, j\u2019ai dit 'rock'n'roll'!"
    tokens = words(text, lower=True, elisions=True)
    assert tokens == [
        "aujourd'", "hui", ",", "j'", "ai", "dit", "'", "rock'", "n'", "roll", "'", "!"
    ]  # fmt: skip
    assert join_words(words("Qu'est-ce qu'il a ?", elisions=True)) == "Qu'est-ce qu'il a?"
    assert words("a\nb'\n", elisions=True, line_end="<eos>") == ["a", "<eos>", "b", "'", "<eos>"]


@given(TEXTS)
def test_words_lose_only_white_space(text):
    assert "".join("".join(words(text)).split()) == "".join(text.split())


@given(TEXTS)
def test_joined_words_split_into_the_same_words(text):
    for line_end in (None, "<eos>"):
        tokens = words(text, line_end=line_end)
        assert words(join_words(tokens), line_end="<eos>") == tokens


def test_real_text_splits_into_the_same_words():
    tokens = words(topics["for"] + topics["lambda"], line_end="<eos>")
    assert len(tokens) > 500
    assert words(join_words(tokens), line_end="<eos>") == tokens


@pytest.mark.parametrize(
    "text",
    [
        'He said, "Don\'t go (ever)!" And went...',
        "“Wait,” she cried—but it was too late: 3.14 > 3.",
        "First line.\nSecond line--the last; 5% of $20 [so].\n",
        "",
    ],
)
def test_well_spaced_text_is_joined_as_it_was(text):
    assert join_words(words(text, line_end="<eos>")) == text


def test_characters_are_code_points():
    assert characters("a é\n😀") == ["a", " ", "é", "\n", "😀"]
    assert "".join(characters(topics["for"])) == topics["for"]


@pytest.mark.parametrize("split", [words, characters])
def test_text_must_be_text(split):
    with pytest.raises(TypeError, match=f"{split.__name__}: text is a bytes, expected a str"):
        split(b"abc")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_text(tmp_path, pack):
    (tmp_path / "t").write_bytes(pack("\ufeffжизнь\r\nдым\rязык\n".encode()))
    assert read_text(tmp_path / "t") == "жизнь\nдым\nязык\n"
    (tmp_path / "t").write_bytes(pack(b""))
    assert read_text(str(tmp_path / "t")) == ""


PACKED = gzip.compress(b"text " * 100, mtime=0)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"abc\xff", "not UTF-8 text: byte 3 is 0xff"),
        (gzip.compress(b"ab\xc3", mtime=0), "not UTF-8 text: byte 2 is 0xc3"),
        (PACKED[:-9], "damaged gzip"),
        (PACKED[:2], "damaged gzip"),
        (PACKED[:12] + b"\xff" + PACKED[13:], "damaged gzip"),
        (PACKED[:-8] + bytes(8), "damaged gzip"),
        (PACKED + b"more", "damaged gzip"),
    ],
)
def test_damaged_text(tmp_path, content, named):
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(ValueError, match=f"t: {named}"):
        read_text(tmp_path / "t")


def test_missing_text_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "nothing")
    with pytest.raises(ValueError, match="expected a regular file"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("unit", "text", "tokens", "again"),
    [
        ("chars", "Aha.", ["A", "h", "a", "."], "Aha."),
        ("words", "Don't  stop.", ["don't", "stop", "."], "don't stop."),
        ("elided words", "J\u2019ai l'eau", ["j'", "ai", "l'", "eau"], "j'ai l'eau"),
    ],
)
def test_tokenizer(unit, text, tokens, again):
    tokenizer = Tokenizer.build(unit, [text, ""], specials=("<unk>", "<sos>", "<eos>"))
    assert tokenizer.cut(text) == tokens
    ids = tokenizer.encode(text, sos=True, eos=True)
    assert (ids[0], ids[-1], len(ids)) == (1, 2, len(tokens) + 2)
    assert tokenizer.decode(ids[1:-1]) == again
    assert tokenizer.decode(tokenizer.encode("ß")) == "<unk>"
    loaded = Tokenizer.from_dict(json.loads(json.dumps(tokenizer.to_dict())))
    assert (loaded.unit, loaded.vocabulary) == (unit, tokenizer.vocabulary)
    assert len(loaded) == 3 + len(set(tokens))
    assert loaded.encode_prompt(text, "--say").tolist() == ids[1:-1].tolist()
    for prompt, fault in (("", "the prompt is empty"), ("ß", r"the model does not know \['ß'\]")):
        with pytest.raises(ValueError, match=f"--say: {fault}"):
            loaded.encode_prompt(prompt, "--say")


def test_passages_are_long_enough_to_predict():
    tokenizer = Tokenizer.build("words", ["a b"])
    assert tokenizer.encode_passage("b a", "f.txt").tolist() == [5, 4]
    with pytest.raises(ValueError, match=r"^f\.txt: 1 words, expected at least 2$"):
        tokenizer.encode_passage("b ", "f.txt")


def test_tokenizers_that_there_are_not():
    with pytest.raises(ValueError, match="unit is 'lines', expected one of"):
        Tokenizer("lines", Vocabulary([]))
    with pytest.raises(TypeError, match="texts is one str"):
        Tokenizer.build("words", "a text")
    for state in ({}, {"unit": "words"}, [], {"unit": "words", "vocabulary": {"format": "?"}}):
        with pytest.raises(ValueError, match="not a description"):
            Tokenizer.from_dict(state)
    assert Tokenizer.build("words", ["a b a"], min_count=2).vocabulary.tokens[4:] == ("a",)


def test_letters_between_end_symbols():
    found = letter_ids(["abba", "", "c"], "abc", "names.txt")
    assert [ids.tolist() for ids in found] == [[0, 1, 2, 2, 1, 0], [0, 0], [0, 3, 0]]
    with pytest.raises(ValueError, match=r"^names.txt, name 2: no 'd' in the model's letters$"):
        letter_ids(["abba", "add"], "abc", "names.txt")
    with pytest.raises(ValueError, match=r"^names.txt: no names in it$"):
        letter_ids([], "abc", "names.txt")
