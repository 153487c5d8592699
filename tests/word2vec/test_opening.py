"""Any file of vectors opened by its name, and the lecture's tables."""

import numpy as np
import pytest

from tinygrad_seq.word2vec import (
    WordVectors,
    correlation_table,
    feature_table,
    one_hot_table,
    open_vectors,
)

WV = WordVectors(["king", "queen", "extraordinarily"],
                 np.float32([[1, 2, 3], [1, 2, 4], [3, 2, 1]]))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "binary", "header"),
    [
        ("v.bin", True, True),
        ("v.txt", False, True),
        ("v.vec.gz", False, True),
        ("g.txt", False, False),
    ],
)
def test_files_of_others(name, binary, header, tmp_path):
    WV.save_word2vec_format(tmp_path / name, binary=binary, write_header=header)
    found = open_vectors(tmp_path / name, no_header=not header)
    assert found.words == WV.words
    np.testing.assert_array_equal(found.vectors, WV.vectors)


def test_files_of_our_own(tmp_path):
    WV.save(tmp_path / "v.safetensors")
    assert open_vectors(str(tmp_path / "v.safetensors")).words == WV.words
    with pytest.raises(FileNotFoundError):
        open_vectors(tmp_path / "none")


def test_correlation_table():
    head, king, queen, third = correlation_table(WV, WV.words).split("\n")
    assert head == " correlation    king   queen extraor"
    assert king == "        king    1.00    0.98   -1.00"
    assert queen == "       queen    0.98    1.00   -0.98"
    assert third == "extraordinar   -1.00   -0.98    1.00"
    assert correlation_table(WV, ["king"], nearest=2).endswith(
        "        king    1.00   nearest: queen, extraordinarily"
    )
    with pytest.raises(KeyError):
        correlation_table(WV, ["prince"])


def test_one_hot_table():
    assert one_hot_table(["dog", "cat"]) == "     dog [1, 0]\n     cat [0, 1]"


def test_feature_table():
    head, size, age, rank = feature_table(WV, ["size", "age", "rank"]).split("\n")
    assert head == " " * 12 + "    king   queen extraor"
    for line, name, column in ((size, "size", 0), (age, "age", 1), (rank, "rank", 2)):
        assert line.split() == [name, *(f"{vector[column]:.2f}" for vector in WV.vectors)]
    with pytest.raises(ValueError, match="1 features, expected 3"):
        feature_table(WV, ["size"])
