"""RMSprop: steps divided by a running root mean square of the gradient."""

from __future__ import annotations

from typing import Any, ClassVar

from ..engine.checks import Check, flag, fraction, not_negative
from ..ops import maximum, sqrt
from .optimizer import Flags, Numbers, Optimizer, Options, Params, Slots, descent


class RMSprop(Optimizer):
    """RMSprop, with PyTorch's options, defaults and trajectories.

    d = ±g + weight_decay·w                               (minus where `maximize`)
    v = α·v + (1 - α)·d²
    r = √v + eps                                          (without centered)
    r = √max(v - a², 0) + eps,   a = a + (1 - α)·(d - a)  (with; rounding may make v - a² negative)
    w = w - lr·d / r,   or  w - lr·b  with momentum,   b = momentum·b + d / r

    A row-sparse gradient updates its rows only, of w, v, a and b; PyTorch refuses one.

    Raises as Optimizer.
    Source: Tieleman & Hinton 2012, lecture 6.5; centered, Graves 2013, eqs. 38-45
    """

    checks: ClassVar[dict[str, Check]] = {
        "lr": not_negative,
        "alpha": fraction,
        "eps": not_negative,
        "weight_decay": not_negative,
        "momentum": not_negative,
        "centered": flag,
        "maximize": flag,
    }
    slot_names = ("square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def slots(self, options: Options) -> dict[str, float]:
        """Return the running mean of squares, and what the options add to it; 0 at first."""
        kept = {"square_avg": 0.0}
        if options["centered"]:
            kept["grad_avg"] = 0.0
        if options["momentum"]:
            kept["momentum_buffer"] = 0.0
        return kept

    def numbers(self, step: int, options: Options) -> Numbers:
        """Return the options, and 1 - alpha."""
        names = ("lr", "alpha", "eps", "weight_decay", "momentum")
        return {**{name: options[name] for name in names}, "gain": 1 - options["alpha"]}

    def rule(self, w: Any, g: Any, slots: Slots, n: Numbers, on: Flags) -> tuple[Any, Slots]:
        """Return what the class's docstring says."""
        d = descent(w, g, n, on)
        v = n["alpha"] * slots["square_avg"] + n["gain"] * (d * d)
        after, variance = {"square_avg": v}, v
        if on["centered"]:
            a = slots["grad_avg"] + n["gain"] * (d - slots["grad_avg"])
            after["grad_avg"], variance = a, maximum(v - a * a, 0.0)
        change = d / (sqrt(variance) + n["eps"])
        if on["momentum"]:
            change = n["momentum"] * slots["momentum_buffer"] + change
            after["momentum_buffer"] = change
        return w - n["lr"] * change, after
