"""Figures of a comparison, kept from one run to the next."""

import json

import pytest

from tinygrad_seq import train

ABOUT = {"data": None, "lr": 0.1}


def test_what_was_found_is_not_computed_again(tmp_path):
    path, calls = tmp_path / "new" / "scores.json", []

    def compute(figure):
        return lambda: calls.append(figure) or figure

    scores = train.Scores(path, ABOUT)
    assert [scores.find("a", compute(1)), scores.find("a", compute(9))] == [1.0, 1.0]
    with pytest.raises(KeyboardInterrupt):
        scores.find("b", lambda: exec("raise KeyboardInterrupt"))
    again = train.Scores(path, ABOUT, resume=True)
    assert [again.find("a", compute(9)), again.find("b", compute(2))] == [1.0, 2.0]
    assert calls == [1, 2]
    assert json.loads(path.read_text())["figures"] == {"a": 1.0, "b": 2.0}
    assert train.Scores(path, ABOUT).find("a", compute(3)) == 3.0
    assert [file.name for file in path.parent.iterdir()] == ["scores.json"]


def test_scores_of_something_else_are_refused(tmp_path):
    path = tmp_path / "scores.json"
    train.Scores(path, ABOUT).find("a", lambda: 1)
    before = path.read_bytes()
    for about, message in (
        (
            {**ABOUT, "lr": 0.2},
            r"--lr is 0\.2, the checkpoint was trained with 0\.1 .*scores\.json",
        ),
        ({**ABOUT, "seed": 1}, "--seed is 1, the checkpoint was trained with none"),
        ({"lr": 0.1, "data": "x"}, "--data is x, the checkpoint was trained with none"),
    ):
        with pytest.raises(ValueError, match=message):
            train.Scores(path, about, resume=True)
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError, match=r"other\.json"):
        train.Scores(tmp_path / "other.json", ABOUT, resume=True)
    assert [file.name for file in tmp_path.iterdir()] == ["scores.json"]


@pytest.mark.parametrize(
    "text", ["[" * 10**5, "", "[]", "{}", '{"about": {}, "figures": {"a": "x"}}', "\xff"]
)
def test_damaged_files_are_refused(text, tmp_path):
    path = tmp_path / "scores.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"scores\.json: not a file of scores"):
        train.Scores(path, ABOUT, resume=True)
    assert path.read_bytes() == text.encode("latin-1")
