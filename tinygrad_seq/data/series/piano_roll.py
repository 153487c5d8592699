"""Music as piano rolls: which pitches sound at each step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ...engine import checks
from ..text import read_text

Roll: TypeAlias = npt.NDArray[np.float32]
"""A piece, (T, 54) of 0 and 1: which of the pitches from LOWEST to HIGHEST sound at each step."""

LOWEST, HIGHEST = 43, 96
"""MIDI numbers of the pitches (G2 to C7): those of Bach's chorales."""


def read_pieces(path: str | os.PathLike[str]) -> list[Roll]:
    """Return the pieces of a JSON file: a list of pieces of steps of MIDI pitches.

    Raises ValueError naming the file, and piece and step, for what is no such list, for pieces
    without steps and for other pitches; otherwise as `read_text`.
    """
    name, text = os.fspath(path), read_text(path)
    try:
        pieces = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: no JSON: {error}") from error
    if not isinstance(pieces, list) or not pieces:
        raise ValueError(f"{name}: expected a list of pieces, of lists of pitches")
    rolls = []
    for number, piece in enumerate(pieces, start=1):
        try:
            rolls.append(piano_roll(piece))
        except ValueError as error:
            raise ValueError(f"{name}, piece {number}: {error}") from None
    return rolls


def piano_roll(piece: Sequence[Sequence[int]]) -> Roll:
    """Return steps of MIDI pitches as (T, 54) of 0 and 1; a step without pitches is a rest.

    Raises ValueError for no steps, and for what is no pitch from LOWEST to HIGHEST.
    """
    if not isinstance(piece, list | tuple) or not piece:
        raise ValueError("expected steps, at least one")
    roll = np.zeros((len(piece), HIGHEST - LOWEST + 1), dtype=np.float32)
    for step, pitches in enumerate(piece):
        if not isinstance(pitches, list | tuple):
            raise ValueError(f"step {step} is {pitches!r}, expected a list of pitches")
        for pitch in pitches:
            if not isinstance(pitch, int) or not LOWEST <= pitch <= HIGHEST:
                raise ValueError(f"pitch {pitch!r} at step {step}, expected {LOWEST} to {HIGHEST}")
            roll[step, pitch - LOWEST] = 1
    return roll


def transposed(pieces: Iterable[Roll], most: int) -> list[Roll]:
    """Return the pieces in every key up to `most` semitones away in which no pitch is lost.

    Raises ValueError for most below 0.
    """
    most, found = checks.integer("transposed: most", most, 0), []
    for roll in pieces:
        low, high = np.flatnonzero(roll.any(axis=0))[[0, -1]] if roll.any() else (most, -most)
        found += [
            np.roll(roll, shift, axis=1)
            for shift in range(-most, most + 1)
            if low + shift >= 0 and high + shift < roll.shape[1]
        ]
    return found


def sound_of(roll: Roll, rate: int, step: float = 0.25) -> npt.NDArray[np.float32]:
    """Return the sound of a piece, (N,) from -1 to 1, one step longer than it: each note rings out.

    A note is a decaying tone of three harmonics; while its pitch stays, it is not struck again.
    rate: samples a second;  step: seconds
    Raises ValueError for a rate below 1 or a step that is not above 0.
    """
    rate, step = checks.integer("sound_of: rate", rate, 1), checks.positive("sound_of: step", step)
    long = int(rate * step)
    sound = np.zeros(long * (len(roll) + 1))
    struck = roll > np.concatenate([np.zeros_like(roll[:1]), roll[:-1]])
    for t, p in zip(*np.nonzero(struck), strict=True):
        ends = np.flatnonzero(roll[t:, p] == 0)
        held = int(ends[0]) if len(ends) else len(roll) - t
        seconds = np.arange(long * (held + 1)) / rate
        turns = 2 * np.pi * 440 * 2 ** ((p + LOWEST - 69) / 12) * seconds
        tone = sum(np.sin(n * turns) / n**2 for n in (1, 2, 3))
        envelope = np.minimum(1, seconds / 0.01) * np.exp(-1.5 * seconds)
        sound[t * long :][: len(tone)] += tone * envelope
    loudest = max(float(np.abs(sound).max(initial=0)), 1e-9)
    return np.asarray(sound / loudest, dtype=np.float32)
