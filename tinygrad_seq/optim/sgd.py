"""SGD: stochastic gradient descent, with momentum, Nesterov's included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .._check import Check, flag, not_negative, real
from ..engine.backend import Array
from .optimizer import Optimizer, Options, Params, Slots, descent


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

    def rule(self, w: Array, g: Array, slots: Slots, step: int, options: Options) -> None:
        """Nothing; the update in the class's docstring, in place."""
        d = descent(w, g, options)
        momentum = options["momentum"]
        if momentum:
            b = slots["momentum_buffer"]
            b *= momentum
            b += d if step == 1 or not options["dampening"] else (1 - options["dampening"]) * d
            d = d + momentum * b if options["nesterov"] else b
        w -= options["lr"] * d
