"""What a recogniser hears: frames, log-mel, MFCC, pitch, and changes that a word survives."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..engine import checks
from .audio import Signal, check_signal, resample

Frames: TypeAlias = npt.NDArray[Any]


def frames(signal: Signal, length: int, hop: int) -> Frames:
    """Return overlapping parts (T, length) of a signal (N,), one every `hop` samples (a view).

    T = 1 + (N - length) // hop; a signal shorter than one part is filled up with zeros
    """
    x = check_signal(signal)
    length, hop = checks.integer("length", length, 1), checks.integer("hop", hop, 1)
    if len(x) < length:
        x = np.pad(x, (0, length - len(x)))
    return np.lib.stride_tricks.sliding_window_view(x, length)[::hop]


def mel_filters(
    rate: int, fft_size: int, mels: int, low: float = 0.0, high: float | None = None
) -> Frames:
    """Return triangular filters (mels, fft_size // 2 + 1) of height 1, evenly spaced in mel.

    mel(f) = 2595 log10(1 + f / 700), from `low` to `high` (half the rate where None), in hertz
    Raises ValueError for a range or a number of filters that leaves one without any frequency.
    Source: Davis & Mermelstein 1980; the formula, O'Shaughnessy 1987.
    """
    high = rate / 2 if high is None else high
    if not 0 <= low < high <= rate / 2:
        raise ValueError(f"mel_filters: {low} to {high} hertz, expected within 0 to {rate / 2}")
    first, last = (2595 * math.log10(1 + f / 700) for f in (low, high))
    edges = 700 * (10 ** (np.linspace(first, last, mels + 2) / 2595) - 1)
    f = np.arange(fft_size // 2 + 1) * (rate / fft_size)
    rising = (f - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - f) / np.diff(edges)[1:, None]
    filters: Frames = np.maximum(np.minimum(rising, falling), 0.0)
    empty = ~filters.any(axis=1)
    if empty.any():
        raise ValueError(
            f"mel_filters: filter {int(empty.argmax())} of {mels} lies between two frequencies of "
            f"an FFT of {fft_size}, expected fewer filters or longer windows"
        )
    return filters


_known_filters = functools.lru_cache(maxsize=16)(mel_filters)


def log_mel(
    signal: Signal,
    rate: int,
    *,
    mels: int = 40,
    window: float = 0.025,
    hop: float = 0.010,
    low: float = 0.0,
    high: float | None = None,
    floor: float = 1e-6,
) -> Frames:
    """Return log(mel filters · |FFT of Hann-windowed frames|² + floor), float32 (T, mels).

    signal (N,), -1 to 1   rate: samples a second   window, hop: in seconds
    The FFT is as long as the window, rounded up to a power of two.
    Raises ValueError or TypeError for a signal or options that do not fit.
    """
    length, step = round(checks.positive("window", window) * rate), round(hop * rate)
    parts = frames(signal, length, step).astype(np.float64)
    fft_size = 1 << max(length - 1, 1).bit_length()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    power = np.abs(np.fft.rfft(parts * hann, fft_size)) ** 2
    bands = power @ _known_filters(rate, fft_size, mels, low, high).T
    return np.log(bands + checks.positive("floor", floor)).astype(np.float32)


def mfcc(signal: Signal, rate: int, count: int = 13, **options: Any) -> Frames:
    """Return the first `count` cosine coefficients of each log-mel frame, float32 (T, count).

    c_k = s_k Σ_m logmel_m cos(π k (m + 1/2) / mels),  s_0 = √(1/mels), else √(2/mels)
    options: those of `log_mel`
    Raises ValueError for more coefficients than mels.
    Source: Davis & Mermelstein 1980.
    """
    spectrum = log_mel(signal, rate, **options)
    mels = spectrum.shape[1]
    if not 1 <= count <= mels:
        raise ValueError(f"mfcc: count is {count}, expected 1 to {mels}, the mels")
    k, m = np.arange(count)[:, None], np.arange(mels)
    basis = np.cos(np.pi * k * (m + 0.5) / mels) * np.where(k == 0, 1 / mels, 2 / mels) ** 0.5
    coefficients: Frames = (spectrum @ basis.T).astype(np.float32)
    return coefficients


def pitch(
    signal: Signal,
    rate: int,
    *,
    window: float = 0.040,
    hop: float = 0.010,
    low: float = 65.0,
    high: float = 500.0,
) -> Frames:
    """Return log(hertz) of the voice and how sure that is, 0 to 1, float32 (T, 2).

    signal (N,), -1 to 1   rate: samples a second   window, hop: in seconds, as in `log_mel`
    The pitch is rate / lag for the lag between rate / high and rate / low, in whole samples, at
    which r is largest after a tenth off at the longest, so that a multiple does not win; r there is
    how sure.   r(lag) = Σ_n x_n x_n+lag / (E · w(lag)), E the energy of the Hann-windowed frame x
    and w the window's own autocorrelation, from 1 at lag 0
    Raises ValueError for a window shorter than two of the longest periods, or another range.
    Source: Boersma 1993.
    """
    length, step = round(checks.positive("window", window) * rate), round(hop * rate)
    if not 0 < low < high <= rate / 2 or length < 2 * rate / low:
        raise ValueError(
            f"pitch: {low} to {high} hertz in windows of {window} s, expected within 0 to "
            f"{rate / 2}, and windows of at least two periods"
        )
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    parts = frames(signal, length, step) * hann
    shortest, longest = math.ceil(rate / high), math.floor(rate / low)
    own, r = (_autocorrelation(x, longest + 1) for x in (hann[None], parts))
    r = r[:, shortest:] / np.maximum(r[:, :1], 1e-9 * length) * (own[:, 0] / own[0, shortest:])
    lag = (r * np.linspace(1.0, 0.9, r.shape[1])).argmax(axis=1)
    sure = np.clip(r[np.arange(len(r)), lag], 0.0, 1.0)
    return np.stack([np.log(rate / (shortest + lag)), sure], axis=1).astype(np.float32)


def _autocorrelation(parts: Frames, count: int) -> Frames:
    """Return Σ_n x_n x_n+lag of each part (T, N), for lags below `count`: (T, count)."""
    power = np.abs(np.fft.rfft(parts, 2 * parts.shape[1])) ** 2
    return np.fft.irfft(power)[:, :count]


def stack_frames(features: Frames, count: int) -> Frames:
    """Return so many frames side by side: features (T, D) -> (ceil(T / count), count · D).

    The last frame stands again where others are missing.
    """
    count = checks.integer("stack_frames: count", count, 1)
    last = features[-1:].repeat(-len(features) % count, axis=0)
    return np.concatenate([features, last]).reshape(-1, count * features.shape[1])


def column_statistics(sequences: Sequence[Frames]) -> tuple[Frames, Frames]:
    """Return the mean and the standard deviation of each column over all frames: (D,), (D,).

    sequences: N of (T_i, D), at least one frame in all
    Of the training part, they bring every feature to one size: (x - mean) / deviation. The
    deviation of a column that never varies is 1.
    Raises ValueError for sequences that do not fit together or have no frames.
    """
    parts = [np.asarray(part, dtype=np.float64) for part in sequences]
    for i, part in enumerate(parts):
        if part.ndim != 2 or part.shape[1] != parts[0].shape[1]:
            expected = f"(T, {parts[0].shape[1]})" if parts[0].ndim == 2 else "(T, D)"
            raise ValueError(f"column_statistics: [{i}] is {part.shape}, expected {expected}")
    if not any(map(len, parts)):
        raise ValueError(f"column_statistics: no frames in {len(parts)} sequences")
    every = np.concatenate(parts)
    mean, deviation = every.mean(axis=0), every.std(axis=0)
    return mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32)


def check_statistics(mean: object, deviation: object) -> tuple[Frames, Frames]:
    """Return both as arrays (D,), such as `column_statistics` gives and a model's file may hold.

    Raises ValueError unless they are as many finite numbers, every deviation above 0.
    """
    found = []
    for name, value in (("mean", mean), ("deviation", deviation)):
        array = np.asarray(value)
        if array.ndim != 1 or array.dtype.kind not in "if" or not np.isfinite(array).all():
            raise ValueError(f"check_statistics: {name} is not a row of finite numbers")
        found.append(array.astype(np.float32))
    if found[0].shape != found[1].shape:
        shapes = f"{found[0].shape} and {found[1].shape}"
        raise ValueError(f"check_statistics: mean and deviation are {shapes}, expected one shape")
    if not (found[1] > 0).all():
        raise ValueError(f"check_statistics: a deviation is {found[1].min()}, expected above 0")
    return found[0], found[1]


# ---- augmentation --------------------------------------------------------------------------------


def add_noise(signal: Signal, decibels: float, generator: np.random.Generator) -> Signal:
    """Return the signal with white noise, so many decibels below it, cut at ±1.

    A silent signal stays silent.
    """
    x = check_signal(signal)
    noise = generator.standard_normal(len(x))
    ratio = math.sqrt(float(np.mean(x.astype(np.float64) ** 2)) / 10 ** (decibels / 10))
    noise *= ratio / math.sqrt(float(np.mean(noise**2)))
    return np.clip(x + noise, -1.0, 1.0).astype(x.dtype)


def change_speed(signal: Signal, factor: float) -> Signal:
    """Return the signal played `factor` times as fast, its pitch with it: (N,) -> (N / factor,).

    factor: above 0; rounded to a hundredth
    Source: Ko, Povey, Peddinti & Khudanpur 2015.
    """
    hundredths = round(checks.positive("factor", factor) * 100)
    if hundredths < 1:
        raise ValueError(f"factor is {factor}, expected at least 0.01")
    return resample(signal, hundredths, 100)


def mask_features(
    features: Frames, times: int, bands: int, generator: np.random.Generator
) -> Frames:
    """Return features (T, D) with one run of frames and one of columns set to the mean.

    times, bands: largest length of either run, each drawn evenly from 0 on
    Raises ValueError or TypeError for lengths that are no integers from 0 on.
    Source: Park et al. 2019, SpecAugment.
    """
    masked = np.array(features)
    for axis, (name, longest) in enumerate({"times": times, "bands": bands}.items()):
        size, longest = masked.shape[axis], checks.integer(f"mask_features: {name}", longest, 0)
        length = int(generator.integers(0, min(longest, size) + 1))
        start = int(generator.integers(0, size - length + 1))
        run = slice(start, start + length)
        if features.size:
            masked[(run,) if axis == 0 else (slice(None), run)] = features.mean()
    return masked


def mask_padded(
    x: Frames, lengths: npt.ArrayLike, times: int, bands: int, generator: np.random.Generator
) -> Frames:
    """Return a padded batch (T, B, D) with every sequence masked as `mask_features` does.

    lengths (B,): what lies beyond is padding, and stays as it is   times, bands: as there
    """
    masked = np.array(x)
    for b, n in enumerate(np.asarray(lengths)):
        masked[:n, b] = mask_features(masked[:n, b], times, bands, generator)
    return masked


def crop(features: Frames, longest: int, generator: np.random.Generator) -> Frames:
    """Return so many frames of features (T, D) on end, from a random one on; all, if T is less."""
    length = checks.integer("crop: longest", longest, 1)
    start = int(generator.integers(0, max(len(features) - length, 0) + 1))
    return features[start : start + length]
