"""Callbacks on recorded events: each on a thread of its own, so that one that is slow or fails holds up nobody."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from store.event import Event

logger = logging.getLogger(__name__)

Callback = Callable[[Sequence[Event]], object]
"""Takes the events of one commit, in its order."""
MAX_WAITING = 10_000
"""Events that wait for one callback at most; the commits that would go beyond it are left out, and counted."""
THREAD_NAME = "evtop-listener"


class Listener:
    """Runs one callback. It must be told of commits by one thread, and its own thread ends with the process.

    Args:
        callback: What to run. It may raise.
        failed: Called after it raised.
    """

    def __init__(self, callback: Callback, failed: Callable[[], None]) -> None:
        self._callback, self._failed = callback, failed
        self._waiting: deque[Sequence[Event]] = deque()
        self._count = 0
        self._changed = threading.Condition()
        self._ends = False
        self._thread: threading.Thread | None = None
        self._warned = False

    def tell(self, events: Sequence[Event]) -> bool:
        """Have the callback called with `events`; False when too much waits for it, or it cannot be called."""
        if self._thread is None and not self._start():
            return False
        with self._changed:
            if self._ends or (self._count and self._count + len(events) > MAX_WAITING):
                return False
            self._waiting.append(events)
            self._count += len(events)
            self._changed.notify()
        return True

    def _start(self) -> bool:
        thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No thread can be started: the interpreter is about to end, or the process has too many.
            return False
        self._thread = thread
        return True

    def close(self, timeout: float) -> int:
        """Let the callback take what waits for it, for `timeout` seconds at most. Returns how many events it misses."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        # The callback itself may be what closes the recorder.
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        with self._changed:
            missed = sum(map(len, self._waiting))
            self._waiting.clear()
            return missed

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ends)
                if not self._waiting:
                    return
                events = self._waiting.popleft()
            try:
                self._callback(events)
            except BaseException:
                # SystemExit too: it would end this thread, and nothing else.
                self._failed()
                if not self._warned:
                    self._warned = True
                    logger.exception(
                        "a listener of recorded events failed; further failures are only counted"
                    )
            with self._changed:
                self._count -= len(events)
