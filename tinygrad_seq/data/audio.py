"""Recordings as arrays of samples: reading, writing, checking, resampling."""

from __future__ import annotations

import functools
import importlib
import math
import os
import wave
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..engine import checks
from ..serialize import replacing

Signal: TypeAlias = npt.NDArray[Any]
"""Samples (N,) of one channel, float32 from -1 to 1."""

# ---- files ---------------------------------------------------------------------------------------


def read_audio(path: str | os.PathLike[str], rate: int | None = None) -> tuple[Signal, int]:
    """Return (samples (N,), float32 from -1 to 1; samples a second) of a WAV or FLAC file.

    8, 16, 24 and 32-bit integers are divided by their largest size, 16-bit ones by 32768.
    rate: what the file must be sampled at, or None for any; `resample` changes it
    Raises ValueError, naming the file, for several channels, another rate, no samples, NaN, a
    truncated file or a header that says something else than the file has, and for other files;
    FileNotFoundError for none, ImportError without soundfile.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise FileNotFoundError(f"{name}: there is no such file")
    try:
        soundfile: Any = importlib.import_module("soundfile")
    except (ImportError, OSError) as error:
        raise ImportError(
            "reading audio needs soundfile: pip install 'tinygrad-seq[examples]'"
        ) from error
    try:
        with soundfile.SoundFile(name) as file:
            _check_wav_length(name, file.format)
            promised, found = file.frames, file.samplerate
            samples = file.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ValueError(f"{name}: no audio that can be read: {error}") from error
    if samples.shape[1] != 1:
        raise ValueError(f"{name}: {samples.shape[1]} channels, expected one (see mix_down)")
    if len(samples) != promised:
        raise ValueError(f"{name}: {len(samples)} samples, its header says {promised}")
    if rate is not None and found != rate:
        raise ValueError(f"{name}: {found} samples a second, expected {rate} (see resample)")
    return check_signal(samples[:, 0], name), int(found)


def _check_wav_length(name: str, kind: str) -> None:
    """Nothing; raises ValueError for a WAV file longer or shorter than its header's lengths say."""
    if kind not in ("WAV", "WAVEX"):
        return
    size = os.path.getsize(name)
    with open(name, "rb") as file:
        start = file.seek(12)
        while head := file.read(8):
            title, length = head[:4], int.from_bytes(head[4:], "little")
            if len(head) < 8 or not title.isascii() or not title.decode().isprintable():
                raise ValueError(
                    f"{name}: {size - start} bytes that its header does not account for"
                )
            have = size - start - 8
            if length > have:
                part = "samples" if title == b"data" else repr(title.decode())
                raise ValueError(f"{name}: {have} bytes of {part}, its header says {length}")
            start = file.seek(start + 8 + length + length % 2)


def write_wav(path: str | os.PathLike[str], signal: Signal, rate: int) -> None:
    """Nothing; writes samples (N,) from -1 to 1 as a 16-bit WAV file, whole or not at all.

    rate: samples a second
    Raises ValueError or TypeError for a signal or rate that does not fit, OSError where nothing can
    be written.
    """
    samples, rate = to_int16(signal), checks.integer("rate", rate, 1)
    with replacing(path) as place, wave.open(os.fspath(place), "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", "not compressed"))
        file.writeframes(samples.astype("<i2").tobytes())


def check_signal(samples: npt.ArrayLike, name: str = "signal") -> Signal:
    """Return samples (N,) as floats from -1 to 1: int16 divided by 32768, floats as they are.

    Raises ValueError for no samples, other shapes, NaN or Inf (with the index), or floats beyond
    ±1 by more than a rounding; TypeError for other dtypes.
    """
    x = np.asarray(samples)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"{name}: samples are {x.shape}, expected (N,), N at least 1")
    if x.dtype == np.int16:
        return (x / np.float32(32768)).astype(np.float32)
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: samples are {x.dtype}, expected int16 or floats")
    wrong = ~np.isfinite(x)
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(f"{name}: sample {i} is {x[i]}")
    if np.abs(x).max() > 1.001:
        i = int(np.abs(x).argmax())
        raise ValueError(f"{name}: sample {i} is {x[i]}, expected -1 to 1")
    return x


def to_int16(signal: Signal) -> npt.NDArray[np.int16]:
    """Return samples from -1 to 1 as int16: round(32768 x), cut at 32767."""
    x = check_signal(signal)
    return np.clip(np.rint(x * 32768.0), -32768, 32767).astype(np.int16)


def mix_down(samples: npt.ArrayLike) -> Signal:
    """Return the mean of the channels: (N, channels) -> (N,)."""
    x = np.asarray(samples)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"mix_down: samples are {x.shape}, expected (N, channels)")
    mixed: Signal = x.mean(axis=1, dtype=x.dtype if x.dtype.kind == "f" else np.float32)
    return mixed


def level(signal: Signal, decibels: float = -26.0) -> Signal:
    """Return the signal as loud as any other: its root mean square so many decibels from 1.

    What goes beyond ±1 is cut; silence stays silent.
    """
    x = check_signal(signal)
    power = float(np.mean(x.astype(np.float64) ** 2))
    gain = 10 ** (decibels / 20) / math.sqrt(power) if power else 1.0
    return np.clip(x * gain, -1.0, 1.0).astype(x.dtype)


def full_scale(signal: Signal) -> Signal:
    """Return the signal with its loudest sample at ±1; one below 1e-4 counts as 1e-4."""
    x = check_signal(signal)
    scaled: Signal = x / max(np.abs(x).max(), 1e-4)
    return scaled


def resample(signal: Signal, rate: int, to_rate: int) -> Signal:
    """Return the signal at another rate, as long to within a sample, what is too high cut off.

    A sinc of 32 zero crossings a side under a Kaiser window (β = 12), at the lower rate's band.
    signal (N,)   ->   (ceil(N · to_rate / rate),)
    Raises ValueError or TypeError for rates below 1 or a signal that does not fit.
    Source: Smith 2002, "Digital audio resampling home page".
    """
    rate, to_rate = checks.integer("rate", rate, 1), checks.integer("to_rate", to_rate, 1)
    x = check_signal(signal)
    common = math.gcd(rate, to_rate)
    up, down = to_rate // common, rate // common
    if up == down:
        return x
    count = -(-len(x) * up // down)
    kernels = _kernels(up, down, min(up, count))
    half = kernels.shape[1] // 2
    padded = np.pad(x.astype(np.float64), (half, half + down))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)
    out = np.empty(count)
    for phase in range(len(kernels)):  # outputs phase, phase + up, ... fall between samples alike
        start = np.arange(phase, count, up) * down // up
        out[phase::up] = windows[start + 1] @ kernels[phase]
    return np.clip(out, -1.0, 1.0).astype(x.dtype)


@functools.lru_cache(maxsize=8)
def _kernels(up: int, down: int, phases: int) -> Signal:
    """Return the weights of the samples around the first places between two: (phases, taps)."""
    band = 0.95 * min(1.0, up / down)  # of half the input's rate; the rest is the filter's slope
    half = math.ceil(32 / band)
    taps = np.arange(-half + 1, half + 1)
    window = np.kaiser(2 * half + 1, 12.0)
    fractions = np.arange(phases) * down % up / up
    offsets = taps - fractions[:, None]
    kernels = np.sinc(band * offsets) * np.interp(offsets, np.arange(-half, half + 1), window)
    scaled: Signal = kernels / kernels.sum(axis=1, keepdims=True)
    return scaled
