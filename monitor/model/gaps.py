"""A gap: a stretch of time in which the console may have missed announcements, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from store.event import LAST_ID


class GapState(StrEnum):
    """OPEN while the cause lasts, REPAIRING while the store is read, then REPAIRED, LOST or NOT_LOADED.

    LOST: announcements were missed whose events the store does not have.
    NOT_LOADED: too much was missed to load at once; it is in the store and a filter or an older page shows it.
    """

    OPEN = "open"
    REPAIRING = "repairing"
    REPAIRED = "repaired"
    LOST = "lost"
    NOT_LOADED = "not loaded"


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap; `number` identifies it for the life of the feed.

    `missed` counts announcements that are known to have been made and did not come. `recovered` counts events that
    were read from the store, `left_out` those that stayed there, `lost` announced ones that it does not have.
    """

    number: int
    cause: str
    since: datetime
    until: datetime | None = None
    state: GapState = GapState.OPEN
    recovered: int = 0
    left_out: int = 0
    missed: int = 0
    lost: int = 0

    @property
    def sort_key(self) -> tuple[datetime, int]:
        """Stands after every event of the instant at which the gap began, and shares its place with no other."""
        return (self.since, LAST_ID.int + 1 + self.number)

    @property
    def is_open(self) -> bool:
        """Whether events may be missing on screen that were not accounted for."""
        return self.state in {GapState.OPEN, GapState.REPAIRING}

    def recovering(self, count: int) -> Gap:
        """The gap after `count` more of its events were read from the store."""
        return replace(self, recovered=self.recovered + count)
