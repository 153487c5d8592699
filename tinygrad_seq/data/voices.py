"""Voices made of formulas: sounds that glide from vowel to vowel, for trying out what hears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .. import _check
from .audio import Signal


def glide(
    formants: Sequence[Sequence[float]],
    pitch: Sequence[float],
    seconds: float,
    rate: int,
    generator: np.random.Generator,
    *,
    tract: float = 1.0,
    breath: float = 0.02,
    loudness: float = 0.5,
) -> Signal:
    """Return a voiced sound that passes through vowels at an even pace: (N,), float32.

    formants: of each vowel its resonances, as many each, in hertz   pitch: points of the voice's
    pitch at an even pace, in hertz   tract: what a speaker's formants are multiplied by
    breath: noise, of the loudest sample   loudness: largest sample, 0 to 1
    x(t) = Σ_n a_n(t) sin(n φ(t)), φ' = 2π pitch(t), over all n below rate / 2;
    a_n = Σ_k (1 / k) / (1 + ((n · pitch - F_k) / 60)²) / n^(1/2), F_k the k-th formant at t
    Raises ValueError for formants that are not as many of every vowel, or numbers out of range.
    Source: Fant 1960, the source and the filter, as sums of harmonics.
    """
    count = round(_check.not_negative("seconds", seconds) * _check.integer("rate", rate, 1))
    points = np.array([_check.positive("pitch", hertz) for hertz in pitch])
    vowels = np.array([list(vowel) for vowel in formants], dtype=np.float64)
    if vowels.ndim != 2 or not count or not len(points):
        raise ValueError(f"glide: {vowels.shape} formants, {len(points)} pitches, {count} samples")
    f0 = _spread(points, count)
    phase = 2 * np.pi * np.cumsum(f0) / rate
    resonances = [_spread(column, count) * tract for column in vowels.T]
    sound = np.zeros(count)
    for n in range(1, int(rate / 2 / f0.min()) + 1):
        weights = [
            1 / (k * (1 + ((n * f0 - f) / 60) ** 2)) for k, f in enumerate(resonances, start=1)
        ]
        audible = n * f0 < rate / 2
        sound += audible * sum(weights) * np.sin(n * phase) / n**0.5
    edge = np.linspace(0, 1, count)
    sound *= np.minimum(1, 8 * np.minimum(edge, 1 - edge))
    sound /= np.abs(sound).max() or 1.0
    sound += breath * generator.standard_normal(count)
    sound *= _check.fraction("loudness", loudness) / np.abs(sound).max()
    return sound.astype(np.float32)


def _spread(points: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Return values at `count` even places, straight lines between points evenly apart."""
    return np.interp(np.linspace(0, len(points) - 1, count), np.arange(len(points)), points)
