"""Events by time and severity: the last hour is counted as it comes, the store tells of what was before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from monitor.model.counts import WINDOW_MINUTES, minute_of
from monitor.model.filter import Filter
from monitor.model.seen import Item, Seen
from store.event import Event
from store.sampling import weight

BARS = 60
STEPS = (1, 5, 60, 1440)
"""Minutes of a bar, from the finest zoom to the coarsest."""
_SEVERITIES: dict[str | None, int] = {"error": 0, "warning": 1, "info": 2}
_KEPT_READS = 8
"""Filters and zooms of which what the store told is kept."""
_READ_AGAIN_AFTER = 300.0
"""Seconds after which the store is asked again: events may have come late."""


class Bar(NamedTuple):
    """One bar: events shown, by severity; `others` have none."""

    errors: int = 0
    warnings: int = 0
    infos: int = 0
    others: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


class HistogramCounts:
    """Counts what a filter shows by minute and severity, as it arrives. `show` says which filter.

    Minutes are kept for twice the window; what lies before them the store has to tell.
    """

    def __init__(self, seen: Seen, window: int = WINDOW_MINUTES) -> None:
        self._seen = seen
        self._kept = 2 * window
        self._filter = Filter()
        self._matches = self._filter.predicate()
        self._minutes: dict[int, list[float]] = {}
        self._complete_from = 0
        self._by_kind = True
        self._stale = True

    def show(self, shown: Filter, now: datetime) -> None:
        """Count what `shown` lets through at any time, after counting what was seen once."""
        scope = shown.within(None)
        if not self._stale and scope == self._filter:
            return
        self._stale = False
        self._filter, self._matches = scope, scope.predicate()
        self._minutes = {}
        self._by_kind = scope.kind_predicate() is not None
        first = minute_of(now) - self._kept
        self._complete_from, items = self._seen.matching(scope, first, now, by_kind=True)
        for minute, item, amount in items:
            self._count(minute, item, amount)

    def reopen(self) -> None:
        """Start over at the next look: what was seen is another thing now."""
        self._stale = True

    @property
    def scope(self) -> Filter:
        """The filter without its span."""
        return self._filter

    def complete_from(self, now: datetime) -> int:
        """The minute from which on everything is counted here."""
        return max(self._complete_from, minute_of(now) - self._kept + 1)

    def add(self, events: Iterable[Event], now: datetime) -> None:
        """Count live events."""
        if self._stale:
            return
        matches, present = self._matches, minute_of(now)
        for event in events:
            minute = minute_of(event.inserted_at)
            if matches(event) and abs(minute - present) < self._kept:
                self._count(minute, event, weight(event))
        if len(self._minutes) > 2 * self._kept:
            for minute in [minute for minute in self._minutes if abs(minute - present) >= self._kept]:
                del self._minutes[minute]

    def bars(self, buckets: range, told: Told | None) -> tuple[Bar, ...]:
        """One bar for each of `buckets` (their first minutes), oldest first, the store's share included."""
        step = buckets.step
        sums = {start: [0.0] * 4 for start in buckets}
        since = None
        if told is not None:
            since = told.until
            for start in buckets:
                sums[start] = list(map(float, told.bars.get(start, Bar())))
        for minute, counts in self._minutes.items():
            start = minute - minute % step
            if start in sums and (since is None or minute >= since):
                for index, count in enumerate(counts):
                    sums[start][index] += count
        return tuple(Bar(*map(round, counts)) for counts in sums.values())

    def _count(self, minute: int, item: Item, amount: float) -> None:
        counts = self._minutes.get(minute)
        if counts is None:
            counts = self._minutes[minute] = [0.0] * 4
        # Among the events of a free query the store knows no more than how many there are.
        counts[_SEVERITIES.get(item.severity, 3)] += amount if self._by_kind else 1


@dataclass
class Told:
    """What the store told of the minutes from `since` up to and without `until`, by the first minute of each bar."""

    since: int
    until: int
    at: float
    bars: dict[int, Bar] = field(default_factory=dict[int, Bar])


class Wanted(NamedTuple):
    """A read that is missing: minutes `since` up to and without `until`, in bars of `step`, of `scope`."""

    scope: Filter
    step: int
    since: int
    until: int


class HistogramHistory:
    """What the store told, by filter and zoom; says what is still to be read. Bounded by `_KEPT_READS`."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[Filter, int], Told] = OrderedDict()

    def told(self, scope: Filter, step: int) -> Told | None:
        """What there is for `scope` in bars of `step`."""
        return self._told.get((scope, step))

    def missing(self, scope: Filter, buckets: range, complete_from: int, tick: float) -> Wanted | None:
        """What is to be read for `buckets`, when everything from the minute `complete_from` on is known without.

        `tick` is the present, in seconds of a monotonic clock.
        """
        step, first = buckets.step, buckets.start
        if first >= complete_from:
            return None
        told = self._told.get((scope, step))
        if told is not None and first >= told.since and complete_from <= told.until:
            fresh = tick - told.at < _READ_AGAIN_AFTER
            return None if fresh else Wanted(scope, step, first, complete_from)
        if told is not None and first < told.since and complete_from <= told.until:
            # Further back: what is there already need not be read again.
            return Wanted(scope, step, first, told.since)
        return Wanted(scope, step, first if told is None else min(first, told.since), complete_from)

    def take(self, wanted: Wanted, counts: Sequence[tuple[int, str | None, int]], tick: float) -> None:
        """Keep what was read: (first minute of a bar, severity, number)."""
        sums: dict[int, list[int]] = {}
        for start, severity, number in counts:
            sums.setdefault(start, [0] * 4)[_SEVERITIES.get(severity, 3)] += number
        bars = {start: Bar(*numbers) for start, numbers in sums.items()}
        key = (wanted.scope, wanted.step)
        told = self._told.pop(key, None)
        if told is not None and wanted.until == told.since:
            told.bars.update(bars)
            told.since = wanted.since
        else:
            told = Told(wanted.since, wanted.until, tick, bars)
        self._told[key] = told
        while len(self._told) > _KEPT_READS:
            self._told.popitem(last=False)

    def forget(self) -> None:
        """Forget all of it: the store is another one, or was read anew."""
        self._told.clear()


class TimeView:
    """Which bars are looked at: `step` minutes each, `BARS` of them, up to the present or up to `end`.

    `present` is the present minute, passed in. The cursor stays at its time while bars move on, unless it is on the
    newest one; `mark` is the bar at which a span was begun.
    """

    def __init__(self) -> None:
        self.step = STEPS[0]
        self.mark: range | None = None
        self._end: int | None = None
        self._cursor: int | None = None

    def buckets(self, present: int) -> range:
        """The first minutes of the bars, oldest first."""
        last = self._newest(present) if self._end is None else self._end
        return range(last - (BARS - 1) * self.step, last + 1, self.step)

    def cursor(self, present: int) -> int:
        """The first minute of the bar under the cursor."""
        buckets = self.buckets(present)
        return buckets[-1] if self._cursor is None else max(buckets[0], min(self._cursor, buckets[-1]))

    def move(self, bars: int, present: int) -> None:
        """Move the cursor, negative to the left, and the bars with it where it leaves them."""
        self._go_to(self.cursor(present) + bars * self.step, present)

    def newest(self) -> None:
        """Go to the newest bar, and stay there."""
        self._end = self._cursor = None

    def zoom(self, by: int, present: int) -> bool:
        """Finer bars (-1) or coarser ones (+1) around the cursor; False when there are none."""
        index = STEPS.index(self.step) + by
        if not 0 <= index < len(STEPS):
            return False
        at, follows = self.cursor(present), self._cursor is None and self._end is None
        self.step = STEPS[index]
        self._end = self._cursor = None
        if not follows:
            at -= at % self.step
            if at not in self.buckets(present):
                # In the middle, as far as the present allows.
                self._end = min(self._newest(present), at + BARS // 2 * self.step)
            self._go_to(at, present)
        return True

    def zoom_to(self, step: int, present: int) -> None:
        """Bars of `step` minutes, one of `STEPS`, around the cursor."""
        while self.step != step:
            self.zoom(1 if self.step < step else -1, present)

    def mark_here(self, present: int) -> None:
        """Begin a span at the bar under the cursor."""
        self.mark = self._bar(present)

    def selected(self, present: int) -> range:
        """The minutes from the mark to the cursor, both bars included; those of one bar without a mark."""
        bar = self._bar(present)
        mark = bar if self.mark is None else self.mark
        return range(min(bar.start, mark.start), max(bar.stop, mark.stop))

    def _bar(self, present: int) -> range:
        start = self.cursor(present)
        return range(start, start + self.step)

    def _newest(self, present: int) -> int:
        return present - present % self.step

    def _go_to(self, start: int, present: int) -> None:
        newest = self._newest(present)
        # Not past the first minute that is counted, which is the first of 1970.
        start = min(newest, max(start, (BARS - 1) * self.step))
        buckets = self.buckets(present)
        if start < buckets[0]:
            self._end = start + (BARS - 1) * self.step
        elif start > buckets[-1]:
            self._end = start
        if self._end is not None and self._end >= newest:
            self._end = None
        self._cursor = None if start == newest else start
