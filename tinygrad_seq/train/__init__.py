"""Training: the loop, what it leaves behind, and programs around it."""

from . import metrics
from .history import History
from .metrics import bits, perplexity
from .picture import confusion_picture, picture, similarity_picture
from .prediction import predict
from .program import (
    above_zero,
    count,
    fit,
    in_folder,
    mean_loss,
    model_path,
    parse_options,
    plain_parser,
    positive,
    probability,
    program_parser,
    run_program,
    settings_of,
)
from .saved import load_model, save_model
from .trainer import Trainer

__all__ = [
    "History",
    "Trainer",
    "above_zero",
    "bits",
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
    "save_model",
    "settings_of",
    "similarity_picture",
]
