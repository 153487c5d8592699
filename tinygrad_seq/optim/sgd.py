"""SGD: stochastic gradient descent, with momentum, Nesterov's included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..engine.checks import Check, flag, not_negative, real
from .optimizer import Flags, Numbers, Optimizer, Options, Params, Slots, descent


class SGD(Optimizer):
    """Stochastic gradient descent, with PyTorch's options, defaults and trajectories.

    d = ±g + weight_decay·w                               (minus where `maximize`)
    b = momentum·b + (1 - dampening)·d                    (b = d at a parameter's first step)
    w = w - lr·b,   or  w - lr·(d + momentum·b) if nesterov,   or  w - lr·d without momentum

    A row-sparse gradient updates its rows only: those of w, which alone are decayed, and those of
    b. Rows that were not read stand still and keep their b, where PyTorch lets them drift on. A
    row read for the first time after the parameter's first step starts from b = 0.

    Raises ValueError for nesterov without momentum or with dampening, and as Optimizer.
    Source: Sutskever, Martens, Dahl & Hinton 2013 (Nesterov's momentum in this form)
    """

    checks: ClassVar[dict[str, Check]] = {
        "lr": not_negative,
        "momentum": not_negative,
        "dampening": real,
        "weight_decay": not_negative,
        "nesterov": flag,
        "maximize": flag,
    }
    slot_names = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def checked(self, options: Mapping[str, Any]) -> Options:
        """Return the options of a group as plain Python values. Raises as the constructor."""
        plain = super().checked(options)
        if plain["nesterov"] and (plain["momentum"] == 0 or plain["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov with momentum {plain['momentum']} and dampening "
                f"{plain['dampening']}, expected momentum above 0 and dampening 0"
            )
        return plain

    def slots(self, options: Options) -> dict[str, float]:
        """Return {"momentum_buffer": 0} where there is momentum."""
        return {"momentum_buffer": 0.0} if options["momentum"] else {}

    def numbers(self, step: int, options: Options) -> Numbers:
        """Return the options, and the share of d in b: all of it at first."""
        share = 1.0 if step == 1 else 1.0 - options["dampening"]
        names = ("lr", "momentum", "weight_decay")
        return {**{name: options[name] for name in names}, "share": share}

    def rule(self, w: Any, g: Any, slots: Slots, n: Numbers, on: Flags) -> tuple[Any, Slots]:
        """Return what the class's docstring says."""
        d = descent(w, g, n, on)
        if not on["momentum"]:
            return w - n["lr"] * d, {}
        b = n["momentum"] * slots["momentum_buffer"] + n["share"] * d
        d = d + n["momentum"] * b if on["nesterov"] else b
        return w - n["lr"] * d, {"momentum_buffer": b}
