"""Training: the loop, what it leaves behind, and programs around it."""

from . import metrics
from .history import History
from .metrics import bits, perplexity
from .options import (
    ByData,
    above_zero,
    add_sampling,
    count,
    in_folder,
    model_path,
    parse_options,
    plain_parser,
    positive,
    probability,
    program_parser,
    sampling_of,
    settings_of,
    training_options,
)
from .picture import confusion_picture, picture, similarity_picture
from .prediction import predict
from .program import SCHEDULES, averaged, fit, mean_loss, run_program, stream_loss
from .saved import load_model, save_model
from .scores import Scores
from .trainer import Trainer
from .unchanged import check_unchanged

__all__ = [
    "SCHEDULES",
    "ByData",
    "History",
    "Scores",
    "Trainer",
    "above_zero",
    "add_sampling",
    "averaged",
    "bits",
    "check_unchanged",
    "confusion_picture",
    "count",
    "fit",
    "in_folder",
    "load_model",
    "mean_loss",
    "metrics",
    "model_path",
    "parse_options",
    "perplexity",
    "picture",
    "plain_parser",
    "positive",
    "predict",
    "probability",
    "program_parser",
    "run_program",
    "sampling_of",
    "save_model",
    "settings_of",
    "similarity_picture",
    "stream_loss",
    "training_options",
]
