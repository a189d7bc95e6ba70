"""What the console has seen and can count again when the filter changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from monitor.model.counts import Kind, MinuteCounts, minute_of
from monitor.model.filter import Filter, Span
from monitor.model.rows import Rows
from monitor.model.timeline import Timeline
from store.event import Event
from store.sampling import weight

Item = Kind | Event
_EVER = range(2**40)


class Seen:
    """The kinds of the last hour, which are complete, and the events that are loaded, which reach back less far."""

    def __init__(self, counts: MinuteCounts, timeline: Timeline) -> None:
        self._counts = counts
        self._timeline = timeline

    def matching(
        self, shown: Filter, first: int, now: datetime, *, by_kind: bool
    ) -> tuple[int, Iterator[tuple[int, Item, float]]]:
        """What `shown` lets through from the minute `first` on: (minute, item, how many events it stands for).

        Items are kinds where these can tell (`by_kind`), else events. The number before that is the minute from
        which on nothing is missing.
        """
        accepts = shown.kind_predicate() if by_kind else None
        minutes = _whole_minutes(shown.span)
        if accepts is not None and minutes is not None:
            return self._counts.complete_from(now), self._kinds(
                accepts, max(first, minutes.start), minutes.stop
            )
        timeline = self._timeline
        # Of what the timeline shows, each event was looked at already.
        is_shown = shown == timeline.filter and timeline.attached
        is_shown = is_shown and not (timeline.frozen or timeline.has_newer)
        floor = timeline.floor if is_shown else timeline.recent_floor
        complete_from = 0 if floor is None else minute_of(floor[0]) + 1
        if is_shown:
            return complete_from, self._events(timeline.rows, None, first)
        return complete_from, self._events(timeline.recent, shown.predicate(), first)

    def is_estimate(self, item: Item) -> bool:
        """Whether the number of such events is an estimate, as only a share of them was kept."""
        return self._counts.is_estimate(item) if isinstance(item, Kind) else weight(item) != 1

    def _kinds(self, accepts: Any, first: int, stop: int) -> Iterator[tuple[int, Item, float]]:
        accepted: dict[Kind, bool] = {}
        for minute, kind, estimate in self._counts.kinds(first):
            if kind not in accepted:
                accepted[kind] = accepts(kind)
            if accepted[kind] and minute < stop:
                yield minute, kind, estimate

    def _events(
        self, rows: Rows, matches: Callable[[Event], bool] | None, first: int
    ) -> Iterator[tuple[int, Item, float]]:
        start = rows.index((datetime.fromtimestamp(max(0, first) * 60, UTC), 0))
        for row in rows.following(start):
            if isinstance(row, Event) and (matches is None or matches(row)):
                yield minute_of(row.inserted_at), row, weight(row)


def _whole_minutes(span: Span | None) -> range | None:
    """The minutes of `span`; None when it covers one in part."""
    if span is None:
        return _EVER
    if any(moment.second or moment.microsecond for moment in span):
        return None
    return range(minute_of(span.since), minute_of(span.until))
