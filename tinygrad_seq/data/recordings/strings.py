"""Strings of recordings: one after the other, with silence between."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ...engine import checks
from ..audio import Signal
from .labelled import AudioFolder, Recording
from .tables import named, only_table, read_table


def read_strings(path: str | os.PathLike[str], rate: int) -> list[Recording]:
    """Return recordings joined from others, with silence between, as a table says.

    path: the table, or a folder with one table *strings*.csv; its columns are transcript, as many
    words as there are files; files, names of recordings beside the table or in a folder below; and
    gaps_ms, the silence before the first, between them and after the last; spaces between all
    rate: samples a second of all signals; recordings of a higher rate are resampled
    Raises ValueError or FileNotFoundError, naming the table and its line, as `read_recordings`
    does, and for numbers of words, files and gaps that do not fit.
    """
    table = only_table(path, "*strings*.csv")
    rows = read_table(table, ("transcript", "files", "gaps_ms"))
    folder, strings = AudioFolder(table.parent, rate), []
    for where, values in rows:
        words, files, gaps = (values[name].split() for name in ("transcript", "files", "gaps_ms"))
        with named(where):
            if not len(words) == len(files) == len(gaps) - 1:
                counts = f"{len(words)} words, {len(files)} files and {len(gaps)} gaps"
                raise ValueError(f"{counts}, expected as many words as files, and a gap more")
            if not all(gap.isdecimal() for gap in gaps):
                raise ValueError(f"gaps_ms are {' '.join(gaps)}, expected whole numbers, 0 or more")
            seconds = [int(gap) / 1000 for gap in gaps]
            joined = join_signals([folder[name] for name in files], seconds, rate)
            strings.append(Recording(where, joined, values))
    return strings


def join_signals(signals: Sequence[Signal], gaps: Sequence[float], rate: int) -> Signal:
    """Return signals (N_i,) one after the other with silence between: (N,), float32.

    gaps: of each silence its seconds: before each signal, and after the last
    Raises ValueError unless there is one gap more than signals.
    """
    if len(gaps) != len(signals) + 1:
        raise ValueError(f"join_signals: {len(gaps)} gaps and {len(signals)} signals, "
                         "expected one gap more")  # fmt: skip
    quiet = [np.zeros(round(rate * seconds), np.float32) for seconds in gaps]
    parts = [part for pair in zip(quiet, [*signals, quiet[-1][:0]], strict=True) for part in pair]
    return np.concatenate(parts)


def draw_strings(
    recordings: Sequence[Recording],
    column: str,
    number: int,
    longest: int,
    generator: np.random.Generator,
    rate: int,
    gaps: tuple[float, float] = (0.02, 0.15),
) -> list[Recording]:
    """Return random strings of recordings, each of one speaker: their column transcript says what.

    recordings: of single words, with the columns speaker and `column`, the word
    number: of strings   longest: a string has 1 to so many words, every length as likely
    gaps: shortest and longest silence before, between and after the words, in seconds
    rate: samples a second
    Raises ValueError for no recordings, numbers below 1, and, naming the table and its line, for
    what is not one word.
    """
    number = checks.integer("draw_strings: number", number, 1)
    longest = checks.integer("draw_strings: longest", longest, 1)
    if not recordings:
        raise ValueError("draw_strings: no recordings, expected at least one")
    speakers: dict[str, list[Recording]] = {}
    for recording in recordings:
        word = recording.values[column]
        if word.split() != [word]:
            raise ValueError(f"{recording.where}: {column} is {word!r}, expected one word")
        speakers.setdefault(recording.values["speaker"], []).append(recording)
    names, strings = list(speakers), []
    for _ in range(number):
        said = speakers[generator.choice(names)]
        count = generator.integers(1, longest + 1)
        chosen = [said[i] for i in generator.integers(len(said), size=count)]
        quiet = generator.uniform(*gaps, count + 1)
        values = {"transcript": " ".join(r.values[column] for r in chosen)}
        values["speaker"] = chosen[0].values["speaker"]
        joined = join_signals([r.signal for r in chosen], quiet.tolist(), rate)
        strings.append(Recording(chosen[0].where, joined, values))
    return strings
