"""Made-up data, easy to learn: tasks for the memory, sentences, a small world of words."""

from .features import FEATURE_NAMES, FEATURES, SENTENCES
from .memory import adding_problem, copy_by_guessing, copy_memory, temporal_order
from .sentences import court, names, number_pairs, opinions, remarks, tagged_sentences
from .stored import read_arrays, write_arrays
from .world import world, world_analogies

__all__ = [
    "FEATURES",
    "FEATURE_NAMES",
    "SENTENCES",
    "adding_problem",
    "copy_by_guessing",
    "copy_memory",
    "court",
    "names",
    "number_pairs",
    "opinions",
    "read_arrays",
    "remarks",
    "tagged_sentences",
    "temporal_order",
    "world",
    "world_analogies",
    "write_arrays",
]
