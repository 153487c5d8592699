"""Corpora: which texts are trained on and which validate, from files, folders, or built in."""

import gzip
import re

import pytest

from tinygrad_seq.data import built_in_text, load_corpus

TEXT = "".join(f"line {i}\n" for i in range(100))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "train.txt").write_text("for training")
    (tmp_path / "val.txt").write_text("to validate")
    (tmp_path / "other.txt").write_text("something else")
    return tmp_path


def test_built_in_text():
    text = built_in_text()
    assert len(text) > 300_000
    assert text == built_in_text()
    assert "lambda" in text
    assert text.isascii() or max(map(ord, text)) < 0x11_0000
    corpus = load_corpus()
    assert corpus.train + corpus.validation == text
    assert len(corpus.validation) == pytest.approx(0.1 * len(text), rel=0.01)
    assert corpus.source == "the last 10% of the built-in text"


@pytest.mark.parametrize("held_out", [0.01, 0.1, 0.5, 0.9])
def test_the_last_lines_are_held_out(held_out, folder):
    corpus = load_corpus(folder / "text.txt", held_out=held_out)
    assert corpus.train + corpus.validation == TEXT
    assert corpus.train.endswith("\n")
    assert len(corpus.validation) == pytest.approx(held_out * len(TEXT), abs=len("line 99\n"))
    assert str(folder / "text.txt") in corpus.source


@pytest.mark.parametrize(
    "text", ["ab", "abcdefghij" * 3, "\n\n", "a\n", "\nab", "abcdefghi\nj", "é" * 9]
)
def test_texts_without_a_line_end_to_cut_at(text, tmp_path):
    (tmp_path / "t").write_text(text)
    corpus = load_corpus(tmp_path / "t")
    assert corpus.train + corpus.validation == text
    assert corpus.train
    assert corpus.validation


def test_validation_beside_training(folder):
    corpus = load_corpus(folder / "train.txt")
    assert corpus == ("for training", "to validate", str(folder / "val.txt"))
    (folder / "val.txt").unlink()
    (folder / "train.txt").write_text(TEXT)
    assert "the last 9% of" in load_corpus(folder / "train.txt").source


def test_a_named_validation_goes_first(folder):
    other = folder / "other.txt"
    for path in ("train.txt", "text.txt", "."):
        corpus = load_corpus(folder / path, other)
        assert corpus.validation == "something else"
        assert corpus.source == str(other)
    assert load_corpus(folder, other).train == "for training"
    (folder / "val.txt").unlink()
    assert load_corpus(folder, other).train == "for training"
    assert load_corpus(None, other) == (built_in_text(), "something else", str(other))


def test_folder_and_str_paths(folder):
    expected = ("for training", "to validate", str(folder / "val.txt"))
    assert load_corpus(folder) == load_corpus(str(folder)) == expected


def test_compressed(folder):
    for name in ("train", "val"):
        path = folder / f"{name}.txt"
        (folder / f"{name}.txt.gz").write_bytes(gzip.compress(path.read_bytes() + b" packed"))
    assert load_corpus(folder).train == "for training"  # the plain file first
    packed = ("for training packed", "to validate packed", str(folder / "val.txt.gz"))
    assert load_corpus(folder / "train.txt.gz") == packed
    for name in ("train", "val"):
        (folder / f"{name}.txt").unlink()
    (folder / "train.txt~").write_text("an editor's copy")
    assert load_corpus(folder) == packed


def test_missing(folder):
    for arguments in [("none.txt",), ("text.txt", "none.txt")]:
        with pytest.raises(FileNotFoundError, match=r"none\.txt"):
            load_corpus(*(folder / name for name in arguments))
    (folder / "val.txt").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{re.escape(str(folder))}: neither val\.txt nor"):
        load_corpus(folder)
    (folder / "train.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"neither train\.txt nor train\.txt\.gz"):
        load_corpus(folder, folder / "text.txt")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_empty(content, folder):
    (folder / "empty").write_bytes(content)
    for arguments in [("empty",), ("text.txt", "empty")]:
        with pytest.raises(ValueError, match="empty: the file is empty"):
            load_corpus(*(folder / name for name in arguments))
    (folder / "val.txt").write_bytes(content)
    with pytest.raises(ValueError, match=r"val\.txt: the file is empty"):
        load_corpus(folder)


def test_one_character_is_too_few(folder):
    (folder / "one").write_text("x")
    with pytest.raises(ValueError, match="one: one character"):
        load_corpus(folder / "one")


def test_binary(folder):
    (folder / "binary").write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match="binary: not UTF-8 text"):
        load_corpus(folder / "binary")


@pytest.mark.parametrize("held_out", [0.0, 1.0, -0.1, 2, float("nan")])
def test_bad_shares(held_out):
    with pytest.raises(ValueError, match=f"held_out is {held_out}"):
        load_corpus(held_out=held_out)
