"""Events counted by minute and kind: what facets and histogram start from, whatever the filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from store.event import Event
from store.sampling import weight

WINDOW_MINUTES = 60
OTHERS = "\0"
"""Stands for the values that are too many to be told apart; no event can have it."""


class Kind(NamedTuple):
    """What events are counted by in the rollups."""

    category: str
    event_type: str
    severity: str | None


def minute_of(moment: datetime) -> int:
    """The minute of `moment`, counted since 1970 in UTC."""
    return int(moment.timestamp() // 60)


class MinuteCounts:
    """A sliding window of counts, seeded from the store's rollups and kept up with live events.

    Bounded by the window and by the number of kinds: `MAX_KINDS` event types are told apart, further ones are
    counted as `OTHERS`, under their category when that is known already and else under `OTHERS` too. Numbers are
    what there was before sampling, as far as can be told.
    """

    MAX_KINDS = 2000

    def __init__(self, window_minutes: int = WINDOW_MINUTES) -> None:
        self.window_minutes = window_minutes
        self._minutes: dict[int, defaultdict[Kind, float]] = defaultdict(lambda: defaultdict(float))
        self._sampled: set[tuple[str, str]] = set()
        self._kinds: set[tuple[str, str]] = set()
        self._categories: set[str] = set()
        self._seeded_from = 0

    def seed(
        self, rollups: Iterable[tuple[int, str, str, str | None, int, float]], now: datetime | None = None
    ) -> None:
        """Start over with (minute since 1970, category, event type, severity, count, count before sampling).

        They are all that there is of the window that ends with `now`.
        """
        self._minutes.clear()
        self._sampled.clear()
        self._kinds.clear()
        self._categories.clear()
        self._seeded_from = 0 if now is None else minute_of(now) - self.window_minutes + 1
        for minute, category, event_type, severity, count, estimate in rollups:
            self._count(
                minute, self._kind(category, event_type, severity), estimate, sampled=estimate != count
            )

    def add(self, events: Iterable[Event], now: datetime | None = None) -> None:
        """Count live events, late ones in the minute in which they happened.

        What happened further from `now` than twice the window is let go in time; without `now`, the latest
        minute counted is the present, and one producer with a fast clock makes all others look old.
        """
        # Most events of a batch are of a few kinds and of one minute.
        batch: defaultdict[tuple[float, Kind, float], int] = defaultdict(int)
        for event in events:
            kind = Kind(event.category, event.event_type, event.severity)
            batch[event.inserted_at.timestamp() // 60, kind, weight(event)] += 1
        for (minute, kind, estimate), count in batch.items():
            self._count(int(minute), self._kind(*kind), count * estimate, sampled=estimate != 1)
        if len(self._minutes) > 5 * self.window_minutes:
            present = max(self._minutes) if now is None else minute_of(now)
            for minute in [m for m in self._minutes if abs(m - present) > 2 * self.window_minutes]:
                del self._minutes[minute]

    def complete_from(self, now: datetime) -> int:
        """The minute from which on every event is counted."""
        return max(self._seeded_from, minute_of(now) - 2 * self.window_minutes)

    def kinds(self, first: int) -> Iterator[tuple[int, Kind, float]]:
        """(Minute, kind, number of events) from the minute `first` on, in no order."""
        for minute, kinds in self._minutes.items():
            if minute >= first:
                for kind, estimate in kinds.items():
                    yield minute, kind, estimate

    def is_estimate(self, kind: Kind) -> bool:
        """Whether events of this category and type were sampled, so that their numbers are estimates."""
        return kind[:2] in self._sampled

    def _count(self, minute: int, kind: Kind, estimate: float, *, sampled: bool) -> None:
        self._minutes[minute][kind] += estimate
        if sampled:
            self._sampled.add(kind[:2])

    def _kind(self, category: str, event_type: str, severity: str | None) -> Kind:
        name = (category, event_type)
        if name not in self._kinds:
            if len(self._kinds) >= self.MAX_KINDS:
                return Kind(category if category in self._categories else OTHERS, OTHERS, severity)
            self._kinds.add(name)
            self._categories.add(category)
        return Kind(category, event_type, severity)
