"""Entries of a trace run again, by whatever is given in place of their symbols."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..engine.record import record
from ..engine.tensor import tensor_at
from .trace import Entry, Symbol


def replay(
    entries: Iterable[Entry], known: dict[int, Any], apply: Callable[[Entry, list[Any]], Any]
) -> None:
    """Nothing; adds to `known` what entries give, from what is known of the symbols they take.

    known: by the identity of a symbol, what stands for it
    apply: takes an entry and its arguments
    """
    for entry in entries:
        out = apply(entry, [given(known, a) if type(a) is Symbol else a for a in entry.args])
        known.update(zip(map(id, entry.outs), out if entry.several else (out,), strict=True))


def given(known: dict[int, Any], s: Symbol) -> Any:
    """Return what stands for a symbol; zeros for one that no entry made and that is no leaf."""
    return known[id(s)] if id(s) in known else tensor_at(np.zeros(s.shape, s.dtype), None)


def called(entry: Entry, args: Sequence[Any]) -> Any:
    """Return what the op of an entry gives for other arguments."""
    return record(entry.op, tuple(args), entry.static)


def needed(entries: Sequence[Entry], results: Iterable[Any]) -> list[Entry]:
    """Return those of the entries that the results are made of."""
    live, kept = {id(s) for s in results}, []
    for entry in reversed(entries):
        if any(id(out) in live for out in entry.outs):
            live.update(map(id, entry.args))
            kept.append(entry)
    return kept[::-1]
