"""Trials of verification: two recordings, and whether they are of one speaker."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..audio import Signal
from .labelled import AudioFolder, Recording
from .tables import named, only_table, read_table, table_of


class Trial(NamedTuple):
    """Two recordings, by file name, that may be of one speaker: the table's file and line first."""

    where: str
    first: str
    second: str
    same: bool
    kind: str = ""


def read_trials(path: str | os.PathLike[str], among: Collection[str] | None = None) -> list[Trial]:
    """Return the trials of a table with the columns file_a, file_b and same_speaker, 0 or 1.

    path: the table, or a folder with one table verification_trials*.csv; a column kind is read too
    among: the file names that there may be, or None for any
    Raises ValueError with the file and line for what `read_table` refuses, for other answers and
    names, and where all answers are one; FileNotFoundError for a folder that has none or several.
    """
    table, trials = only_table(path, "verification_trials*.csv"), []
    for where, values in read_table(table, ("file_a", "file_b", "same_speaker")):
        answer, files = values["same_speaker"], (values["file_a"], values["file_b"])
        if answer not in ("0", "1"):
            raise ValueError(f"{where}: same_speaker is {answer!r}, expected 0 or 1")
        for name in files:
            if among is not None and name not in among:
                raise ValueError(f"{where}: {name} is not among the labels")
        trials.append(Trial(where, *files, answer == "1", values.get("kind", "")))
    if len({trial.same for trial in trials}) < 2:
        always = int(trials[0].same)
        raise ValueError(f"{table}: same_speaker is always {always}, expected trials of both kinds")
    return trials


def trial_signals(
    path: str | os.PathLike[str], trials: Sequence[Trial], rate: int
) -> dict[str, Signal]:
    """Return the samples of every recording of the trials, by file name.

    path: as `read_trials` takes it; the recordings stand beside the table or in a folder below
    rate: samples a second of all signals; recordings of a higher rate are resampled
    Raises ValueError or FileNotFoundError, naming the table and its line, as `AudioFolder` does.
    """
    folder = AudioFolder(path if Path(path).is_dir() else Path(path).parent, rate)
    signals: dict[str, Signal] = {}
    for trial in trials:
        with named(trial.where):
            signals |= {name: folder[name] for name in (trial.first, trial.second)}
    return signals


def all_trials(recordings: Sequence[Recording]) -> list[Trial]:
    """Return a trial of every two recordings, by their columns file and speaker."""
    names = [(r.where, r.values["file"], r.values["speaker"]) for r in recordings]
    pairs = itertools.combinations(names, 2)
    return [Trial(where, a, b, mine == other) for (where, a, mine), (_, b, other) in pairs]


def trials_about(
    trials: Sequence[Trial], speakers: Mapping[str, str], names: Iterable[str]
) -> dict[str, list[Trial]]:
    """Return for each of the speakers' names the trials with a recording of that speaker.

    speakers: of each recording, by its file name
    Raises ValueError, naming the table, for a speaker whose trials do not have both answers.
    """
    about = {}
    for name in names:
        own = [t for t in trials if name in (speakers[t.first], speakers[t.second])]
        if len({trial.same for trial in own}) < 2:
            table = table_of(trials[0].where) if trials else "no trials"
            counts = f"{sum(trial.same for trial in own)} are of one speaker"
            raise ValueError(
                f"{table}: {len(own)} trials with a recording of {name}, {counts}, "
                "expected some that are and some that are not"
            )
        about[name] = own
    return about


def trials_by_kind(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Return the trials of each kind, in order of the kinds' names: of those with both answers.

    Of trials that are all of one kind there are none.
    """
    kinds: dict[str, list[Trial]] = {kind: [] for kind in sorted({trial.kind for trial in trials})}
    for trial in trials:
        kinds[trial.kind].append(trial)
    return {
        kind: part
        for kind, part in kinds.items()
        if len(kinds) > 1 and len({trial.same for trial in part}) == 2
    }
