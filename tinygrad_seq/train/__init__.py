"""Training: the loop, what it leaves behind, and programs around it."""

from . import metrics
from .history import History
from .metrics import bits, perplexity
from .program import (
    count,
    parse_options,
    positive,
    probability,
    program_parser,
    run_program,
)
from .trainer import Trainer

__all__ = [
    "History",
    "Trainer",
    "bits",
    "count",
    "metrics",
    "parse_options",
    "perplexity",
    "positive",
    "probability",
    "program_parser",
    "run_program",
]
