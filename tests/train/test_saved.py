"""A model in one file: built again as it was, or the file is named with what is wrong."""

import json

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn, train


class Line(nn.Module):
    """A linear layer and dropout."""

    def __init__(self, inputs, outputs=1):
        self.linear, self.dropout = nn.Linear(inputs, outputs), nn.Dropout(0.5)


class Other(Line):
    """The same, by another name."""


def test_a_saved_model_is_built_again(tmp_path):
    path, model = tmp_path / "new" / "m", Line(3, outputs=2)
    train.save_model(path, model, {"inputs": 3, "outputs": 2})
    found = train.load_model(path, Line)
    assert type(found) is Line
    assert not found.training
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(found.state_dict()[name], array)
    assert [file.name for file in path.parent.iterdir()] == ["m"]


def test_other_files_are_refused(tmp_path):
    path, model = tmp_path / "m", Line(3)
    train.save_model(path, model, {"inputs": 3})
    with pytest.raises(ValueError, match=r"m: not .*: its class is Line, expected Other"):
        train.load_model(path, Other)
    train.save_model(path, model, {"inputs": 4})
    with pytest.raises(ValueError, match=r"m: not a model of this program: .*\(1, 3\)"):
        train.load_model(path, Line)
    train.save_model(path, model, {"widths": 3})
    with pytest.raises(ValueError, match=r"m: not a model of this program: .*'widths'"):
        train.load_model(path, Line)
    for about in ({}, {"model": json.dumps({"class": "Line"})}, {"model": "{"}):
        tg.save(path, model.state_dict(), about)
        with pytest.raises(ValueError, match=r"m: not a model of this program: "):
            train.load_model(path, Line)
    with pytest.raises(FileNotFoundError):
        train.load_model(tmp_path / "none", Line)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_settings_are_finite(number, tmp_path):
    path, model = tmp_path / "m", Line(3)
    with pytest.raises(ValueError, match="not JSON compliant"):
        train.save_model(path, model, {"inputs": float(number)})
    assert not path.exists()
    about = '{"class": "Line", "settings": {"inputs": 3, "outputs": [' + number + "]}}"
    tg.save(path, model.state_dict(), {"model": about})
    with pytest.raises(ValueError, match=f"m: not .*: its settings have {number}, expected finite"):
        train.load_model(path, Line)


def test_settings_that_json_does_not_have_leave_nothing(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        train.save_model(tmp_path / "m", Line(3), {"inputs": np.int64(3)})
    assert list(tmp_path.iterdir()) == []
