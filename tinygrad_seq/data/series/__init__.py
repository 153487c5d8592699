"""Series over time that are no text: a number a month, the pitches of a piece of music."""

from .months import made_up_months, read_months
from .piano_roll import HIGHEST, LOWEST, piano_roll, read_pieces, sound_of, transposed

__all__ = [
    "HIGHEST",
    "LOWEST",
    "made_up_months",
    "piano_roll",
    "read_months",
    "read_pieces",
    "sound_of",
    "transposed",
]
