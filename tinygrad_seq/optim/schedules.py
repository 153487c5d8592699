"""Schedules that are a formula of the number of steps taken so far."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from ..engine import checks
from ._schedule import Schedule
from .optimizer import Optimizer


class StepLR(Schedule):
    """Rates multiplied by gamma at every `step_size` steps.

    lr(t) = lr(0)·gamma^⌊t / step_size⌋
    Raises ValueError for a step_size below 1 or a gamma below 0, TypeError for other types.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = checks.integer("StepLR: step_size", step_size, 1)
        self.gamma = checks.not_negative("StepLR: gamma", gamma)
        super().__init__(optimizer)

    def rate(self, base: float, epoch: int, group: int) -> float:
        """Return base·gamma^⌊epoch / step_size⌋."""
        return base * self.gamma ** (epoch // self.step_size)


class MultiStepLR(Schedule):
    """Rates multiplied by gamma at each milestone; one that is given twice counts twice.

    lr(t) = lr(0)·gamma^(number of milestones ≤ t)
    Raises ValueError for a milestone or a gamma below 0, TypeError for other types.
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = sorted(
            checks.integer(f"MultiStepLR: milestones[{i}]", milestone, 0)
            for i, milestone in enumerate(milestones)
        )
        self.gamma = checks.not_negative("MultiStepLR: gamma", gamma)
        super().__init__(optimizer)

    def rate(self, base: float, epoch: int, group: int) -> float:
        """Return base·gamma^(number of milestones up to epoch)."""
        return base * self.gamma ** bisect_right(self.milestones, epoch)


class ExponentialLR(Schedule):
    """Rates multiplied by gamma at every step.

    lr(t) = lr(0)·gamma^t
    Raises ValueError for a gamma below 0, TypeError for other types.
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = checks.not_negative("ExponentialLR: gamma", gamma)
        super().__init__(optimizer)

    def rate(self, base: float, epoch: int, group: int) -> float:
        """Return base·gamma^epoch."""
        return base * self.gamma**epoch


class CosineAnnealingLR(Schedule):
    """Rates that fall to eta_min by half a cosine in T_max steps, rise again, and so on.

    lr(t) = lr(0)·(1 + cos(πt/T_max))/2 + eta_min·(1 - cos(πt/T_max))/2
    Raises ValueError for a T_max below 1 or an eta_min below 0, TypeError for other types.
    Source: Loshchilov & Hutter 2017, eq. 5, without restarts
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803
        eta_min: float = 0.0,
    ) -> None:
        self.T_max = checks.integer("CosineAnnealingLR: T_max", T_max, 1)
        self.eta_min = checks.not_negative("CosineAnnealingLR: eta_min", eta_min)
        super().__init__(optimizer)

    def rate(self, base: float, epoch: int, group: int) -> float:
        """Return the point of the cosine between base and eta_min."""
        cosine = math.cos(math.pi * epoch / self.T_max)
        return base * (1 + cosine) / 2 + self.eta_min * (1 - cosine) / 2


class LambdaLR(Schedule):
    """Rates multiplied by a function of the step.

    lr(t) = lr(0)·lr_lambda(t)
    lr_lambda: one function, or one for each parameter group; no part of the saved state
    Raises ValueError for another number of functions, TypeError for what cannot be called.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        several = isinstance(lr_lambda, Sequence)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, Sequence) else [lr_lambda]
        for i, function in enumerate(self.lr_lambdas):
            if not callable(function):
                raise TypeError(f"LambdaLR: lr_lambda[{i}] is {function!r}, expected a function")
        groups = len(getattr(optimizer, "param_groups", ()))
        if several and len(self.lr_lambdas) != groups:
            raise ValueError(
                f"LambdaLR: {len(self.lr_lambdas)} functions in lr_lambda for {groups} groups"
            )
        super().__init__(optimizer)

    def rate(self, base: float, epoch: int, group: int) -> float:
        """Return base·lr_lambda(epoch)."""
        function = self.lr_lambdas[group if len(self.lr_lambdas) > 1 else 0]
        return base * checks.real("LambdaLR: lr_lambda's result", function(epoch))


class WarmupCosine(Schedule):
    """Rates that rise on a line, then fall by half a cosine, then stay.

    lr(t) = lr(0)·(t + 1)/warmup                                        for t < warmup
    lr(t) = lr(0)·(floor + (1 - floor)·(1 + cos(π·done))/2),   done = (t - warmup)/(total - warmup)
    lr(t) = lr(0)·floor                                                 for t ≥ total
    warmup, total: in steps, 0 ≤ warmup < total   floor: the last rate as a part of the first, 0 - 1
    Raises ValueError for others, TypeError for other types.
    Source: Goyal et al. 2017 (warm-up); Loshchilov & Hutter 2017, eq. 5 (cosine)
    """

    def __init__(self, optimizer: Optimizer, warmup: int, total: int, floor: float = 0.0) -> None:
        self.warmup = checks.integer("WarmupCosine: warmup", warmup, 0)
        self.total = checks.integer("WarmupCosine: total", total, 1)
        self.floor = checks.fraction("WarmupCosine: floor", floor)
        if self.warmup >= self.total:
            raise ValueError(f"WarmupCosine: warmup is {warmup}, expected less than total, {total}")
        super().__init__(optimizer)

    def rate(self, base: float, epoch: int, group: int) -> float:
        """Return base·(the line, the cosine or the floor at this step)."""
        if epoch < self.warmup:
            return base * (epoch + 1) / self.warmup
        done = min(1.0, (epoch - self.warmup) / (self.total - self.warmup))
        return base * (self.floor + (1 - self.floor) * (1 + math.cos(math.pi * done)) / 2)
