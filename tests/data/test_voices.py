"""Voices made of formulas: their pitch, their formants, and what is refused."""

import numpy as np
import pytest

from tinygrad_seq.data import voices

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
