"""A gap: a stretch of time in which the console may have missed announcements, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class GapState(StrEnum):
    """OPEN while the cause lasts, REPAIRING while the store is read, then REPAIRED or NOT_LOADED.

    NOT_LOADED: too much was missed to load at once; it is in the store and a filter or an older page shows it.
    """

    OPEN = "open"
    REPAIRING = "repairing"
    REPAIRED = "repaired"
    NOT_LOADED = "not loaded"


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap. `recovered` and `left_out` count events; `number` identifies it for the life of the feed."""

    number: int
    cause: str
    since: datetime
    until: datetime | None = None
    state: GapState = GapState.OPEN
    recovered: int = 0
    left_out: int = 0

    @property
    def sort_key(self) -> tuple[datetime, int]:
        """Stands after every event of the instant at which the gap began, and shares its place with no other."""
        return (self.since, 2**128 + self.number)

    @property
    def is_open(self) -> bool:
        """Whether events may be missing on screen that were not accounted for."""
        return self.state in {GapState.OPEN, GapState.REPAIRING}

    def recovering(self, count: int) -> Gap:
        """The gap after `count` more of its events were read from the store."""
        return replace(self, recovered=self.recovered + count)
