"""How far each step of a search through the store looks, so that none is waited for long. Times are passed in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from store.event_filter import EventFilter

FIRST = timedelta(minutes=10)
LONGEST = timedelta(days=3650)
"""Beyond that, all the rest is looked through at once."""
STEP = 0.4
"""Seconds that a step should take: a search through millions of events is seen to move on, and can be given up."""
FASTEST = 8.0


class Stride:
    """The span of the next step. It grows and shrinks with the time that the last step took.

    What an index answers takes a handful of steps; what must be looked for event by event, one each `STEP` seconds.
    """

    def __init__(self) -> None:
        self._span = FIRST

    def took(self, seconds: float) -> None:
        """A step over the whole span took so long."""
        factor = min(max(STEP / max(seconds, 1e-3), 1 / FASTEST), FASTEST)
        self._span = max(timedelta(seconds=1), min(self._span * factor, LONGEST))

    def part(self, chosen: EventFilter, place: datetime, step: int) -> tuple[EventFilter, datetime | None]:
        """`chosen` as far as the next step from `place` looks, back (-1) or on (1), and where that ends.

        None: the step looks at all there is on that side.
        """
        bound = chosen.since if step < 0 else chosen.until
        try:
            edge = place + step * self._span
        except OverflowError:
            return chosen, None
        is_last = bound is not None and (edge <= bound if step < 0 else edge >= bound)
        if is_last or self._span >= LONGEST:
            return chosen, None
        return (replace(chosen, since=edge) if step < 0 else replace(chosen, until=edge)), edge
