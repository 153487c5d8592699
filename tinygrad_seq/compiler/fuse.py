"""fuse: a function of rows as one kernel forwards and one backwards, where it can be compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..engine.backend import is_array
from ..engine.modes import current
from ..engine.tensor import Tensor, tensor_at
from ..engine.writes import lend_all
from ..machine import runtime
from ..ops import region as regions
from ..tracing.recognise import recognised
from ..tracing.step import Trace, traced_rows
from ..tracing.trace import Untraceable
from .scan import Unsuitable, built, is_wanted, note

P = ParamSpec("P")
R = TypeVar("R")

SMALL = 16_384
"""Elements below which the ops one by one cost less than what leads to a kernel."""


def fuse(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, run as one kernel forwards and one backwards where it can be compiled.

    function: takes Tensors and returns a Tensor or a tuple of them. The argument with most axes
    (..., width) says what a row is: its leading axes are flattened, and the function sees
    (N, width); likewise other arguments (..., k), and (...), a number for each row, as (N,).
    Others, such as (width,), it sees as they are. What it makes, (N, k) or (N,), gets the leading
    axes back. It may close over tensors, which get their gradients.
    Elementwise ops, reductions of rows, slices and joins of columns and products with matrices
    compile, in float32 and float64 on the CPU. Anything else runs as it is, and says so once;
    `tg.explain(fused, *arguments)` tells why. The function is called on symbols, where what it
    depends on is not as it was: it must have no effects beside its results.
    """

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> Any:
        if current.tracer is None:
            try:
                return _run(function, args, options)
            except Unsuitable:
                pass
            except Untraceable as why:
                note("fuse: the function %s runs op by op: %s", function, str(why))
        return regions.over_rows(function, args, options)

    call.fused = function  # type: ignore[attr-defined]
    return call


def _run(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return what a function makes, by one kernel. Raises Untraceable where there can be none."""
    if current.unrolled or current.anomaly:
        raise Unsuitable("the ops are asked for one by one")
    make = functools.partial(_built, function, args, options, SMALL, is_wanted)
    (op, lead, several), leaves = recognised(
        function, tuple(options), (*args, *options.values()), make
    )
    lend_all(args)
    outs = op([a if isinstance(a, Tensor) else tensor_at(a, None) for a in leaves], lead)
    return tuple(outs) if several else outs[0]


def _built(
    function: Any, args: Sequence[Any], options: Any, least: int, wanted: Callable[[Tensor], bool]
) -> tuple[Any, list[Tensor], bool]:
    """Return what a function of rows is compiled to, as `recognised` takes it. Raises Untraceable.

    That is its op, the leading axes of rows, and whether it returns a tuple.
    least: elements that rows are to have; wanted: whether a leaf gets a gradient
    """
    given = [tensor_at(a, None) if is_array(a) else a for a in args]
    tensors = [a for a in given if isinstance(a, Tensor)]
    lead, shapes = regions.rows_of([t.shape for t in tensors])
    _check(tensors, shapes, least)

    def attempt(flat: list[Any]) -> tuple[Any, list[Tensor], bool]:
        trace_anew = functools.partial(traced_rows, function, given, flat, options)
        rows = [t for t, s in zip(tensors, flat, strict=True) if s is not None]
        (op, several), outer, again = built(trace_anew, rows, "rows", _make, wanted)
        return (op, lead, several), [*rows, *outer], again

    widths = {s[1] for s in shapes if s is not None and len(s) == 2}
    vectors = [
        None if s is not None and len(s) == 1 and s[0] in widths and t.ndim == 1 else s
        for t, s in zip(tensors, shapes, strict=True)
    ]
    try:
        return attempt(shapes)
    except Untraceable:
        if vectors == shapes:
            raise
        return attempt(vectors)  # where N is a width too, (N,) may be no numbers of the rows


def explained(function: Any, args: Sequence[Any]) -> Any:
    """Return the op of a function with gradients of all, as `explain` shows it.

    Raises Untraceable where there is none.
    """
    return _built(function, args, {}, 1, lambda t: t.dtype.kind == "f")[0][0]


def _make(trace: Trace, wanted: Sequence[bool]) -> Any:
    from .region import CompiledRegion  # Numba is imported when something is compiled

    return CompiledRegion(trace, wanted)


def _check(tensors: Sequence[Tensor], shapes: Sequence[Any], least: int) -> None:
    """Nothing; raises Unsuitable unless a kernel can have the rows, and they are worth it."""
    if not runtime.available():
        raise Unsuitable("NUMBA_DISABLE_JIT is set, or Numba is missing")
    if not all(isinstance(t.array, np.ndarray) for t in tensors):
        raise Unsuitable("the arguments are not all of NumPy")
    rows = [t for t, s in zip(tensors, shapes, strict=True) if s is not None]
    dtypes = {t.dtype for t in tensors if t.dtype.kind == "f"}
    if len(dtypes) != 1 or not dtypes <= {np.dtype("f4"), np.dtype("f8")}:
        raise Unsuitable(f"the arguments are {sorted(map(str, dtypes))}, expected one of f4 and f8")
    if max(t.size for t in rows) < least or any(not t.size for t in tensors):
        raise Unsuitable("the arguments are small")


def _run_region(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Return what a function makes by one kernel; None where there can be none."""
    try:
        return _run(function, args, {})
    except Untraceable:
        return None


regions.run = _run_region
