"""Elementwise functions of whole arrays in one pass over them: what optimisers are made of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ..engine.backend import Array
from ..engine.tensor import tensor_at
from ..machine import runtime
from ..tracing.step import traced_rows
from ..tracing.trace import Untraceable
from .fuse import SMALL

WIDTH = 1024
"""Elements of a row: arrays are cut into rows whatever their shape."""

Function = Callable[..., tuple[Any, ...]]

_kernels: dict[Any, Any] = {}
"""By key and dtype: the loop and its number constants' places; or None where there is none."""


def one_pass(
    key: Hashable,
    function: Function,
    arrays: Sequence[Array],
    numbers: Sequence[float],
    outs: Sequence[Array],
) -> None:
    """Nothing; writes function(*arrays, *numbers), a tuple, into `outs`, which may be the arrays.

    key: tells functions apart: of equal ones, the first is compiled
    function: elementwise, by operators and ops
    arrays, outs: of one shape and dtype. NumPy's are passed over by a kernel, on threads; others,
    and what is left over, by the ops one by one.
    """
    targets = [_in_order(a) for a in outs]
    done = _run(key, function, [_in_order(a) for a in arrays], numbers, targets)
    for out, target in zip(outs, targets, strict=True):
        if done and out is not target:
            out.flat[:done] = target.reshape(-1)[:done]
    if done < arrays[0].size:
        rest = [a.flat[done:] if done else a for a in arrays]
        for out, values in zip(outs, function(*rest, *numbers), strict=True):
            if done:
                out.flat[done:] = values
            else:
                out[...] = values


def _in_order(array: Any) -> Any:
    """Return a large array of NumPy in C's order: itself, or a copy."""
    if type(array) is not np.ndarray or array.size < SMALL:
        return array
    return np.ascontiguousarray(array)


def sum_of_squares(array: Array) -> float:
    """Return the sum of the squares: of rows of 1,024 in the array's dtype, of those in float64."""
    rows = np.empty(array.size // WIDTH, array.dtype) if type(array) is np.ndarray else None
    done = 0 if rows is None else _run("squares", _squares, [_in_order(array)], [], [rows])
    if not done or rows is None:
        return float((array * array).sum(dtype="float64"))
    rest = array.flat[done:]
    return float(rows.sum(dtype="float64") + (rest * rest).sum(dtype="float64"))


def _squares(x: Any) -> tuple[Any]:
    return ((x * x).sum(axis=1),)


def _run(
    key: Hashable, function: Function, arrays: Sequence[Any], numbers: Sequence[float], outs: Any
) -> int:
    """Return how many elements a kernel has passed over: whole rows of all that there are, or 0."""
    first = arrays[0]
    if first.size < SMALL or not _are_plain((*arrays, *outs)) or not runtime.available():
        return 0
    known = (key, first.dtype.char)
    loop = _kernels.get(known)
    if loop is None and known not in _kernels:
        loop = _kernels[known] = _compiled(function, len(arrays), len(numbers), first.dtype)
    if loop is None:
        return 0
    rows = int(first.size // WIDTH)
    outer = [np.array([x], first.dtype) for x in numbers]
    loop.run(1, rows, max(1, min(runtime.get_num_threads(), rows)), [*arrays, *outer, *outs])
    return rows * WIDTH


def _are_plain(arrays: Sequence[Any]) -> bool:
    """Return whether all are of NumPy, of one dtype that kernels know."""
    dtype = arrays[0].dtype
    return dtype.char in "fd" and all(type(a) is np.ndarray and a.dtype == dtype for a in arrays)


def _compiled(function: Function, arrays: int, numbers: int, dtype: np.dtype[Any]) -> Any:
    """Return the loop of a function on rows; None where it cannot be compiled."""
    from .passes.loop import Loop  # Numba is imported when something is compiled
    from .passes.plan import Plan

    rows = [tensor_at(np.zeros((2, WIDTH), dtype), None) for _ in range(arrays)]
    outer = [tensor_at(np.zeros(1, dtype), None) for _ in range(numbers)]
    shapes = [t.shape for t in rows] + [None] * numbers
    try:
        trace, _ = traced_rows(function, [*rows, *outer], shapes, {})
        plan = Plan(trace, [False] * len(trace.leaves), dtype)
    except Untraceable:
        return None
    used = {id(t.array): f"o{i}" for i, (t, _) in enumerate(trace.outer)}
    names = [f"x{i}" for i in range(arrays)] + [used.get(id(t.array), "unused") for t in outer]
    names += [f"y{i}" for i in range(len(plan.outputs))]
    return Loop(plan.forward, [(1,)] * len(used), dtype, names)
