"""Series over time that are no text: a number a month, the pitches of a piece of music."""

from .months import read_months
from .piano_roll import HIGHEST, LOWEST, piano_roll, read_pieces, sound_of, transposed

__all__ = [
    "HIGHEST",
    "LOWEST",
    "piano_roll",
    "read_months",
    "read_pieces",
    "sound_of",
    "transposed",
]
