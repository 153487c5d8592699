"""Modes of a thread: whether ops are recorded, traced, or checked for NaN and Inf."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ContextDecorator
from pathlib import Path
from typing import Any

from .backend import xp


class _Modes(threading.local):
    def __init__(self) -> None:  # called in every thread
        self.recording = True
        self.anomaly = False
        self.unrolled = False  # whether `scan` is the loop itself; see compiler/scan.py
        self.tracer: Any = None  # called with (op, args, static) in place of the op; see tracing/
        self.lending = True  # off in the backward pass: arrays that rules make are nobody else's


current = _Modes()
altered: list[object] = []
"""Contexts open in all threads; while there are none, `current` need not be looked up."""


class mode(ContextDecorator):  # noqa: N801
    """A context or decorator that sets modes of this thread; it may be entered many times."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        self.before: list[list[Any]] = []

    def __enter__(self) -> None:
        modes = current.__dict__
        self.before.append([*map(modes.get, self.values)])
        altered.append(None)  # a list's length is right in any thread
        modes.update(self.values)

    def __exit__(self, *_: object) -> None:
        current.__dict__.update(zip(self.values, self.before.pop(), strict=True))
        altered.pop()

    def _recreate_cm(self) -> mode:
        return mode(**self.values)  # each call of a decorated function has its own

    def __call__(self, function: Any) -> Any:
        """Return the function in this mode; a generator function is in it while it runs."""
        if not inspect.isgeneratorfunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        def run(*args: Any, **options: Any) -> Iterator[Any]:
            values, end = function(*args, **options), object()
            while True:
                with self._recreate_cm():
                    value = next(values, end)
                if value is end:
                    return
                yield value

        return run


def no_grad() -> Any:
    """Return a context (or decorator) in which no graph is recorded."""
    return mode(recording=False)


def enable_grad() -> Any:
    """Return a context (or decorator) in which the graph is recorded, inside `no_grad` too."""
    return mode(recording=True)


def detect_anomaly() -> Any:
    """Return a context that names the op and the line that first made a NaN or an Inf.

    Inside, every op's result and every cotangent is checked, which is slow.
    Raises FloatingPointError there: for a value that is not finite though all inputs were.
    """
    return mode(anomaly=True)


def values_read() -> None:
    """Nothing; lets what traces a function know that it read values, which may change."""
    if altered and current.tracer is not None:
        current.tracer.looked = True


def is_grad_enabled() -> bool:
    """Return whether ops are recorded in this thread now."""
    return current.recording


_PACKAGE = str(Path(__file__).resolve().parent.parent) + os.sep


def user_line() -> str:
    """Return "file:line" of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def is_finite(value: Any) -> bool:
    """Return whether an array or scalar of floats holds no NaN and no Inf (True for the rest)."""
    if getattr(getattr(value, "dtype", None), "kind", "") == "f" or isinstance(value, float):
        return bool(xp(value).isfinite(value).all())
    return True
