"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..engine.checks import Check, flag, not_negative, pair_below_one
from ..ops import maximum, sqrt
from .optimizer import Flags, Numbers, Optimizer, Options, Params, Slots, descent


class Adam(Optimizer):
    """Adam, with PyTorch's options, defaults and trajectories.

    d = ±g + weight_decay·w                               (minus where `maximize`)
    m = m + (1 - β1)·(d - m),   v = β2·v + (1 - β2)·d²,   c1 = 1 - β1^step,   c2 = 1 - β2^step
    w = w - (lr / c1)·m / (√v / √c2 + eps)                (amsgrad: the largest v so far for v)

    A row-sparse gradient updates its rows only, of w, m and v, by the parameter's own step, with
    eps / √c2 in place of eps: what PyTorch calls SparseAdam.

    Raises as Optimizer.
    Source: Kingma & Ba 2015, algorithm 1; amsgrad, Reddi, Kale & Kumar 2018
    """

    checks: ClassVar[dict[str, Check]] = {
        "lr": not_negative,
        "betas": pair_below_one,
        "eps": not_negative,
        "weight_decay": not_negative,
        "amsgrad": flag,
        "maximize": flag,
    }
    slot_names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def slots(self, options: Options) -> dict[str, float]:
        """Return both running means, and the largest second one for amsgrad; 0 at first."""
        names = self.slot_names if options["amsgrad"] else self.slot_names[:2]
        return dict.fromkeys(names, 0.0)

    def row_options(self, options: Options, step: int) -> Options:
        """Return the options with eps / √(1 - β2^step) in place of eps, as SparseAdam has it."""
        return {**options, "eps": options["eps"] / math.sqrt(1 - options["betas"][1] ** step)}

    def numbers(self, step: int, options: Options) -> Numbers:
        """Return β2, 1 - β1, 1 - β2, lr / c1, √c2 and what the other options come to."""
        beta1, beta2 = options["betas"]
        return {
            "beta2": beta2,
            "gain1": 1 - beta1,
            "gain2": 1 - beta2,
            "rate": options["lr"] / (1 - beta1**step),
            "root": math.sqrt(1 - beta2**step),
            "eps": options["eps"],
            "weight_decay": options["weight_decay"],
            "kept": 1 - options["lr"] * options["weight_decay"],
        }

    def rule(self, w: Any, g: Any, slots: Slots, n: Numbers, on: Flags) -> tuple[Any, Slots]:
        """Return what the class's docstring says."""
        w, d = self._decayed(w, g, n, on)
        m = slots["exp_avg"] + n["gain1"] * (d - slots["exp_avg"])
        v = n["beta2"] * slots["exp_avg_sq"] + n["gain2"] * (d * d)
        after, largest = {"exp_avg": m, "exp_avg_sq": v}, v
        if on["amsgrad"]:
            largest = after["max_exp_avg_sq"] = maximum(slots["max_exp_avg_sq"], v)
        return w - n["rate"] * (m / (sqrt(largest) / n["root"] + n["eps"])), after

    def _decayed(self, w: Any, g: Any, n: Numbers, on: Flags) -> tuple[Any, Any]:
        return w, descent(w, g, n, on)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient; PyTorch's options, defaults, trajectories.

    w = (1 - lr·weight_decay)·w, then Adam's update with d = ±g   (minus where `maximize`)

    A row-sparse gradient decays and updates its rows only, as Adam's.

    Raises as Optimizer.
    Source: Loshchilov & Hutter 2019, algorithm 2 (their schedule multiplier is lr here)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize)

    def _decayed(self, w: Any, g: Any, n: Numbers, on: Flags) -> tuple[Any, Any]:
        return n["kept"] * w, -g if on["maximize"] else g
