"""The values of one field among the events that the filter shows: how many, when, and what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt

from monitor.model.counts import OTHERS, WINDOW_MINUTES, minute_of
from monitor.model.filter import MISSING, Facet, Filter, Span
from monitor.model.seen import Item, Seen
from monitor.model.sliding import Key, SlidingCounts
from store.event import SEVERITY_RANK, Event
from store.query.syntax import Field
from store.sampling import weight

FACET_FIELDS: tuple[Field, ...] = (
    Field.CATEGORY,
    Field.SEVERITY,
    Field.ACTOR,
    Field.RESOURCE_TYPE,
    Field.STATUS,
)
"""The fields whose values are counted, in the order in which they are offered; categories with their types."""
SPARK_BUCKETS = 12
"""Buckets of a facet's sparkline over the window."""
_BY_KIND = (Field.CATEGORY, Field.SEVERITY)
_BASELINE_LEAST = 5
"""Whole minutes that must be known before the last one is compared with them."""
_DEVIATIONS = 3
"""By how many standard deviations of chance (the square root of the mean) a minute must differ to be told."""
_STEP_SECONDS = 10
"""A comparison moves on in steps: one that changes at every look would keep a quiet line busy."""


@dataclass(frozen=True, slots=True)
class FacetLine:
    """One value and how many events have it; `types` are those of a category.

    `facet` is None for the values that are too many to be told apart. Where producers kept only a share of the
    events, the numbers are what there was before, as far as can be told, and `is_estimate` says so.
    """

    facet: Facet | None
    count: int
    key: Key
    types: tuple[FacetLine, ...] = ()
    is_estimate: bool = False

    @property
    def label(self) -> str:
        """The value in words. Raw text."""
        return "… others" if self.facet is None else self.facet.label


@dataclass(frozen=True, slots=True)
class Trend:
    """When events with a value happened (`SPARK_BUCKETS` counts over the window, oldest first), and what changed.

    `ratio` is the last minute against the mean minute of the hour before, None where they differ by no more than
    chance makes them. `is_new`: there was none in that hour.
    """

    spark: tuple[int, ...]
    ratio: float | None = None
    is_new: bool = False


class FacetCounts:
    """Counts the values of one field at a time, as events arrive; `show` says which, and among which events.

    They are counted among all that the filter shows when the values of that field alone are left aside: so what is
    hidden still tells how much it hides.
    """

    def __init__(self, seen: Seen, window: int = WINDOW_MINUTES) -> None:
        self.field: Field = FACET_FIELDS[0]
        self._seen = seen
        self._window = window
        self._filter = Filter()
        self._matches: Callable[[Event], bool] = self._filter.predicate()
        self._counts = SlidingCounts(window, 0)
        self._sampled: set[Key] = set()
        self._complete_from = 0
        self._stale = True
        self._lines: tuple[int, tuple[FacetLine, ...]] = (-1, ())

    def show(self, shown: Filter, field: Field, now: datetime) -> None:
        """Count the values of `field` under `shown` from now on, after counting what was seen once."""
        scope = shown.without_group(field)
        if self._stale or field is not self.field or scope != self._filter:
            self.field, self._filter = field, scope
            self._start_over(now)

    def reopen(self) -> None:
        """Start over at the next look: what was seen is another thing now."""
        self._stale = True

    def add(self, events: Iterable[Event], now: datetime) -> None:
        """Count live events."""
        if self._stale:
            return
        self._counts.slide(minute_of(now))
        matches = self._matches
        self._count(
            (minute_of(event.inserted_at), event, weight(event)) for event in events if matches(event)
        )

    def lines(self, now: datetime) -> tuple[FacetLine, ...]:
        """The values, busiest first, severities by rank, over the window that ends with the minute of `now`."""
        self._counts.slide(minute_of(now))
        if self._lines[0] != self._counts.version:
            self._lines = (self._counts.version, _lines(self.field, self._counts.totals, self._sampled))
        return self._lines[1]

    def trend(self, line: FacetLine, now: datetime) -> Trend:
        """When events with the value of `line` happened, and whether the last minute is unlike the hour before."""
        counts, key = self._counts, line.key
        minutes = [counts.at(minute, key) for minute in counts.span]
        spark = [0.0] * SPARK_BUCKETS
        for index, count in enumerate(minutes):
            spark[index * SPARK_BUCKETS // len(minutes)] += count
        whole = tuple(map(round, spark))
        known = [
            count
            for minute, count in zip(counts.span, minutes, strict=True)
            if self._complete_from <= minute < counts.span.stop - 2
        ]
        if len(known) < _BASELINE_LEAST:
            return Trend(whole)
        # The last 60 seconds: the present minute, and of the one before it the part that they reach into.
        elapsed = int(now.timestamp() % 60) // _STEP_SECONDS * _STEP_SECONDS
        last = minutes[-1] + minutes[-2] * (1 - elapsed / 60)
        mean = sum(known) / len(known)
        if not mean:
            return Trend(whole, is_new=last >= 1)
        # Of what is rare, one or two at once are chance as well.
        differs = abs(last - mean) > _DEVIATIONS * sqrt(max(1.0, mean))
        return Trend(whole, last / mean if differs else None)

    @property
    def scope(self) -> Filter:
        """Among which events is counted: the filter without the field itself."""
        return self._filter

    def covers(self, span: Span, now: datetime) -> bool:
        """Whether all of `span` that is over is counted here."""
        first = max(self._complete_from, minute_of(now) - self._window + 1)
        return minute_of(span.since) >= first

    def since(self, now: datetime) -> datetime | None:
        """From when on everything is counted, when that is less than the window; else None."""
        if self._complete_from <= minute_of(now) - self._window + 1:
            return None
        return datetime.fromtimestamp(self._complete_from * 60, UTC)

    def _start_over(self, now: datetime) -> None:
        self._stale = False
        self._matches = self._filter.predicate()
        last = minute_of(now)
        self._counts = SlidingCounts(self._window, last)
        self._lines = (-1, ())
        self._sampled = set()
        self._complete_from, items = self._seen.matching(
            self._filter, last - self._window + 1, now, by_kind=self.field in _BY_KIND
        )
        self._count(items)

    def _count(self, items: Iterable[tuple[int, Item, float]]) -> None:
        # Most items of a batch are of a few values and of one minute.
        batch: defaultdict[tuple[int, Key], float] = defaultdict(float)
        for minute, item, amount in items:
            keys = _keys(item, self.field)
            for key in keys:
                batch[minute, key] += amount
            if amount != 1 and self._seen.is_estimate(item):
                self._mark_sampled(keys)
        for (minute, key), amount in batch.items():
            self._counts.add(minute, key, amount)

    def _mark_sampled(self, keys: Iterable[Key]) -> None:
        if len(self._sampled) < SlidingCounts.MAX_KEYS:
            self._sampled.update(keys)


def stored_fields(field: Field) -> tuple[str, ...]:
    """The fields of an event whose values together tell the values of a facet."""
    return {
        Field.CATEGORY: ("category", "event_type"),
        Field.SEVERITY: ("severity",),
        Field.ACTOR: ("actor_type", "actor_id"),
        Field.RESOURCE_TYPE: ("resource_type", "secondary_resource_type"),
    }.get(field, ("status",))


def stored_lines(field: Field, counts: Iterable[tuple[tuple[str | None, ...], int]]) -> tuple[FacetLine, ...]:
    """Lines of what the store counted by the values of `stored_fields`."""
    totals: defaultdict[Key, float] = defaultdict(float)
    for values, number in counts:
        for key in _stored_keys(field, values):
            totals[key] += number
    return _lines(field, totals, frozenset())


def _stored_keys(field: Field, values: tuple[str | None, ...]) -> tuple[Key, ...]:
    named = [value or MISSING for value in values]
    match field:
        case Field.CATEGORY:
            return ((named[0], ""), (named[0], named[1]))
        case Field.ACTOR:
            return ((":".join(part for part in named if part), ""),)
        case Field.RESOURCE_TYPE:
            return _roles(*values)
        case _:
            return ((named[0], ""),)


def _lines(field: Field, totals: Mapping[Key, float], sampled: Collection[Key]) -> tuple[FacetLine, ...]:
    def line(key: Key, total: float, types: Iterable[FacetLine] = ()) -> FacetLine:
        value = key[1] or key[0]
        facet = None if value == OTHERS else Facet(Field.TYPE if key[1] else field, value)
        return FacetLine(facet, round(total), key, tuple(sorted(types, key=_busiest)), key in sampled)

    types: defaultdict[str, list[FacetLine]] = defaultdict(list)
    for key, total in totals.items():
        if key[1]:
            types[key[0]].append(line(key, total))
    lines = [line(key, total, types[key[0]]) for key, total in totals.items() if not key[1]]
    return tuple(sorted(lines, key=_most_severe if field is Field.SEVERITY else _busiest))


def _roles(*types: str | None) -> tuple[Key, ...]:
    """Resource types of both roles, as a query looks at both; an event that names one type twice counts once."""
    return tuple((name, "") for name in dict.fromkeys(types) if name) or ((MISSING, ""),)


def _busiest(line: FacetLine) -> tuple[bool, int, str]:
    return (line.facet is None, -line.count, line.label)


def _most_severe(line: FacetLine) -> int:
    return -SEVERITY_RANK.get(line.facet.value, 0) if line.facet else 0


def _keys(item: Item, field: Field) -> tuple[Key, ...]:
    """The values of `field` that an event, or the events of a kind, count for."""
    match field:
        case Field.CATEGORY:
            return ((item.category, ""), (item.category, item.event_type))
        case Field.SEVERITY:
            return ((item.severity or MISSING, ""),)
        case _ if not isinstance(item, Event):
            raise ValueError(f"kinds do not tell the {field}")
        case Field.ACTOR:
            return ((item.actor, ""),)
        case Field.RESOURCE_TYPE:
            return _roles(item.resource_type, item.secondary_resource_type)
        case _:
            return ((item.status or MISSING, ""),)
