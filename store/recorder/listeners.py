"""Callbacks on recorded events: each on a thread of its own, so that one that is slow or fails holds up nobody."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from store.event import Event
from store.recorder.safe_logging import log_safely

logger = logging.getLogger(__name__)

Callback = Callable[[Sequence[Event]], object]
"""Takes the events of one commit, in its order."""
MAX_WAITING = 10_000
"""Events that wait for one callback at most; the commits that would go beyond it are left out, and counted."""
MAX_WAITING_BYTES = 16 * 1024 * 1024
"""What they may have together, encoded. As objects they take several times that."""
THREAD_NAME = "evtop-listener"


class Listener:
    """Runs one callback. It must be told of commits by one thread, and its own thread ends with the process.

    Args:
        callback: What to run. It may raise.
        failed: Called after it raised.
    """

    def __init__(self, callback: Callback, failed: Callable[[], None]) -> None:
        self._callback, self._failed = callback, failed
        self._waiting: deque[tuple[Sequence[Event], int]] = deque()
        self._count = self._bytes = 0
        self._changed = threading.Condition()
        self._ends = False
        self._thread: threading.Thread | None = None
        self._warned = False

    def tell(self, events: Sequence[Event], size: int) -> bool:
        """Have the callback called with `events`, of about `size` bytes.

        Returns:
            False when too much waits for it, or it cannot be called.
        """
        if self._thread is None and not self._start():
            return False
        with self._changed:
            if self._ends or (self._count and not self._has_room(len(events), size)):
                return False
            self._waiting.append((events, size))
            self._count += len(events)
            self._bytes += size
            self._changed.notify()
        return True

    def _has_room(self, count: int, size: int) -> bool:
        return self._count + count <= MAX_WAITING and self._bytes + size <= MAX_WAITING_BYTES

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
            missed = sum(len(events) for events, _ in self._waiting)
            self._waiting.clear()
            return missed

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ends)
                if not self._waiting:
                    return
                events, size = self._waiting.popleft()
            try:
                self._callback(events)
            except BaseException as error:
                # SystemExit too: it would end this thread, and nothing else.
                self._failed()
                if not self._warned:
                    self._warned = True
                    log_safely(
                        logger.error,
                        "a listener of recorded events failed; further failures are only counted",
                        error=error,
                    )
            with self._changed:
                self._count -= len(events)
                self._bytes -= size
