"""What every training program does: fit a model, judge it, say what goes wrong in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..data.batches import Batches
from ..engine.modes import no_grad
from ..engine.tensor import Tensor
from ..nn.module import Module
from ..optim import AdamW, Optimizer, ReduceLROnPlateau, WarmupCosine
from .options import model_path, training_options
from .saved import FAULTS
from .trainer import CHECKPOINT, Trainer


def _warmup_cosine(optimizer: Optimizer, total: int) -> WarmupCosine:
    """Return a schedule of `total` steps: up for a tenth of them, at most 200, down by a cosine."""
    return WarmupCosine(optimizer, min(200, total // 10), total)


SCHEDULES: dict[str, Callable[[Optimizer, int], dict[str, Any]]] = {
    "cosine": lambda optimizer, total: {"batch_schedule": _warmup_cosine(optimizer, total)},
    "plateau": lambda optimizer, _: {
        "schedule": ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    },
    "constant": lambda optimizer, _: {},
}
"""Courses of the learning rate: from an optimiser and the number of batches in all, what `fit`
takes. Warm-up and cosine; halved after an epoch without a better validation; left alone."""


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
    options: those of `program_parser`
    optimizer: None for AdamW with this weight_decay, its rate warmed up over at most 200 batches
    and then lowered along a cosine
    Raises ValueError for a folder whose checkpoint is of another training or was trained with other
    options, and for a weight_decay beside an optimizer or a batch_schedule without one,
    FileNotFoundError for --resume where a program's first training has no checkpoint,
    FloatingPointError for a loss that is not finite, OSError where the model cannot be saved.
    """
    model_path(options)
    if optimizer is None:
        if batch_schedule is not None:
            raise ValueError("fit: batch_schedule needs the optimizer that it belongs to")
        optimizer = AdamW(model.parameters(), lr=options.lr, weight_decay=weight_decay)
        batch_schedule = _warmup_cosine(optimizer, options.epochs * len(batches))
    elif weight_decay:
        raise ValueError("fit: weight_decay goes without an optimizer, which has its own")
    trainer = Trainer(
        model, optimizer, loss, batches, validate=validate, schedule=schedule,
        batch_schedule=batch_schedule, clip=options.clip, folder=options.folder,
        patience=options.patience, checkpoint_every=options.checkpoint_every,
        about=training_options(options),
    )  # fmt: skip
    if options.resume:
        _go_on(trainer, options)
    history = trainer.fit(options.epochs)
    if validate is not None:
        trainer.restore_best()
    model.eval()
    print(f"trained for {sum(row['seconds'] for row in history.rows):.0f} s")
    return trainer


def _go_on(trainer: Trainer, options: argparse.Namespace) -> None:
    """Nothing; resumes a training, or says that it begins: one of several, not the first."""
    checkpoint = Path(options.folder) / CHECKPOINT
    if trainer.resume():
        options.resumed.append(options.folder)
        print(f"resumed after epoch {trainer.epoch}, batch {trainer.count}")
    elif options.resumed:
        print(f"begun: there is no {checkpoint} yet")
    else:
        raise FileNotFoundError(f"--resume: there is no {checkpoint}")


def averaged(
    total: Callable[[Any], tuple[Tensor, int]],
) -> Callable[[Any, Any], tuple[Tensor, None]]:
    """Return a loss for `fit` and `Trainer`: the mean of what `mean_loss` adds up, of one batch.

    total: (sum of losses, number of them) = total(batch)
    """

    def loss(batch: Any, _: Any) -> tuple[Tensor, None]:
        losses, number = total(batch)
        return losses / float(number), None

    return loss


def mean_loss(
    model: Module, total: Callable[[Any], tuple[Tensor, int]], batches: Iterable[Any]
) -> float:
    """Return a loss's mean over all that batches hold, in evaluation mode, without gradients.

    total: (sum of losses, number of them) = total(batch)
    Raises ValueError where there is nothing to judge.
    """
    return stream_loss(model, lambda batch, _: (*total(batch), None), batches)


def stream_loss(
    model: Module, total: Callable[[Any, Any], tuple[Tensor, int, Any]], batches: Iterable[Any]
) -> float:
    """Return what `mean_loss` does, over batches that each continue the one before.

    total: (sum of losses, number of them, state after the batch) = total(batch, state), where state
    is None for the first batch
    Raises ValueError where there is nothing to judge.
    """
    training, loss, number, state = model.training, 0.0, 0, None
    model.eval()
    try:
        with no_grad():
            for batch in batches:
                part, count, state = total(batch, state)
                loss, number = loss + float(part.item()), number + count
    finally:
        model.train(training)
    if not number:
        raise ValueError("the batches hold nothing to judge, expected at least one loss")
    return loss / number


def run_program(main: Callable[[], None]) -> None:
    """Nothing; runs main(); an error ends the process with 2 and one line, Ctrl-C with 130."""
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; --resume goes on from the last checkpoint", file=sys.stderr)
        sys.exit(130)
    except (*FAULTS, ImportError) as error:
        print(f"{Path(sys.argv[0]).name}: error: {error}", file=sys.stderr)
        sys.exit(2)
