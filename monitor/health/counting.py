"""The rule that counts: too many events of one type within a window."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.components import SortKey, Subject, shifted
from monitor.health.rule import Episode, Watch
from store.event import Event, Severity
from store.query.syntax import Compare, Field, Node, Op

COUNTED_MAX = 1000
"""Events a `CountWatch` keeps one by one; the episode they are part of is remembered beyond them."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """Fires when `threshold` events of one type fall within `window`, from the one that makes them too many.

    Ends when fewer are left within the window. Events count by their own time; ones dated in the future
    count at once, since a producer's clock that runs ahead is likelier than an early event.
    """

    name: str
    title: str
    event_type: str
    threshold: int
    window: timedelta
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        if self.threshold < 1 or self.window <= timedelta():
            raise ValueError("a threshold of at least 1 and a window of some length are needed")

    @property
    def interest(self) -> Node:
        """All events of the type."""
        return Compare(Field.TYPE, Op.EQ, self.event_type)

    def watch(self) -> Watch:
        """A new watch over the one type."""
        return CountWatch(self)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """An episode while it is worked out. Its events are `before` forgotten ones and those from index `first` on."""

    since: datetime
    until: datetime
    first: int
    before: int


class CountWatch:
    """Watches one event type for `TooMany`. Its one subject is the type.

    Exact for the newest events, at least half of `kept`. Of those before, it remembers the last episode,
    so that an alert keeps its `since` however long it lasts; later news of that time is ignored.
    """

    def __init__(self, rule: TooMany, kept: int = COUNTED_MAX) -> None:
        self._rule = rule
        self._kept = max(kept, 4 * rule.threshold)
        self._keys: list[SortKey] = []
        self._forgotten_to: SortKey | None = None
        self._earlier: _Stretch | None = None

    def observe(self, event: Event) -> tuple[Subject, ...]:
        """Take in any event; the type is the subject that changes."""
        if event.event_type != self._rule.event_type:
            return ()
        key = event.sort_key
        if self._forgotten_to is not None and key <= self._forgotten_to:
            return ()
        place = bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            return ()
        self._keys.insert(place, key)
        if len(self._keys) > self._kept:
            self._forget(self._kept // 2)
        return ((self._rule.event_type, None),)

    def episode(self, subject: Subject) -> Episode | None:
        """The last time that there were too many."""
        stretch = self._latest(len(self._keys))
        if stretch is None:
            return None
        count = stretch.before + self._index_at(stretch.until) - stretch.first
        return Episode(self._rule.title, None, stretch.since, stretch.until, count)

    def _latest(self, end: int) -> _Stretch | None:
        """The last stretch that the events before index `end` make.

        The event at `i` is one too many when it and the `threshold - 1` before it fall within the window; that
        holds until the first of them leaves it. Such times join into a stretch when the next begins by then.
        """
        keys, back, window = self._keys, self._rule.threshold - 1, self._rule.window
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
        stretch = self._latest(cut + self._rule.threshold - 1)
        if stretch:
            gone = min(cut, self._index_at(stretch.until)) - stretch.first
            stretch = _Stretch(stretch.since, stretch.until, 0, stretch.before + gone)
        self._earlier = stretch
        self._forgotten_to = self._keys[cut - 1]
        del self._keys[:cut]

    def _index_at(self, moment: datetime) -> int:
        return bisect_left(self._keys, (moment, -1))
