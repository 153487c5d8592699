"""Optimisers, schedules and clipping that have golden values, as data; NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import cos, inf, pi

import numpy as np
from numpy.typing import DTypeLike

from golden.formula import indices, values

STEPS, SCHEDULE_STEPS = 12, 30
Options = dict[str, object]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class OptimCase:
    """Twelve steps of one optimiser on parameters whose gradients are given by the formula.

    `second_group`, where given, puts the second parameter in a group of its own with these
    options. At the steps in `skipped` the second parameter has no gradient (None).
    Stored after every step: `first` (12, 3, 4) and `second` (12, 5).
    """

    optimiser: str
    variant: str
    options: Options = field(default_factory=dict)
    second_group: Options | None = None
    skipped: tuple[int, ...] = ()

    file = "optim"

    @property
    def name(self) -> str:
        """Stable and unique."""
        return f"{self.optimiser}-{self.variant}"

    def parameters(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return the parameters before the first step."""
        shapes = {"first": (3, 4), "second": (5,)}
        return {key: values(shape, key, 1.0, dtype) for key, shape in shapes.items()}

    def gradients(self, step: int, dtype: DTypeLike = np.float64) -> dict[str, np.ndarray | None]:
        """Return the gradient of each parameter at a step, counted from 0."""
        first = values((3, 4), f"first.grad{step}", 1.0, dtype)
        second = values((5,), f"second.grad{step}", 2.0, dtype)
        return {"first": first, "second": None if step in self.skipped else second}


@dataclass(frozen=True)
class SparseCase:
    """Twelve steps on one table (6, 3) whose gradient touches four rows, one of them twice.

    Stored after every step: `table` (12, 6, 3).
    """

    optimiser: str
    variant: str
    options: Options = field(default_factory=dict)

    file = "optim"

    @property
    def name(self) -> str:
        """Stable and unique."""
        return f"{self.optimiser}-sparse-{self.variant}"

    def parameters(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return the table before the first step."""
        return {"table": values((6, 3), "table", 1.0, dtype)}

    def gradient(self, step: int, dtype: DTypeLike = np.float64) -> tuple[np.ndarray, np.ndarray]:
        """Return row indices (5,) with a duplicate, and what is added to each row (5, 3)."""
        rows = indices((5,), f"rows{step}", 6)
        rows[4] = rows[0]
        return rows, values((5, 3), f"table.grad{step}", 1.0, dtype)


OPTIMISERS = (
    OptimCase("SGD", "plain", {"lr": 0.1}),
    OptimCase("SGD", "momentum", {"lr": 0.1, "momentum": 0.9}),
    OptimCase("SGD", "dampening", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3}),
    OptimCase("SGD", "nesterov", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    OptimCase("SGD", "decay", {"lr": 0.1, "weight_decay": 0.05}),
    OptimCase(
        "SGD",
        "decay-nesterov",
        {"lr": 0.1, "weight_decay": 0.05, "momentum": 0.7, "nesterov": True},
    ),
    OptimCase("SGD", "maximize", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    OptimCase("SGD", "groups", {"lr": 0.1, "momentum": 0.9}, {"lr": 0.02, "momentum": 0.5}),
    OptimCase("SGD", "skipped", {"lr": 0.1, "momentum": 0.9}, None, (0, 4, 5)),
    OptimCase("Adam", "plain"),
    OptimCase("Adam", "lr", {"lr": 0.05}),
    OptimCase("Adam", "betas", {"lr": 0.05, "betas": (0.6, 0.9)}),
    OptimCase("Adam", "eps", {"lr": 0.05, "eps": 0.1}),
    OptimCase("Adam", "decay", {"lr": 0.05, "weight_decay": 0.1}),
    OptimCase("Adam", "amsgrad", {"lr": 0.05, "betas": (0.9, 0.7), "amsgrad": True}),
    OptimCase("Adam", "maximize", {"lr": 0.05, "weight_decay": 0.1, "maximize": True}),
    OptimCase("Adam", "groups", {"lr": 0.05}, {"lr": 0.01, "betas": (0.5, 0.9)}),
    OptimCase("Adam", "skipped", {"lr": 0.05}, None, (0, 4, 5)),
    OptimCase("AdamW", "plain"),
    OptimCase("AdamW", "decay", {"lr": 0.05, "weight_decay": 0.3}),
    OptimCase("AdamW", "nodecay", {"lr": 0.05, "weight_decay": 0.0}),
    OptimCase("AdamW", "betas", {"lr": 0.05, "betas": (0.6, 0.9), "eps": 1e-3}),
    OptimCase("AdamW", "amsgrad", {"lr": 0.05, "betas": (0.9, 0.7), "amsgrad": True}),
    OptimCase("AdamW", "maximize", {"lr": 0.05, "weight_decay": 0.3, "maximize": True}),
    OptimCase("AdamW", "groups", {"lr": 0.05}, {"lr": 0.01, "weight_decay": 0.0}),
    OptimCase("RMSprop", "plain"),
    OptimCase("RMSprop", "alpha", {"lr": 0.05, "alpha": 0.7}),
    OptimCase("RMSprop", "momentum", {"lr": 0.02, "momentum": 0.8}),
    OptimCase("RMSprop", "centered", {"lr": 0.02, "alpha": 0.8, "centered": True}),
    OptimCase("RMSprop", "decay", {"lr": 0.05, "weight_decay": 0.1, "eps": 1e-3}),
    OptimCase(
        "RMSprop",
        "everything",
        {"lr": 0.02, "alpha": 0.8, "momentum": 0.5, "centered": True, "weight_decay": 0.1},
    ),
    OptimCase("RMSprop", "maximize", {"lr": 0.05, "maximize": True}),
    OptimCase("Adagrad", "plain"),
    OptimCase("Adagrad", "lr_decay", {"lr": 0.2, "lr_decay": 0.1}),
    OptimCase("Adagrad", "decay", {"lr": 0.2, "weight_decay": 0.1}),
    OptimCase("Adagrad", "accumulator", {"lr": 0.2, "initial_accumulator_value": 0.5}),
    OptimCase("Adagrad", "eps", {"lr": 0.2, "eps": 0.3}),
    OptimCase("Adagrad", "maximize", {"lr": 0.2, "maximize": True}),
    OptimCase("Adagrad", "groups", {"lr": 0.2}, {"lr": 0.05, "lr_decay": 0.2}),
)

SPARSE = (
    SparseCase("SGD", "plain", {"lr": 0.1}),
    SparseCase("SGD", "momentum", {"lr": 0.1, "momentum": 0.9}),
    SparseCase("Adagrad", "plain", {"lr": 0.2}),
    SparseCase("Adagrad", "lr_decay", {"lr": 0.2, "lr_decay": 0.1}),
    SparseCase("SparseAdam", "plain", {"lr": 0.05}),
    SparseCase("SparseAdam", "betas", {"lr": 0.05, "betas": (0.6, 0.9), "eps": 1e-3}),
    SparseCase("SparseAdam", "maximize", {"lr": 0.05, "maximize": True}),
)


def hyperbolic(step: int) -> float:
    """Return the factor 1 / (1 + step / 4)."""
    return 1 / (1 + step / 4)


def warmup_cosine(warmup: int, total: int, floor: float) -> Callable[[int], float]:
    """Return the factor by step: a line up to 1, then half a cosine down to `floor`, then flat.

    factor(t) = (t + 1) / warmup                                           for t < warmup
    factor(t) = floor + (1 - floor) (1 + cos(π min(1, (t - warmup) / (total - warmup)))) / 2
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / (total - warmup))
        return floor + (1 - floor) * (1 + cos(pi * done)) / 2

    return factor


@dataclass(frozen=True)
class ScheduleCase:
    """Rates of two groups, LEARNING_RATES at first, over thirty steps of one schedule.

    Stored, float64 only: `lr` (30, 2), row t the rates in force at step t, before the
    schedule's own step t. Where `metrics` are given, step t is told metrics[t].
    """

    schedule: str
    variant: str
    options: Options = field(default_factory=dict)
    metrics: tuple[float, ...] | None = None

    file = "optim"

    @property
    def name(self) -> str:
        """Stable and unique."""
        return f"{self.schedule}-{self.variant}"


LEARNING_RATES = (0.1, 0.02)
# Falls, stalls with small improvements, rises, falls once more, stalls to the end.
METRICS = (
    *(4.0, 3.2, 2.9, 2.88, 2.879, 2.8789, 2.8788, 2.9, 3.0, 2.95),
    *(2.93, 2.7, 2.6, 2.595, 2.59, 2.589, 2.588, 2.5879, 2.5878, 2.5877),
    *(2.6, 2.61, 2.3, 2.31, 2.32, 2.33, 2.3, 2.3, 2.31, 2.32),
)
RISING = tuple(5.0 - metric for metric in METRICS)

SCHEDULES = (
    ScheduleCase("StepLR", "gamma", {"step_size": 7, "gamma": 0.3}),
    ScheduleCase("StepLR", "plain", {"step_size": 10}),
    ScheduleCase("MultiStepLR", "plain", {"milestones": [3, 4, 17], "gamma": 0.5}),
    ScheduleCase("MultiStepLR", "twice", {"milestones": [5, 5, 20], "gamma": 0.5}),
    ScheduleCase("ExponentialLR", "plain", {"gamma": 0.9}),
    ScheduleCase("CosineAnnealingLR", "whole", {"T_max": 30}),
    ScheduleCase("CosineAnnealingLR", "there-and-back", {"T_max": 10, "eta_min": 0.004}),
    ScheduleCase("LambdaLR", "hyperbolic", {"lr_lambda": hyperbolic}),
    ScheduleCase("LambdaLR", "warmup-cosine", {"lr_lambda": warmup_cosine(6, 25, 0.1)}),
    ScheduleCase("ReduceLROnPlateau", "plain", {"patience": 3}, METRICS),
    ScheduleCase("ReduceLROnPlateau", "default", {}, (1.0,) * SCHEDULE_STEPS),
    ScheduleCase("ReduceLROnPlateau", "factor", {"factor": 0.5, "patience": 0}, METRICS),
    ScheduleCase(
        "ReduceLROnPlateau",
        "relative",
        {"factor": 0.5, "patience": 2, "threshold": 0.01, "threshold_mode": "rel"},
        METRICS,
    ),
    ScheduleCase(
        "ReduceLROnPlateau",
        "absolute",
        {"factor": 0.5, "patience": 2, "threshold": 0.004, "threshold_mode": "abs"},
        METRICS,
    ),
    ScheduleCase(
        "ReduceLROnPlateau", "cooldown", {"factor": 0.5, "patience": 1, "cooldown": 4}, METRICS
    ),
    ScheduleCase(
        "ReduceLROnPlateau", "min_lr", {"factor": 0.3, "patience": 1, "min_lr": 0.005}, METRICS
    ),
    ScheduleCase(
        "ReduceLROnPlateau",
        "max",
        {"mode": "max", "factor": 0.5, "patience": 2, "threshold": 0.01},
        RISING,
    ),
    ScheduleCase(
        "ReduceLROnPlateau",
        "max-absolute",
        {
            "mode": "max",
            "factor": 0.5,
            "patience": 1,
            "threshold": 0.004,
            "threshold_mode": "abs",
        },
        RISING,
    ),
)


@dataclass(frozen=True)
class ClipCase:
    """One call of a clipping function on the gradients of three parameters.

    Stored: the gradients `first`, `second`, `third` afterwards and, for clip_grad_norm_, `norm`.
    """

    function: str
    variant: str
    options: Options

    file = "optim"

    @property
    def name(self) -> str:
        """Stable and unique."""
        return f"{self.function}-{self.variant}"

    def gradients(self, dtype: DTypeLike = np.float64) -> Arrays:
        """Return the gradients before clipping; the parameters have the same shapes."""
        shapes: dict[str, tuple[int, ...]] = {"first": (3, 4), "second": (5,), "third": ()}
        return {key: values(shape, f"{key}.grad", 3.0, dtype) for key, shape in shapes.items()}


CLIPS = (
    ClipCase("clip_grad_norm_", "default", {"max_norm": 1.0}),
    ClipCase("clip_grad_norm_", "one", {"max_norm": 2.0, "norm_type": 1.0}),
    ClipCase("clip_grad_norm_", "two", {"max_norm": 2.0, "norm_type": 2.0}),
    ClipCase("clip_grad_norm_", "three", {"max_norm": 2.0, "norm_type": 3.0}),
    ClipCase("clip_grad_norm_", "inf", {"max_norm": 2.0, "norm_type": inf}),
    ClipCase("clip_grad_norm_", "untouched", {"max_norm": 100.0}),
    ClipCase("clip_grad_value_", "half", {"clip_value": 0.5}),
    ClipCase("clip_grad_value_", "untouched", {"clip_value": 50.0}),
)
