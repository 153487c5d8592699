"""Folders of recordings with their table: what is read, and what is refused, by file and line."""

import gzip

import numpy as np
import pytest
from wav_files import wav

from tinygrad_seq import data
from tinygrad_seq.data import audio

RATE = 8000
TABLE = "file,digit,speaker\na.wav,3,ann\n\nb.wav,0,bob\n"


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("soundfile")
    (tmp_path / "wav").mkdir()
    (tmp_path / "a.wav").write_bytes(wav([100] * 30))
    (tmp_path / "wav" / "b.wav").write_bytes(wav([-200] * 40))
    (tmp_path / "labels.csv").write_text(TABLE)
    return tmp_path


def test_recordings_of_a_folder(folder):
    a, b = data.read_recordings(folder, RATE, ["digit", "speaker"])
    assert a.values == {"file": "a.wav", "digit": "3", "speaker": "ann"}
    assert (b.where, b.values["speaker"]) == (f"{folder / 'labels.csv'}, line 4", "bob")
    np.testing.assert_array_equal(a.signal, np.full(30, 100 / 32768, np.float32))
    assert len(b.signal) == 40  # in a folder below


def test_a_table_by_another_name_and_packed(folder):
    (folder / "some.csv.gz").write_bytes(gzip.compress(b'file,said\r\n"b.wav","1, 2"\r\n'))
    (found,) = data.read_recordings(folder / "some.csv.gz", RATE)
    assert found.values["said"] == "1, 2"


def test_every_file_is_read_once(folder):
    signals = data.AudioFolder(folder, RATE)
    assert signals["b.wav"] is signals["b.wav"]


def test_higher_rates_are_resampled(folder):
    (folder / "a.wav").write_bytes(wav([100] * 30, rate=16000))
    signal = data.AudioFolder(folder, RATE)["a.wav"]
    assert len(signal) == 15
    np.testing.assert_array_equal(signal, audio.resample(np.full(30, 100 / 32768, "f4"), 2, 1))


BAD_TABLES = {
    "nothing": ("", r"line 1: titles \[\], expected file, digit"),
    "no rows": ("file,digit\n", "no rows in it"),
    "no such column": ("file,emotion\na.wav,sad\n", r"line 1: titles .*, expected file, digit"),
    "twice": ("file,digit,digit\na.wav,1,2\n", r"line 1: titles .*, expected file, digit"),
    "too few": ("file,digit,x\na.wav,3\n", "line 2: 2 values, expected 3"),
    "too many": ("file,digit\na.wav,3\nb.wav,4,5\n", "line 3: 3 values, expected 2"),
    "no value": ("file,digit\na.wav, \n", "line 2: no digit"),
    "open quote": ('file,digit\n"a.wav,3\n', "line 2: unexpected end of data"),
    "not UTF-8": (b"file,digit\n\xff,3\n", "not UTF-8 text"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(folder, name):
    content, match = BAD_TABLES[name]
    content = content if isinstance(content, bytes) else content.encode()
    (folder / "labels.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"labels\.csv(, |: ){match}"):
        data.read_recordings(folder, RATE, ["digit"])


BAD_AUDIO = {
    "stereo": (wav([1, 2, 3, 4], channels=2), "2 channels, expected one"),
    "lower rate": (wav([1, 2], rate=4000), "4000 samples a second, expected 8000 or more"),
    "truncated": (wav([5] * 100)[:-50], "150 bytes of samples, its header says 200"),
    "lying header": (wav([5] * 100, stated=4000), "200 bytes of samples, its header says 4000"),
    "NaN": (wav([0.0, np.nan], bits=32, kind=3), "sample 1 is nan"),
    "no audio": (b"what is this?", "no audio that can be read"),
}


@pytest.mark.parametrize("name", BAD_AUDIO)
def test_bad_recordings_are_named_with_their_line(folder, name):
    content, match = BAD_AUDIO[name]
    (folder / "wav" / "b.wav").write_bytes(content)
    with pytest.raises(ValueError, match=rf"labels\.csv, line 4: .*b\.wav: .*{match}"):
        data.read_recordings(folder, RATE)


def test_missing_files(folder):
    (folder / "wav" / "b.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"labels\.csv, line 4: .*b\.wav: neither there"):
        data.read_recordings(folder, RATE)
    with pytest.raises(FileNotFoundError, match=r"none"):
        data.read_recordings(folder / "none", RATE)


def test_leave_one_out():
    found = list(data.leave_one_out(["b", "a", "b", "c"]))
    assert found == [("a", [0, 2, 3], [1]), ("b", [1, 3], [0, 2]), ("c", [0, 1, 2], [3])]
    with pytest.raises(ValueError, match=r"groups are \['a'\], expected two"):
        next(data.leave_one_out(["a", "a"]))


def test_trials(tmp_path):
    with pytest.raises(FileNotFoundError, match="0 files verification_trials"):
        data.read_trials(tmp_path)
    table = tmp_path / "verification_trials_val.csv"
    table.write_text("file_a,file_b,same_speaker,kind\na.wav,b.wav,1,seen\n\nb.wav,c.wav,0,new\n")
    found = data.read_trials(tmp_path)
    assert found == data.read_trials(table)
    assert found == [
        (f"{table}, line 2", "a.wav", "b.wav", True, "seen"),
        (f"{table}, line 4", "b.wav", "c.wav", False, "new"),
    ]
    table.write_text("file_a,file_b,same_speaker\na.wav,b.wav,1\n")
    assert data.read_trials(table) == [(f"{table}, line 2", "a.wav", "b.wav", True, "")]
    table.write_text("file_a,file_b,same_speaker\na.wav,b.wav,yes\n")
    with pytest.raises(ValueError, match="line 2: same_speaker is 'yes', expected 0 or 1"):
        data.read_trials(table)


# ---- strings of recordings, and what is said of each ---------------------------------------------


def test_strings_are_joined_with_silence(folder):
    (folder / "s.csv").write_text("transcript,files,gaps_ms\n3 0,a.wav b.wav,1 2 0\n0,b.wav,0 0\n")
    both, one = data.read_strings(folder / "s.csv", RATE)
    (folder / "s.csv").rename(folder / "strings_val.csv")
    assert len(data.read_strings(folder, RATE)) == 2
    wanted = np.concatenate([[0] * 8, [100] * 30, [0] * 16, [-200] * 40]) / 32768
    np.testing.assert_array_equal(both.signal, wanted.astype(np.float32))
    assert both.signal.dtype == np.float32
    assert both.values["transcript"] == "3 0"
    np.testing.assert_array_equal(one.signal, data.AudioFolder(folder, RATE)["b.wav"])
    assert one.where == f"{folder / 's.csv'}, line 3"


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("3 0,a.wav,1 2 0", "2 words, 1 files and 3 gaps, expected as many"),
        ("3 0,a.wav b.wav,1 2", "2 words, 2 files and 2 gaps, expected as many"),
        ("3,a.wav,1 -2", "gaps_ms are 1 -2, expected whole numbers"),
        ("3,none.wav,1 2", r"none\.wav: neither there"),
        ("3,,1 2", "no files"),
    ],
)
def test_bad_strings(folder, row, match):
    (folder / "s.csv").write_text(f"transcript,files,gaps_ms\n3,a.wav,1 1\n{row}\n")
    with pytest.raises((ValueError, FileNotFoundError), match=rf"s\.csv, line 3: .*{match}"):
        data.read_strings(folder / "s.csv", RATE)
    with pytest.raises(FileNotFoundError, match=r"0 files \*strings\*\.csv, expected one"):
        data.read_strings(folder, RATE)


def test_labels_are_ids_or_named_with_their_line(folder):
    found = data.read_recordings(folder, RATE)
    vocabulary = data.Vocabulary(["0", "3"], specials=())
    assert data.label_ids(found, "digit", vocabulary).tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"line 4: the model has no speaker 'bob'"):
        data.label_ids(found, "speaker", data.Vocabulary(["ann"], specials=()))


@pytest.mark.parametrize("gaps", [[], [0.1], [0.1, 0.1, 0.1]])
def test_signals_have_a_gap_more(gaps):
    with pytest.raises(ValueError, match=f"{len(gaps)} gaps and 1 signals, expected one gap more"):
        data.join_signals([np.ones(4, np.float32)], gaps, 8000)
