"""Noticing writes into arrays that a graph has kept: what is kept must stay as it was.

The user can write into an array only after getting hold of it. It is then *lent*: for good where
the user has the array itself (shared at construction, given to an op), and otherwise (`.data`)
until the last view of it is dropped. A node that keeps a lent array takes a checksum of it, its
*seal*; what was kept before is checked against the checksum taken at lending. The package's own
writes (optimisers, `tensor[...] = value`) are announced by `written`. Where nothing was lent or
written since a node was made, the check costs one comparison.
"""

from __future__ import annotations

import itertools
import weakref
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .backend import Array, backend_of, is_array

ages = itertools.count(1)
"""One clock for nodes, loans and writes."""


loans: dict[int, _Loan] = {}
"""Memory that the user can write into, by the id of the array that owns it."""

_written: dict[int, tuple[weakref.ref[Any], int]] = {}  # when the package wrote, likewise by id

whole: set[int] = set()
"""Arrays, by id, that are views but the only ones of their memory; see machine/memory.py."""

latest = 0
"""Age of the latest loan or write: nothing older than a younger node can have changed for it."""


@dataclass
class _Loan:
    """An array's memory as it was when lent, and who can write into it."""

    owner: weakref.ref[Any]
    age: int
    checksum: int
    views: dict[int, weakref.ref[Any]] = field(default_factory=dict)  # by id; ends with the last
    shared: bool = False  # the user has the array itself: the loan ends with the array


class _Lease:
    """What a view handed out is based on: NumPy keeps the view alive as long as views of it."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__


def _owner(array: Array) -> Array:
    """Return the array that owns this array's memory (itself, or what it is a view of)."""
    base = getattr(array, "base", None)
    if base is None:
        return array
    while isinstance(base, _Lease) or (base is not None and is_array(base)):
        array = base.array if isinstance(base, _Lease) else base
        base = getattr(array, "base", None)
    return array


def _checksum(array: Array) -> int:
    host = np.ascontiguousarray(backend_of(array).to_numpy(array))
    return zlib.crc32(host.reshape(-1).view(np.uint8).data)


def _watch(owner: Array, book: dict[int, Any]) -> weakref.ref[Any]:
    """Return a reference to the owner that takes its entry out of the book when it dies."""
    key = id(owner)
    return weakref.ref(owner, lambda _: book.pop(key, None))


def _loan_of(owner: Array) -> _Loan:
    """Return the loan of this memory, a new one if it was not lent."""
    global latest
    found = loans.get(id(owner))
    if found is None:
        latest = next(ages)
        found = loans[id(owner)] = _Loan(_watch(owner, loans), latest, _checksum(owner))
    return found


def lend(array: Array) -> Array:
    """Return `array` itself, which the user has, and may write into as long as it lives."""
    _loan_of(_owner(array)).shared = True
    return array


def lease(array: Array) -> Array:
    """Return a view of `array` that the user may write into; the loan ends with its last view.

    An array of another library is lent for good: its checksums then copy it to the host each time.
    """
    if not isinstance(array, np.ndarray):
        return lend(array)
    owner = _owner(array)
    loan = _loan_of(owner)
    view = np.asarray(_Lease(array))
    key = id(view)
    loan.views[key] = weakref.ref(view, lambda _: _return(loan, key))
    return view


def _return(loan: _Loan, key: int) -> None:
    """Nothing; ends a loan whose last view has died, noting whether the memory was written into."""
    loan.views.pop(key, None)
    owner = loan.owner()
    if owner is not None and not loan.views and not loan.shared:
        del loans[id(owner)]
        if _checksum(owner) != loan.checksum:  # younger nodes have seals of their own
            _written[id(owner)] = (_watch(owner, _written), loan.age)


def same_view(a: Array, b: Array) -> bool:
    """Return whether two arrays are the same elements of the same memory."""
    if a is b:
        return True
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return False
    return bool(a.ctypes.data == b.ctypes.data and a.strides == b.strides and a.shape == b.shape)


def lend_all(args: Iterable[Any]) -> None:
    """Nothing; lends the arrays among an op's arguments: the user has them, and may write."""
    for array in _arrays(args):
        lend(array)


def written(array: Array) -> None:
    """Nothing; the package has just written into `array` itself."""
    global latest
    owner = _owner(array)
    latest = next(ages)
    known = _written.get(id(owner))
    _written[id(owner)] = (known[0] if known else _watch(owner, _written), latest)


def _arrays(kept: Iterable[Any]) -> list[Array]:
    """Return the arrays in what a node keeps, those in tuples too."""
    arrays = []
    for item in kept:
        kind = type(item)
        if kind is tuple:
            arrays += _arrays(item)
        elif kind is np.ndarray or (kind is not int and is_array(item)):
            arrays.append(item)
    return arrays


def seal(kept: Iterable[Any]) -> list[int | None] | None:
    """Return a checksum for each array of `kept` that is lent; None where none is."""
    seals = [_checksum(a) if id(_owner(a)) in loans else None for a in _arrays(kept)]
    return seals if any(s is not None for s in seals) else None


def overwritten(age: int, kept: Iterable[Any], seals: list[int | None] | None) -> bool:
    """Return whether an array kept by a node of this age has been written into since."""
    arrays = _arrays(kept)
    return any(map(_changed, arrays, seals or [None] * len(arrays), [age] * len(arrays)))


def _changed(array: Array, sealed: int | None, age: int) -> bool:
    owner = _owner(array)
    if _written.get(id(owner), (None, 0))[1] > age:
        return True
    if sealed is not None:
        return sealed != _checksum(array)
    loan = loans.get(id(owner))
    return loan is not None and loan.age > age and loan.checksum != _checksum(owner)
