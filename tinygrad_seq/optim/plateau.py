"""ReduceLROnPlateau: the schedule that watches a validation loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..engine import checks
from ._schedule import (
    check_count,
    check_groups,
    check_optimizer,
    saved_rates,
    saved_values,
    set_rates,
)
from .optimizer import Optimizer

_COUNTERS = ("last_epoch", "num_bad_epochs", "cooldown_counter")


class ReduceLROnPlateau:
    """Rates multiplied by factor when the metric has not improved for more than `patience` steps.

    mode: "min" where less is better, "max" where more is
    better: metric < best·(1 - threshold), or best - threshold where threshold_mode is "abs";
            for "max", metric > best·(1 + threshold), or best + threshold
    lr = max(lr·factor, min_lr), unless that is less than eps away
    cooldown: steps after a reduction that are not counted   min_lr: one, or one for each group
    Raises ValueError for values out of range (factor 1 or more), TypeError for other types.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        who = "ReduceLROnPlateau"
        check_optimizer(who, optimizer)
        for name, value, known in (
            ("mode", mode, ("min", "max")),
            ("threshold_mode", threshold_mode, ("rel", "abs")),
        ):
            if value not in known:
                raise ValueError(f"{who}: {name} is {value!r}, expected one of {known}")
        self.mode, self.threshold_mode = mode, threshold_mode
        self.factor = checks.not_negative(f"{who}: factor", factor)
        if self.factor >= 1:
            raise ValueError(f"{who}: factor is {factor}, expected a number below 1")
        self.patience = checks.integer(f"{who}: patience", patience, 0)
        self.threshold = checks.not_negative(f"{who}: threshold", threshold)
        self.cooldown = checks.integer(f"{who}: cooldown", cooldown, 0)
        self.eps = checks.not_negative(f"{who}: eps", eps)
        groups = len(optimizer.param_groups)
        bounds = list(min_lr) if isinstance(min_lr, Sequence) else [min_lr] * groups
        self.min_lrs = saved_rates(f"{who}: min_lr", bounds, groups)
        self.optimizer = optimizer
        self.best: float | None = None
        self.last_epoch = self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, metrics: Any) -> None:
        """Nothing; counts one step, and reduces the rates if the metric has stalled for too long.

        metrics: a number, or a Tensor of one element; an infinite one is never better
        Raises FloatingPointError for NaN, and then changes nothing.
        """
        metric = checks.real("ReduceLROnPlateau: metrics", metrics)
        if math.isnan(metric):
            raise FloatingPointError("ReduceLROnPlateau: metrics is NaN, expected a number")
        check_groups("ReduceLROnPlateau", self.optimizer, len(self.min_lrs))
        self.last_epoch += 1
        if self._is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def get_last_lr(self) -> list[float]:
        """Return the rate of each group."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the best metric (None before the first), the counters and the rates, JSON-able."""
        counters = {name: getattr(self, name) for name in _COUNTERS}
        return {"best": self.best, **counters, "lrs": self.get_last_lr()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Nothing; goes to the saved state, and sets its rates.

        Raises ValueError for a state that does not fit, and then changes nothing.
        """
        who = "ReduceLROnPlateau.load_state_dict"
        best, lrs, *counters = saved_values(who, state_dict, ("best", "lrs", *_COUNTERS))
        if best is not None and not (isinstance(best, int | float) and math.isfinite(best)):
            raise ValueError(f"{who}: best is {best!r}, expected a finite number or None")
        for name, value in zip(_COUNTERS, counters, strict=True):
            check_count(f"{who}: {name}", value)
        rates = saved_rates(f"{who}: lrs", lrs, len(self.min_lrs))
        check_groups(who, self.optimizer, len(rates))
        self.best = best
        self.last_epoch, self.num_bad_epochs, self.cooldown_counter = counters
        set_rates(self.optimizer, rates)

    def _is_better(self, metric: float) -> bool:
        if self.best is None or not math.isfinite(metric):
            return math.isfinite(metric)
        sign = 1 if self.mode == "max" else -1
        margin = self.threshold if self.threshold_mode == "abs" else self.best * self.threshold
        return sign * metric > sign * (self.best + sign * margin)

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            reduced = max(group["lr"] * self.factor, least)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced
