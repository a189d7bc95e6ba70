"""Waking an event loop from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from math import inf
from typing import TypeVarTuple

Arguments = TypeVarTuple("Arguments")

_WAIT_MAX = 1.0
"""Seconds that nobody sleeps beyond: who was to ring may have been interrupted at it."""


class Bell:
    """Is rung by whoever queues an event, when as much waits as the sleeper asked for."""

    def __init__(self) -> None:
        self.threshold = inf
        """How much must wait for the bell to be rung."""
        self.attached = threading.Event()
        """Is set when there is a loop to be woken."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()

    def attach(self) -> None:
        """Belong to the running loop."""
        self._loop = asyncio.get_running_loop()
        self.attached.set()

    def call(self, callback: Callable[[*Arguments], object], *arguments: *Arguments) -> bool:
        """Have the loop call `callback`. From any thread. False when there is no loop, or it has ended."""
        if self._loop is None or self._loop.is_closed():
            return False
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # It has ended meanwhile; or the caller's stack has.
            return False
        return True

    def ring(self) -> None:
        """End the wait that is under way, or the next one. From any thread."""
        asked, rung = self.threshold, False
        try:
            self.threshold = inf
            rung = self.call(self._rung.set)
        finally:
            if not rung:
                # The next caller shall try. A signal handler may have raised before the loop was woken.
                self.threshold = asked

    async def wait(self, seconds: float | None) -> None:
        """Wait until the bell is rung, for so many seconds at most, and a second in any case."""
        try:
            async with asyncio.timeout(_WAIT_MAX if seconds is None else min(seconds, _WAIT_MAX)):
                await self._rung.wait()
        except TimeoutError:
            pass
        self.threshold = inf
        self._rung.clear()
