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


def test_a_recording_alone(folder):
    np.testing.assert_array_equal(
        data.read_signal(folder / "a.wav", RATE), data.AudioFolder(folder, RATE)["a.wav"]
    )
    (folder / "a.wav").write_bytes(wav([100] * 30, rate=16000))
    assert len(data.read_signal(folder / "a.wav", RATE)) == 15
    with pytest.raises(ValueError, match=r"a\.wav: 16000 samples a second, expected 44100 or more"):
        data.read_signal(folder / "a.wav", 44100)
    with pytest.raises(FileNotFoundError, match=r"none\.wav: there is no such file"):
        data.read_signal(folder / "none.wav", RATE)


def test_splits(folder):
    (folder / "labels.csv").write_text("file,split\na.wav,val\nb.wav,train\n")
    found = data.read_recordings(folder, RATE)
    assert [r.values["file"] for r in data.of_split(found, "val")] == ["a.wav"]
    assert data.of_split(found + found, "train") == [found[1], found[1]]
    with pytest.raises(ValueError, match=r"labels\.csv: no recordings of the split test, only of"):
        data.of_split(found, "test")
    with pytest.raises(ValueError, match="no recordings: no recordings of the split test"):
        data.of_split([], "test")


def test_speeds_stand_side_by_side(folder):
    a, b = data.read_recordings(folder, RATE)
    found = data.at_speeds([a, b], (0.5, 1.0))
    assert [len(r.signal) for r in found] == [60, 30, 80, 40]
    assert [r.where for r in found] == [a.where, a.where, b.where, b.where]
    np.testing.assert_array_equal(found[0].signal, data.features.change_speed(a.signal, 0.5))
    np.testing.assert_array_equal(found[3].signal, b.signal)
    assert found[2].values == b.values


# ---- groups --------------------------------------------------------------------------------------


def test_leave_one_out():
    names = ["b", "a", "b", "c"]
    assert data.groups_of(names) == {"a": [1], "b": [0, 2], "c": [3]}
    assert list(data.groups_of(names)) == ["a", "b", "c"]
    found = list(data.leave_one_out(names))
    assert found == [("a", [0, 2, 3], [1]), ("b", [1, 3], [0, 2]), ("c", [0, 1, 2], [3])]
    with pytest.raises(ValueError, match=r"groups are \['a'\], expected two"):
        next(data.leave_one_out(["a", "a"]))


def test_as_many_are_drawn_of_each():
    groups = {"few": [3, 5], "many": list(range(10, 20))}
    drawn = list(data.draw_of_each(groups, 4, np.random.default_rng(0)))
    assert len(drawn) == 8
    assert set(drawn[:4]) <= {3, 5}
    assert len(set(drawn[4:])) == 4  # none twice where there are enough
    assert set(drawn[4:]) <= set(groups["many"])
    assert drawn == list(data.draw_of_each(groups, 4, np.random.default_rng(0)))
    assert data.spread_of_each(groups, 2) == [3, 5, 10, 15]
    assert data.spread_of_each(groups, 3) == [3, 3, 5, 10, 13, 16]


# ---- trials --------------------------------------------------------------------------------------


def test_trials(tmp_path):
    with pytest.raises(FileNotFoundError, match="0 files verification_trials"):
        data.read_trials(tmp_path)
    table = tmp_path / "verification_trials_val.csv"
    table.write_text("file_a,file_b,same_speaker,kind\na.wav,b.wav,1,seen\n\nb.wav,c.wav,0,new\n")
    found = data.read_trials(tmp_path)
    assert found == data.read_trials(table, among=["a.wav", "b.wav", "c.wav"])
    assert found == [
        (f"{table}, line 2", "a.wav", "b.wav", True, "seen"),
        (f"{table}, line 4", "b.wav", "c.wav", False, "new"),
    ]
    with pytest.raises(ValueError, match=r"_val\.csv, line 4: c\.wav is not among the labels"):
        data.read_trials(table, among=["a.wav", "b.wav"])
    table.write_text("file_a,file_b,same_speaker\na.wav,b.wav,1\na.wav,c.wav,0\n")
    assert data.read_trials(table)[0] == (f"{table}, line 2", "a.wav", "b.wav", True, "")
    table.write_text("file_a,file_b,same_speaker\na.wav,b.wav,yes\n")
    with pytest.raises(ValueError, match="line 2: same_speaker is 'yes', expected 0 or 1"):
        data.read_trials(table)
    table.write_text("file_a,file_b,same_speaker\na.wav,b.wav,0\nb.wav,c.wav,0\n")
    with pytest.raises(
        ValueError, match=r"_val\.csv: same_speaker is always 0, expected trials of"
    ):
        data.read_trials(table)


def test_recordings_of_trials(folder):
    table = folder / "verification_trials.csv"
    table.write_text("file_a,file_b,same_speaker\na.wav,b.wav,1\nb.wav,c.wav,0\n")
    trials = data.read_trials(table)
    found = data.trial_signals(table, trials[:1], RATE)
    assert list(found) == list(data.trial_signals(folder, trials[:1], RATE)) == ["a.wav", "b.wav"]
    np.testing.assert_array_equal(found["b.wav"], data.read_signal(folder / "wav/b.wav", RATE))
    with pytest.raises(FileNotFoundError, match=r"trials\.csv, line 3: .*c\.wav: neither there"):
        data.trial_signals(table, trials, RATE)


def test_all_trials_and_their_kinds():
    values = [{"file": f"{i}.wav", "speaker": name} for i, name in enumerate("aab")]
    made = data.all_trials(
        [data.Recording(f"row {i}", np.ones(1), v) for i, v in enumerate(values)]
    )
    assert made == [
        ("row 0", "0.wav", "1.wav", True, ""),
        ("row 0", "0.wav", "2.wav", False, ""),
        ("row 1", "1.wav", "2.wav", False, ""),
    ]
    speakers = {each["file"]: each["speaker"] for each in values}
    assert data.trials_about(made, speakers, "a") == {"a": made}
    with pytest.raises(
        ValueError, match="row 0: 2 trials with a recording of b, 0 are of one speak"
    ):
        data.trials_about(made, speakers, "ab")
    with pytest.raises(ValueError, match="no trials: 0 trials with a recording of a"):
        data.trials_about([], speakers, "a")
    assert data.trials_by_kind(made) == {}
    x, y, z = ([trial._replace(kind=kind) for trial in made[:2]] for kind in "xyz")
    assert data.trials_by_kind([z[0], y[0], x[0], y[1], x[1]]) == {"x": x, "y": y}


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


def test_words_are_ids_or_named_with_their_line(folder):
    (folder / "s.csv").write_text("transcript,files,gaps_ms\n3 0,a.wav b.wav,0 0 0\n0,b.wav,0 0\n")
    found = data.read_strings(folder / "s.csv", RATE)
    ids = data.word_ids(found, "transcript", data.Vocabulary(["0", "3"], specials=()))
    assert [each.tolist() for each in ids] == [[1, 0], [0]]
    with pytest.raises(ValueError, match=r"s\.csv, line 2: the model has no word '3'"):
        data.word_ids(found, "transcript", data.Vocabulary(["0"], specials=()))


def test_drawn_strings_are_what_their_transcript_says():
    parts = {"ann": {"1": 0.25, "2": 0.5}, "bob": {"3": 0.75}}
    recordings = [
        data.Recording(name, np.full(10, size, np.float32), {"word": word, "speaker": name})
        for name, words in parts.items()
        for word, size in words.items()
    ]
    rng = np.random.default_rng(0)
    drawn = data.draw_strings(recordings, "word", 200, 3, rng, 1000, gaps=(0.002, 0.004))
    for _, signal, values in drawn:
        runs = signal[np.flatnonzero(np.diff(signal, prepend=0.0))]  # at the beginning of each
        said = [parts[values["speaker"]][word] for word in values["transcript"].split()]
        assert runs[runs > 0].tolist() == said
        assert 2 <= np.flatnonzero(signal)[0] <= 4  # milliseconds
    lengths = {len(values["transcript"].split()) for _, _, values in drawn}
    assert (len(drawn), lengths) == (200, {1, 2, 3})
    again = data.draw_strings(
        recordings, "word", 1, 3, np.random.default_rng(0), 1000, (0.002, 0.004)
    )
    np.testing.assert_array_equal(again[0].signal, drawn[0].signal)


def test_bad_draws_of_strings():
    one = [data.Recording("here", np.ones(4, np.float32), {"word": "1", "speaker": "ann"})]
    rng = np.random.default_rng(0)
    for given, match in (
        (([], "word", 1, 1), "draw_strings: no recordings, expected"),
        ((one, "word", 0, 1), "number is 0"),
        ((one, "word", 1, 0), "longest is 0"),
    ):
        with pytest.raises(ValueError, match=match):
            data.draw_strings(*given, rng, 8000)
    two = [one[0]._replace(values={"word": "1 2", "speaker": "ann"})]
    with pytest.raises(ValueError, match="here: word is '1 2', expected one word"):
        data.draw_strings(two, "word", 1, 1, rng, 8000)
