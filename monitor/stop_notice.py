"""How much came while the program was stopped, and from which moment on that can be told."""

from __future__ import annotations

from collections import deque

LOOKS_KEPT = 200
"""Frames that are remembered with their counts: many more than come between a stop and the word of it."""


class StopNotice:
    """Counts what was received since a stop. Moments are `time.monotonic()`, passed in.

    That the program was stopped is known only afterwards, when some of what came meanwhile may have been counted.
    """

    def __init__(self) -> None:
        self._received: deque[tuple[float, int]] = deque([(0.0, 0)], LOOKS_KEPT)
        self._before: int | None = None
        self.continued_at = 0.0
        """When the program went on, as far as it knows."""

    @property
    def waits(self) -> bool:
        """Whether a stop is still to be told of."""
        return self._before is not None

    def count(self, received: int, now: float) -> None:
        """So many events were received by now."""
        self._received.append((now, received))

    def stopped(self, since: float, now: float) -> None:
        """The program goes on after a stop that began at `since` or a moment later."""
        if self._before is None:
            # Between the two it counted nothing.
            self._before = max(
                (received for moment, received in self._received if moment <= since),
                default=self._received[0][1],
            )
        self.continued_at = now

    def told(self, received: int) -> int:
        """How many of `received` came since the stop, which is told of now."""
        before, self._before = self._before or 0, None
        return received - before
