"""RMSprop: steps divided by a running root mean square of the gradient."""

from __future__ import annotations

from typing import ClassVar

from .._check import Check, flag, fraction, not_negative
from ..engine.backend import Array, xp
from .optimizer import Optimizer, Options, Params, Slots, descent


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

    def rule(self, w: Array, g: Array, slots: Slots, step: int, options: Options) -> None:
        """Nothing; the update in the class's docstring, in place."""
        f = xp(w)
        alpha, v = options["alpha"], slots["square_avg"]
        d = descent(w, g, options)
        scratch = f.empty_like(w)
        f.multiply(d, d, out=scratch)
        scratch *= 1 - alpha
        v *= alpha
        v += scratch
        if options["centered"]:
            a = slots["grad_avg"]
            f.subtract(d, a, out=scratch)
            scratch *= 1 - alpha
            a += scratch
            f.multiply(a, a, out=scratch)
            f.subtract(v, scratch, out=scratch)
            f.maximum(scratch, 0.0, out=scratch)
            f.sqrt(scratch, out=scratch)
        else:
            f.sqrt(v, out=scratch)
        scratch += options["eps"]
        f.divide(d, scratch, out=scratch)
        if options["momentum"]:
            b = slots["momentum_buffer"]
            b *= options["momentum"]
            b += scratch
            f.multiply(b, options["lr"], out=scratch)
        else:
            scratch *= options["lr"]
        w -= scratch
