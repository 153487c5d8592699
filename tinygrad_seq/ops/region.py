"""Functions of rows, which one kernel may compute: what rows are, and regions of ops."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

from ..engine.backend import is_array
from ..engine.modes import current
from ..engine.tensor import Tensor
from .shape import reshape

P = ParamSpec("P")


def _nothing(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return None


run = _nothing
"""What runs a function on arguments as one kernel, or returns None; the compiler's, if there is."""


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
        found = None if static else run(function, args)
        return plain(*args, **static) if found is None else found

    return call


def rows_of(shapes: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], list[Any]]:
    """Return the leading axes that rows have, and each argument's shape as rows (None: no rows).

    The leading axes are those of the argument with most axes, all but its last.
    """
    longest = max(map(len, shapes), default=0)
    lead = next((s[:-1] for s in shapes if len(s) == longest), ())
    count = math.prod(lead)
    flat: list[Any] = []
    for shape in shapes:
        if len(shape) == longest and shape[:-1] == lead:
            flat.append((count, shape[-1]))
        else:
            flat.append((count,) if lead and shape == lead else None)
    return lead, flat


def over_rows(function: Any, args: Sequence[Any], options: Any) -> Any:
    """Return what a function of rows makes of arguments with leading axes, by its ops one by one.

    It sees the arguments' rows; what it makes, (N, ...), gets the leading axes back.
    """
    places = [i for i, a in enumerate(args) if isinstance(a, Tensor) or is_array(a)]
    lead, shapes = rows_of([args[i].shape for i in places])
    if len(lead) == 1 or not places:
        return function(*args, **options)
    given = list(args)
    for i, shape in zip(places, shapes, strict=True):
        given[i] = args[i] if shape is None else reshape(args[i], shape)
    count = math.prod(lead)
    outs = function(*given, **options)

    def unfold(out: Any) -> Any:
        return reshape(out, (*lead, *out.shape[1:])) if out.shape[:1] == (count,) else out

    return tuple(map(unfold, outs)) if isinstance(outs, tuple) else unfold(outs)
