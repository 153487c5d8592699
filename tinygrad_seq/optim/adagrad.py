"""Adagrad: steps divided by the root of the sum of all squared gradients so far."""

from __future__ import annotations

from typing import Any, ClassVar

from ..engine.checks import Check, flag, not_negative
from ..ops import sqrt
from .optimizer import Flags, Numbers, Optimizer, Options, Params, Slots, descent


class Adagrad(Optimizer):
    """Adagrad, with PyTorch's options, defaults and trajectories.

    d = ±g + weight_decay·w                               (minus where `maximize`)
    s = s + d²,   s = initial_accumulator_value at first
    w = w - lr / (1 + (step - 1)·lr_decay)·d / (√s + eps)

    A row-sparse gradient updates its rows only, of w and s, by the parameter's own step.

    Raises as Optimizer.
    Source: Duchi, Hazan & Singer 2011
    """

    checks: ClassVar[dict[str, Check]] = {
        "lr": not_negative,
        "lr_decay": not_negative,
        "weight_decay": not_negative,
        "initial_accumulator_value": not_negative,
        "eps": not_negative,
        "maximize": flag,
    }
    slot_names = ("sum",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
                "maximize": maximize,
            },
        )

    def slots(self, options: Options) -> dict[str, float]:
        """Return {"sum": initial_accumulator_value}."""
        return {"sum": options["initial_accumulator_value"]}

    def numbers(self, step: int, options: Options) -> Numbers:
        """Return the rate at this step, and the other options."""
        rate = options["lr"] / (1 + (step - 1) * options["lr_decay"])
        return {"rate": rate, "eps": options["eps"], "weight_decay": options["weight_decay"]}

    def rule(self, w: Any, g: Any, slots: Slots, n: Numbers, on: Flags) -> tuple[Any, Slots]:
        """Return what the class's docstring says."""
        d = descent(w, g, n, on)
        s = slots["sum"] + d * d
        return w - n["rate"] * (d / (sqrt(s) + n["eps"])), {"sum": s}
