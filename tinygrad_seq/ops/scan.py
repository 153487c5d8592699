"""scan: a step over time. Its definition is the loop, whose nodes stand in the graph one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..engine.backend import Array, backend_of, is_array, values, xp
from ..engine.checkpoint import checkpoint
from ..engine.tensor import Tensor, tensor_at
from .elementwise import where
from .shape import concat, stack, unbind

State: TypeAlias = tuple[Tensor, ...]
Tensors: TypeAlias = "Tensor | tuple[Tensor, ...]"
Step: TypeAlias = Callable[..., tuple[Any, Any]]


def scan(
    step: Step,
    inputs: Tensors,
    state: Tensors,
    *,
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Return (final state, outputs) of `state, y = step(state, x)` over time.

    step: takes the state and one slice of the inputs; returns the next state and an output. It may
    close over any tensors, which get their gradients.
    inputs (T, B, ...), a Tensor or a tuple of Tensors (then the step gets a tuple of slices)
    state (B, ...), a Tensor or a tuple of Tensors; returned in the same form
    lengths (B,), integers from 0 to T: beyond its length a sequence keeps its state and its
    outputs are 0, in both directions, so padding is invisible
    reverse: from the last step to the first; the outputs stand at the steps they belong to
    outputs (T, B, ...), in the form that the step returns
    Raises ValueError for lengths or inputs that do not fit, for no steps at all, or for a step that
    changes its state's shape; TypeError for anything but Tensors, or for a step that changes its
    state's dtype or structure.
    """
    series = inputs if isinstance(inputs, tuple) else (inputs,)
    steps = check_inputs(series, state)
    valid = None if lengths is None else step_masks(lengths, series[0])
    if valid is not None:
        series = tuple(without_padding(valid, x) for x in series)
    slices = list(zip(*(unbind(x) for x in series), strict=True))
    outputs: list[Any] = [None] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        x = slices[t] if isinstance(inputs, tuple) else slices[t][0]
        try:
            result = step(state, x)
        except (TypeError, ValueError, IndexError) as error:
            error.add_note(f"in the step {step_name(step)} of a scan, at time {t}")
            raise
        after, y = check_result(step, result, state, _made_by)
        if valid is not None:
            after, y = _masked(valid[t], after, state), _zeroed(valid[t], y)
        state, outputs[t] = after, y
    return state, _stacked(outputs)


def check_inputs(series: tuple[Tensor, ...], state: Tensors) -> int:
    """Return the number of steps. Raises as `scan` does for inputs or a state that do not fit."""
    for i, value in enumerate((state, *series)):
        if not isinstance(value, (Tensor, tuple)) and not is_array(value):
            raise TypeError(
                f"scan: {'inputs' if i else 'state'}: got a {type(value).__name__}, expected a "
                "Tensor or a tuple of them"
            )
    counts = {x.shape[:1] or (0,) for x in series}
    if len(counts) != 1 or (0,) in counts:
        raise ValueError(
            f"scan: inputs have {sorted(n for (n,) in counts)} steps, expected one number of at "
            "least 1"
        )
    return counts.pop()[0]


def step_name(step: Any) -> str:
    """Return what a step is called in messages."""
    return str(getattr(step, "__qualname__", type(step).__name__))


def check_result(
    step: Any, result: Any, state: Any, made_by: Callable[[Any], str]
) -> tuple[Any, Any]:
    """Return what a step returned: a pair (state, output), the state in the form that it takes.

    made_by: returns the name of the op that gave a Tensor, or nothing where that is not known
    Raises TypeError for another structure or dtype of the state, ValueError for another shape.
    """
    name = f"scan: the step {step_name(step)}"
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"{name} returned {_form(result)}, expected a pair (state, output)")
    if not all(isinstance(part, (Tensor, tuple)) or is_array(part) for part in result):
        raise TypeError(f"{name} returned {_form(result)}, expected Tensors or tuples of them")
    if _form(result[0]) != _form(state):
        raise TypeError(
            f"{name} returns a state of another form than the one it takes: {_form(result[0])}, "
            f"expected {_form(state)}"
        )
    pairs = zip(result[0], state, strict=True) if isinstance(state, tuple) else [(result[0], state)]
    for i, (new, old) in enumerate(pairs):
        if isinstance(new, tuple) or (new.shape == old.shape and new.dtype == old.dtype):
            continue
        maker = made_by(new)
        came = f"state {i} as {new.dtype}{new.shape}" + (f" (made by {maker})" if maker else "")
        kind = TypeError if new.dtype != old.dtype else ValueError
        raise kind(f"{name} returns {came}, expected {old.dtype}{old.shape}, as it takes it")
    return result


def _made_by(t: Any) -> str:
    op = None if getattr(t, "place", None) is None else t.place[0].op
    return "" if op is None else op.name


def _form(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_form, value)) + ("," if len(value) == 1 else "") + ")"
    return "Tensor" if isinstance(value, Tensor) or is_array(value) else type(value).__name__


def check_lengths(lengths: Any, steps: int, batch: int) -> np.ndarray:
    """Return the lengths as an array (B,), checked: integers from 0 to `steps`.

    Raises TypeError unless integers, ValueError for a wrong shape or a length out of range.
    """
    array = values(lengths)
    host = backend_of(array).to_numpy(array) if is_array(array) else np.asarray(array)
    if host.dtype.kind not in "iu":
        raise TypeError(f"lengths are {host.dtype}, expected integers")
    if host.shape != (batch,):
        raise ValueError(f"lengths are {host.shape}, expected ({batch},)")
    if batch and (host.min() < 0 or host.max() > steps):
        wrong = host.min() if host.min() < 0 else host.max()
        raise ValueError(f"a length is {wrong}, expected 0 to {steps}, the steps of the input")
    return host


def step_masks(lengths: Any, x: Tensor) -> Array:
    """Return booleans (T, B): whether step t lies within sequence b. x (T, B, ...)."""
    host = _lengths_of(lengths, x)
    return xp(x.array).asarray(np.arange(x.shape[0])[:, None] < host)


def _lengths_of(lengths: Any, x: Tensor) -> np.ndarray:
    """Return the lengths of the sequences of x (T, B, ...), checked."""
    if x.ndim < 2:
        raise ValueError(f"scan: lengths for inputs {x.shape}, expected (T, B, ...)")
    return check_lengths(lengths, x.shape[0], x.shape[1])


def without_padding(valid: Array, x: Tensor) -> Tensor:
    """Return inputs with real ones in place of the padding, which may be NaN or make the step so.

    A sequence's last input stands in; for a sequence of length 0, another one's.
    """
    if x.dtype.kind != "f" or x.shape[:2] != valid.shape:
        return x
    f, lengths = xp(valid), valid.sum(axis=0)
    if not lengths.size or not int(lengths.max()):
        return where(_column(valid, x), x, 0.0)
    columns = f.where(lengths > 0, f.arange(len(lengths)), lengths.argmax())
    last = x.array[lengths[columns] - 1, columns]  # (B, ...)
    return where(_column(valid, x), x, tensor_at(last[None], None))


def _column(valid: Array, like: Any) -> Tensor:
    """Return the booleans (B,) as (B, 1, ...), to stand beside `like` (B, ...); (T, B) likewise."""
    if like.shape[: valid.ndim] != valid.shape:
        raise ValueError(
            f"scan: with lengths, states and outputs are ({len(valid)}, ...), got {like.shape}"
        )
    return tensor_at(valid.reshape(*valid.shape, *(1,) * (like.ndim - valid.ndim)), None)


def _masked(valid: Array, after: Any, before: Any) -> Any:
    """Return the new state where the step lies within the sequence, the old one beyond it."""
    if isinstance(after, tuple):
        return tuple(_masked(valid, a, b) for a, b in zip(after, before, strict=True))
    return where(_column(valid, after), after, before)


def _zeroed(valid: Array, y: Any) -> Any:
    if isinstance(y, tuple):
        return tuple(_zeroed(valid, part) for part in y)
    return where(_column(valid, y), y, y.dtype.type(0))  # integers stay integers


def _stacked(outputs: list[Any]) -> Any:
    if isinstance(outputs[0], tuple):
        return tuple(_stacked(list(part)) for part in zip(*outputs, strict=True))
    return stack(outputs)


# ---- in pieces: each forgets its inside, and the backward pass makes it again --------------------


def scan_in_pieces(
    scan: Callable[..., tuple[Any, Any]],
    step: Any,
    inputs: Any,
    state: Any,
    lengths: Any,
    reverse: bool,
    every: int,
) -> tuple[Any, Any]:
    """Return what scan(step, inputs, state) does, keeping the state at every `every`-th step only.

    Raises ValueError unless `every` is an integer of at least 1, and as `scan` does.
    """
    if isinstance(every, bool) or not isinstance(every, (int, np.integer)) or every < 1:
        raise ValueError(f"scan: checkpoint_every is {every!r}, expected an integer of at least 1")
    series = inputs if isinstance(inputs, tuple) else (inputs,)
    steps = check_inputs(series, state)
    if lengths is not None:
        lengths = _lengths_of(lengths, series[0])
    starts = range(0, steps, int(every))
    pieces: dict[int, Any] = {}
    for start in reversed(starts) if reverse else starts:
        part = tuple(x[start : start + every] for x in series)
        rest = None
        if lengths is not None:
            rest = np.clip(lengths - start, 0, part[0].shape[0])
        state, pieces[start] = _piece(
            scan, step, part if isinstance(inputs, tuple) else part[0], state, rest, reverse
        )
    return state, _joined([pieces[start] for start in starts])


def _piece(
    scan: Callable[..., tuple[Any, Any]],
    step: Any,
    inputs: Any,
    state: Any,
    lengths: Any,
    reverse: bool,
) -> tuple[Any, Any]:
    """Return the final state and the outputs of a piece, checkpointed."""
    forms: list[Any] = []
    series, states = _flat(inputs), _flat(state)

    def run(*leaves: Any) -> tuple[Any, ...]:
        xs, hs = leaves[: len(series)], leaves[len(series) :]
        final, outputs = scan(
            step,
            xs if isinstance(inputs, tuple) else xs[0],
            hs if isinstance(state, tuple) else hs[0],
            lengths=lengths,
            reverse=reverse,
        )
        forms.append(isinstance(outputs, tuple))
        return (*_flat(final), *_flat(outputs))

    results = checkpoint(run, *series, *states)
    final, outputs = results[: len(states)], results[len(states) :]
    return final if isinstance(state, tuple) else final[0], outputs if forms[0] else outputs[0]


def _flat(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _joined(pieces: list[Any]) -> Any:
    if isinstance(pieces[0], tuple):
        return tuple(concat(part) for part in zip(*pieces, strict=True))
    return concat(pieces)
