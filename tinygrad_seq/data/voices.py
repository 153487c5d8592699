"""Voices made of formulas: what glides from vowel to vowel, and recordings to try out on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..engine import checks
from .audio import Signal
from .recordings import Recording


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
    count = round(checks.not_negative("seconds", seconds) * checks.integer("rate", rate, 1))
    points = np.array([checks.positive("pitch", hertz) for hertz in pitch])
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
    sound *= checks.fraction("loudness", loudness) / np.abs(sound).max()
    return sound.astype(np.float32)


VOWELS = {
    "a": (750, 1200, 2500),
    "e": (450, 1900, 2600),
    "i": (280, 2300, 2900),
    "u": (320, 800, 2300),
}
"""The lowest three formants of vowels, in hertz."""


def spoken_words(
    generator: np.random.Generator, number: int = 360, rate: int = 8000
) -> list[Recording]:
    """Return recordings of ten words of two vowels, said high and low, quickly and slowly.

    Their columns: file; digit, the word's number; speaker, any; split, a third of them val.
    """
    words = ["ae", "ai", "au", "ea", "ei", "eu", "ia", "ie", "iu", "ua"]
    recordings = []
    for i in range(checks.integer("spoken_words: number", number, 1)):
        pitch = generator.uniform(90, 220) * generator.uniform(0.8, 1.2, 3)
        seconds, tract = generator.uniform(0.2, 0.4), generator.uniform(0.9, 1.15)
        formants = [VOWELS[letter][:2] for letter in words[i % 10]]
        signal = glide(formants, pitch.tolist(), seconds, rate, generator, tract=tract, breath=0.05)
        split = "val" if i % 3 == 0 else "train"
        recordings.append(_made_up(i, signal, digit=str(i % 10), speaker="any", split=split))
    return recordings


def different_speakers(
    generator: np.random.Generator, number: int = 100, rate: int = 8000
) -> list[Recording]:
    """Return recordings of two vowels each, of four speakers with a pitch and a mouth of their own.

    Their columns: file; speaker, voice 0 to voice 3; split, four in ten of them val.
    """
    recordings = []
    for i in range(checks.integer("different_speakers: number", number, 1)):
        speaker = i % 4
        formants = [list(VOWELS.values())[k] for k in generator.integers(0, 4, 2)]
        pitch = (90 + 35 * speaker) * generator.uniform(0.93, 1.07, 3)
        seconds, tract = generator.uniform(0.25, 0.4), (1.0, 0.85, 1.15, 0.95)[speaker]
        signal = glide(formants, pitch.tolist(), seconds, rate, generator, tract=tract, breath=0.05)
        split = "val" if i % 10 < 4 else "train"
        recordings.append(_made_up(i, signal, speaker=f"voice {speaker}", split=split))
    return recordings


MOODS = {
    "anger": ((1.4, 2.0, 1.2), 0.4),
    "happiness": ((1.0, 1.3, 2.0), 0.5),
    "neutral": ((1.1, 1.0, 1.1), 0.6),
    "sadness": ((1.2, 0.9, 0.7), 0.8),
}
"""Of emotions: the pitch, as multiples of the voice's own, and the seconds of three vowels."""


def moods(generator: np.random.Generator, number: int = 96, rate: int = 8000) -> list[Recording]:
    """Return recordings of four speakers who rise in anger and joy, and fall in sadness.

    Their columns: file; emotion, of `MOODS`; speaker, each at a pitch and with a mouth of their own
    """
    speakers = {"ann": (190, 1.15), "bob": (110, 0.95), "cleo": (160, 1.1), "dan": (130, 0.9)}
    recordings = []
    for i in range(checks.integer("moods: number", number, 1)):
        speaker, emotion = list(speakers)[i % 4], list(MOODS)[i // 4 % 4]
        (height, tract), (melody, seconds) = speakers[speaker], MOODS[emotion]
        pitch = height * np.array(melody) * generator.uniform(0.9, 1.1, 3)
        formants = [list(VOWELS.values())[k][:2] for k in generator.integers(0, 4, 3)]
        seconds *= generator.uniform(0.8, 1.2)
        signal = glide(formants, pitch.tolist(), seconds, rate, generator, tract=tract, breath=0.05)
        recordings.append(_made_up(i, signal, emotion=emotion, speaker=speaker))
    return recordings


def _made_up(i: int, signal: Signal, **values: str) -> Recording:
    return Recording(f"made up, {i}", signal, {"file": f"{i}.wav", **values})


def _spread(points: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Return values at `count` even places, straight lines between points evenly apart."""
    return np.interp(np.linspace(0, len(points) - 1, count), np.arange(len(points)), points)
