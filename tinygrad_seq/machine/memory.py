"""Arrays for kernels, used again as soon as nobody else holds them; the addresses of arrays.

Fresh pages cost more than the arithmetic that fills them: a train step asks for the same shapes
again and again, and gets the same memory.
"""

from __future__ import annotations

import ctypes
import math
import sys
from typing import Any

import numpy as np

from ..engine.writes import whole

Array = np.ndarray[Any, Any]

KEPT_IDLE = 128 * 2**20
"""Bytes kept beside as many as are in use."""


class _Slot:
    """A block of bytes and its one view; both are free if nobody else refers to either."""

    __slots__ = ("bytes", "view")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        count = math.prod(shape) * dtype.itemsize
        self.bytes = np.empty(count + 64, np.uint8)
        shift = -self.bytes.ctypes.data % 64
        self.view: Array = self.bytes[shift : shift + count].view(dtype).reshape(shape)

    def references(self) -> tuple[int, int]:
        # NumPy makes the owner of the bytes the base of every view of a view.
        return sys.getrefcount(self.bytes), sys.getrefcount(self.view)


class Memory:
    """Makes uninitialised arrays, aligned to 64 bytes: memory(shape, dtype)."""

    def __init__(self) -> None:
        self._slots: dict[tuple[tuple[int, ...], np.dtype[Any]], list[_Slot]] = {}
        self._free = _Slot((1,), np.dtype(np.uint8)).references()

    def __call__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array with undefined contents that nobody else holds."""
        slots = self._slots.get((shape, dtype))
        if slots is None:
            slots = self._slots[shape, dtype] = []
        for slot in slots:
            view = slot.view  # held before it is counted: another thread that counts sees it
            if sys.getrefcount(view) == self._free[1] + 1 and self._owned(slot):
                return view
        self._shrink()
        slot = _Slot(shape, dtype)
        view = slot.view
        whole.add(id(view))
        self._slots.setdefault((shape, dtype), []).append(slot)
        return view

    def _owned(self, slot: _Slot) -> bool:
        return sys.getrefcount(slot.bytes) == self._free[0]

    def _shrink(self) -> None:
        """Forget idle arrays, those made first, beyond what is worth keeping."""
        idle = [
            (key, slot)
            for key, slots in self._slots.items()
            for slot in slots
            if slot.references() == self._free
        ]
        busy = sum(slot.bytes.nbytes for slots in self._slots.values() for slot in slots)
        excess = sum(slot.bytes.nbytes for _, slot in idle)
        busy -= excess
        for key, slot in idle:
            if excess <= KEPT_IDLE + busy:
                break
            excess -= slot.bytes.nbytes
            whole.discard(id(slot.view))
            self._slots[key].remove(slot)


memory = Memory()


_HEAD = object.__basicsize__


def address(array: Array) -> int:
    """Return the address of the array's first element.

    It follows the object's head, as NumPy's C API has it; `array.ctypes` takes eight times as long.
    """
    return ctypes.c_void_p.from_address(id(array) + _HEAD).value or 0
