"""When the next frame may be drawn, so that following costs no more than was allowed. The clock is passed in."""

from __future__ import annotations

import math


class Pace:
    """A leaky bucket: what was spent beyond the allowance is waited for before the next frame, not saved up before it.

    After silence nothing is owed, so that the first event is drawn at once. `allowance` is in units a second (bytes,
    or seconds of drawing). `grace` are seconds of it that may be owed while the next frame is drawn all the same, so
    that events that come one by one are not held up.
    """

    def __init__(self, allowance: float, grace: float = 0.0) -> None:
        self._allowance = allowance
        self._grace = grace
        self._paid_at = -math.inf

    def spent(self, amount: float, now: float, owed_max: float = math.inf) -> None:
        """So much was spent by now; `now` is in seconds of a clock that is never set.

        It makes no one wait for more than `owed_max` seconds: what the operator asked for, a larger terminal say, is to
        delay the next frame, but not to keep the picture from being true for minutes.
        """
        paid_at = max(self._paid_at, now)
        self._paid_at = max(paid_at, min(paid_at + amount / self._allowance, now + owed_max))

    def wait(self, now: float) -> float:
        """Seconds until the next frame may be drawn; 0 when it may be drawn now."""
        return max(0.0, self._paid_at - self._grace - now)
