"""Series from files: months in order, pieces as piano rolls, transposed and heard."""

import json

import numpy as np
import pytest

from tinygrad_seq.data import series


@pytest.fixture
def table(tmp_path):
    def write(*lines):
        path = tmp_path / "series.csv"
        path.write_text("\n".join(("month,value", *lines)))
        return path

    return write


def test_months(table):
    months, values = series.read_months(table('"1949-11",112', '"1949-12",-3.5', '"1950-01",1e3'))
    assert months == [1949 * 12 + 10, 1949 * 12 + 11, 1950 * 12]
    assert values == [112.0, -3.5, 1000.0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "series.csv: no months in it"),
        (("1949-01,3", "1949-02,nan"), "line 3: nan is not finite"),
        (("1949-01,3", "1949-02"), "line 3: ['1949-02'], expected"),
        (("1949-01,3", "1949-02,many"), "line 3: ['1949-02', 'many'], expected"),
        (("1949-01,3", "1949-03,4"), "line 3: 1949-03, expected a line for every month"),
        (("1949-01,3", "1949-01,4"), "line 3: 1949-01, expected a line for every month"),
        (("1949-13,3",), "line 2: 1949-13, expected a line for every month"),
    ],
)
def test_months_that_are_none(lines, message, table):
    with pytest.raises(ValueError, match=r"series\.csv") as caught:
        series.read_months(table(*lines))
    assert message in str(caught.value)


def test_pieces(tmp_path):
    path = tmp_path / "pieces.json"
    path.write_text("[[[60, 64], [], [96]], [[43]]]")
    first, second = series.read_pieces(path)
    assert (first.shape, first.dtype, second.shape) == ((3, 54), np.float32, (1, 54))
    assert np.argwhere(first).tolist() == [[0, 17], [0, 21], [2, 53]]
    assert np.argwhere(second).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[[60]", "no JSON"),
        ("{}", "expected a list of pieces"),
        ("[]", "expected a list of pieces"),
        ("[[[60]], []]", "piece 2: expected steps, at least one"),
        ("[[[60], 61]]", "piece 1: step 1 is 61, expected a list of pitches"),
        ("[[[60], [42]]]", "piece 1: pitch 42 at step 1, expected 43 to 96"),
        ("[[[60.5]]]", "piece 1: pitch 60.5 at step 0, expected 43 to 96"),
        ('[[["60"]]]', "piece 1: pitch '60' at step 0, expected 43 to 96"),
    ],
)
def test_pieces_that_are_none(content, message, tmp_path):
    path = tmp_path / "pieces.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"pieces\.json") as caught:
        series.read_pieces(path)
    assert message in str(caught.value)


def pitches(roll):
    return [(np.flatnonzero(step) + series.LOWEST).tolist() for step in roll]


def test_transposed_loses_no_pitch():
    pieces = [[[43, 60], [62]], [[60], [96]], [[60], []], [[], []]]
    found = series.transposed([series.piano_roll(piece) for piece in pieces], 1)
    assert [pitches(roll) for roll in found] == [
        [[43, 60], [62]], [[44, 61], [63]],
        [[59], [95]], [[60], [96]],
        [[59], []], [[60], []], [[61], []],
        [[], []], [[], []], [[], []],
    ]  # fmt: skip
    assert len(series.transposed([series.piano_roll([[70]])], 0)) == 1
    with pytest.raises(ValueError, match="most is -1"):
        series.transposed([], -1)


def test_sound_has_the_pitch_while_it_is_held():
    rate = 8000
    roll = series.piano_roll(json.loads("[[69], [69], [], []]"))  # A4, 440 Hz
    sound = series.sound_of(roll, rate)
    assert (sound.shape, sound.dtype) == ((5 * 2000,), np.float32)
    assert np.abs(sound).max() == pytest.approx(1)
    spectrum = np.abs(np.fft.rfft(sound[:4000]))
    assert np.argmax(spectrum) * rate / 4000 == 440
    assert np.abs(sound[6000:]).max() == 0  # it rings for a step after it is let go
    steps = np.abs(sound).reshape(5, -1).max(axis=1)
    assert steps[0] > steps[1] > steps[2] > 0  # held, not struck again
    silence = series.sound_of(series.piano_roll([[], []]), rate)
    assert not silence.any()
    with pytest.raises(ValueError, match="rate is 0"):
        series.sound_of(roll, 0)
    with pytest.raises(ValueError, match=r"step is 0\.0"):
        series.sound_of(roll, rate, 0)


def test_made_up_months():
    months, values = series.made_up_months(480)
    assert months == list(range(480))
    assert values == series.made_up_months(480)[1]
    heights = [np.ptp(values[start : start + 12]) for start in (0, 468)]
    assert 30 < heights[0] < 60 < 80 < heights[1] < 110  # the wave grows from 20 to 44
    with pytest.raises(ValueError, match="made_up_months: number is 0"):
        series.made_up_months(0)


def test_fields_that_csv_refuses(table):
    path = table("1949-01," + "1" * 200_000)
    with pytest.raises(ValueError, match=r"series\.csv, line 2: field larger than"):
        series.read_months(path)


@pytest.mark.parametrize("text", ["[" * 200_000, f"[[[{'9' * 10_000}]]]"])
def test_json_beyond_all_limits(text, tmp_path):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ValueError, match=r"p\.json: no JSON: "):
        series.read_pieces(tmp_path / "p.json")
