"""Recordings with what is said of them: a folder of audio files and a table beside them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .audio import Signal, read_audio, resample
from .text import read_text
from .vocabulary import Vocabulary


class Row(NamedTuple):
    """One row of a table: the file and line where it stands, and its values by column."""

    where: str
    values: Mapping[str, str]


class Recording(NamedTuple):
    """One recording: the table's file and line, its samples (N,), and its values by column."""

    where: str
    signal: Signal
    values: Mapping[str, str]


def read_table(path: str | os.PathLike[str], columns: Sequence[str] = ()) -> list[Row]:
    """Return the rows of a CSV file, plain or gzip, whose first line has the columns' titles.

    columns: those that there must be, with a value in every row; others may be there too
    Raises ValueError with the file and line for rows of another width, empty values, missing or
    double titles or no rows; FileNotFoundError for no file.
    """
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    rows: list[Row] = []
    try:
        titles = next(reader, [])
        missing = [name for name in columns if titles.count(name) != 1]
        if missing or not titles:
            raise ValueError(f"{path}, line 1: titles {titles}, expected {', '.join(columns)}")
        for fields in reader:
            where = f"{path}, line {reader.line_num}"
            if not fields:
                continue
            if len(fields) != len(titles):
                raise ValueError(f"{where}: {len(fields)} values, expected {len(titles)}")
            values = dict(zip(titles, fields, strict=True))
            for name in columns:
                if not values[name].strip():
                    raise ValueError(f"{where}: no {name}")
            rows.append(Row(where, values))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if not rows:
        raise ValueError(f"{path}: no rows in it")
    return rows


class AudioFolder:
    """The recordings of a folder or of a folder in it, by file name, each read once.

    rate: samples a second of all signals; recordings of a higher rate are resampled
    folder["a.wav"] is a signal (N,), float32 from -1 to 1.
    Raises FileNotFoundError for a file that is nowhere, ValueError, naming the file, for a lower
    rate and for what `read_audio` refuses.
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
            signal, rate = read_audio(path)
            if rate < self.rate:
                raise ValueError(f"{path}: {rate} samples a second, expected {self.rate} or more")
            self._signals[name] = resample(signal, rate, self.rate)
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
        with _named(where):
            recordings.append(Recording(where, folder[values["file"]], values))
    return recordings


def leave_one_out(groups: Sequence[str]) -> Iterator[tuple[str, list[int], list[int]]]:
    """Yield each group with the places of all others, to train on, and its own, to test on.

    groups: of every item (its speaker, say); they come in order of their names
    Raises ValueError for fewer than two groups.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        raise ValueError(f"leave_one_out: the groups are {names}, expected two or more")
    for name in names:
        others = [i for i, group in enumerate(groups) if group != name]
        yield name, others, [i for i, group in enumerate(groups) if group == name]


class Trial(NamedTuple):
    """Two recordings, by file name, that may be of one speaker: the table's file and line first."""

    where: str
    first: str
    second: str
    same: bool
    kind: str = ""


def read_trials(path: str | os.PathLike[str]) -> list[Trial]:
    """Return the trials of a table with the columns file_a, file_b and same_speaker, 0 or 1.

    path: the table, or a folder with one table verification_trials*.csv; a column kind is read too
    Raises ValueError with the file and line for what `read_table` refuses and for other answers,
    FileNotFoundError for a folder that has none or several.
    """
    table, trials = _only_table(path, "verification_trials*.csv"), []
    for where, values in read_table(table, ("file_a", "file_b", "same_speaker")):
        answer = values["same_speaker"]
        if answer not in ("0", "1"):
            raise ValueError(f"{where}: same_speaker is {answer!r}, expected 0 or 1")
        kind = values.get("kind", "")
        trials.append(Trial(where, values["file_a"], values["file_b"], answer == "1", kind))
    return trials


def read_strings(path: str | os.PathLike[str], rate: int) -> list[Recording]:
    """Return recordings joined from others, with silence between, as a table says.

    path: the table, or a folder with one table *strings*.csv; its columns are transcript, as many
    words as there are files; files, names of recordings beside the table or in a folder below; and
    gaps_ms, the silence before the first, between them and after the last; spaces between all
    rate: samples a second of all signals; recordings of a higher rate are resampled
    Raises ValueError or FileNotFoundError, naming the table and its line, as `read_recordings`
    does, and for numbers of words, files and gaps that do not fit.
    """
    table = _only_table(path, "*strings*.csv")
    rows = read_table(table, ("transcript", "files", "gaps_ms"))
    folder, strings = AudioFolder(table.parent, rate), []
    for where, values in rows:
        words, files, gaps = (values[name].split() for name in ("transcript", "files", "gaps_ms"))
        with _named(where):
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


def _only_table(path: str | os.PathLike[str], pattern: str) -> Path:
    """Return a path, or of a folder the one file in it that matches. Raises FileNotFoundError."""
    if not Path(path).is_dir():
        return Path(path)
    tables = sorted(Path(path).glob(pattern))
    if len(tables) != 1:
        raise FileNotFoundError(f"{path}: {len(tables)} files {pattern}, expected one")
    return tables[0]


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Names the line of a table in errors of what it asks for."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"{where}: {error}") from error
