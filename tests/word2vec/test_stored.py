"""WordVectors.save and load: mapped files, and what is wrong with them."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq.word2vec import WordVectors


@pytest.mark.parametrize("mmap", [False, True])
def test_there_and_back(mmap, wv, tmp_path):
    wv.save(tmp_path / "vectors")
    found = WordVectors.load(tmp_path / "vectors", mmap=mmap)
    assert found.words == wv.words
    assert np.array_equal(found.vectors, wv.vectors)
    assert found.counts.tolist() == wv.counts.tolist()
    assert found.most_similar("king") == wv.most_similar("king")
    assert found["été"].tolist() == wv["été"].tolist()
    found.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "vectors").read_bytes()


def test_strange_words(tmp_path):
    words = ["", " ", "a b", "\r", "\x85", "日本"]
    wv = WordVectors(words, np.eye(6, dtype=np.float32))
    wv.save(tmp_path / "vectors")
    found = WordVectors.load(tmp_path / "vectors")
    assert found.words == words
    assert found.counts is None


def test_mapped_vectors_outlive_their_file(wv, tmp_path):
    path = tmp_path / "vectors"
    wv.save(path)
    found = WordVectors.load(path)
    WordVectors(["other"], [[1.0]]).save(path)
    assert np.array_equal(found.vectors, wv.vectors)
    found.save(path)
    assert WordVectors.load(path).words == wv.words


def test_loading_reads_neither_words_nor_vectors(tmp_path):
    """The file's arrays are changed behind its back: what was loaded before sees it."""
    path = tmp_path / "vectors"
    WordVectors(["abc", "def"], [[1.5], [2.5]]).save(path)
    mapped, copied = WordVectors.load(path), WordVectors.load(path, mmap=False)
    content = path.read_bytes()
    changed = content.replace(b"abc", b"xyz").replace(np.float32(2.5).tobytes(), b"\0\0\0\0")
    with open(path, "r+b") as file:
        file.write(changed)
    assert mapped.words == ["xyz", "def"]
    assert mapped.vectors.tolist() == [[1.5], [0]]
    assert copied.vectors.tolist() == [[1.5], [2.5]]


def test_files_that_are_no_word_vectors(wv, tmp_path):
    path = tmp_path / "file"
    for content in (b"", b"text", b"\0" * 100):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="file: not valid safetensors"):
            WordVectors.load(path)
    wv.save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="file: not valid safetensors"):
        WordVectors.load(path)
    tg.save(path, {"vectors": wv.vectors})
    with pytest.raises(ValueError, match="file: not word vectors that this package saved"):
        WordVectors.load(path)
    with pytest.raises(FileNotFoundError):
        WordVectors.load(tmp_path / "missing")


TABLE = {"vectors": np.ones((2, 3), np.float32), "words": np.frombuffer(b"a\nb\n", np.uint8)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": np.ones(3, np.float32)}, "no float32 table 'vectors'"),
        ({"vectors": np.ones((2, 3), np.float64)}, "'vectors' has dtype F64"),
        ({"vectors": np.ones((2, 3), np.int64)}, "no float32 table 'vectors'"),
        ({"words": np.ones((2, 3), np.uint8)}, "no bytes 'words'"),
        ({"words": np.ones(3, np.float32)}, "no bytes 'words'"),
        ({"counts": np.ones(3, np.int64)}, "'counts' are not 2 int64"),
        ({"counts": np.ones(2, np.float32)}, "'counts' are not 2 int64"),
        ({"words": np.frombuffer(b"a\nb\nc\n", np.uint8)}, "3 words for 2 vectors"),
        ({"words": np.frombuffer(b"a\nb", np.uint8)}, "1 words for 2 vectors"),
        ({"words": np.frombuffer(b"a\n\xff\n", np.uint8)}, "its words are not UTF-8"),
        ({"words": np.frombuffer(b"a\na\n", np.uint8)}, r"stand twice: \['a'\]"),
    ],
)
def test_files_whose_parts_do_not_fit(change, message, tmp_path):
    path = tmp_path / "file"
    tg.save(path, {**TABLE, **change}, {"format": "tinygrad_seq.word_vectors.1"})
    with pytest.raises(ValueError, match=message):
        WordVectors.load(path)["a"]
    del (arrays := {**TABLE})["words"]
    tg.save(path, arrays, {"format": "tinygrad_seq.word_vectors.1"})
    with pytest.raises(ValueError, match="no bytes 'words'"):
        WordVectors.load(path)


def test_words_that_cannot_be_stored(tmp_path):
    for word in ("a\nb", "\ud800"):
        with pytest.raises(ValueError, match=r"holds a line end|is not valid Unicode"):
            WordVectors([word], [[1.0]]).save(tmp_path / "file")
    assert not any(tmp_path.iterdir())
