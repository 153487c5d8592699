"""Batches made ahead of their use, by a thread in the background."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...engine import checks
from .position import Batches


class Prefetcher:
    """The batches of another object in their order, up to `ahead` of them made in advance.

    batches: PaddedBatches, TruncatedBPTT, or anything with their four methods; nobody else is to
    iterate over it meanwhile
    transform: what is done to each batch, in the background too; if it draws random numbers, from
    a generator seeded by the batch, or a resumed run draws others
    An epoch's thread starts with its first batch and ends with its last; `close`, leaving a `with`
    block, or dropping the iterator ends it early, and the next epoch starts at the batch after the
    last one given out, which `state_dict` says. An error in the thread is raised where its batch
    would have come.
    Raises ValueError for ahead below 1.
    """

    def __init__(
        self, batches: Batches, ahead: int = 2, transform: Callable[[Any], Any] | None = None
    ) -> None:
        self.ahead = checks.integer("Prefetcher: ahead", ahead, 1)
        self.batches, self.transform = batches, transform
        self._state = batches.state_dict()
        self._running: _Epoch | None = None

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        self.close()
        epoch = self._running = _Epoch(self.batches, self.ahead, self.transform)
        try:
            while (item := epoch.next()) is not None:
                self._state, batch = item
                yield batch
            self._state = self.batches.state_dict()  # of the next epoch
        finally:
            epoch.stop()
            if self._running is epoch:
                self._running = None
                self.batches.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """The position after the last batch that was given out, whatever was made ahead of it."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken.  Raises ValueError where it belongs to other batches."""
        self.close()
        self.batches.load_state_dict(dict(state))
        self._state = self.batches.state_dict()

    def close(self) -> None:
        """End the thread, if there is one; batches made ahead are made again when asked for."""
        if self._running is not None:
            self._running.stop()
            self._running = None
            self.batches.load_state_dict(self._state)

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Epoch:
    """A thread that makes the batches of one epoch, and the queue that they wait in."""

    def __init__(
        self, batches: Batches, ahead: int, transform: Callable[[Any], Any] | None
    ) -> None:
        self._queue: queue.Queue[tuple[Any, Any, BaseException | None]] = queue.Queue(ahead)
        self._stopped = threading.Event()
        run = contextvars.copy_context().run  # the caller's backend and modes
        self._thread = threading.Thread(
            target=run, args=(self._run, batches, transform), name="Prefetcher", daemon=True
        )
        self._thread.start()

    def _run(self, batches: Batches, transform: Callable[[Any], Any] | None) -> None:
        try:
            for batch in batches:
                state = batches.state_dict()
                self._put((state, batch if transform is None else transform(batch), None))
                if self._stopped.is_set():
                    return
            self._put((None, None, None))
        except BaseException as error:  # whatever it is, the caller is to have it
            self._put((None, None, error))

    def _put(self, item: tuple[Any, Any, BaseException | None]) -> None:
        """Nothing; waits for a place in the queue, or until nobody wants the item."""
        placed = False
        while not placed and not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.05)
                placed = True

    def next(self) -> tuple[Any, Any] | None:
        """Return (state after it, batch), or None at the end. Raises what the thread raised."""
        found = None
        while found is None:
            if self._stopped.is_set():
                raise RuntimeError("Prefetcher: closed, or iterated over anew, in the meantime")
            ended = not self._thread.is_alive()  # asked first: what it made is in the queue then
            with contextlib.suppress(queue.Empty):
                found = self._queue.get(timeout=0.1)
            if ended and found is None:
                raise RuntimeError(
                    "Prefetcher: its thread is not in this process, a fork of its own"
                )
        state, batch, error = found
        if error is not None:
            raise error
        return None if state is None else (state, batch)

    def stop(self) -> None:
        """Nothing; ends the thread and waits for it."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
