"""Audio files: what is read, converted, resampled, and what is refused, by name."""

import numpy as np
import pytest
from wav_files import wav

from tinygrad_seq.data import audio

RATE = 8000


def sine(hertz, rate=RATE, seconds=0.5):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype("f4")


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.wav"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    pytest.importorskip("soundfile")
    return write


@pytest.mark.parametrize(
    ("bits", "samples", "kind"),
    [
        (8, [128, 0, 255, 64], 1),
        (16, [0, -32768, 32767, -16384], 1),
        (24, [0, -(2**23), 2**23 - 1, -(2**22)], 1),
        (32, [0, -(2**31), 2**31 - 1, -(2**30)], 1),
        (32, [0.0, -1.0, 1.0, -0.5], 3),
    ],
)
def test_reads_every_width(write, bits, samples, kind):
    found, rate = audio.read_audio(write(wav(samples, bits=bits, kind=kind)))
    assert (found.dtype, rate) == (np.float32, RATE)
    largest = 1.0 if kind == 3 else 1 - 2.0 ** (1 - bits)
    np.testing.assert_allclose(found, [0, -1, largest, -0.5], atol=1e-7)


def test_reads_flac(write, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.flac", sine(440), RATE)
    found, rate = audio.read_audio(tmp_path / "a.flac", rate=RATE)
    assert rate == RATE
    np.testing.assert_allclose(found, sine(440), atol=2**-15)


BAD_FILES = {
    "stereo": (wav([1, 2, 3, 4], channels=2), "2 channels, expected one"),
    "another rate": (wav([1, 2], rate=16000), "16000 samples a second, expected 8000"),
    "no samples": (wav([]), r"samples are \(0,\)"),
    "truncated": (wav([5] * 100)[:-50], "150 bytes of samples, its header says 200"),
    "lying header": (wav([5] * 100, stated=4000), "200 bytes of samples, its header says 4000"),
    "shorter by its header": (wav([5] * 100, stated=80), "120 bytes that its header does not"),
    "bits of a chunk": (wav([5] * 4) + b"LIS", "3 bytes that its header does not account for"),
    "chunk too long": (wav([5] * 4) + b"LIST\x09\0\0\0abc", "3 bytes of 'LIST', its header says 9"),
    "NaN": (wav([0.0, np.nan], bits=32, kind=3), "sample 1 is nan"),
    "too loud": (wav([0.0, 3.0], bits=32, kind=3), "sample 1 is 3.0, expected -1 to 1"),
    "no audio": (b"what is this?", "no audio that can be read"),
    "nothing": (b"", "no audio that can be read"),
    "half a header": (wav([1, 2])[:30], "no audio|header"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(write, name):
    content, match = BAD_FILES[name]
    with pytest.raises(ValueError, match=rf"a\.wav: .*({match})"):
        audio.read_audio(write(content), rate=RATE)


def test_other_chunks_and_odd_lengths(write):
    whole = wav([128, 0, 255], bits=8) + b"\0" + b"LIST\x03\0\0\0abc"
    assert len(audio.read_audio(write(whole))[0]) == 3  # the last pad byte may be missing
    before = wav([1, 2])
    mixed = before[:12] + b"LIST\x02\0\0\0ab" + before[12:]
    assert len(audio.read_audio(write(mixed))[0]) == 2


def test_missing_file_and_library(write, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none\.wav: there is no such file"):
        audio.read_audio(tmp_path / "none.wav")
    path = write(wav([1]))
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(ImportError, match="needs soundfile: pip install"):
        audio.read_audio(path)


def test_int16_there_and_back():
    every = np.arange(-32768, 32768).astype(np.int16)
    floats = audio.check_signal(every)
    assert floats.dtype == np.float32
    assert (floats.min(), floats.max()) == (-1.0, 32767 / 32768)
    np.testing.assert_array_equal(audio.to_int16(floats), every)
    assert audio.to_int16(np.array([1.0, -1.0])).tolist() == [32767, -32768]


def test_wav_files_are_written_whole_or_not_at_all(write, tmp_path):
    audio.write_wav(tmp_path / "b.wav", sine(440), RATE)
    found, rate = audio.read_audio(tmp_path / "b.wav")
    assert rate == RATE
    np.testing.assert_array_equal(audio.to_int16(found), audio.to_int16(sine(440)))
    for signal, rate in (([0.0, np.nan], RATE), ([2.0], RATE), ([0.5], 0)):
        with pytest.raises(ValueError, match=r"sample|rate is 0"):
            audio.write_wav(tmp_path / "b.wav", signal, rate)
    assert [path.name for path in tmp_path.iterdir()] == ["b.wav"]
    assert len(audio.read_audio(tmp_path / "b.wav")[0]) == RATE // 2


def test_mix_down():
    assert audio.mix_down(np.array([[1.0, 0.0], [0.5, 0.25]])).tolist() == [0.5, 0.375]
    with pytest.raises(ValueError, match=r"samples are \(3,\)"):
        audio.mix_down(np.zeros(3))


@pytest.mark.parametrize(
    ("rate", "to"), [(8000, 16000), (16000, 8000), (44100, 8000), (8000, 11025)]
)
def test_resampled_sines_are_sines(rate, to):
    found = audio.resample(sine(440, rate), rate, to)
    wanted = sine(440, to)
    assert abs(len(found) - len(wanted)) <= 1
    found, wanted = (x[: min(len(found), len(wanted))] for x in (found, wanted))
    inside = slice(to // 50, -to // 50)  # away from the ends
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[inside], wanted[inside], atol=2e-4)


def test_what_is_too_high_is_cut_off():
    inside = audio.resample(sine(6000, 16000), 16000, 8000)[200:-200]
    assert np.abs(inside).max() < 1e-3
    constant = audio.resample(np.full(4000, 0.25), 16000, 8000)[200:-200]
    np.testing.assert_allclose(constant, 0.25, rtol=1e-12)


def test_level():
    for loudness in (1e-3, 0.5):
        x = audio.level(loudness * sine(100))
        assert x.dtype == np.float32
        assert np.sqrt((x**2).mean()) == pytest.approx(10 ** (-26 / 20), rel=1e-4)
    click = np.zeros(1000)
    click[5] = -0.1
    assert audio.level(click, -20.0)[5] == -1.0  # its level would be 3.2
    assert not audio.level(np.zeros(10)).any()


def test_full_scale():
    np.testing.assert_array_equal(audio.full_scale(np.array([0.25, -0.5])), [0.5, -1.0])
    np.testing.assert_allclose(audio.full_scale(np.array([1e-6, 0.0])), [0.01, 0.0])
    assert audio.full_scale(np.ones(2, np.float32)).dtype == np.float32
    with pytest.raises(ValueError, match="sample 1 is nan"):
        audio.full_scale(np.array([0.0, np.nan]))


def test_resampling_nothing_and_little():
    x = sine(100)
    assert audio.resample(x, 8000, 8000) is x
    assert audio.resample(np.array([0.5]), 8000, 4000).shape == (1,)
    assert audio.resample(np.array([0.5, 0.1]), 3, 7).shape == (5,)
    with pytest.raises(ValueError, match="to_rate is 0"):
        audio.resample(x, 8000, 0)


@pytest.mark.parametrize(
    ("samples", "error", "match"),
    [
        (np.zeros((2, 2)), ValueError, r"samples are \(2, 2\), expected \(N,\)"),
        (np.array([]), ValueError, r"samples are \(0,\)"),
        (np.array([0.0, np.inf]), ValueError, "sample 1 is inf"),
        (np.array([1, 2]), TypeError, "samples are int64, expected int16 or floats"),
    ],
)
def test_bad_signals(samples, error, match):
    with pytest.raises(error, match=match):
        audio.check_signal(samples)
