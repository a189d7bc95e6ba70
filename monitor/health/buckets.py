"""What rules that compare sums share: events added up by fine buckets of time, looked at where one ends.

So what holds depends on the events and not on their order, and no event is kept: a window is sixty buckets, of at
least a second each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from monitor.health.grouping import Group, Grouping, Groups
from monitor.health.rule import Episode, Rule
from store.event import Event

STEPS = 60
"""Buckets of a window."""
STEP_MIN = timedelta(seconds=1)
WINDOW_MAX = timedelta(days=31)
_WINDOWS_KEPT, _WINDOWS_MAX = 3, 5
"""Windows full of buckets that are kept when there are more than so many: of a count, as a time may be far ahead."""
_PAST = 50
"""Episodes remembered of those that ended before what is kept."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Span:
    """An episode, in boundaries: boundary `b` is where bucket `b` begins. `gone` events of it are not kept."""

    since: int
    until: int | None = None
    gone: int = 0


class _Added(NamedTuple):
    """The buckets in order, and the sums of those before each place."""

    buckets: list[int]
    parts: list[int]
    wholes: list[int]

    @classmethod
    def of(cls, by_bucket: Mapping[int, tuple[int, int]]) -> _Added:
        """Of sums by bucket."""
        buckets = sorted(by_bucket)
        parts, wholes = zip(*map(by_bucket.__getitem__, buckets), strict=True)
        return cls(buckets, [0, *accumulate(parts)], [0, *accumulate(wholes)])

    def between(self, first: int, last: int | None) -> tuple[int, int]:
        """The sums of the buckets from `first` up to and without `last`."""
        low = bisect_left(self.buckets, first)
        high = len(self.buckets) if last is None else bisect_left(self.buckets, last)
        return self.parts[high] - self.parts[low], self.wholes[high] - self.wholes[low]


class _Walked(NamedTuple):
    """What was found out up to a boundary, which only later buckets cannot change: to go on from."""

    boundary: int
    ended: tuple[_Span, ...]
    held: _Span | None


class _Sums:
    """What is known of one group."""

    __slots__ = ("by_bucket", "ended", "episodes", "floor", "open", "touched", "walked")

    def __init__(self) -> None:
        self.by_bucket: dict[int, tuple[int, int]] = {}
        self.touched = 0
        """The bucket that was added to last."""
        self.walked: _Walked | None = None
        self.floor: int | None = None
        """The first bucket that counts; what comes later of the time before is ignored."""
        self.ended: deque[tuple[_Span, int]] | None = None
        """Episodes that ended before what is kept, with their counts."""
        self.open: _Span | None = None
        """The one that held when what is kept begins."""
        self.episodes: tuple[Episode, ...] | None = None

    def add(self, bucket: int, part: int, whole: int) -> bool:
        """Add to a bucket; False when it is too old to count."""
        if self.floor is not None and bucket < self.floor:
            return False
        known = self.by_bucket.get(bucket)
        self.by_bucket[bucket] = (part, whole) if known is None else (known[0] + part, known[1] + whole)
        self.touched = bucket
        if self.walked is not None and bucket < self.walked.boundary:
            self.walked = None
        self.episodes = None
        return True

    def forget_walk(self) -> None:
        """Find out all anew."""
        self.walked = self.episodes = None


class BucketWatch(ABC):
    """Watches sums over `window`. A subclass says what an event adds to them, and when they are alarming."""

    counts_all = True
    needs_all = False
    """Whether a window says nothing before as much time has passed: of one that finds too few."""

    def __init__(self, rule: Rule, window: timedelta) -> None:
        self._group = Grouping(rule.group_by)
        self._step = max(STEP_MIN, window / STEPS)
        self._length = max(1, -(-window // self._step))
        self._began: datetime | None = None
        self._groups: Groups[_Sums] = Groups(rule.limit, _Sums)

    @abstractmethod
    def share(self, event: Event) -> tuple[int, int] | None:
        """What the event adds to the part and to the whole; None when it concerns neither."""

    @abstractmethod
    def holds(self, at: datetime, part: int, whole: int) -> bool:
        """Whether so much in the window up to `at` is alarming."""

    def also_at(self, first: datetime, last: datetime) -> Iterable[datetime]:
        """Further moments at which `holds` may change though the sums do not."""
        return ()

    @property
    def forgotten(self) -> int:
        """How many groups were forgotten."""
        return self._groups.forgotten

    def begin(self, moment: datetime) -> tuple[Group, ...]:
        """Of what was before `moment` not all is known, so that it says nothing."""
        self._began = moment
        touched = tuple(self._groups)
        for group in touched:
            self._groups.touch(group).forget_walk()
        return touched

    def observe(self, event: Event) -> tuple[Group, ...]:
        """Add what the event adds."""
        share = self.share(event)
        if share is None or (self._began is not None and event.inserted_at < self._began):
            return ()
        group = self._group(event)
        sums = self._groups.touch(group)
        changed = sums.add((event.inserted_at - _EPOCH) // self._step, *share)
        if len(sums.by_bucket) > _WINDOWS_MAX * self._length:
            self._settle(sums)
        gone = self._groups.shed()
        return (group, *gone) if changed else gone

    def episodes(self, group: Group) -> Sequence[Episode]:
        """All that follow from what is kept, and the last ones before."""
        sums = self._groups.get(group)
        if sums is None:
            return ()
        if sums.episodes is None:
            added = _Added.of(sums.by_bucket)
            spans, last = self._walk(sums, added, None)
            if last is not None:
                spans.append(last)
            told = [*(sums.ended or ()), *((span, self._count(added, span)) for span in spans)]
            sums.episodes = tuple(self._episode(span, count) for span, count in told)
        return sums.episodes

    def _episode(self, span: _Span, count: int) -> Episode:
        until = None if span.until is None else self._moment(span.until)
        return Episode(self._moment(span.since), until, count, foreseen=True)

    def _walk(self, sums: _Sums, added: _Added, end: int | None) -> tuple[list[_Span], _Span | None]:
        """The spans that end before the boundary `end`, or at all; and the one that goes on."""
        buckets, length = added.buckets, self._length
        start = buckets[0] + (length if self.needs_all else 1) if sums.floor is None else sums.floor + length
        if self._began is not None:
            # A window that is known in part only would look too empty.
            start = max(start, self._boundary(self._began) + length)
        ended: list[_Span] = []
        held = sums.open
        if sums.walked is not None:
            start, ended, held = sums.walked.boundary, list(sums.walked.ended), sums.walked.held
        # What changes nothing any more is not looked at a second time, but for what may come a little late.
        settled = max(start, sums.touched - length // 4)
        noted = end is not None
        for boundary in self._boundaries(buckets, start):
            if end is not None and boundary >= end:
                break
            if not noted and boundary > settled:
                sums.walked, noted = _Walked(settled, tuple(ended), held), True
            if self.holds(self._moment(boundary), *added.between(boundary - length, boundary)):
                held = held or _Span(boundary)
            elif held is not None:
                ended.append(_Span(held.since, boundary, held.gone))
                held = None
        return ended, held

    def _boundaries(self, buckets: Sequence[int], start: int) -> list[int]:
        """Where what holds may change, from `start` on: where a bucket comes into the window or leaves it."""
        leaving = self._length + 1
        from_there = buckets[bisect_left(buckets, start - leaving) :]
        boundaries = {
            start,
            *(bucket + 1 for bucket in from_there),
            *(bucket + leaving for bucket in from_there),
        }
        last = buckets[-1] + leaving
        boundaries.update(map(self._boundary, self.also_at(self._moment(start), self._moment(last))))
        return sorted(boundary for boundary in boundaries if boundary >= start)

    def _settle(self, sums: _Sums) -> None:
        """Keep the last windows only; of those before, what was alarming."""
        added = _Added.of(sums.by_bucket)
        cut = added.buckets[-_WINDOWS_KEPT * self._length]
        sums.forget_walk()
        ended, held = self._walk(sums, added, cut + self._length)
        if ended:
            sums.ended = sums.ended or deque(maxlen=_PAST)
            sums.ended.extend((span, self._count(added, span)) for span in ended)
        if held is not None:
            held = _Span(held.since, None, self._count(added, _Span(held.since, cut, held.gone)))
        sums.open, sums.floor = held, cut
        sums.by_bucket = {bucket: added for bucket, added in sums.by_bucket.items() if bucket >= cut}
        sums.forget_walk()

    def _count(self, added: _Added, span: _Span) -> int:
        """The events behind a span: from a window before it until its end."""
        return span.gone + added.between(span.since - self._length, span.until)[0]

    def _moment(self, boundary: int) -> datetime:
        return _EPOCH + boundary * self._step

    def _boundary(self, moment: datetime) -> int:
        """The first one that is not before `moment`."""
        return -((_EPOCH - moment) // self._step)
