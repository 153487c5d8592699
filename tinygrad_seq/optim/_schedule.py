"""Schedule: what all learning-rate schedules share, setting and saving the rates of the groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from ..engine import checks
from .optimizer import Optimizer


class Schedule(ABC):
    """Base of the schedules that are a formula: a subclass gives `rate`.

    optimizer: the rates of its groups are the base rates, and become those of step 0 at once
    `step()` is called after the optimiser's, once for each of its steps (or epochs).
    Rates come from the formula, so one set by hand lasts until the next step.
    Raises TypeError unless given an Optimizer.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        check_optimizer(type(self).__name__, optimizer)
        self.optimizer = optimizer
        self.base_lrs = [float(group["lr"]) for group in optimizer.param_groups]
        self._go(0, self.base_lrs)

    @abstractmethod
    def rate(self, base: float, epoch: int, group: int) -> float:
        """Return the rate of a group after `epoch` steps, from its base rate."""

    def step(self) -> None:
        """Nothing; counts one step and sets every group's rate.

        Raises ValueError for a rate that is not a finite number of 0 or more, or if groups were
        added, and then changes nothing.
        """
        self._go(self.last_epoch + 1, self.base_lrs)

    def get_last_lr(self) -> list[float]:
        """Return the rate of each group, as this schedule last set it."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return {"last_epoch": steps so far, "base_lrs": base rates}; settings are not in it."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Nothing; goes to the saved step, and sets its rates.

        Raises ValueError for a state that does not fit, and then changes nothing.
        """
        who = f"{type(self).__name__}.load_state_dict"
        epoch, bases = saved_values(who, state_dict, ("last_epoch", "base_lrs"))
        check_count(f"{who}: last_epoch", epoch)
        bases = saved_rates(f"{who}: base_lrs", bases, len(self.base_lrs))
        self._go(epoch, bases)
        self.base_lrs = bases

    def _go(self, epoch: int, bases: Sequence[float]) -> None:
        who = type(self).__name__
        check_groups(who, self.optimizer, len(bases))
        rates = [
            checks.not_negative(f"{who}: lr at step {epoch}", self.rate(base, epoch, i))
            for i, base in enumerate(bases)
        ]
        self.last_epoch, self._last_lr = epoch, rates
        set_rates(self.optimizer, rates)


def set_rates(optimizer: Optimizer, rates: Sequence[float]) -> None:
    """Nothing; gives each group its rate."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def check_optimizer(who: str, optimizer: object) -> None:
    """Nothing; raises TypeError unless it is an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        came = type(optimizer).__name__
        raise TypeError(f"{who}: optimizer is a {came}, expected an Optimizer")


def check_groups(who: str, optimizer: Optimizer, count: int) -> None:
    """Nothing; raises ValueError if groups were added since the schedule was made."""
    now = len(optimizer.param_groups)
    if now != count:
        raise ValueError(f"{who}: made for {count} parameter groups, the optimizer now has {now}")


def saved_values(who: str, state: Any, names: Sequence[str]) -> list[Any]:
    """Return these values of a saved state. Raises ValueError unless it has them and no more."""
    if not isinstance(state, Mapping) or state.keys() != set(names):
        came = sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
        raise ValueError(f"{who}: state_dict is {came}, expected a mapping with {sorted(names)}")
    return [state[name] for name in names]


def saved_rates(what: str, rates: Any, count: int) -> list[float]:
    """Return saved rates as floats. Raises ValueError unless there are `count`, none negative."""
    if isinstance(rates, str) or not isinstance(rates, Sequence) or len(rates) != count:
        raise ValueError(f"{what} is {rates!r}, expected {count} numbers, one for each group")
    try:
        return [checks.not_negative(f"{what}[{i}]", rate) for i, rate in enumerate(rates)]
    except TypeError as error:
        raise ValueError(str(error)) from None


def check_count(what: str, value: Any) -> None:
    """Nothing; raises ValueError unless it is an int of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{what} is {value!r}, expected an int of 0 or more")
