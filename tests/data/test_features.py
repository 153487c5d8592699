"""Frames, mel spectra and MFCC by their formulas; augmentation."""

import math

import numpy as np
import pytest

from tinygrad_seq.data import features, voices

RATE = 8000


def noise(n, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n)


def test_frames():
    x = np.arange(10) / 10
    np.testing.assert_array_equal(
        features.frames(x, 4, 3) * 10, [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    )
    assert features.frames(x, 4, 4).shape == (2, 4)
    assert features.frames(x[:2], 4, 1).tolist() == [[0.0, 0.1, 0.0, 0.0]]
    with pytest.raises(ValueError, match="hop is 0"):
        features.frames(x, 4, 0)


def test_pitch_of_a_voice():
    rng = np.random.default_rng(0)
    for hertz in (80, 125, 240, 420):
        voice = voices.glide([(700, 1200)] * 2, [hertz], 0.4, RATE, rng)
        found = features.pitch(voice, RATE)
        assert (found.shape, found.dtype) == ((1 + (3200 - 320) // 80, 2), np.float32)
        inside = found[4:-4]  # where the voice is at its full strength
        np.testing.assert_allclose(np.exp(inside[:, 0]), hertz, rtol=0.03)  # a lag is 1/8000 s
        assert inside[:, 1].min() > 0.8
    rising = features.pitch(voices.glide([(700, 1200)] * 2, [100, 200], 1.0, RATE, rng), RATE)
    np.testing.assert_allclose(np.exp(rising[[12, 84], 0]), (114, 186), rtol=0.03)


def test_pitch_where_there_is_none():
    assert features.pitch(noise(4000), RATE)[:, 1].mean() < 0.5
    silence = features.pitch(np.zeros(4000), RATE)
    assert np.isfinite(silence).all()
    assert not silence[:, 1].any()
    with pytest.raises(ValueError, match="at least two periods"):
        features.pitch(noise(4000), RATE, window=0.02)
    with pytest.raises(ValueError, match=r"500\.0 to 65\.0 hertz"):
        features.pitch(noise(4000), RATE, low=500.0, high=65.0)


def test_pitch_by_its_formula():
    x, hann = noise(320), np.sin(np.pi * (np.arange(320) + 0.5) / 320) ** 2
    (row,) = features.pitch(x, RATE, low=80.0, high=400.0)
    x = x * hann

    def r(y, lag):
        return (y[: len(y) - lag] * y[lag:]).sum() / (y * y).sum()

    lags = np.arange(20, 101)
    strength = np.array([r(x, lag) / r(hann, lag) for lag in lags])
    best = (strength * np.linspace(1, 0.9, 81)).argmax()
    np.testing.assert_allclose(row, [math.log(RATE / lags[best]), strength[best]], rtol=1e-5)


def test_log_mel_by_its_formula():
    x = noise(1000)
    found = features.log_mel(x, RATE, mels=5)
    assert (found.shape, found.dtype) == ((1 + (1000 - 200) // 80, 5), np.float32)
    edges = np.linspace(0, 2595 * math.log10(1 + 4000 / 700), 7)
    edges = 700 * (10 ** (edges / 2595) - 1)
    for t in (0, 7):
        windowed = np.zeros(256)
        for n in range(200):
            windowed[n] = x[80 * t + n] * math.sin(math.pi * (n + 0.5) / 200) ** 2
        for m in range(5):
            total = 0.0
            for k in range(129):
                f = k * RATE / 256
                up = (f - edges[m]) / (edges[m + 1] - edges[m])
                down = (edges[m + 2] - f) / (edges[m + 2] - edges[m + 1])
                wave = np.exp(-2j * np.pi * k * np.arange(256) / 256)
                total += max(0.0, min(up, down)) * abs((windowed * wave).sum()) ** 2
            assert found[t, m] == pytest.approx(math.log(total + 1e-6), rel=1e-5)


@pytest.mark.parametrize("hertz", [200, 1000, 3000])
def test_a_sine_is_loudest_in_its_band(hertz):
    x = 0.5 * np.sin(2 * np.pi * hertz * np.arange(4000) / RATE)
    bands = features.log_mel(x, RATE, mels=20).argmax(axis=1)
    weights = features.mel_filters(RATE, 256, 20)[:, round(hertz * 256 / RATE)]
    assert set(bands) == {int(weights.argmax())}


def test_silence_is_the_floor():
    found = features.log_mel(np.zeros(500), RATE, floor=1e-4)
    np.testing.assert_allclose(found, math.log(1e-4), rtol=1e-6)


def test_mfcc_is_an_orthonormal_cosine_transform():
    x = noise(2000)
    spectrum, whole = features.log_mel(x, RATE, mels=12), features.mfcc(x, RATE, 12, mels=12)
    np.testing.assert_allclose((whole**2).sum(1), (spectrum**2).sum(1), rtol=1e-4)
    np.testing.assert_allclose(whole[:, 0], spectrum.sum(1) / math.sqrt(12), rtol=1e-5)
    third = sum(spectrum[:, m] * math.cos(math.pi * 3 * (m + 0.5) / 12) for m in range(12))
    np.testing.assert_allclose(whole[:, 3], third * math.sqrt(2 / 12), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(features.mfcc(x, RATE, 5, mels=12), whole[:, :5])
    with pytest.raises(ValueError, match="count is 13, expected 1 to 12"):
        features.mfcc(x, RATE, mels=12)


def test_filters_that_do_not_fit():
    with pytest.raises(ValueError, match=r"filter 0 of 100 lies between two frequencies"):
        features.mel_filters(RATE, 256, 100)
    with pytest.raises(ValueError, match=r"0\.0 to 5000 hertz, expected within 0 to 4000"):
        features.mel_filters(RATE, 256, 20, high=5000)


def test_column_statistics():
    x = np.random.default_rng(0).normal([3.0, -100.0, 5.0], [1.0, 20.0, 0.0], (50, 3)).astype("f4")
    mean, deviation = features.column_statistics([x[:10], x[10:10], x[10:]])
    assert mean.dtype == deviation.dtype == np.float32
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype="f8"), rtol=1e-6)
    np.testing.assert_allclose(deviation[:2], x[:, :2].std(axis=0, dtype="f8"), rtol=1e-6)
    assert deviation[2] == 1  # the column never varies
    with pytest.raises(ValueError, match=r"\[1\] is \(4, 2\), expected \(T, 3\)"):
        features.column_statistics([x, np.zeros((4, 2))])
    for nothing in ([], [x[:0]]):
        with pytest.raises(ValueError, match="no frames in"):
            features.column_statistics(nothing)


@pytest.mark.parametrize("decibels", [0.0, 20.0])
def test_noise_is_as_loud_as_asked(decibels):
    x = 0.2 * noise(20_000)
    added = features.add_noise(x, decibels, np.random.default_rng(1)) - x
    assert 10 * math.log10((x**2).mean() / (added**2).mean()) == pytest.approx(decibels, abs=0.01)
    assert not features.add_noise(np.zeros(5), 0.0, np.random.default_rng(1)).any()


def test_speed():
    x = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / RATE)
    fast = features.change_speed(x, 1.25)
    assert len(fast) == 6400
    wanted = 0.5 * np.sin(2 * np.pi * 550 * np.arange(6400) / RATE)
    np.testing.assert_allclose(fast[200:-200], wanted[200:-200], atol=1e-3)
    with pytest.raises(ValueError, match="factor is 0"):
        features.change_speed(x, 0.0)


def test_masks():
    x, rng = np.random.default_rng(0).normal(size=(20, 8)), np.random.default_rng(1)
    lengths = set()
    for _ in range(200):
        changed = features.mask_features(x, 5, 3, rng) != x
        rows, columns = changed.all(axis=1).sum(), changed.all(axis=0).sum()
        assert changed.sum() == rows * 8 + columns * 20 - rows * columns
        lengths.add((int(rows), int(columns)))
    assert lengths == {(i, j) for i in range(6) for j in range(4)}
    np.testing.assert_array_equal(features.mask_features(x, 0, 0, rng), x)
    with pytest.raises(ValueError, match="mask_features: bands is -1"):
        features.mask_features(x, 0, -1, rng)


def test_masks_of_a_batch_leave_its_padding():
    x = np.random.default_rng(0).normal(size=(7, 2, 4)).astype(np.float32)
    masked = features.mask_padded(x, [4, 7], 3, 2, np.random.default_rng(1))
    np.testing.assert_array_equal(masked[4:, 0], x[4:, 0])
    rng = np.random.default_rng(1)
    for b, n in enumerate((4, 7)):
        np.testing.assert_array_equal(masked[:n, b], features.mask_features(x[:n, b], 3, 2, rng))
    assert not np.array_equal(masked, x)
    np.testing.assert_array_equal(features.mask_padded(x, [0, 0], 3, 2, rng), x)  # no frames


def test_crops():
    x, rng = np.arange(20).reshape(10, 2), np.random.default_rng(0)
    starts = {int(features.crop(x, 7, rng)[0, 0]) for _ in range(60)}
    assert starts == {0, 2, 4, 6}
    np.testing.assert_array_equal(np.diff(features.crop(x, 7, rng)[:, 0]), [2] * 6)
    np.testing.assert_array_equal(features.crop(x, 11, rng), x)
    with pytest.raises(ValueError, match="longest is 0"):
        features.crop(x, 0, rng)


def test_stacked_frames():
    x = np.arange(10).reshape(5, 2)
    np.testing.assert_array_equal(
        features.stack_frames(x, 3), [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 8, 9]]
    )
    np.testing.assert_array_equal(features.stack_frames(x, 1), x)
    with pytest.raises(ValueError, match="count is 0"):
        features.stack_frames(x, 0)


def test_statistics_are_checked():
    mean, deviation = features.check_statistics([1.0, 2], (3, 0.5))
    assert (mean.tolist(), deviation.tolist()) == ([1, 2], [3, 0.5])
    assert mean.dtype == deviation.dtype == np.float32
    for wrong, message in (
        (([1.0], [1.0, 2]), r"mean and deviation are \(1,\) and \(2,\), expected one shape"),
        (([1.0, np.inf], [1.0, 2]), "mean is not a row of finite numbers"),
        (([1.0, 2], [1.0, np.nan]), "deviation is not a row of finite numbers"),
        (([1.0, 2], ["1", "2"]), "deviation is not a row of finite numbers"),
        ((1.0, [1.0]), "mean is not a row of finite numbers"),
        (([1.0, 2], [1, -2.0]), r"a deviation is -2\.0, expected above 0"),
        (([1.0, 2], [0, 2]), r"a deviation is 0\.0, expected above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            features.check_statistics(*wrong)
