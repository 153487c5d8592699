"""What every training program has: its common options, and one clear line for what goes wrong."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..engine.backend import use_backend
from ..engine.modes import no_grad
from ..engine.random import manual_seed
from ..engine.tensor import Tensor
from ..nn.module import Module
from ..optim import AdamW, Optimizer, WarmupCosine
from .trainer import Batches, Trainer


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


def plain_parser(description: str, folder: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every program has.

    description: the program's docstring, shown as it is
    folder: where files are left by default
    """
    parser = argparse.ArgumentParser(
        usage="%(prog)s [options]",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", help="what to train on (default: something built in)")
    add("--epochs", type=positive, help="passes over the data")
    add("--backend", help="numpy or cupy (default: TINYGRAD_SEQ_BACKEND, or else numpy)")
    add("--seed", type=count, default=0, help="of all random numbers (default: 0)")
    add("--folder", default=folder, help=f"for checkpoint, metrics, pictures (default: {folder})")
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


def program_parser(description: str, folder: str, **sizes: float) -> argparse.ArgumentParser:
    """Return a parser with the options that every program with a `Trainer` has besides.

    description, folder: as in `plain_parser`
    sizes: the defaults of those options of `SIZES` that the program has
    """
    parser = plain_parser(description, folder)
    add = parser.add_argument
    add("--lr", type=above_zero, default=4e-3, help="peak learning rate (default: %(default)s)")
    add("--clip", type=above_zero, default=1.0, help="largest norm of the gradient (default: 1)")
    add("--patience", type=positive, help="epochs without a better validation before stopping")
    add("--checkpoint-every", type=positive, default=200, help="batches (default: 200)")
    add("--resume", action="store_true", help="go on from the folder's checkpoint")
    add("--save", help="model file (default: model.safetensors in the folder)")
    add("--load", help="model file to use instead of training")
    add("--evaluate", metavar="PATH", help="data to score")
    for name, default in sizes.items():
        kind, what = SIZES[name]
        option = f"--{name.replace('_', '-')}"
        add(option, type=kind, default=default, help=f"{what} (default: %(default)s)")
    return parser


def settings_of(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options of these names, as the keyword arguments of a model."""
    return {name: getattr(options, name) for name in names}


def in_folder(options: argparse.Namespace, name: str) -> argparse.Namespace:
    """Return the same options for one of several trainings, with a folder in theirs.

    name: of the folder; signs other than letters, digits, spaces and _ . - stand in it as %XX
    """
    plain = re.sub(r"^\.|[^\w .-]", lambda sign: f"%{ord(sign[0]):02X}", name)
    return argparse.Namespace(**{**vars(options), "folder": str(Path(options.folder) / plain)})


def parse_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options of the command line, after setting the backend and the seed."""
    options = parser.parse_args()
    given = vars(options)
    if given.get("load") and (options.data or given.get("resume")):
        parser.error("--load uses a trained model: it does not go with --data or --resume")
    if options.backend:
        use_backend(options.backend)
    manual_seed(options.seed)
    return options


def fit(
    model: Module,
    loss: Callable[[Any, Any], tuple[Tensor, Any]],
    batches: Batches,
    validate: Callable[[], float] | None,
    options: argparse.Namespace,
    *,
    weight_decay: float = 0.0,
    optimizer: Optimizer | None = None,
    schedule: Any = None,
    batch_schedule: Any = None,
) -> Trainer:
    """Return the Trainer after training as the common options say; the model is at its best.

    loss, batches, validate, schedule, batch_schedule: as Trainer takes them; where validate is
    None, the model is as the last epoch leaves it
    optimizer: None for AdamW with this weight_decay, its rate warmed up over at most 200 batches
    and then lowered along a cosine
    Raises ValueError for a folder whose checkpoint is of another training, and for a weight_decay
    beside an optimizer or a batch_schedule without one, FloatingPointError for a loss that is not
    finite.
    """
    if optimizer is None:
        if batch_schedule is not None:
            raise ValueError("fit: batch_schedule needs the optimizer that it belongs to")
        optimizer = AdamW(model.parameters(), lr=options.lr, weight_decay=weight_decay)
        total = options.epochs * len(batches)
        batch_schedule = WarmupCosine(optimizer, min(200, total // 10), total)
    elif weight_decay:
        raise ValueError("fit: weight_decay goes without an optimizer, which has its own")
    trainer = Trainer(
        model, optimizer, loss, batches, validate=validate, schedule=schedule,
        batch_schedule=batch_schedule, clip=options.clip, folder=options.folder,
        patience=options.patience, checkpoint_every=options.checkpoint_every,
    )  # fmt: skip
    if options.resume and trainer.resume():
        print(f"resumed after epoch {trainer.epoch}, batch {trainer.count}")
    history = trainer.fit(options.epochs)
    if validate is not None:
        trainer.restore_best()
    model.eval()
    print(f"trained for {sum(row['seconds'] for row in history.rows):.0f} s")
    return trainer


def mean_loss(
    model: Module, total: Callable[[Any], tuple[Tensor, int]], batches: Iterable[Any]
) -> float:
    """Return a loss's mean over all that batches hold, in evaluation mode, without gradients.

    total: the sum of a batch's losses, and of how many
    Raises ValueError where there is nothing to judge.
    """
    training, loss, number = model.training, 0.0, 0
    model.eval()
    try:
        with no_grad():
            for batch in batches:
                part, count = total(batch)
                loss, number = loss + float(part.item()), number + count
    finally:
        model.train(training)
    if not number:
        raise ValueError("mean_loss: nothing to judge")
    return loss / number


def model_path(options: argparse.Namespace) -> Path:
    """Return where the trained model is to be saved: --save, or in the folder."""
    return Path(options.save or Path(options.folder) / "model.safetensors")


def run_program(main: Callable[[], None]) -> None:
    """Nothing; runs main(); an error ends the process with 2 and one line, Ctrl-C with 130."""
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; --resume goes on from the last checkpoint", file=sys.stderr)
        sys.exit(130)
    except (ValueError, TypeError, OSError, RuntimeError, ArithmeticError, MemoryError) as error:
        print(f"{Path(sys.argv[0]).name}: error: {error}", file=sys.stderr)
        sys.exit(2)
