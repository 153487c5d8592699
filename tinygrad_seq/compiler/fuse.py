"""fuse: a function of rows as one kernel forwards and one backwards, where it can be compiled."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..engine import modes
from ..engine.backend import is_array
from ..engine.modes import current
from ..engine.tensor import Tensor, tensor_at
from ..engine.writes import lend_all
from ..machine import runtime
from ..ops import region as regions
from ..ops.shape import reshape
from .scan import Unsuitable, note, remembered
from .tracing.step import Trace, results_of
from .tracing.trace import INPUT, Symbol, Tracer, Untraceable, tracing

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
    `tg.explain(fused, *arguments)` tells why. The function is called at every call, on symbols: it
    must have no effects beside its results.
    """

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> Any:
        if current.tracer is not None:
            return _by_definition(function, args, options)
        try:
            op, leaves, lead, several = _compiled(function, args, options)
        except Unsuitable:
            return _by_definition(function, args, options)
        except Untraceable as why:
            note("fuse: the function %s runs op by op: %s", function, str(why))
            return _by_definition(function, args, options)
        lend_all(args)
        outs: Any = op(leaves, lead)
        return tuple(outs) if several else outs[0]

    call.fused = function  # type: ignore[attr-defined]
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


def _by_definition(function: Any, args: Sequence[Any], options: Any) -> Any:
    """Return what the function makes of rows, by its ops one by one."""
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


def _compiled(function: Any, args: Sequence[Any], options: Any) -> tuple[Any, Any, Any, bool]:
    """Return the op, its leaves, the leading axes of rows, and whether it returns a tuple."""
    given, tensors, lead, shapes = _arguments(args)
    dtype = _check(tensors, shapes, SMALL)

    def attempt(flat: Sequence[Any]) -> tuple[Any, Any, Any, bool]:
        trace, several = _trace(function, given, tensors, flat, options)
        rows = [t for t, s in zip(tensors, flat, strict=True) if s is not None]
        leaves = [*rows, *(t for t, _ in trace.outer)]
        recording = modes.is_grad_enabled()
        wanted = tuple([recording and t.place is not None for t in leaves])
        op = remembered(
            ("rows", trace.key, wanted),
            trace,
            lambda: _trace(function, given, tensors, flat, options)[0],
            lambda: _make(trace, wanted, dtype),
        )
        return op, leaves, lead, several

    found: tuple[Any, Any, Any, bool] = _first_that_fits(attempt, tensors, shapes)
    return found


def explained(function: Any, args: Sequence[Any]) -> Any:
    """Return the op of a function with gradients of all, as `explain` shows it.

    Raises Untraceable where there is none.
    """
    given, tensors, _, shapes = _arguments(args)
    dtype = _check(tensors, shapes, 1)

    def attempt(flat: Sequence[Any]) -> Any:
        trace, _ = _trace(function, given, tensors, flat, {})
        return _make(trace, tuple([s.dtype.kind == "f" for s in trace.leaves]), dtype)

    return _first_that_fits(attempt, tensors, shapes)


def _arguments(args: Sequence[Any]) -> tuple[list[Any], list[Tensor], Any, list[Any]]:
    """Return the arguments with arrays as Tensors, the Tensors, leading axes, shapes as rows."""
    given = [tensor_at(a, None) if is_array(a) else a for a in args]
    tensors = [a for a in given if isinstance(a, Tensor)]
    return given, tensors, *rows_of([t.shape for t in tensors])


def _make(trace: Trace, wanted: tuple[bool, ...], dtype: Any) -> Any:
    from .region import CompiledRegion  # Numba is imported when something is compiled

    return CompiledRegion(trace, wanted, dtype)


def _check(tensors: Sequence[Tensor], shapes: Sequence[Any], least: int) -> np.dtype[Any]:
    """Return the dtype of all floats. Raises Unsuitable unless rows of NumPy's are worth a kernel.

    Raises as well where the modes of this thread ask for the ops one by one.
    """
    if current.unrolled or current.anomaly or not runtime.available():
        raise Unsuitable("NUMBA_DISABLE_JIT is set, Numba is missing, or ops are asked for")
    if not all(isinstance(t.array, np.ndarray) for t in tensors):
        raise Unsuitable("the arguments are not all of NumPy")
    rows = [t for t, s in zip(tensors, shapes, strict=True) if s is not None]
    dtypes = {t.dtype for t in tensors if t.dtype.kind == "f"}
    if len(dtypes) != 1 or not dtypes <= {np.dtype("f4"), np.dtype("f8")}:
        raise Unsuitable(f"the arguments are {sorted(map(str, dtypes))}, expected one of f4 and f8")
    if max(t.size for t in rows) < least or any(not t.size for t in tensors):
        raise Unsuitable("the arguments are small")
    return dtypes.pop()


def _first_that_fits(attempt: Any, tensors: Sequence[Tensor], shapes: Sequence[Any]) -> Any:
    """Return attempt(shapes as rows) for what the arguments are.

    Where N is a width too, (N,) may be numbers of the rows or a vector: how the function uses them
    decides, one of the two does not trace. Raises Untraceable where neither does.
    """
    widths = {s[1] for s in shapes if s is not None and len(s) == 2}
    vectors = [
        None if s is not None and len(s) == 1 and s[0] in widths and t.ndim == 1 else s
        for t, s in zip(tensors, shapes, strict=True)
    ]
    if vectors == list(shapes):
        return attempt(shapes)
    try:
        return attempt(shapes)
    except Untraceable:
        return attempt(vectors)


def _trace(
    function: Any, given: Sequence[Any], tensors: Sequence[Tensor], shapes: Any, options: Any
) -> tuple[Trace, bool]:
    """Return the trace of a function of rows, and whether it returns a tuple."""
    symbols: list[Symbol] = []
    seen: dict[int, Any] = {}
    for t, shape in zip(tensors, shapes, strict=True):
        if shape is not None:
            symbols.append(Symbol(INPUT, len(symbols), shape, t.dtype))
            seen[id(t)] = tensor_at(symbols[-1], None)
    tracer = Tracer()
    try:
        with tracing(tracer):
            result = function(*[seen.get(id(a), a) for a in given], **options)
            outputs, several = results_of(result)
            outputs = [tracer.lift(t)[0] for t in outputs]
    except Untraceable:
        raise
    except Exception as error:  # whatever the function makes of symbols: the ops will tell
        raise Untraceable(f"{type(error).__name__}: {error}") from error
    if not all(isinstance(s, Symbol) for s in outputs):
        raise Untraceable("it returns a number")
    return Trace(tracer, symbols, [], [], outputs), several


# ---- functions of ops themselves -----------------------------------------------------------------

_known: dict[Any, Any] = {}
"""By function and forms of its arguments: the op, and where its leaves come from; or None."""


def _run_region(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Return what a function that closes over nothing makes, by one kernel; None without one.

    As `fuse`, but equal forms of arguments are traced once. Not with the same array in two places:
    its trace has one leaf for both.
    """
    recording = modes.is_grad_enabled()
    form = tuple([_form(a, recording) for a in args])
    if current.unrolled or current.anomaly or None in form:
        return None
    arrays = [id(a.array) for a in args if isinstance(a, Tensor)]
    if len(set(arrays)) < len(arrays):
        return None
    key = (function, form)
    found = _known.get(key)
    if found is None:
        found = _known[key] = _learn(function, args)
    if not found:
        return None
    op, places, lead = found
    leaves = [args[i] for i in places]
    outs = op([a if isinstance(a, Tensor) else tensor_at(a, None) for a in leaves], lead)
    return outs[0]


def _form(a: Any, recording: bool) -> Any:
    """Return what a trace depends on of an argument; None if there is no kernel for its like."""
    array = a.array if isinstance(a, Tensor) else a
    if type(array) is np.ndarray:
        wanted = recording and a is not array and a.place is not None
        return array.shape, array.dtype.char, wanted
    return (type(a), a) if isinstance(a, (int, float, str, tuple, type(None))) else None


def _learn(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Return (op, positions of its leaves in the arguments, leading axes); () without a kernel."""
    if len(_known) >= 4096:
        _known.clear()
    try:
        op, leaves, lead, _ = _compiled(function, args, {})
    except Untraceable:
        return ()
    arrays = [a.array if isinstance(a, Tensor) else a for a in args]
    places = [next(i for i, a in enumerate(arrays) if a is t.array) for t in leaves]
    return op, places, lead


regions.runs.append(_run_region)
