"""Recordings with what is said of them: a folder of audio files and a table beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..audio import Signal, read_audio, resample
from ..features import change_speed
from ..vocabulary import Vocabulary
from .tables import named, read_table, table_of


class Recording(NamedTuple):
    """One recording: the table's file and line, its samples (N,), and its values by column."""

    where: str
    signal: Signal
    values: Mapping[str, str]


def read_signal(path: str | os.PathLike[str], rate: int) -> Signal:
    """Return the samples of a recording at a rate: (N,), float32 from -1 to 1.

    rate: samples a second; a recording of a higher rate is resampled
    Raises ValueError, naming the file, for a lower rate, and what `read_audio` raises.
    """
    signal, own = read_audio(path)
    if own < rate:
        raise ValueError(f"{path}: {own} samples a second, expected {rate} or more")
    return resample(signal, own, rate)


class AudioFolder:
    """The recordings of a folder or of a folder in it, by file name, each read once.

    rate: samples a second of all signals; recordings of a higher rate are resampled
    folder["a.wav"] is a signal (N,), float32 from -1 to 1.
    Raises FileNotFoundError for a file that is nowhere, ValueError, naming the file, for what
    `read_signal` refuses.
    """

    def __init__(self, folder: str | os.PathLike[str], rate: int) -> None:
        self.folder, self.rate = Path(folder), rate
        inside = sorted(path for path in self.folder.iterdir() if path.is_dir())
        self._places = [self.folder, *inside]
        self._signals: dict[str, Signal] = {}

    def __getitem__(self, name: str) -> Signal:
        if name not in self._signals:
            found = (place / name for place in self._places if (place / name).is_file())
            path = next(found, None)
            if path is None:
                raise FileNotFoundError(
                    f"{self.folder / name}: neither there nor in a folder below"
                )
            self._signals[name] = read_signal(path, self.rate)
        return self._signals[name]


def read_recordings(
    path: str | os.PathLike[str], rate: int, columns: Sequence[str] = ()
) -> list[Recording]:
    """Return the recordings that a table's column `file` names, in its order.

    path: a folder with labels.csv, or such a table; recordings stand beside it or a folder below
    rate: samples a second of all signals; recordings of a higher rate are resampled
    columns: those that the table must have besides, with a value in every row
    Raises ValueError or FileNotFoundError, naming the table and its line and the recording, for
    what `read_table` and `AudioFolder` refuse.
    """
    table = Path(path) / "labels.csv" if Path(path).is_dir() else Path(path)
    rows = read_table(table, ("file", *columns))
    folder, recordings = AudioFolder(table.parent, rate), []
    for where, values in rows:
        with named(where):
            recordings.append(Recording(where, folder[values["file"]], values))
    return recordings


def label_ids(
    recordings: Sequence[Recording], column: str, vocabulary: Vocabulary
) -> npt.NDArray[np.int64]:
    """Return the ids (N,) of what a column says of each recording.

    Raises ValueError, naming the table and its line, for what the vocabulary does not have.
    """
    for where, _, values in recordings:
        if values[column] not in vocabulary:
            raise ValueError(f"{where}: the model has no {column} {values[column]!r}")
    return vocabulary.encode([values[column] for _, _, values in recordings])


def word_ids(
    recordings: Sequence[Recording], column: str, vocabulary: Vocabulary
) -> list[npt.NDArray[np.int64]]:
    """Return the ids (S_i,) of the words, with spaces between, in a column of each recording.

    Raises ValueError, naming the table and its line, for a word that the vocabulary does not have.
    """
    texts = [values[column].split() for _, _, values in recordings]
    for (where, _, _), words in zip(recordings, texts, strict=True):
        for word in words:
            if word not in vocabulary:
                raise ValueError(f"{where}: the model has no word {word!r}")
    return [vocabulary.encode(words) for words in texts]


def of_split(recordings: Sequence[Recording], split: str) -> list[Recording]:
    """Return the recordings whose column `split` says so, in their order.

    Raises ValueError, naming the table and the splits that it has, for none.
    """
    found = [r for r in recordings if r.values.get("split") == split]
    if not found:
        have = sorted({r.values.get("split", "none") for r in recordings})
        table = table_of(recordings[0].where) if recordings else "no recordings"
        raise ValueError(f"{table}: no recordings of the split {split}, only of {', '.join(have)}")
    return found


def at_speeds(recordings: Sequence[Recording], speeds: Sequence[float]) -> list[Recording]:
    """Return every recording at every speed, as `features.change_speed` plays it.

    The versions of one recording stand side by side, in the order of the speeds.
    Raises ValueError for a speed below 0.01.
    """
    return [
        Recording(where, change_speed(signal, speed), values)
        for where, signal, values in recordings
        for speed in speeds
    ]
