"""Arrays for kernels, used again as soon as nobody else holds them.

Fresh pages cost more than the arithmetic that fills them: a train step asks for the same shapes
again and again, and gets the same memory.
"""

from __future__ import annotations

import contextlib
import math
from sys import getrefcount
from typing import Any

import numpy as np

from ..engine.writes import whole

Array = np.ndarray[Any, Any]

KEPT_IDLE = 128 * 2**20
"""Bytes kept beside as many as are in use."""


Form = tuple[tuple[int, ...], np.dtype[Any]]
"""Shape and type of an array."""


class _Slot:
    """A block of bytes and its one view; both are free if nobody else refers to either."""

    __slots__ = ("bytes", "form", "shift", "view")

    def __init__(self, room: int) -> None:
        self.bytes = np.empty(room + 64, np.uint8)
        self.shift = -self.bytes.ctypes.data % 64
        self.view: Array = self.bytes[self.shift :]
        self.form: Form | None = None

    def references(self) -> tuple[int, int]:
        # NumPy makes the owner of the bytes the base of every view of a view.
        return getrefcount(self.bytes), getrefcount(self.view)

    def viewed(self, form: Form) -> Array:
        """Return the view, made anew for another shape or dtype than before."""
        shape, dtype = self.form = form
        stop = self.shift + math.prod(shape) * dtype.itemsize
        whole.discard(id(self.view))  # while it lives: the next array may get its id
        view = self.view = self.bytes[self.shift : stop].view(dtype).reshape(shape)
        whole.add(id(view))
        return view


class Memory:
    """Makes uninitialised arrays, aligned to 64 bytes: memory(shape, dtype).

    Blocks are of few sizes, and hold arrays of half their size too, so that batches of ever
    different lengths share them.
    """

    def __init__(self) -> None:
        self._slots: dict[int, list[_Slot]] = {}  # by bytes that there is room for
        self._forms: dict[Form, list[_Slot]] = {}  # the same, by what their view is now
        self._free = _Slot(1).references()
        self._bytes, self._view = self._free[0], self._free[1] + 1  # the view in a variable too
        self._total, self._limit = 0, KEPT_IDLE  # bytes of all blocks; when to look for idle ones

    def __call__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array with undefined contents that nobody else holds."""
        for slot in self._forms.get((shape, dtype), ()):
            view = slot.view  # held before it is counted: another thread that counts sees it
            if getrefcount(view) == self._view and getrefcount(slot.bytes) == self._bytes:
                return view
        return self._of_another_form((shape, dtype))

    def _of_another_form(self, form: Form) -> Array:
        """Return an array in a block that was viewed in another form, or in a new block."""
        least = room = _room(math.prod(form[0]) * form[1].itemsize)
        while room <= 2 * least:
            for slot in self._slots.get(room, ()):
                view = slot.view
                if getrefcount(view) == self._view and getrefcount(slot.bytes) == self._bytes:
                    self._forget_form(slot)
                    return self._viewed(slot, form)
            room = _room(room + 1)
        if self._total > self._limit:
            self._shrink()
        slot = _Slot(least)
        self._total += slot.bytes.nbytes
        self._slots.setdefault(least, []).append(slot)
        return self._viewed(slot, form)

    def _viewed(self, slot: _Slot, form: Form) -> Array:
        view = slot.viewed(form)
        self._forms.setdefault(form, []).append(slot)
        return view

    def _forget_form(self, slot: _Slot) -> None:
        """Nothing; a slot that another thread dropped with its form is found by its room alone."""
        assert slot.form is not None
        slots = self._forms.get(slot.form, [])
        with contextlib.suppress(ValueError):
            slots.remove(slot)
        if not slots:
            self._forms.pop(slot.form, None)

    def _shrink(self) -> None:
        """Forget idle blocks, those made first, beyond what is worth keeping."""
        idle = [
            (room, slot)
            for room, slots in self._slots.items()
            for slot in slots
            if slot.references() == self._free
        ]
        excess = sum(slot.bytes.nbytes for _, slot in idle)
        busy = self._total - excess
        for room, slot in idle:
            if excess <= KEPT_IDLE + busy:
                break
            excess -= slot.bytes.nbytes
            whole.discard(id(slot.view))
            self._slots[room].remove(slot)
            self._forget_form(slot)
        self._total = busy + excess
        self._limit = self._total + KEPT_IDLE // 8  # each look costs time for every block


def _room(count: int) -> int:
    """Return the first of the sizes of blocks, an eighth apart at most, that has such room."""
    step = max(64, 1 << max(count.bit_length() - 4, 0))
    return -(-count // step) * step


memory = Memory()
