"""Regions: functions of ops that one kernel may compute. The compiler says here how."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from ..engine.modes import current
from ..engine.tensor import Tensor

P = ParamSpec("P")

Run = Callable[[Callable[..., Any], tuple[Any, ...]], Any]
runs: list[Run] = []
"""What runs a function on arguments as one kernel, or returns None; empty without a compiler."""


def region(
    function: Callable[P, Tensor], otherwise: Callable[..., Tensor] | None = None
) -> Callable[P, Tensor]:
    """Return a function of rows that closes over nothing, to be run as one kernel.

    otherwise: what runs in its place where there is no kernel; the function itself by default
    """
    plain = function if otherwise is None else otherwise

    @functools.wraps(function)
    def call(*args: P.args, **static: P.kwargs) -> Any:
        if current.tracer is not None:
            return function(*args, **static)
        for run in () if static else runs:
            found = run(function, args)
            if found is not None:
                return found
        return plain(*args, **static)

    return call
