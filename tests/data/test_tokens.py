"""Words of a byte stream as numbers: the compiled scanner against Python's split."""

import gzip
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.data import tokens
from tinygrad_seq.data.tokens import number_tokens


def sentences(numbered):
    """The sentences as lists of words."""
    found, rest = [], []
    for block in numbered.blocks:
        words = [numbered.word(i) for i in block.ids.tolist()]
        start = 0
        for end in block.ends.tolist():
            found.append(rest + words[start:end])
            rest, start = [], end
        rest = rest + words[start:]
    return [sentence for sentence in [*found, rest] if sentence]


def expected(text):
    return [line.split() for line in text.split("\n") if line.split()]


SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"
LETTERS = "aé\x00\x1b\u07ff\u0800\u2007\u200b\ud7ff\ue000\uffff\U00010000\U0010ffff字"


@given(st.text(st.sampled_from(SPACES + LETTERS), max_size=60), st.integers(1, 7))
def test_scanner_splits_as_python_does(text, step):
    data = text.encode()

    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, step))

    assert sentences(number_tokens(Slow(data))) == expected(text)


def test_words_over_chunks_and_a_growing_table(monkeypatch):
    monkeypatch.setattr(tokens, "CHUNK", 64)
    rng = np.random.default_rng(0)
    words = [f"w{i}é" for i in rng.integers(0, 3000, 20000)]
    text = "\n".join(" ".join(words[i : i + 37]) for i in range(0, len(words), 37))
    numbered = number_tokens(io.BytesIO(text.encode()))
    assert sentences(numbered) == expected(text)
    assert numbered.size == len(set(words))


def test_many_different_words():
    text = " ".join(f"{i:x}" for i in range(400_000))
    numbered = number_tokens(io.BytesIO(text.encode()))
    assert numbered.size == 400_000
    assert [numbered.word(i) for i in (0, 255, 399_999)] == ["0", "ff", "61a7f"]


def test_files_plain_and_gzip(tmp_path):
    text = "\ufeffa b\n\nb c\n"
    (tmp_path / "plain").write_text(text, encoding="utf-8")
    with gzip.open(tmp_path / "packed", "wt", encoding="utf-8") as file:
        file.write(text)
    for name in ("plain", "packed"):
        assert sentences(number_tokens(tmp_path / name)) == [["a", "b"], ["b", "c"]]
    assert sentences(number_tokens(io.StringIO("é b\nc"))) == [["é", "b"], ["c"]]


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"\xe0\x80\xaf",
        b"\x80",
    ],
)
@pytest.mark.parametrize("after", [b"", b" x\n"])
def test_broken_utf8_names_its_place(tmp_path, bad, after):
    path = tmp_path / "text"
    path.write_bytes(b"one\ntwo " + bad + after)
    with pytest.raises(ValueError, match=r"text: byte 8, in line 2, is not UTF-8"):
        number_tokens(path)


def test_damaged_gzip(tmp_path):
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"words " * 1000)[:-20])
    with pytest.raises(ValueError, match=r"text.gz: a damaged gzip file"):
        number_tokens(path)


def test_a_token_without_end(monkeypatch):
    monkeypatch.setattr(tokens, "CHUNK", 1000)
    assert number_tokens(io.BytesIO(b"a\n" + b"b" * 900)).size == 2
    with pytest.raises(ValueError, match=r"line 2 has a token of over 1000 bytes"):
        number_tokens(io.BytesIO(b"a\n" + b"b" * 1000 + b" c"))


def test_not_a_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        number_tokens(tmp_path / "missing")
    with pytest.raises(ValueError, match="folder"):
        number_tokens(tmp_path)


def test_lists_in_batches(monkeypatch):
    monkeypatch.setattr(tokens, "BATCH", 5)
    given_ = [["a", "b", "c"], [], ["b"], ["c"] * 9, ["d", "a"]]
    assert sentences(number_tokens(iter(given_))) == [s for s in given_ if s]
    assert sentences(number_tokens((w for w in s) for s in given_)) == [s for s in given_ if s]
