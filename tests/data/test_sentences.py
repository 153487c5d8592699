"""Sentences with tags or translations: what a file holds, and which line of it is wrong."""

import gzip

import pytest

from tinygrad_seq.data import (
    Tagged,
    check_tags,
    read_columns,
    read_dialogues,
    read_groups,
    read_labelled,
    read_labelled_folder,
    read_pairs,
    read_tagged,
    words,
)


def test_tagged_sentences(tmp_path):
    text = "\nThe\tDET\tDT\ncat\tNOUN\n\n\nJ' ai\tX\r\n\"\tPUNCT"
    (tmp_path / "s.tsv").write_bytes(text.encode())
    first, second = read_tagged(tmp_path / "s.tsv", longest=2)
    assert first == (["The", "cat"], ["DET", "NOUN"], 2)
    assert second == (["J' ai", '"'], ["X", "PUNCT"], 6)
    (tmp_path / "s.tsv.gz").write_bytes(gzip.compress((text + "\n\n").encode()))
    assert read_tagged(tmp_path / "s.tsv.gz") == [first, second]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\tX\nalone\n", "line 2: expected a word, a tab and a tag"),
        ("a\tX\n\tY\n", "line 2: expected a word, a tab and a tag"),
        ("a\tX\n\n \tY\n", "line 3: expected a word, a tab and a tag"),
        ("a\t\tX\n", "line 1: expected a word, a tab and a tag"),
        ("a\tX\n\nb\tX\nb\tX\nb\tX\n\n", "line 3: a sentence of 3 words, expected at most 2"),
        ("\n\n", " no sentences in it"),
        ("", " no sentences in it"),
    ],
)
def test_lines_that_are_not_tagged_words(text, said, tmp_path):
    (tmp_path / "s.tsv").write_text(text)
    with pytest.raises(ValueError, match=f"s.tsv.*{said}"):
        read_tagged(tmp_path / "s.tsv", longest=2)


def test_pairs(tmp_path):
    (tmp_path / "p.tsv").write_bytes("1\tGo.\tVa !\r\nA\x0bb\t\u2028c\n".encode())
    assert read_pairs(tmp_path / "p.tsv") == [("Go.", "Va !"), ("A\x0bb", "\u2028c")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\tb\nalone\n", "line 2: expected a sentence, a tab and another"),
        ("a\tb\n\nc\td\n", "line 2: expected a sentence, a tab and another"),
        ("a\t \n", "line 1: expected a sentence, a tab and another"),
        ("\ta\n", "line 1: expected a sentence, a tab and another"),
        ("a\tb\na b\tone, two\n", "line 2: a sentence of 3 words, expected at most 2"),
        ("", "no pairs in it"),
    ],
)
def test_lines_that_are_no_pairs(text, said, tmp_path):
    (tmp_path / "p.tsv").write_text(text)
    with pytest.raises(ValueError, match=f"p.tsv.*{said}"):
        read_pairs(tmp_path / "p.tsv", words, longest=2)


# ---- labels --------------------------------------------------------------------------------------


def test_labelled_texts(tmp_path):
    text = "so happy\t0\nvery, very\tangry\t1,2\n\t\t0\nno line end\t2"
    (tmp_path / "t.tsv").write_text(text)
    expected = [("so happy", ["0"]), ("very, very\tangry", ["1", "2"])]
    expected += [("\t", ["0"]), ("no line end", ["2"])]
    assert read_labelled(tmp_path / "t.tsv", {"0": "a", "1": "b", "2": "c"}) == expected
    (tmp_path / "t.tsv.gz").write_bytes(gzip.compress(text.encode()))
    assert read_labelled(tmp_path / "t.tsv.gz", "012") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fine\t0\nno tab\n", "line 2: expected text, a tab and labels that exist"),
        ("fine\t0\n\nfine\t0\n", "line 2: expected text, a tab and labels that exist"),
        ("fine\t0,3\n", "line 1: expected text, a tab and labels that exist"),
        ("fine\t\n", "line 1: expected text, a tab and labels that exist"),
        ("", "no texts in it"),
    ],
)
def test_texts_with_labels_that_do_not_exist(text, said, tmp_path):
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(ValueError, match=r"t\.tsv") as caught:
        read_labelled(tmp_path / "t.tsv", {"0", "1"})
    assert said in str(caught.value)


def test_groups_of_labels(tmp_path):
    path = tmp_path / "labels.tsv"
    path.write_text("name\tgroup\tid\njoy\tpositive\t0\nanger\tnegative\t1\n")
    assert read_groups(path) == {"0": "positive", "1": "negative"}
    path.write_text("name\tgroup\tid\njoy\tpositive\t0\nanger\tnegative\n")
    with pytest.raises(ValueError, match=r"labels\.tsv, line 3: 2 columns, expected 3"):
        read_groups(path)
    for titles in ("", "id\tname\n0\tjoy\n"):
        path.write_text(titles)
        with pytest.raises(ValueError, match=r"labels\.tsv: expected the titles id and group"):
            read_groups(path)


def test_columns_end_with_line_feeds_alone(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\u2028c\x85\td\n\nlast", newline="")
    expected = [(1, ["a", "b\u2028c\x85", "d"]), (2, [""]), (3, ["last"])]
    assert list(read_columns(tmp_path / "t.tsv")) == expected
    (tmp_path / "t.tsv").write_text("")
    assert list(read_columns(tmp_path / "t.tsv")) == []


def test_tags_that_a_model_lacks():
    sentences = [Tagged(["a", "b"], ["X", "Y"], 1), Tagged(["c", "d"], ["X", "Z"], 4)]
    check_tags("f.tsv", sentences, {"X", "Y", "Z"})
    with pytest.raises(ValueError, match=r"^f\.tsv, line 5: the model has no tag 'Z'$"):
        check_tags("f.tsv", sentences, {"X", "Y"})


def test_labelled_texts_of_a_folder(tmp_path):
    (tmp_path / "labels.tsv").write_text("id\tgroup\n0\tgood\n1\tbad\n")
    (tmp_path / "train.tsv.gz").write_bytes(gzip.compress(b"fine\t0\n"))
    with pytest.raises(FileNotFoundError, match=r"neither dev\.tsv nor"):
        read_labelled_folder(tmp_path)
    (tmp_path / "dev.tsv").write_text("well\t0,1\n")
    groups = {"0": "good", "1": "bad"}
    assert read_labelled_folder(tmp_path) == ([("fine", ["0"])], [("well", ["0", "1"])], groups)
    (tmp_path / "dev.tsv").write_text("well\t2\n")
    with pytest.raises(ValueError, match=r"dev\.tsv, line 1: .* labels that exist"):
        read_labelled_folder(tmp_path)


def test_dialogues(tmp_path):
    """Earlier turns of the same dialogue stand before what is said, as many as asked for."""
    lines = ["7\tx\ta\tb", "7\tx\tc\td", "7\tx\te\tf", "8\tx\tg\th", "i\tj", "k\tl"]
    path = tmp_path / "d.tsv"
    path.write_text("\n".join(lines))
    replies = ["b", "d", "f", "h", "j", "l"]
    for turns, said in (
        (0, ["a", "c", "e", "g", "i", "k"]),
        (1, ["a", "b / c", "d / e", "g", "i", "k"]),
        (9, ["a", "a / b / c", "a / b / c / d / e", "g", "i", "k"]),
    ):
        assert read_dialogues(path, turns) == list(zip(said, replies, strict=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\tb\nalone\n", "line 2: expected what is said, a tab and the reply"),
        ("a\t \n", "line 1: expected what is said, a tab and the reply"),
        ("a\tb\nc\td e f\n", "line 2: a turn of 3 words, expected at most 2"),
        ("", " no dialogues in it"),
    ],
)
def test_lines_that_are_not_dialogues(text, said, tmp_path):
    (tmp_path / "d.tsv").write_text(text)
    with pytest.raises(ValueError, match=f"d.tsv.*{said}"):
        read_dialogues(tmp_path / "d.tsv", longest=2)
