"""Voices made of formulas: their pitch, their formants, and what is refused."""

import numpy as np
import pytest

from tinygrad_seq.data import features, voices

RATE = 8000


def peaks(sound, low, high):
    """The loudest frequency between two, in hertz."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    hertz = np.fft.rfftfreq(8 * len(sound), 1 / RATE)
    inside = (hertz >= low) & (hertz <= high)
    return hertz[inside][spectrum[inside].argmax()]


def test_harmonics_are_loudest_at_the_formants():
    rng = np.random.default_rng(0)
    sound = voices.glide([(700, 1800)] * 2, [100], 0.5, RATE, rng, breath=0, loudness=0.25)
    assert (sound.shape, sound.dtype) == ((4000,), np.float32)
    assert np.abs(sound).max() == pytest.approx(0.25)
    assert peaks(sound, 50, 1200) == pytest.approx(700, abs=3)
    assert peaks(sound, 1200, 4000) == pytest.approx(1800, abs=3)
    longer = voices.glide([(700, 1800)] * 2, [100], 0.5, RATE, rng, tract=8 / 7)
    assert peaks(longer, 50, 1200) == pytest.approx(800, abs=3)


def test_pitch_and_vowels_move():
    rng = np.random.default_rng(0)
    sound = voices.glide([(300, 2000), (800, 1200)], [200, 100], 1.0, RATE, rng)
    assert abs(peaks(sound[:800], 100, 900) - 300) < 100
    assert abs(peaks(sound[-800:], 100, 900) - 800) < 100
    falling = voices.glide([(150,)], [200, 100], 1.0, RATE, rng)
    assert abs(peaks(falling[:800], 50, 400) - 195) < 5
    assert abs(peaks(falling[-800:], 50, 400) - 105) < 5


def test_the_generator_is_all_that_is_random():
    makes = [
        voices.glide([(500,)], [120], 0.1, RATE, np.random.default_rng(seed)) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(makes[0], makes[1])
    assert not np.array_equal(makes[0], makes[2])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"formants": [(1, 2), (3,)]}, "inhomogeneous"),
        ({"pitch": []}, "0 pitches"),
        ({"pitch": [0]}, "pitch is 0"),
        ({"seconds": 0}, "0 samples"),
        ({"rate": 0}, "rate is 0"),
        ({"loudness": 2}, "loudness is 2"),
    ],
)
def test_bad_voices(change, error):
    given = {"formants": [(500,)], "pitch": [100], "seconds": 0.1, "rate": RATE} | change
    with pytest.raises(ValueError, match=error):
        voices.glide(**given, generator=np.random.default_rng(0))


# ---- recordings made up --------------------------------------------------------------------------


def test_words_are_as_many_of_each():
    made = voices.spoken_words(np.random.default_rng(0), 60)
    assert [r.values["digit"] for r in made] == [str(i % 10) for i in range(60)]
    assert sum(r.values["split"] == "val" for r in made) == 20
    assert {r.values["digit"] for r in made if r.values["split"] == "val"} == set("0123456789")
    assert [r.values["file"] for r in made[:2]] == ["0.wav", "1.wav"]
    seconds = [len(r.signal) / RATE for r in made]
    assert 0.2 <= min(seconds) < max(seconds) <= 0.4


def test_speakers_have_a_pitch_of_their_own():
    made = voices.different_speakers(np.random.default_rng(0), 80)
    assert {r.values["speaker"] for r in made} == {f"voice {i}" for i in range(4)}
    for part in ("train", "val"):
        speakers = [r.values["speaker"] for r in made if r.values["split"] == part]
        assert all(speakers.count(f"voice {i}") >= 5 for i in range(4))
    for r in made:
        hertz = 90 + 35 * int(r.values["speaker"][-1])
        found = np.exp(np.median(features.pitch(r.signal, RATE)[:, 0]))
        assert found == pytest.approx(hertz, rel=0.09), r.where


def test_moods_rise_and_fall():
    made = voices.moods(np.random.default_rng(0), 32)
    assert [r.values["emotion"] for r in made[:16:4]] == list(voices.MOODS)
    assert len({(r.values["emotion"], r.values["speaker"]) for r in made}) == 16
    long = {mood: [] for mood in voices.MOODS}
    for r in made:
        long[r.values["emotion"]].append(len(r.signal) / RATE)
    assert max(long["anger"]) < 0.49  # 0.4 seconds, and a fifth more or less
    assert min(long["sadness"]) > 0.63


@pytest.mark.parametrize("make", [voices.spoken_words, voices.different_speakers, voices.moods])
def test_recordings_follow_from_the_generator(make):
    a, b, other = (make(np.random.default_rng(seed), 3, 4000) for seed in (1, 1, 2))
    for one, same in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.signal, same.signal)
        assert one.values == same.values
    assert not np.array_equal(a[0].signal, other[0].signal)
    assert np.abs(a[0].signal).max() == pytest.approx(0.5)
    with pytest.raises(ValueError, match="number is 0"):
        make(np.random.default_rng(0), 0)
