"""How many events a second arrive, over the last few seconds."""

from __future__ import annotations

from collections import deque


class RateMeter:
    """Arrivals over a sliding window. Times are seconds of a monotonic clock, passed in."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._arrivals: deque[tuple[float, int]] = deque()
        self._total = 0
        self._started: float | None = None

    def add(self, count: int, now: float) -> None:
        """Note `count` arrivals at `now`."""
        if self._started is None:
            self._started = now
        self._forget(now)
        if count:
            self._arrivals.append((now, count))
            self._total += count

    def per_second(self, now: float) -> float:
        """Arrivals a second over the window; over a shorter time right after the start."""
        self._forget(now)
        if self._started is None:
            return 0.0
        return self._total / min(self._window, max(1.0, now - self._started))

    def _forget(self, now: float) -> None:
        while self._arrivals and self._arrivals[0][0] <= now - self._window:
            self._total -= self._arrivals.popleft()[1]
