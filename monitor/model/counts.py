"""Events counted by minute and kind over the span that the facets and the histogram show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitor.model.filter import Filter
from store.event import Event
from store.sampling import weight

WINDOW_MINUTES = 60
SPARK_BUCKETS = 12
"""Buckets of a facet's sparkline over the window."""

Kind = tuple[str, str, str | None]
"""Category, event type, severity."""


@dataclass(frozen=True, slots=True)
class FacetLine:
    """One facet value: how many events in the window, and when (`SPARK_BUCKETS` counts, oldest first).

    Where producers kept only a share of the events, the numbers are what there was before, as far as can be told,
    and `is_estimate` says so.
    """

    name: str
    count: int
    spark: tuple[int, ...]
    types: tuple[FacetLine, ...] = ()
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class MinuteBar:
    """One minute of the histogram: events shown, and how many of them were warnings and errors."""

    total: int = 0
    warnings: int = 0
    errors: int = 0


class MinuteCounts:
    """A sliding window of counts, seeded from the store's rollups and kept up with live events.

    Bounded by the window and by the number of kinds: `MAX_KINDS` event types are told apart, further ones are
    counted as `…`, under their category when that is known already and else under `…` too.
    """

    MAX_KINDS = 2000

    def __init__(self, window_minutes: int = WINDOW_MINUTES) -> None:
        self.window_minutes = window_minutes
        self._minutes: dict[int, defaultdict[Kind, float]] = defaultdict(lambda: defaultdict(float))
        self._sampled: set[tuple[str, str]] = set()
        self._kinds: set[tuple[str, str]] = set()
        self._categories: set[str] = set()

    def seed(self, rollups: Iterable[tuple[int, str, str, str | None, int, float]]) -> None:
        """Start over with (minute since 1970, category, event type, severity, count, count before sampling)."""
        self._minutes.clear()
        self._sampled.clear()
        self._kinds.clear()
        self._categories.clear()
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
            kind = (event.category, event.event_type, event.severity)
            batch[event.inserted_at.timestamp() // 60, kind, weight(event)] += 1
        for (minute, kind, estimate), count in batch.items():
            self._count(int(minute), self._kind(*kind), count * estimate, sampled=estimate != 1)
        if len(self._minutes) > 5 * self.window_minutes:
            present = max(self._minutes) if now is None else int(now.timestamp() // 60)
            for minute in [m for m in self._minutes if abs(m - present) > 2 * self.window_minutes]:
                del self._minutes[minute]

    def facets(self, now: datetime) -> tuple[FacetLine, ...]:
        """Categories with their types, busiest first, over the window that ends with the minute of `now`."""
        last, first = self._span(now)
        per_bucket = max(1, self.window_minutes // SPARK_BUCKETS)
        sparks: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * SPARK_BUCKETS)
        for minute, kinds in self._minutes.items():
            if first <= minute <= last:
                bucket = min(SPARK_BUCKETS - 1, (minute - first) // per_bucket)
                for (category, event_type, _severity), count in kinds.items():
                    sparks[category, event_type][bucket] += count
        categories: dict[str, list[FacetLine]] = defaultdict(list)
        for (category, event_type), spark in sparks.items():
            is_estimate = (category, event_type) in self._sampled
            whole = tuple(map(round, spark))
            categories[category].append(FacetLine(event_type, round(sum(spark)), whole, (), is_estimate))
        lines = [
            FacetLine(
                category,
                sum(line.count for line in types),
                tuple(sum(column) for column in zip(*(line.spark for line in types), strict=True)),
                tuple(sorted(types, key=lambda line: (-line.count, line.name))),
                any(line.is_estimate for line in types),
            )
            for category, types in categories.items()
        ]
        return tuple(sorted(lines, key=lambda line: (-line.count, line.name)))

    def histogram(self, now: datetime, shown: Filter) -> tuple[MinuteBar, ...]:
        """One bar a minute, oldest first, of the kinds that `shown` lets through."""
        last, first = self._span(now)
        accepted: dict[Kind, bool] = {}
        bars: list[MinuteBar] = []
        for minute in range(first, last + 1):
            total = warnings = errors = 0.0
            for kind, count in self._minutes[minute].items() if minute in self._minutes else ():
                if kind not in accepted:
                    accepted[kind] = shown.accepts(*kind)
                if accepted[kind]:
                    total += count
                    warnings += count if kind[2] == "warning" else 0
                    errors += count if kind[2] == "error" else 0
            bars.append(MinuteBar(round(total), round(warnings), round(errors)))
        return tuple(bars)

    def _count(self, minute: int, kind: Kind, estimate: float, *, sampled: bool) -> None:
        self._minutes[minute][kind] += estimate
        if sampled:
            self._sampled.add(kind[:2])

    def _span(self, now: datetime) -> tuple[int, int]:
        last = int(now.timestamp() // 60)
        return last, last - self.window_minutes + 1

    def _kind(self, category: str, event_type: str, severity: str | None) -> Kind:
        name = (category, event_type)
        if name not in self._kinds:
            if len(self._kinds) >= self.MAX_KINDS:
                return (category if category in self._categories else "…", "…", severity)
            self._kinds.add(name)
            self._categories.add(category)
        return (category, event_type, severity)
