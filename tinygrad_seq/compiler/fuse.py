"""fuse: a function of rows as one kernel forwards and one backwards, where it can be compiled."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from ..engine.backend import is_array
from ..engine.modes import current
from ..engine.tensor import Tensor, tensor_at
from ..engine.writes import lend_all
from ..machine import runtime
from ..ops import region as regions
from ..ops.shape import reshape
from ..tracing.contents import contents
from ..tracing.step import Trace, attempted, results_of, trace_of
from ..tracing.trace import Leaf, Symbol, Untraceable, freeze
from .scan import Unsuitable, note, numbers_of, remembered

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
                known = contents(function)
                what, outside = (None, []) if known is None else (known.form, known.tensors)
                return _run(function, args, options, what, outside)
            except Unsuitable:
                pass
            except Untraceable as why:
                note("fuse: the function %s runs op by op: %s", function, str(why))
        return _by_definition(function, args, options)

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


class _Compiled(NamedTuple):
    """A function's op, its leaves, and the form of its results.

    leaves: Tensors; where remembered, which of the values that the function reaches they are
    lead: the leading axes of rows; several: whether it returns a tuple
    """

    op: Any
    leaves: list[Any]
    lead: tuple[int, ...]
    several: bool


_known: dict[Any, Any] = {}
"""By a function and the forms of what it reaches: a _Compiled; or the error that says why not."""


def _run(
    function: Any, args: tuple[Any, ...], options: dict[str, Any], what: Any, outside: Any
) -> Any:
    """Return what a function makes, by one kernel. Raises Untraceable where there can be none.

    what: stands for the function and all that it depends on beside its arguments and the Tensors
    `outside`; None where that is not known, and the function is traced at every call
    """
    if current.unrolled or current.anomaly:
        raise Unsuitable("the ops are asked for one by one")
    reached = (*args, *options.values(), *outside)
    forms = None if what is None else _forms(reached)
    key = None if forms is None else (what, tuple(options), forms)
    found = _known.get(key)
    if found is None:
        try:
            trace, found = _compiled(function, args, options, SMALL, _wants)
        except Untraceable as why:
            _remember(key, (type(why), str(why)))
            raise
        leaves = found.leaves
        numbers = numbers_of(leaves, reached)
        if not trace.looked and numbers is not None:
            _remember(key, found._replace(leaves=numbers))
    elif type(found) is tuple:
        raise found[0](found[1])
    else:
        values = [reached[i] for i in found.leaves]
        leaves = [a if isinstance(a, Tensor) else tensor_at(a, None) for a in values]
    lend_all(args)
    outs = found.op(leaves, found.lead)
    return tuple(outs) if found.several else outs[0]


def _forms(values: Sequence[Any]) -> Any:
    """Return what a trace depends on of what a function reaches; None if that is not known."""
    recording, forms = current.recording, []
    for a in values:
        array = a.array if isinstance(a, Tensor) else a
        if type(array) is np.ndarray:
            wanted = recording and a is not array and a.place is not None
            forms.append((array.shape, array.dtype.char, wanted))
            continue
        try:
            forms.append(freeze(a))
        except Untraceable:
            return None
    return tuple(forms)


def _wants(leaf: Tensor) -> bool:
    return current.recording and leaf.place is not None


def _remember(key: Any, found: Any) -> None:
    if len(_known) >= 4096:
        _known.clear()
    if key is not None:
        _known[key] = found


def _compiled(
    function: Any, args: Sequence[Any], options: Any, least: int, wanted: Callable[[Tensor], bool]
) -> tuple[Trace, _Compiled]:
    """Return the trace of a function of rows, and what it is compiled to. Raises Untraceable.

    least: elements that rows are to have; wanted: whether a leaf gets a gradient
    """
    given = [tensor_at(a, None) if is_array(a) else a for a in args]
    tensors = [a for a in given if isinstance(a, Tensor)]
    lead, shapes = rows_of([t.shape for t in tensors])
    _check(tensors, shapes, least)

    def attempt(flat: list[Any]) -> tuple[Trace, _Compiled]:
        trace, several = _trace(function, given, tensors, flat, options)
        rows = [t for t, s in zip(tensors, flat, strict=True) if s is not None]
        leaves = [*rows, *(t for t, _ in trace.outer)]
        which = tuple(map(wanted, leaves))
        op = remembered(
            ("rows", trace.key, which),
            trace,
            lambda: _trace(function, given, tensors, flat, options)[0],
            lambda: _make(trace, which),
        )
        return trace, _Compiled(op, leaves, lead, several)

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
    return _compiled(function, args, {}, 1, lambda t: t.dtype.kind == "f")[1].op


def _make(trace: Trace, wanted: tuple[bool, ...]) -> Any:
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


def _trace(
    function: Any, given: Sequence[Any], tensors: Sequence[Tensor], shapes: Any, options: Any
) -> tuple[Trace, bool]:
    """Return the trace of a function of rows, and whether it returns a tuple."""
    rows = [(t, shape) for t, shape in zip(tensors, shapes, strict=True) if shape is not None]
    several = False

    def once(xs: list[Tensor], _: Any) -> tuple[list[Any], list[Any]]:
        nonlocal several
        seen: dict[int, Any] = {id(t): x for (t, _), x in zip(rows, xs, strict=True)}
        result = attempted(function, *[seen.get(id(a), a) for a in given], **options)
        outputs, several = results_of(result)
        return [], outputs

    symbols = [Symbol(Leaf.INPUT, i, shape, t.dtype) for i, (t, shape) in enumerate(rows)]
    return trace_of(once, symbols, []), several


def _run_region(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Return what a function that closes over nothing makes, by one kernel; None without one."""
    try:
        return _run(function, args, {}, function, ())
    except Untraceable:
        return None


regions.runs.append(_run_region)
