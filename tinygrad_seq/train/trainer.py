"""The training loop: progress, validation, early stopping, checkpoints, and an exact resume."""

from __future__ import annotations

import json
import math
import operator
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data.batches import Batches
from ..engine.modes import no_grad
from ..engine.random import Generator, default_generator
from ..engine.tensor import Tensor
from ..nn.module import Module
from ..optim import Optimizer, ReduceLROnPlateau, clip_grad_norm_
from ..serialize import load_checkpoint, save_checkpoint
from .carry import to_arrays, to_tensors
from .history import COLUMNS, History
from .interrupt import PutOffInterrupt
from .unchanged import check_unchanged

CHECKPOINT, METRICS, PICTURE = "checkpoint.safetensors", "metrics.csv", "loss.png"


class Trainer:
    """Trains a model's parameters by an optimiser, epoch by epoch.

    loss: (loss, carry) = loss(batch, carry); carry is None for an epoch's first batch, then what
    the batch before returned: a recurrent state, detached (nested tuples of Tensors)
    batches: one epoch, each time it is iterated over
    validate: a number, the lower the better, called in evaluation mode after each epoch
    schedule, batch_schedule: stepped after each epoch (ReduceLROnPlateau: with the validation
    loss) and after each batch
    clip: largest norm of the optimiser's gradients together, or None
    folder: where checkpoint.safetensors, metrics.csv and (with matplotlib) loss.png are left
    checkpoint_every: batches from one checkpoint to the next, besides that of each epoch
    patience: stop after so many epochs without a better validation, or None
    generators: by name, those (besides the default one) whose state a checkpoint holds
    about: options that shape the training, by name, as JSON has them; a checkpoint holds them
    progress: show a bar
    Raises ValueError for a patience below 1 or without validate.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loss: Callable[[Any, Any], tuple[Tensor, Any]],
        batches: Batches,
        *,
        validate: Callable[[], float] | None = None,
        schedule: Any = None,
        batch_schedule: Any = None,
        clip: float | None = None,
        folder: str | Path | None = None,
        checkpoint_every: int | None = None,
        patience: int | None = None,
        generators: dict[str, Generator] | None = None,
        about: Mapping[str, Any] | None = None,
        progress: bool = True,
    ) -> None:
        if patience is not None and validate is None:
            raise ValueError("Trainer: patience needs validate")
        if patience is not None and patience < 1:
            raise ValueError(f"Trainer: patience is {patience}, expected 1 or more")
        if isinstance(batch_schedule, ReduceLROnPlateau):
            raise TypeError("Trainer: ReduceLROnPlateau judges epochs; pass it as schedule")
        if not all(hasattr(batches, name) for name in ("__len__", "state_dict", "load_state_dict")):
            raise TypeError(
                f"Trainer: batches are a {type(batches).__name__}, expected e.g. "
                "data.TruncatedBPTT or data.PaddedBatches, which know their position"
            )
        known = {id(parameter) for parameter in model.parameters()}
        if any(id(p) not in known for group in optimizer.param_groups for p in group["params"]):
            raise ValueError("Trainer: the optimizer has parameters that are not the model's")
        self.model, self.optimizer, self.loss, self.batches = model, optimizer, loss, batches
        self.validate, self.schedule, self.batch_schedule = validate, schedule, batch_schedule
        self.clip, self.patience, self.checkpoint_every = clip, patience, checkpoint_every
        self.folder = None if folder is None else Path(folder)
        inside = {name: vars(m).get("generator") for name, m in model.named_modules()}
        self.generators = {n: g for n, g in inside.items() if isinstance(g, Generator)}
        self.generators |= {**(generators or {}), "default": default_generator()}
        self.progress, self.about = progress, json.loads(json.dumps(dict(about or {})))
        self.history = History()
        self.step, self.carry, self.total, self.count, self.seconds = 0, None, 0.0, 0, 0.0
        self.best, self.best_state = math.inf, model.state_dict()
        self._interrupt = PutOffInterrupt()

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history.rows)

    def fit(self, epochs: int) -> History:
        """Return the history after training until so many epochs are finished in all.

        Ctrl-C lets the batch end and writes a checkpoint before KeyboardInterrupt is raised.
        Raises FloatingPointError for a loss or gradient that is not finite, and for a validation
        that is NaN; the parameters, the optimiser and the files are then as they were before that
        batch (that validation).
        """
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        with self._interrupt:
            while self.epoch < epochs and not self.stopped and not self._interrupt.asked:
                self._train_epoch(epochs)
                self._end_epoch()
            if self._interrupt.asked:
                raise KeyboardInterrupt
        return self.history

    @property
    def stopped(self) -> bool:
        """Whether `patience` epochs have passed without a better validation."""
        if self.patience is None:
            return False
        losses = [row["validation_loss"] for row in self.history.rows]
        return len(losses) - (int(np.argmin(losses)) + 1 if losses else 0) >= self.patience

    # ---- one epoch -------------------------------------------------------------------------------

    def _train_epoch(self, epochs: int) -> None:
        self.model.train()
        started = time.perf_counter() - self.seconds
        with self._bar(epochs) as bar:
            for before, batch in self._positions():
                try:
                    loss = self._train_batch(batch)
                except BaseException:
                    self.batches.load_state_dict(before)  # the batch is still to be trained
                    raise
                self.seconds = time.perf_counter() - started
                bar.update()
                bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
                every = self.checkpoint_every
                if self._interrupt.asked or (every and self.step % every == 0):
                    self.save_checkpoint()
                if self._interrupt.asked:
                    raise KeyboardInterrupt
        self.seconds = time.perf_counter() - started

    def _positions(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """Yield (position before it, batch)."""
        batches = iter(self.batches)
        while True:
            before = self.batches.state_dict()
            batch = next(batches, None)
            if batch is None:
                return
            yield before, batch

    def _train_batch(self, batch: Any) -> float:
        """Return the loss of one batch, after one step of the optimiser on it."""
        self.optimizer.zero_grad()
        loss, carry = self.loss(batch, self.carry)
        value = float(loss.item())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value} in epoch {self.epoch + 1}, batch {self.count + 1}; "
                "nothing was updated"
            )
        loss.backward()
        owned = [p for group in self.optimizer.param_groups for p in group["params"]]
        clip_grad_norm_(owned, math.inf if self.clip is None else self.clip)  # raises if not finite
        self.optimizer.step()
        if self.batch_schedule is not None:
            self.batch_schedule.step()
        self.carry, self.total = carry, self.total + value
        self.count, self.step = self.count + 1, self.step + 1
        return value

    def _end_epoch(self) -> None:
        """Nothing; validates, steps the schedule, adds a row to the history, writes the files."""
        validation = None
        if self.validate is not None:
            self.model.eval()
            try:
                with no_grad():
                    validation = float(self.validate())
            finally:
                self.model.train()
            if math.isnan(validation):
                raise FloatingPointError(f"the validation after epoch {self.epoch + 1} is NaN")
            if validation < self.best:
                self.best, self.best_state = validation, self.model.state_dict()
        row = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "train_loss": self.total / max(self.count, 1),
            "validation_loss": validation,
            "lr": float(self.optimizer.param_groups[0]["lr"]),
            "seconds": round(self.seconds, 3),
        }
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(row["train_loss"] if validation is None else validation)
        elif self.schedule is not None:
            self.schedule.step()
        self.history.rows.append(row)
        self.carry, self.total, self.count, self.seconds = None, 0.0, 0, 0.0
        if self.folder is not None:
            self.history.save_csv(self.folder / METRICS)
            try:
                self.history.save_picture(self.folder / PICTURE)
            except ImportError as error:
                warnings.warn(f"no {PICTURE}: {error}", stacklevel=3)
            self.save_checkpoint()  # last: once it counts the epoch, nothing of it is missing

    def restore_best(self) -> None:
        """Nothing; gives the model the parameters of its best validation so far.

        Raises RuntimeError if there was none.
        """
        if self.best == math.inf:
            raise RuntimeError("restore_best: there was no validation with a finite result")
        self.model.load_state_dict(self.best_state)

    # ---- checkpoints -----------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        """Nothing; writes all that training goes on from, whole or not at all, into the folder."""
        if self.folder is not None:
            save_checkpoint(self.folder / CHECKPOINT, self._tree())

    def resume(self) -> bool:
        """Return whether the folder holds a checkpoint; if so, training goes on from it exactly.

        Raises ValueError for a checkpoint that is damaged, belongs to another model or data, or was
        trained with other options (`about`), and then changes nothing.
        """
        if self.folder is None or not (self.folder / CHECKPOINT).exists():
            return False
        path, before = self.folder / CHECKPOINT, self._tree()
        tree = load_checkpoint(path)
        check_unchanged(path, self.about, tree.get("about") if isinstance(tree, dict) else None)
        try:
            self._load(tree)
        except Exception as error:
            self._load(before)
            raise ValueError(f"{path}: not a checkpoint of this training: {error}") from error
        return True

    def _keepers(self) -> dict[str, Any]:
        """Return by name all that keeps its own state, in the order in which to restore it."""
        schedules = {"schedule": self.schedule, "batch_schedule": self.batch_schedule}
        return {
            "batches": self.batches,
            "model": self.model,
            **{name: schedule for name, schedule in schedules.items() if schedule is not None},
            "optimizer": self.optimizer,  # after the schedules: it has the rates as they were left
            **{f"generator {name}": generator for name, generator in self.generators.items()},
        }

    def _tree(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "states": {name: keeper.state_dict() for name, keeper in self._keepers().items()},
            "carry": to_arrays(self.carry),
            "progress": [self.step, self.total, self.count, self.seconds],
            "history": self.history.rows,
            "best": self.best,
            "best_state": self.best_state,
        }

    def _load(self, tree: dict[str, Any]) -> None:
        keepers = self._keepers()
        if tree["states"].keys() != keepers.keys():
            raise ValueError(f"it holds {sorted(tree['states'])}, expected {sorted(keepers)}")
        self.model.load_state_dict(tree["best_state"])  # fits, or raises
        for name, keeper in keepers.items():
            keeper.load_state_dict(tree["states"][name])
        self.carry = to_tensors(tree["carry"], next(self.model.parameters()))
        step, total, count, seconds = tree["progress"]
        self.step, self.total = operator.index(step), float(total)
        self.count, self.seconds = operator.index(count), float(seconds)
        if any(row.keys() != set(COLUMNS) for row in tree["history"]):
            raise ValueError(f"its history has other columns than {COLUMNS}")
        self.history = History(tree["history"])
        self.best, self.best_state = float(tree["best"]), tree["best_state"]

    # ---- the terminal ----------------------------------------------------------------------------

    def _bar(self, epochs: int) -> Any:
        from tqdm import tqdm

        return tqdm(
            total=len(self.batches),
            initial=self.count,
            desc=f"epoch {self.epoch + 1}/{epochs}",
            unit="batch",
            disable=not self.progress,
            leave=False,
        )
