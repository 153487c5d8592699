"""Ctrl-C put off to a moment where nothing is half done."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class PutOffInterrupt:
    """A context in which the first Ctrl-C only sets `asked`; a second one interrupts at once.

    Outside the main thread, where signals do not arrive, it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> PutOffInterrupt:
        self.asked = False
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _note(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
