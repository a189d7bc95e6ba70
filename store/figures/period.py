"""The periods that figures are about."""

from __future__ import annotations

from enum import Enum


class Period(Enum):
    """How far back: a name, minutes, and minutes of a bar."""

    HOUR = ("hour", 60, 2)
    DAY = ("day", 24 * 60, 30)
    WEEK = ("week", 7 * 24 * 60, 4 * 60)
    MONTH = ("30 days", 30 * 24 * 60, 24 * 60)

    @property
    def label(self) -> str:
        """Its name, as in `the last hour`."""
        return self.value[0]

    @property
    def bar(self) -> int:
        """Minutes of a bar."""
        return self.value[2]

    @property
    def bars(self) -> int:
        """How many bars it has."""
        return self.value[1] // self.value[2]

    def span(self, minute: int) -> tuple[int, int]:
        """The minutes since 1970 that it has up to and with `minute`: from the first up to and without the last."""
        until = minute // self.bar * self.bar + self.bar
        return until - self.bars * self.bar, until

    def step(self, steps: int) -> Period:
        """The one that is so many longer, or shorter (negative); the longest or shortest where there is none."""
        periods = list(Period)
        return periods[max(0, min(len(periods) - 1, periods.index(self) + steps))]
