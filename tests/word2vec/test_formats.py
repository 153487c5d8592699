"""word2vec's and GloVe's files: bytes as gensim writes them, there and back, and bad ones."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from tinygrad_seq.word2vec import WordVectors

WORDS = ["king", "été", "x"]
VECTORS = np.array([[0.1, -1.5], [1e-5, 3.0], [1234567.9, 1e20]], dtype=np.float32)
TEXT = "3 2\nking 0.1 -1.5\nété 1e-05 3.0\nx 1.2345679e+06 1e+20\n".encode()
BINARY = (
    b"3 2\nking " + struct.pack("<2f", 0.1, -1.5)
    + "été ".encode() + struct.pack("<2f", 1e-5, 3)
    + b"x " + struct.pack("<2f", 1234567.9, 1e20)
)  # fmt: skip
GLOVE = TEXT.partition(b"\n")[2]
FORMS = {
    "text": (TEXT, {}, {}),
    "binary": (BINARY, {"binary": True}, {"binary": True}),
    "glove": (GLOVE, {"no_header": True}, {"write_header": False}),
}
load = WordVectors.load_word2vec_format


@pytest.fixture
def three():
    padded = np.full((3, 16), np.nan, dtype=np.float32)
    padded[:, :2] = VECTORS
    return WordVectors(WORDS, padded[:, :2], counts=[9, 5, 5])


def same(wv, words=WORDS, vectors=VECTORS):
    return wv.words == list(words) and np.array_equal(wv.vectors, vectors)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_bytes_as_gensim_writes_them_and_back(form, packed, three, tmp_path):
    content, reading, writing = FORMS[form]
    path = tmp_path / ("vectors.gz" if packed else "vectors")
    three.save_word2vec_format(path, **writing)
    written = path.read_bytes()
    assert (gzip.decompress(written) if packed else written) == content
    assert same(load(path, **reading))


@pytest.mark.parametrize("form", FORMS)
def test_limit(form, three, tmp_path):
    content, reading, writing = FORMS[form]
    path = tmp_path / "vectors"
    path.write_bytes(content)
    for limit in (1, 2, 3, 7):
        assert same(load(path, limit=limit, **reading), WORDS[:limit], VECTORS[:limit])
    three.save_word2vec_format(path, limit=2, **writing)
    assert same(load(path, **reading), WORDS[:2], VECTORS[:2])
    with pytest.raises(ValueError, match="limit is 0, expected 1 or more"):
        load(path, limit=0, **reading)


@pytest.mark.parametrize("form", FORMS)
def test_many_rows_there_and_back(form, tmp_path):
    """More than one chunk of lines, and of bytes."""
    _, reading, writing = FORMS[form]
    random = np.random.default_rng(0)
    vectors = random.normal(size=(5000, 70)) * 10.0 ** random.integers(-9, 9, size=(5000, 1))
    wv = WordVectors([f"w{i}" for i in range(5000)], vectors.astype(np.float32))
    wv.save_word2vec_format(tmp_path / "vectors", **writing)
    assert same(load(tmp_path / "vectors", **reading), wv.words, wv.vectors)


def test_the_original_programs_spaces_and_line_ends(tmp_path):
    """word2vec.c ends rows of text with a space and rows of numbers with a line end."""
    path = tmp_path / "vectors"
    path.write_bytes(TEXT.replace(b"\n", b" \n").replace(b"3 2 ", b"3 2"))
    assert same(load(path))
    path.write_bytes(TEXT.replace(b"\n", b"\r\n") + b"\n\n")
    assert same(load(path))
    rows = [BINARY[4 + i : 4 + j] for i, j in ((0, 13), (13, 27), (27, 37))]
    path.write_bytes(b"3 2\n" + b"".join(row + b"\n" for row in rows))
    assert same(load(path, binary=True))
    path.write_bytes(TEXT.replace(b" 0.1 ", b"\t0.1   ").rstrip())
    assert same(load(path))


def test_words_with_spaces_in_glove_files(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_bytes(b"the 1 2 3\n. . . 4 5 6\nat name@domain.com 7 8 9\n\xc2\x85 0 0 1\n")
    wv = load(path, no_header=True)
    assert wv.words == ["the", ". . .", "at name@domain.com", "\x85"]
    assert wv["at name@domain.com"].tolist() == [7, 8, 9]
    with pytest.raises(ValueError, match="holds a space"):
        wv.save_word2vec_format(path)
    assert load(path, no_header=True).words == wv.words


def test_counts(three, tmp_path):
    files = tmp_path / "vectors", tmp_path / "counts"
    three.save_word2vec_format(*files)
    assert files[1].read_bytes() == "king 9\nété 5\nx 5\n".encode()
    assert load(*files).counts.tolist() == [9, 5, 5]
    three.save_word2vec_format(*files, limit=2)
    assert load(*files).counts.tolist() == [9, 5]
    assert load(files[0]).counts is None
    with pytest.raises(ValueError, match="there are no counts"):
        load(files[0]).save_word2vec_format(*files)
    for text, message in {"king 9\n": r"1 words, such as \['été'\]", "king nine": "line 1"}.items():
        files[1].write_text(text)
        with pytest.raises(ValueError, match=message):
            load(*files)


BAD_TEXT = {
    b"": "line 1: the header is b''",
    b"king 0.1 0.2\n": "line 1: the header is b'king 0.1 0.2.n', expected 'rows width'",
    b"3 2 1\nx 1 2\n": "line 1: the header is",
    b"-3 2\nx 1 2\n": "line 1: the header is",
    b"1 0\nx\n": "line 1: rows of 0 numbers",
    b"1 1048577\nx 1\n": "line 1: rows of 1048577 numbers",
    b"2 2\nx 1 2\n": "the header says 2 rows",
    b"2 2\nx 1.000 2.000\n": "the header says 2 rows, the file has 1",
    b"1 2\nx 1 2\ny 1 2\n": "the header says 1 rows, the file has more",
    b"2 2\nx 1 2\n\ny 1 2\n": "line 3: blank, expected a vector",
    b"2 2\nx 1 2\ny 1\n": "line 3: 1 numbers after the word, expected 2",
    b"2 2\nx 1 2\ny 1 2 3\n": "line 3: 3 numbers after the word, expected 2",
    b"2 3\nx 1 2\ny 1 2\n": "line 2: 2 numbers after the word, expected 3",
    b"2 2\nx 1 2 \n 1 2\n": "line 3: a vector without a word",
    b"2 2\nx 1 2\ny 1 two\n": "line 3: b'1 two' are not 2 numbers",
    b"2 2\nx 1 2\ny 1,5 2\n": "line 3: b'1,5 2' are not 2 numbers",
    b"2 2\nx 1 2\ny nan 1\n": "line 3: numbers that are not finite",
    b"2 2\nx 1 2\ny 1 1e99\n": "line 3: numbers that are not finite",
    b"2 2\nx 1 2\ny\xff 1 2\n": "line 3: the word b'y.xff' is not utf-8",
    b"3 2\nx 1 2\ny 1 2\nx 1 2\n": "line 4: the word 'x': it is row 1 already",
}


@pytest.mark.parametrize("content", BAD_TEXT, ids=lambda content: ascii(content)[:40])
@pytest.mark.parametrize("packed", [False, True])
def test_bad_text(content, packed, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=BAD_TEXT[content]) as caught:
        load(path)
    assert str(path) in str(caught.value)


ROW = b"x " + struct.pack("<2f", 1, 2)
BAD_BINARY = {
    b"2 2\n" + ROW: "the header says 2 rows|the file ends in row 2 of 2",
    b"2 2\n" + ROW + b"y " + ROW[2:9]: "ends in row 2 of 2: it is cut short|at least",
    b"1 2\n" + ROW + b"y " + ROW[2:]: "the header says 1 rows of 2, the file has more",
    b"2 1\n" + ROW + b"yyyyy " + ROW[2:]: "is not|row 2|the file has more|already",
    b"2 2\n" + ROW + b"y " + struct.pack("<2f", 1, np.nan): "row 2: numbers that are not finite",
    b"2 2\n" + ROW + ROW: "row 2: the word 'x': it is row 1 already",
    b"2 2\n" + ROW + b"\xff\xfe " + ROW[2:]: "row 2: the word b'.xff.xfe' is not utf-8",
    b"2 2\n" + ROW + b" " + ROW[2:] + b"more": "row 2: a vector without a word",
    b"1 2\n" + b"y" * 70_000 + ROW: "row 1: a word of more than 65536 bytes",
    b"binary": "line 1: the header is b'binary'",
}


@pytest.mark.parametrize("content", BAD_BINARY, ids=lambda content: ascii(content)[:40])
@pytest.mark.parametrize("packed", [False, True])
def test_bad_binary(content, packed, tmp_path):
    path = tmp_path / "bad.bin"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=BAD_BINARY[content]) as caught:
        load(path, binary=True)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("header", ["1000000000000 300", "1000000 1000000", "9" * 90 + " 2"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_lying_header_takes_no_memory(binary, header, packed, tmp_path):
    content = header.encode() + b"\n" + (BINARY if binary else TEXT).partition(b"\n")[2]
    path = tmp_path / "huge"
    path.write_bytes(gzip.compress(content) if packed else content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"huge.*(header|numbers|cut short)"):
        load(path, binary=binary)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("cut", range(4, len(BINARY), 3))
def test_truncated_files(cut, tmp_path):
    path = tmp_path / "cut"
    path.write_bytes(BINARY[:cut])
    with pytest.raises(ValueError, match=r"cut.*header"):
        load(path, binary=True)
    packed = gzip.compress(BINARY)
    path.write_bytes(packed[: len(packed) * cut // len(BINARY)])
    with pytest.raises(ValueError, match=r"damaged gzip|header"):
        load(path, binary=True)


@pytest.mark.parametrize("form", FORMS)
def test_broken_utf8_as_the_caller_wants_it(form, tmp_path):
    content, reading, _ = FORMS[form]
    path = tmp_path / "broken"
    path.write_bytes(content.replace("été".encode(), b"\xc3\xa9t\xc3"))
    with pytest.raises(ValueError, match=r"is not utf-8 .unicode_errors='replace' or 'ignore'"):
        load(path, **reading)
    assert load(path, unicode_errors="replace", **reading).words[1] == "ét\ufffd"
    assert load(path, unicode_errors="ignore", **reading).words[1] == "ét"
    assert load(path, encoding="latin-1", **reading).words[1] == "Ã©tÃ"


@pytest.mark.parametrize("form", FORMS)
def test_the_first_of_duplicates(form, tmp_path):
    content, reading, _ = FORMS[form]
    path = tmp_path / "twice"
    path.write_bytes(content.replace("été".encode(), b"king"))
    wv = load(path, duplicates="first", **reading)
    assert same(wv, ["king", "x"], VECTORS[[0, 2]])
    with pytest.raises(ValueError, match="duplicates is 'last'"):
        load(path, duplicates="last", **reading)


def test_glove_files_that_cannot_be_used(tmp_path):
    path = tmp_path / "glove.txt"
    for content, message in {
        b"": "glove.txt: the file is empty",
        b"\n\n": "glove.txt: the file is empty",
        b"word\n": "line 1: b'word.n', expected a word and numbers",
        b"3 2\nking 1 2\n": "line 2: 2 numbers after the word, expected 1",
        b"a 1 2\nb 1\n": "line 2: 1 numbers after the word, expected 2",
    }.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load(path, no_header=True)
    with pytest.raises(ValueError, match="a binary file has a header"):
        load(path, binary=True, no_header=True)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(ValueError, match="a folder or device"):
        load(tmp_path)


@pytest.mark.parametrize("word", ["", "a b", "a\nb", "\ud800"])
def test_words_that_cannot_be_written(word, tmp_path):
    path = tmp_path / "kept"
    path.write_text("before")
    for options in ({}, {"binary": True}, {"write_header": False}):
        with pytest.raises(ValueError, match="cannot be written"):
            WordVectors(["x", word], [[1.0], [2.0]]).save_word2vec_format(path, **options)
    assert path.read_text() == "before"


def test_vectors_that_cannot_be_written(tmp_path):
    wv = WordVectors(["x", "y"], [[1, 2], [np.inf, 1]])
    for options in ({}, {"binary": True}):
        with pytest.raises(ValueError, match="y: numbers that are not finite"):
            wv.save_word2vec_format(tmp_path / "new", **options)
    with pytest.raises(ValueError, match="a binary file has a header"):
        wv.save_word2vec_format(tmp_path / "new", binary=True, write_header=False)
    assert not any(tmp_path.iterdir())


def test_no_words(tmp_path):
    empty = WordVectors([], np.empty((0, 3), dtype=np.float32))
    for options in ({}, {"binary": True}):
        empty.save_word2vec_format(tmp_path / "none", **options)
        assert load(tmp_path / "none", **options).vectors.shape == (0, 3)
    empty.save(tmp_path / "none")
    assert WordVectors.load(tmp_path / "none").words == []


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_are_read_whole_or_named(form, tmp_path):
    """Bytes changed, put in and taken out at random: finite vectors, or an error with the path."""
    content, reading, _ = FORMS[form]
    path, random = tmp_path / "damaged", np.random.default_rng(0)
    read = refused = 0
    for _ in range(100):
        damaged = bytearray(content)
        for place in random.integers(0, len(content) - 9, size=random.integers(1, 4)).tolist():
            damaged[place : place + random.integers(0, 4)] = random.bytes(random.integers(0, 3))
        path.write_bytes(damaged)
        try:
            wv = load(path, unicode_errors="replace", **reading)
        except ValueError as error:
            refused += str(path) in str(error)
            wv = None
        if wv is not None:
            assert np.isfinite(wv.vectors).all()
            assert len(wv.words) == len(wv.vectors)
            read += 1
    assert read + refused == 100
    assert 30 < refused < 100
