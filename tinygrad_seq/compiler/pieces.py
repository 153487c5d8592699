"""A long scan in pieces: each forgets its inside, and the backward pass makes it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..engine.checkpoint import checkpoint
from ..ops.scan import check_inputs, check_lengths

Scan = Callable[..., tuple[Any, Any]]


def scan_in_pieces(
    scan: Scan, step: Any, inputs: Any, state: Any, lengths: Any, reverse: bool, every: int
) -> tuple[Any, Any]:
    """Return what scan(step, inputs, state) does, keeping the state at every `every`-th step only.

    Raises ValueError unless `every` is an integer of at least 1, and as `scan` does.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ValueError(f"scan: checkpoint_every is {every!r}, expected an integer of at least 1")
    series = inputs if isinstance(inputs, tuple) else (inputs,)
    steps = check_inputs(series, state)
    if lengths is not None:
        lengths = check_lengths(lengths, steps, series[0].shape[1])
    starts = range(0, steps, every)
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
    scan: Scan, step: Any, inputs: Any, state: Any, lengths: Any, reverse: bool
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
        return tuple(ops.concat(part) for part in zip(*pieces, strict=True))
    return ops.concat(pieces)
