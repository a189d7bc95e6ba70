"""How far the clocks of producers are from this machine's, as far as the times of their events tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from store.event import Event

PRODUCERS_MAX = 200
WINDOW = 30.0
"""Seconds over which the smallest delay is taken, twice over."""
AHEAD, BEHIND = 2.0, 10.0
"""Seconds from which on a clock is worth a word. Behind is told later: an event may have been under way so long."""


@dataclass(slots=True)
class _Delays:
    """The smallest delays of the present window and of the one before; what is smallest was least under way."""

    present: float
    before: float
    began: float


class ClockSkew:
    """The smallest delay from when an event happened to when it was heard, for each producer.

    Of a clock that runs ahead that is negative; of one that runs behind it is large, as it is where every event is
    held up. Moments are seconds of a monotonic clock, passed in.
    """

    def __init__(self) -> None:
        self._delays: dict[str, _Delays] = {}

    def heard(self, latest: Iterable[tuple[str, Event]], now: datetime, tick: float) -> None:
        """Note the latest event of each producer that was heard just now."""
        for producer, event in latest:
            delay = (now - event.inserted_at).total_seconds()
            known = self._delays.pop(producer, None)
            if known is None or tick - known.began > 2 * WINDOW:
                known = _Delays(delay, delay, tick)
            elif tick - known.began > WINDOW:
                known = _Delays(delay, known.present, tick)
            else:
                known.present = min(known.present, delay)
            # The ones heard last stand last.
            self._delays[producer] = known
            if len(self._delays) > PRODUCERS_MAX:
                del self._delays[next(iter(self._delays))]

    def worst(self, tick: float) -> tuple[str, float] | None:
        """The producer, heard lately, whose clock is furthest off, and by how many seconds, positive ahead.

        None when all are close enough. The name is raw text.
        """
        worst: tuple[str, float] | None = None
        for producer, delays in self._delays.items():
            ahead = -min(delays.present, delays.before)
            is_far = ahead >= AHEAD or ahead <= -BEHIND
            if is_far and tick - delays.began <= 2 * WINDOW and (worst is None or abs(ahead) > abs(worst[1])):
                worst = producer, ahead
        return worst
