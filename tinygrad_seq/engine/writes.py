"""Noticing writes into arrays that a graph has kept: what is kept must stay as it was.

The user can write into an array only after getting hold of it (`.data`, sharing one at
construction, giving one to an op): it is then *lent*. A node that keeps a lent array takes a checksum of it, its
*seal*; what was kept before is checked against the checksum taken at lending. The package's own
writes (optimisers, `tensor[...] = value`) are announced by `written`. Where nothing was lent or
written since a node was made, the check costs one comparison.
"""

from __future__ import annotations

import itertools
import weakref
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backend import Array, backend_of, is_array

ages = itertools.count(1)
"""One clock for nodes, loans and writes."""


@dataclass
class _Record:
    """What is known of the memory of one array: when lent and its checksum then; when written."""

    reference: weakref.ref[Any]
    lent: int = 0
    checksum: int = 0
    written: int = 0


_records: dict[int, _Record] = {}
_latest = 0  # age of the latest loan or write


def _owner(array: Array) -> Array:
    """Return the array that owns this array's memory (itself, or what it is a view of)."""
    base = getattr(array, "base", None)
    while base is not None and is_array(base):
        array, base = base, getattr(base, "base", None)
    return array


def _checksum(array: Array) -> int:
    host = np.ascontiguousarray(backend_of(array).to_numpy(array))
    return zlib.crc32(host.reshape(-1).view(np.uint8).data)


def _record(owner: Array) -> _Record:
    key = id(owner)
    found = _records.get(key)
    if found is None:
        found = _records[key] = _Record(
            weakref.ref(owner, lambda _, key=key: _records.pop(key, None))  # type: ignore[misc]
        )
    return found


def lend(array: Array) -> Array:
    """Return `array`, which the user may now write into."""
    global _latest
    owner = _owner(array)
    record = _record(owner)
    if not record.lent:
        record.lent = _latest = next(ages)
        record.checksum = _checksum(owner)
    return array


def lend_all(args: Iterable[Any]) -> None:
    """Nothing; lends the arrays among an op's arguments: the user has them, and may write."""
    for array in _arrays(args):
        lend(array)


def written(array: Array) -> None:
    """Nothing; the package has just written into `array` itself."""
    global _latest
    record = _record(_owner(array))
    record.written = _latest = next(ages)


def _arrays(kept: Iterable[Any]) -> Iterator[Array]:
    for item in kept:
        if isinstance(item, tuple):
            yield from _arrays(item)
        elif is_array(item):
            yield item


def seal(kept: Iterable[Any]) -> list[int | None] | None:
    """Return a checksum for each array of `kept` that is lent; None where none is."""
    if not _records:
        return None
    seals = [_checksum(array) if _is_lent(array) else None for array in _arrays(kept)]
    return seals if any(s is not None for s in seals) else None


def _is_lent(array: Array) -> bool:
    record = _records.get(id(_owner(array)))
    return record is not None and record.lent > 0


def overwritten(age: int, kept: Iterable[Any], seals: list[int | None] | None) -> bool:
    """Return whether an array kept by a node of this age has been written into since."""
    if seals is None and age > _latest:
        return False
    arrays = list(_arrays(kept))
    return any(map(_changed, arrays, seals or [None] * len(arrays), [age] * len(arrays)))


def _changed(array: Array, sealed: int | None, age: int) -> bool:
    owner = _owner(array)
    record = _records.get(id(owner))
    if record is None:
        return False
    if record.written > age:
        return True
    if sealed is not None:
        return sealed != _checksum(array)
    return record.lent > age and record.checksum != _checksum(owner)
