"""The options that training programs have in common, and what their values come to."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..decode.choice import Choice, Sampler, greedy
from ..engine.backend import use_backend
from ..engine.random import manual_seed


def count(text: str) -> int:
    """Return an option's whole number. Raises argparse's error if it is negative."""
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return int(text)


def above_zero(text: str) -> float:
    """Return an option's number. Raises argparse's error unless it is more than 0, and finite."""
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return float(text)


def positive(text: str) -> int:
    """Return an option's whole number. Raises argparse's error if it is less than 1."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return int(text)


def probability(text: str) -> float:
    """Return an option's number. Raises argparse's error unless it is from 0 to 1."""
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return float(text)


class ByData(NamedTuple):
    """The default of an option: one with --data, another for what is built in."""

    given: Any
    built_in: Any

    def __str__(self) -> str:
        """As help says it."""
        return f"{self.given}; {self.built_in} for what is built in"


Default = float | tuple[float, float]
"""What an option is where it is left out; of two, the first with --data, the other without."""


def plain_parser(
    description: str, folder: str, epochs: Default | None = None
) -> argparse.ArgumentParser:
    """Return a parser with the options that every program has.

    description: the program's docstring, shown as it is
    folder: where files are left by default
    epochs: the default of --epochs; None where the program finds one by itself
    """
    parser = argparse.ArgumentParser(
        usage="%(prog)s [options]",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", help="what to train on (default: something built in)")
    passes = "passes over the data" + (" (default: %(default)s)" if epochs else "")
    add("--epochs", type=positive, default=_default(epochs), help=passes)
    add("--backend", help="numpy or cupy (default: TINYGRAD_SEQ_BACKEND, or else numpy)")
    add("--seed", type=count, default=0, help="of all random numbers (default: 0)")
    add("--folder", default=folder, help=f"for checkpoint, metrics, pictures (default: {folder})")
    add("--resume", action="store_true", help="go on from what the folder holds of a training")
    add("--save", help="file for what is learnt (default: in the folder)")
    add("--load", help="such a file to use instead of training")
    add("--evaluate", metavar="PATH", help="data to score")
    return parser


SIZES: dict[str, tuple[Callable[[str], Any], str]] = {
    "embedding": (positive, "width of an embedded symbol"),
    "hidden": (positive, "width of h"),
    "layers": (positive, "recurrent layers"),
    "dropout": (probability, "probability of dropping a component, in training"),
    "batch": (positive, "sequences a batch"),
    "min_count": (positive, "how often a word must occur; rarer ones are unknown"),
    "longest": (positive, "words that a sentence may have"),
    "beam": (positive, "hypotheses of beam search"),
}
"""Options of a model and its batches that programs share: how each is read, what it says."""


def program_parser(
    description: str, folder: str, epochs: Default | None = None, **sizes: Default
) -> argparse.ArgumentParser:
    """Return a parser with the options that every program with a `Trainer` has besides.

    description, folder, epochs: as in `plain_parser`
    sizes: the defaults of those options of `SIZES` that the program has
    """
    parser = plain_parser(description, folder, epochs)
    add = parser.add_argument
    add("--lr", type=above_zero, default=4e-3, help="peak learning rate (default: %(default)s)")
    add("--clip", type=above_zero, default=1.0, help="largest norm of the gradient (default: 1)")
    add("--patience", type=positive, help="epochs without a better validation before stopping")
    add("--checkpoint-every", type=positive, default=200, help="batches (default: 200)")
    for name, default in sizes.items():
        kind, what = SIZES[name]
        option = f"--{name.replace('_', '-')}"
        add(option, type=kind, default=_default(default), help=f"{what} (default: %(default)s)")
    return parser


def _default(value: Default | None) -> Any:
    return ByData(*value) if isinstance(value, tuple) else value


def settings_of(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options of these names, as the keyword arguments of a model."""
    return {name: getattr(options, name) for name in names}


def in_folder(options: argparse.Namespace, name: str) -> argparse.Namespace:
    """Return the same options for one of several trainings, with a folder in theirs.

    name: of the folder; signs other than letters, digits, spaces and _ . - stand in it as %XX
    """
    plain = re.sub(r"^\.|[^\w .-]", lambda sign: f"%{ord(sign[0]):02X}", name)
    return argparse.Namespace(**{**vars(options), "folder": str(Path(options.folder) / plain)})


ANYTIME = frozenset({
    "epochs", "patience", "checkpoint_every", "backend", "folder", "save", "load", "evaluate",
    "resume", "temperature", "top_k", "top_p", "later", "resumed",
})  # fmt: skip
"""Options that do not shape a training: how long, where, what is done with the model then."""


def training_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return by name the options that shape a training, which --resume cannot change."""
    return {n: v for n, v in vars(options).items() if n not in ANYTIME | options.later}


def parse_options(parser: argparse.ArgumentParser, *later: str) -> argparse.Namespace:
    """Return the options of the command line, after setting the backend and the seed.

    later: names of the program's own options that say only what is done with a trained model; the
    others shape the training, and --resume refuses other values
    A default that is a `ByData` becomes one of its two values. In `later` stand those names, in
    `resumed` the folders of trainings that were gone on with, none yet.
    Raises ValueError for a name that is no option.
    """
    options = parser.parse_args()
    given = vars(options)
    if unknown := set(later) - given.keys():
        raise ValueError(f"parse_options: later has {sorted(unknown)}, which are no options")
    for name, value in given.items():
        if isinstance(value, ByData):
            given[name] = value.given if options.data else value.built_in
    if given.get("load") and (options.data or given.get("resume")):
        parser.error("--load uses a trained model: it does not go with --data or --resume")
    if options.backend:
        use_backend(options.backend)
    manual_seed(options.seed)
    options.later, options.resumed = frozenset(later), []
    return options


def model_path(options: argparse.Namespace, name: str = "model.safetensors") -> Path:
    """Return where the trained model is to be saved: --save, or under this name in the folder.

    Its folder is made, so that what cannot be saved is known before the training.
    Raises OSError where no file can be.
    """
    path = Path(options.save or Path(options.folder) / name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: a folder, expected a file to save the model in")
    return path


def add_sampling(parser: argparse.ArgumentParser, temperature: float = 0.8) -> None:
    """Nothing; adds the options that say how a token is drawn.

    temperature: the default of --temperature
    """
    add = parser.add_argument
    add("--temperature", type=float, default=temperature, help="0: greedy (default: %(default)s)")
    add("--top-k", type=positive, help="sample among the k likeliest tokens")
    add("--top-p", type=probability, help="sample among the likeliest, up to this in all")


def sampling_of(options: argparse.Namespace) -> Choice:
    """Return what those options ask for: `decode.greedy` or a `decode.Sampler`.

    Raises ValueError for options out of range.
    """
    if options.temperature == 0:
        return greedy
    return Sampler(options.temperature, options.top_k, options.top_p)
