"""Speakers and emotions: they learn from made-up voices, and say what is wrong with others."""

import numpy as np
import pytest
from task_runs import complaint, figures, program, run

from tinygrad_seq import data
from tinygrad_seq.data import audio, voices

pytest.importorskip("soundfile")
LITTLE = ("--hidden", 24, "--lr", 0.01)


def write_folder(folder, recordings):
    """Recordings as WAV files in a folder of their own, and labels.csv."""
    (folder / "wav").mkdir(parents=True)
    columns = [name for name in recordings[0].values if name != "file"]
    lines = [",".join(["file", *columns])]
    for i, (_, signal, values) in enumerate(recordings):
        audio.write_wav(folder / "wav" / f"{i}.wav", signal, 8000)
        lines.append(",".join([f"{i}.wav", *(values[name] for name in columns)]))
    (folder / "labels.csv").write_text("\n".join(lines))


def test_emotion(tmp_path):
    small = (*LITTLE, "--batch", 16, "--epochs", 6, "--dropout", 0)
    out = run("emotion", tmp_path, *small, "--save", "m")
    right, recall = figures(out, "each speaker left out in turn, pooled: ")
    assert min(right, recall) > 50  # any one emotion: 25
    assert out.count("without ") == 4
    assert (tmp_path / "runs" / "emotion" / "confusion.png").stat().st_size > 5000

    write_folder(tmp_path / "new", voices.moods(np.random.default_rng(0), 24))
    again = run("emotion", tmp_path, "--load", "m", "--evaluate", "new")
    assert figures(again.splitlines()[-1], "new: accuracy")[0] > 80  # it has heard these
    (tmp_path / "new" / "odd.csv").write_text("file,emotion\n0.wav,anger\n1.wav,envy\n")
    said = complaint("emotion", tmp_path, "--load", "m", "--evaluate", "new/odd.csv")
    assert said == "new/odd.csv, line 3: the model has no emotion 'envy'"
    said = complaint("emotion", tmp_path, "--load", "m", "--evaluate", "new/wav")
    assert "labels.csv" in said


def test_an_emotion_is_heard_in_its_own_recording_alone():
    module = program("emotion")
    made = voices.moods(np.random.default_rng(0), 8)
    heard = module.hear_all(made)
    model = module.EmotionModel(["a", "b", "c"], [0.0] * 36, [1.0] * 36, 8, 0.5)
    together = model.judge(heard)
    assert [model.judge([one])[0] for one in heard] == together.tolist()
    quiet = module.hear(0.01 * made[0].signal)
    np.testing.assert_allclose(quiet, heard[0][1], atol=1e-3)  # the level does not count


def test_speaker(tmp_path):
    small = (*LITTLE, "--embedding", 16, "--batches", 16, "--epochs", 1)
    out = run("speaker", tmp_path, *small, "--save", "m")
    assert figures(out, "speakers learnt from, new recordings: ")[0] < 20  # by chance 50
    assert figures(out, "each speaker left out in turn: ")[0] < 40
    assert figures(out, "who it is, of 4 speakers: ")[0] > 60  # any one: 25
    assert (tmp_path / "runs" / "speaker" / "alike.png").stat().st_size > 5000

    recordings = voices.different_speakers(np.random.default_rng(0), 20)
    trials = data.all_trials(data.of_split(recordings, "val"))
    write_folder(tmp_path / "new", recordings)
    table = tmp_path / "new" / "verification_trials_x.csv"
    rows = [f"{t.first},{t.second},{int(t.same)},{'ab'[i % 2]}" for i, t in enumerate(trials)]
    table.write_text("\n".join(["file_a,file_b,same_speaker,kind", *rows]))
    for path in ("new", "new/verification_trials_x.csv"):
        again = run("speaker", tmp_path, "--load", "m", "--evaluate", path)
        assert figures(again.splitlines()[-1], f"{path}: ")[0] < 30
        assert [line[: len(path) + 3] for line in again.splitlines()[:-1]] == [
            f"{path}, a", f"{path}, b",
        ]  # fmt: skip
    table.write_text("file_a,file_b,same_speaker\n0.wav,1.wav,0\n0.wav,none.wav,1\n")
    said = complaint("speaker", tmp_path, "--load", "m", "--evaluate", "new")
    assert said.startswith("new/verification_trials_x.csv, line 3: new/none.wav: neither there")
    said = complaint("speaker", tmp_path, "--data", "new")
    assert said == "new/verification_trials_x.csv, line 3: none.wav is not among the labels"
    said = complaint("emotion", tmp_path, "--load", "m")
    other = "its class is SpeakerModel, expected EmotionModel"
    assert said == f"m: not a model of this program: {other}"
    said = complaint("speaker", tmp_path, "--load", "runs/speaker/checkpoint.safetensors")
    assert said.endswith(": not a model of this program: there are no settings in it, as "
                         "save_model writes them")  # fmt: skip
