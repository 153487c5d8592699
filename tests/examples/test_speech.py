"""Spoken digits, one and many: learnt from made-up voices; what is wrong with other files."""

import re

import numpy as np
import pytest
from task_runs import complaint, figures, run

from tinygrad_seq.data import audio, voices

pytest.importorskip("soundfile")
pytest.importorskip("jiwer")


@pytest.fixture
def folder(tmp_path):
    """Recordings of made-up words, half of them in a folder of their own, with labels.csv."""
    (tmp_path / "new" / "recordings").mkdir(parents=True)
    lines, rng = ["file,digit,speaker,split"], np.random.default_rng(0)
    for i, (_, signal, values) in enumerate(voices.spoken_words(rng, 20)):
        place = tmp_path / "new" / ("recordings" if i % 2 else ".")
        audio.write_wav(place / f"{i}.wav", signal, 8000)
        lines.append(f"{i}.wav,{values['digit']},{values['speaker']},{values['split']}")
    (tmp_path / "new" / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def refused(name, folder, table, text):
    (folder / "new" / table).write_text(text)
    return complaint(name, folder, "--load", "m", "--evaluate", folder / "new" / table)


def test_spoken_digits(folder):
    small = ("--hidden", 24, "--layers", 1, "--epochs", 3, "--lr", 0.02, "--dropout", 0)
    out = run("spoken_digits", folder, *small, "--save", "m")
    (right,) = figures(out, "validation, best: ")
    assert right > 70  # any one digit: 10
    assert (folder / "runs" / "spoken_digits" / "digit.png").stat().st_size > 5000
    again = run("spoken_digits", folder, "--load", "m", "--evaluate", "new")
    assert figures(again.splitlines()[-1], "new: ")[0] > 70
    part = run("spoken_digits", folder, "--load", "m", "--evaluate", "new", "--split", "val")
    assert part.splitlines()[-1].endswith("% of 7 recordings")
    heard = run("spoken_digits", folder, "--load", "m", "--hear", "new/4.wav")
    assert heard.startswith("heard ")

    said = refused("spoken_digits", folder, "odd.csv", "file,digit\n4.wav,4\n5.wav,ten\n")
    assert said.endswith("odd.csv, line 3: the model has no digit 'ten'")
    audio.write_wav(folder / "new" / "low.wav", np.zeros(400), 4000)
    said = refused("spoken_digits", folder, "odd.csv", "file,digit\nlow.wav,4\n")
    assert "odd.csv, line 2: " in said
    assert said.endswith("low.wav: 4000 samples a second, expected 8000 or more")
    said = complaint("spoken_digits", folder, "--load", "m", "--evaluate", "new", "--split", "x")
    assert said == "new/labels.csv: no recordings of the split x, only of train, val"


def test_speech_recognition(folder):
    small = ("--hidden", 48, "--layers", 1, "--epochs", 4, "--batches", 40, "--batch", 16)
    out = run("speech_recognition", folder, *small, "--lr", 0.01, "--dropout", 0, "--save", "m")
    (wrong,) = figures(out, "validation, best: ")
    assert wrong < 60  # nothing at all: 100
    assert (folder / "runs" / "speech_recognition" / "string.png").stat().st_size > 5000
    row = "4 5,4.wav 5.wav,30 40 50\n"
    (folder / "new" / "digit_strings_test.csv").write_text("transcript,files,gaps_ms\n" + row)
    again = run("speech_recognition", folder, "--load", "m", "--evaluate", "new")
    assert "new: word error rate" in again.splitlines()[-1]
    assert again.splitlines()[-1].endswith("% of 1 strings")
    heard = run("speech_recognition", folder, "--load", "m", "--hear", "new/4.wav")
    assert re.match("heard [0-9 ]*\npicture: .*heard.png", heard)
    for bad, match in (
        ("4 5,4.wav,30 40", "line 3: 2 words, 1 files and 2 gaps, expected as many words as files"),
        ("4 x,4.wav 5.wav,30 40 50", "line 3: the model has no word 'x'"),
        ("4 5,4.wav none.wav,30 40 50", "line 3: .*none.wav: neither there"),
    ):
        text = f"transcript,files,gaps_ms\n{row}{bad}\n"
        said = refused("speech_recognition", folder, "odd.csv", text)
        assert re.search(match, said), said
