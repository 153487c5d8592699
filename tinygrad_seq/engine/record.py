"""Applying an op to tensors: run its forward function and, where needed, add a node."""

from __future__ import annotations

from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np

from . import modes, writes
from .backend import Array, as_array, backend_of, is_array, xp
from .graph import Node, Place
from .modes import current, is_finite, user_line
from .tensor import Tensor, tensor_at

if TYPE_CHECKING:
    from .primitive import Primitive

_SCALARS = frozenset({float, int, bool, type(None)})
_INDICES = _SCALARS | {slice, type(Ellipsis)}


def record(op: Primitive, args: tuple[Any, ...], static: dict[str, Any]) -> Any:
    """Return op(*args, **static) as Tensors, recorded if an input needs it and recording is on."""
    if modes.altered and current.tracer is not None:
        traced = current.tracer(op, args, static)
        if traced is not None:
            return traced
    values: list[Any] = []
    parents: list[Place | None] = []
    key, bit, mask, shift = 0, 1, op.mask, not op.variadic
    dtype, mixed, raw = None, False, False
    for a in args:
        place = None
        if isinstance(a, Tensor):
            a, place = a.array, a.place
            if place is not None:
                key |= bit
            if a.dtype is not dtype and mask & bit:
                mixed = mixed or dtype is not None
                dtype = a.dtype
        elif type(a) in _SCALARS or (type(a) is tuple and _INDICES.issuperset(map(type, a))):
            pass
        else:
            if isinstance(a, np.generic):
                a = a.item()  # a Python scalar leaves the dtype of the arrays beside it alone
            else:
                a = _plain(op, a, bool(mask & bit))
                mixed = mixed or mask & bit > 0
                raw = True
        values.append(a)
        parents.append(place)
        bit <<= shift
    if mixed:
        _check_inputs(op, values)
    try:
        out = op.forward(*values, **static)
    except (ValueError, TypeError, IndexError) as error:
        raise _explained(op, values, error) from error
    recording = True
    if modes.altered:
        recording = current.recording
        if current.anomaly:
            _check_finite(op, values, out)
    if type(out) is tuple:
        out = tuple([as_array(o) for o in out])
    elif type(out) is not np.ndarray:
        out = as_array(out)
    if key and recording and mask:
        plan = op.plans.get(key | bit) or op.plan(key | bit)
        if plan.rules:
            if raw and (not modes.altered or current.lending):
                writes.lend_all(args)
            values += (static, out)
            return _recorded(op, parents, plan, plan.gather(values), out)
    if type(out) is tuple:
        return tuple([tensor_at(o, None) for o in out])
    return tensor_at(out, None)


def viewed(op: Primitive, x: Tensor, array: Array) -> Tensor:
    """Return `array`, which is x in another shape, as the result of op(x, shape).

    It is what `record` does in no special mode, without the looks at inputs that it takes.
    """
    if x.place is None:
        return tensor_at(array, None)
    plan = op.plan(0b101)  # of two inputs the first has a place
    node = Node(op, [x.place], (x.array.shape,), plan, (array.shape,), False)
    return tensor_at(array, (node, 0))


def _recorded(op: Primitive, parents: list[Any], plan: Any, kept: Any, out: Any) -> Any:
    if type(out) is tuple:
        node = Node(op, parents, kept, plan, tuple([o.shape for o in out]), True)
        result: Any = tuple([tensor_at(o, (node, j)) for j, o in enumerate(out)])
    else:
        node = Node(op, parents, kept, plan, (out.shape,), False)
        result = tensor_at(out, (node, 0))
    if writes.loans:
        node.seals = writes.seal(kept)
    if modes.altered and current.anomaly:
        node.line = user_line()
    return result


def _plain(op: Primitive, value: Any, differentiable: bool) -> Any:
    """Return an argument that is no Tensor and no Python scalar, in a form that will not change.

    Raises TypeError for masked arrays and for numbers that are not real.
    """
    if isinstance(value, list) and not differentiable:
        return _copied(value)
    if isinstance(value, (np.ma.MaskedArray, Number)):
        raise TypeError(f"{op.name}: got a {type(value).__name__}, expected real numbers")
    return value.view(np.ndarray) if isinstance(value, np.matrix) else value


def _copied(value: Any) -> Any:
    return [_copied(part) for part in value] if isinstance(value, list) else value


def _check_inputs(op: Primitive, values: list[Any]) -> None:
    """Nothing; makes the inputs one floating dtype, in place, and checks that they live together.

    Integer arrays and lists take the dtype of the floating arrays beside them.
    Raises TypeError for two floating dtypes, or for arrays of two backends.
    """
    numbers = range(len(values)) if op.variadic else op.differentiable
    dtypes = {v.dtype: i for i, v in enumerate(values) if i in numbers and _is_float_array(v)}
    if len(dtypes) > 1:
        raise TypeError(
            f"{op.name}: inputs are {' and '.join(sorted(map(str, dtypes)))}, expected one dtype; "
            "convert one with .astype"
        )
    apart = _apart(op, values)
    if apart:
        raise TypeError(apart)
    for dtype, model in dtypes.items():
        for i in numbers:
            if i < len(values):
                values[i] = _beside(values[i], values[model], dtype)


def _apart(op: Primitive, values: list[Any]) -> str:
    """Return what is wrong if the arrays are of two backends, else nothing."""
    backends = sorted({backend_of(v).name for v in values if is_array(v)})
    if len(backends) < 2:
        return ""
    return (
        f"{op.name}: inputs are on {' and '.join(backends)}, expected one backend; "
        "move one with .to"
    )


def _beside(value: Any, model: Any, dtype: Any) -> Any:
    """Return an input as it stands beside the floating array `model` of this dtype."""
    if is_array(value) and value.dtype.kind in "iu":
        return value.astype(dtype)
    if isinstance(value, (list, tuple)):
        return xp(model).asarray(value, dtype=dtype)
    return value


def _is_float_array(value: Any) -> bool:
    return is_array(value) and value.dtype.kind == "f"


def _check_finite(op: Primitive, values: list[Any], out: Any) -> None:
    outs = out if type(out) is tuple else (out,)
    if not all(map(is_finite, outs)) and all(map(is_finite, values)):
        raise FloatingPointError(
            f"detect_anomaly: {op.name} made a NaN or Inf from finite inputs at {user_line()}"
        )


def _explained(op: Primitive, values: list[Any], error: Exception) -> Exception:
    """Return the same kind of error with the op's name and what its inputs were."""
    apart = _apart(op, values)
    if apart and isinstance(error, TypeError):  # the array library refused to mix them
        return TypeError(apart)
    names = [op.parameters[0]] * len(values) if op.variadic else op.parameters
    inputs = ", ".join(
        f"{name} {v.dtype}{v.shape}" for name, v in zip(names, values, strict=False) if is_array(v)
    )
    text = str(error)
    kind = next(k for k in (ValueError, IndexError, TypeError) if isinstance(error, k))
    return kind(f"{op.name}: {text.removeprefix(f'{op.name}: ')} ({inputs})")
