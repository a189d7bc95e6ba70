"""Those who wait for what they recorded to have left the memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple


class Flush(NamedTuple):
    """Waits until `goal` events have left the memory; with `drains`, until the disk has none either."""

    goal: int
    drains: bool
    done: threading.Event


class Flushes:
    """The flushes that are not answered yet. Any thread may wait, one answers."""

    def __init__(self) -> None:
        self._waiting: deque[Flush] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def wait(self, flush: Flush, timeout: float, ring: Callable[[], None]) -> bool:
        """Wait for the answer, after `ring` has called whoever gives it. False when none came in `timeout` seconds."""
        try:
            self._waiting.append(flush)
            ring()
            return flush.done.wait(timeout)
        finally:
            self._withdraw(flush)

    def reached(self, left: int, *, drained: bool) -> list[Flush]:
        """Those whose goal is reached when `left` events have left the memory."""
        return [
            flush for flush in list(self._waiting) if flush.goal <= left and (drained or not flush.drains)
        ]

    def answer(self, flushes: Sequence[Flush]) -> None:
        """Tell `flushes` that they are done."""
        for flush in flushes:
            self._withdraw(flush)
            flush.done.set()

    def _withdraw(self, flush: Flush) -> None:
        with suppress(ValueError):
            self._waiting.remove(flush)
