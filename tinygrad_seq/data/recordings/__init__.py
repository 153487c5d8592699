"""Recordings and the tables beside them: labels, strings, trials of verification."""

from .groups import draw_of_each, groups_of, leave_one_out, spread_of_each
from .labelled import (
    AudioFolder,
    Recording,
    at_speeds,
    label_ids,
    of_split,
    read_recordings,
    read_signal,
    word_ids,
)
from .strings import draw_strings, join_signals, read_strings
from .tables import Row, read_table
from .trials import Trial, all_trials, read_trials, trial_signals, trials_about, trials_by_kind

__all__ = [
    "AudioFolder",
    "Recording",
    "Row",
    "Trial",
    "all_trials",
    "at_speeds",
    "draw_of_each",
    "draw_strings",
    "groups_of",
    "join_signals",
    "label_ids",
    "leave_one_out",
    "of_split",
    "read_recordings",
    "read_signal",
    "read_strings",
    "read_table",
    "read_trials",
    "spread_of_each",
    "trial_signals",
    "trials_about",
    "trials_by_kind",
    "word_ids",
]
