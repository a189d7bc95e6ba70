"""The rule that counts: too many events within a window."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.components import SortKey, shifted
from monitor.health.grouping import Group, Grouping, Groups
from monitor.health.rule import Episode, Kind, Rule, Watch
from monitor.health.usual import Usual
from store.event import Event
from store.query.moments import write_span
from store.query.predicate import compile_predicate
from store.sampling import whole_weight

COUNTED_MAX = 1000
"""Events of a rule without groups kept one by one; the episode they are part of is remembered beyond them."""
COUNTED_OF_GROUP = 100
"""The same of each group of a rule that has many; in either case, there are at least four times the threshold."""
_PAST = 50
"""Episodes remembered of those that ended."""


@dataclass(frozen=True, slots=True)
class Threshold(Kind):
    """Holds when `count` events fall within `window`, from the one that makes them too many.

    Ends when fewer are left within the window. Events count by their own time; ones dated in the future
    count at once, since a producer's clock that runs ahead is likelier than an early event.
    """

    count: int
    window: timedelta

    def __post_init__(self) -> None:
        if self.count < 1 or self.window <= timedelta():
            raise ValueError("a threshold of at least 1 and a window of some length are needed")

    @property
    def wants_past(self) -> bool:
        """Failures of long ago may be the latest."""
        return True

    @property
    def reach(self) -> timedelta:
        """The window."""
        return self.window

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The window, and the count as threshold."""
        return (("window", write_span(self.window)), ("threshold", f"{self.count:,}"))

    @property
    def title(self) -> str:
        """How many there are."""
        return "{rule}: {count} events"

    @property
    def meaning(self) -> str:
        """When it holds."""
        return f"{self.count:,} or more within {write_span(self.window)}"

    def watch(self, rule: Rule, usual: Usual | None) -> Watch:
        """A new watch, which counts each group for itself."""
        return _ThresholdWatch(self, rule)


class _ThresholdWatch:
    counts_all = False

    def __init__(self, kind: Threshold, rule: Rule) -> None:
        self._matches = compile_predicate(rule.query)
        self._group = Grouping(rule.group_by)
        kept = COUNTED_OF_GROUP if rule.group_by else COUNTED_MAX
        self._groups = Groups(rule.limit, lambda: CountWatch(kind.count, kind.window, kept))

    @property
    def forgotten(self) -> int:
        return self._groups.forgotten

    def begin(self, moment: datetime) -> tuple[Group, ...]:
        return ()

    def observe(self, event: Event) -> tuple[Group, ...]:
        if not self._matches(event):
            return ()
        group = self._group(event)
        changed = self._groups.touch(group).add(event.sort_key, whole_weight(event))
        gone = self._groups.shed()
        return (group, *gone) if changed else gone

    def episodes(self, group: Group) -> Sequence[Episode]:
        counted = self._groups.get(group)
        return counted.episodes() if counted else ()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """An episode while it is worked out. Its events are `before` forgotten ones and those from index `first` on."""

    since: datetime
    until: datetime
    first: int
    before: int


class CountWatch:
    """Counts the events of one group.

    Exact for the newest events, at least half of `kept`. Of those before, it remembers the last episode,
    so that an alert keeps its `since` however long it lasts; later news of that time is ignored.
    """

    __slots__ = ("_back", "_earlier", "_forgotten_to", "_kept", "_keys", "_past", "_stretch", "_window")

    def __init__(self, threshold: int, window: timedelta, kept: int = COUNTED_MAX) -> None:
        self._back = threshold - 1
        self._window = window
        self._kept = max(kept, 4 * threshold)
        self._keys: list[SortKey] = []
        self._forgotten_to: SortKey | None = None
        self._earlier: _Stretch | None = None
        self._stretch: _Stretch | None = None
        """The last stretch of all."""
        self._past: deque[Episode] | None = None

    def add(self, key: SortKey, weight: int = 1) -> bool:
        """Take in one event that stands for `weight`; False for one that is known already or too old to count."""
        keys = self._keys
        if self._forgotten_to is not None and key <= self._forgotten_to:
            return False
        # More than what is needed to fire by itself would push out the others.
        copies = min(weight, self._back + 1)
        if not keys or key > keys[-1]:
            for _ in range(copies):
                keys.append(key)
                self._stretch_to_last()
        else:
            place = bisect_left(keys, key)
            if keys[place] == key:
                return False
            keys[place:place] = [key] * copies
            self._stretch = self._latest(len(keys))
            self._past = None
        if len(keys) > self._kept:
            self._forget(len(keys) - self._kept // 2)
        return True

    def episodes(self) -> tuple[Episode, ...]:
        """The times that there were too many, as far as known; the last of them is always."""
        if self._stretch is None:
            return ()
        return (*(self._past or ()), self._episode(self._stretch))

    def _episode(self, stretch: _Stretch) -> Episode:
        count = stretch.before + self._index_at(stretch.until) - stretch.first
        return Episode(stretch.since, stretch.until, count)

    def _stretch_to_last(self) -> None:
        """Bring the last stretch up to date after an event that is the newest: what `_latest` gives, at once."""
        keys, back, stretch = self._keys, self._back, self._stretch
        last = len(keys) - 1
        if last < back:
            return
        moment, start = keys[last][0], keys[last - back][0]
        if moment - start >= self._window:
            return
        until = shifted(start, self._window)
        if stretch is not None and stretch.until >= moment:
            self._stretch = _Stretch(stretch.since, until, stretch.first, stretch.before)
            return
        if stretch is not None:
            if self._past is None:
                self._past = deque(maxlen=_PAST)
            self._past.append(self._episode(stretch))
        self._stretch = _Stretch(moment, until, last - back, 0)

    def _latest(self, end: int) -> _Stretch | None:
        """The last stretch that the events before index `end` make.

        The event at `i` is one too many when it and the `threshold - 1` before it fall within the window; that
        holds until the first of them leaves it. Such times join into a stretch when the next begins by then.
        """
        keys, back, window = self._keys, self._back, self._window
        last = end - 1
        while last >= back and keys[last][0] - keys[last - back][0] >= window:
            last -= 1
        if last < back:
            return self._earlier
        until = shifted(keys[last - back][0], window)
        onset = last
        for i in range(last - 1, back - 1, -1):
            if keys[onset][0] - keys[i - back][0] > window:
                break
            if keys[i][0] - keys[i - back][0] < window:
                onset = i
        else:
            earlier = self._earlier
            if earlier and earlier.until >= keys[onset][0]:
                return _Stretch(earlier.since, until, earlier.first, earlier.before)
        return _Stretch(keys[onset][0], until, onset - back, 0)

    def _forget(self, cut: int) -> None:
        """Forget the events before index `cut`, but for the last stretch that they have a part in."""
        stretch = self._latest(cut + self._back)
        if stretch:
            gone = min(cut, self._index_at(stretch.until)) - stretch.first
            stretch = _Stretch(stretch.since, stretch.until, 0, stretch.before + gone)
        self._earlier = stretch
        self._forgotten_to = self._keys[cut - 1]
        del self._keys[:cut]
        self._stretch = self._latest(len(self._keys))

    def _index_at(self, moment: datetime) -> int:
        return bisect_left(self._keys, (moment, -1))
