"""The timeline: a bounded window of rows that match the filter, and all recent events behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from uuid import UUID

from monitor.model.filter import Filter
from monitor.model.gaps import Gap
from monitor.model.rows import Rows, SortKey
from store.event import LAST_ID, Event

CAPACITY = 20_000
"""Rows kept in the window, and events kept behind it at most."""
_EVICTION_SHARE = 20
WHOLE = 10_000
"""The newest rows of a window that is longer than `CAPACITY`, and the newest events behind it, which are not packed."""
_sort_key = attrgetter("sort_key")


class Timeline:
    """Rows in time order, oldest first.

    `rows` is a window without holes on the events that match the filter. While it is *attached*, its end is
    the present: matching events join it as they arrive. Frozen, or full while someone reads further up, it
    stays as it is, and what arrives is counted in `pending` until `attach()`.

    `recent` holds the latest events whatever the filter, so that another filter shows something at once;
    what lies further back is read from the store with the same filter and given to `add_older()`. The window moves
    over the store: where it grows too long on one end, it lets go of the other, and what comes after a window that
    ends in the past is given to `add_newer()`.

    Of a long window, all but the newest `whole` rows and recent events are packed (see `Rows`).
    """

    def __init__(self, capacity: int = CAPACITY, whole: int | None = None) -> None:
        self._whole = whole
        self.rows = Rows(whole=self._whole)
        self.attached = True
        self.pending = 0
        self.frozen = False
        self.reading = False
        """Someone is reading further up: rows are not evicted under their eyes."""
        self.unconfirmed: set[UUID] = set()
        """Events that came over the bus and were not seen in the store yet."""
        self.not_stored: set[UUID] = set()
        """Events that the store still did not have when they should have been there."""
        self.filter = Filter()
        self._matches = self.filter.predicate()
        self._recent = Rows(whole=self._whole)
        self._recent_floor: SortKey | None = None
        self.floor: SortKey | None = None
        """Every matching event from here on is among `rows`; None when that holds for all events."""
        self.ceiling: SortKey | None = None
        """What matches and comes after is to be read from the store; None when `rows` and `recent` have all of it."""
        self._gaps: dict[int, Gap] = {}
        self._capacity = capacity
        self._recent_capacity = min(capacity, CAPACITY)
        self._matching_recent = 0

    @property
    def hidden(self) -> int:
        """How many of the recent events the filter hides."""
        return len(self._recent) - self._matching_recent

    @property
    def recent(self) -> Rows:
        """The latest events, whatever the filter; not to be changed."""
        return self._recent

    @property
    def recent_floor(self) -> SortKey | None:
        """From here on every event is in `recent`; None when it holds all events."""
        return self._recent_floor

    @property
    def has_older(self) -> bool:
        """Whether the store may hold matching events that come before the ones shown."""
        return self.floor is not None

    @property
    def has_newer(self) -> bool:
        """Whether the window ends in the past: the store may hold matching events that come after it."""
        return self.ceiling is not None

    def covers(self, key: SortKey) -> bool:
        """Whether what matches at `key` would be among the rows."""
        return (self.floor is None or key >= self.floor) and (self.ceiling is None or key <= self.ceiling)

    def open_with(self, newest: Iterable[Event], *, has_older: bool) -> None:
        """Start over with the newest stored events. Rows that someone reads or froze stay until `attach()`."""
        self._recent = Rows(sorted(newest, key=_sort_key), self._whole)
        self._recent_floor = self._recent.first_key if has_older else None
        if not (self.rows and (self.frozen or self.reading)):
            self._rebuild()
            return
        matching = self._matching()
        self._matching_recent = len(matching)
        self.pending += sum(not self.rows.has(event.sort_key) for event in matching)
        self.attached = False
        self.ceiling = self.rows.last_key

    def add(self, events: Sequence[Event]) -> None:
        """Take in events that are not on the timeline yet, in any order."""
        matches = self._matches
        matching = [pair for pair in self._recent.add_new(events) if matches(pair[1])]
        self._matching_recent += len(matching)
        self._evict_recent()
        if self.frozen or not self.attached:
            self.pending += len(matching)
            return
        self.rows.add_keyed(matching)
        if self.reading:
            self.pending += len(matching)
            if len(self.rows) > 2 * self._capacity:
                self.attached = False
        else:
            self._evict_rows()

    def add_older(self, page: Sequence[Event], floor: SortKey | None) -> None:
        """Put events from the store, read with the present filter, before the first row.

        What comes before `floor` is still to be read; None when there is nothing.
        """
        known = self.rows
        known.prepend([event for event in sorted(page, key=_sort_key) if not known.has(event.sort_key)])
        self.floor = floor
        excess = len(known) - 2 * self._capacity
        if excess > 0:
            self.ceiling = _bounded(known.evict_newest(excess))
            self.attached = False

    def add_newer(self, page: Sequence[Event], ceiling: SortKey | None) -> None:
        """Put events from the store, read with the present filter, after the last row of a window in the past.

        What comes after `ceiling` is still to be read; None when there is nothing.
        """
        self.rows.add(event for event in page if not self.rows.has(event.sort_key))
        if ceiling is None or self._recent_floor is None or ceiling >= self._recent_floor:
            self.join()
        else:
            self.ceiling = ceiling
        self._let_go_of_oldest()

    def open_at(self, page: Sequence[Event], floor: SortKey | None, ceiling: SortKey | None) -> None:
        """Show another stretch of the past: the events that match the present filter there, in any order.

        What comes before `floor` and after `ceiling` is still to be read; None where there is nothing.
        """
        rows = sorted(page, key=_sort_key)
        self.frozen = self.attached = False
        self.reading = True
        if not rows:
            self._rebuild()
            return
        self.rows = Rows(rows, self._whole)
        self.floor, self.ceiling = floor, ceiling
        if self.ceiling is None:
            self.join()
        else:
            self.rows.add(gap for gap in self._gaps.values() if self.covers(gap.sort_key))

    def join(self) -> None:
        """Let the window end at the present again, without moving it there: someone reads on downwards."""
        self.ceiling = None
        self.attached = True
        self.rows.add(self._matching())
        self.rows.add(gap for gap in self._gaps.values() if self.covers(gap.sort_key))
        self._let_go_of_oldest()

    def show_gap(self, gap: Gap) -> None:
        """Show `gap`, or its newer state."""
        self._gaps[gap.number] = gap
        while len(self._gaps) > 100:
            gone = self._gaps.pop(next(iter(self._gaps)))
            if not self.frozen:
                self.rows.discard(gone.sort_key)
        last = self.rows.last_key
        # A window that was left has an end, and a gap beyond it belongs to what is pending.
        if not self.frozen and (self.attached or (last is not None and gap.sort_key <= last)):
            self.rows.add([gap])

    def confirm(self, confirmed: Iterable[UUID], missing: Iterable[UUID]) -> None:
        """Note which unconfirmed events the store has, and which it should have had by now."""
        confirmed, missing = set(confirmed), set(missing)
        self.unconfirmed -= confirmed
        self.not_stored -= confirmed
        self.unconfirmed -= missing
        self.not_stored |= missing

    def correct(self, key: SortKey, event: Event) -> None:
        """Put what the store has in the place of the event under `key`, of which the bus had told otherwise."""
        was_recent, was_shown = self._recent.has(key), self.rows.has(key)
        if was_recent:
            old = self._recent[self._recent.index(key)]
            self._recent.discard(key)
            self._recent.add([event])
            if isinstance(old, Event):
                self._matching_recent += int(self._matches(event)) - int(self._matches(old))
        if was_shown:
            # Of a list that is frozen as well: what stands there was not true.
            self.rows.discard(key)
        if self._matches(event) and (was_shown or (was_recent and self.attached and not self.frozen)):
            self.rows.add([event])

    def apply(self, new_filter: Filter) -> None:
        """Show what matches `new_filter` among the recent events; older ones are to be read from the store.

        A frozen list goes on: what it would have held at the freeze is not known any more.
        """
        self.frozen = False
        self.filter = new_filter
        self._matches = new_filter.predicate()
        self._rebuild()

    def freeze(self) -> None:
        """Let nothing change until `attach()`."""
        self.frozen = True

    def attach(self) -> None:
        """Make the window end at the present again, unfrozen."""
        self.frozen = False
        if self.has_newer:
            self._rebuild()
            return
        self.rows.add(self._matching())
        self.rows.add(self._gaps.values())
        self.attached = True
        self.pending = 0
        if not self.reading:
            self._evict_rows()

    def event_at(self, key: SortKey) -> Event | None:
        """The shown event with `key`."""
        if not self.rows.has(key):
            return None
        row = self.rows[self.rows.index(key)]
        return row if isinstance(row, Event) else None

    def _rebuild(self) -> None:
        matching = self._matching()
        self._matching_recent = len(matching)
        self.rows = Rows(matching, self._whole)
        self.floor = self._recent_floor
        self.rows.add(self._gaps.values())
        self.attached = True
        self.pending = 0
        self.ceiling = None

    def _matching(self) -> list[Event]:
        return [row for row in self._recent if isinstance(row, Event) and self._matches(row)]

    def _evict_recent(self) -> None:
        excess = len(self._recent) - self._recent_capacity
        if excess <= self._recent_capacity // _EVICTION_SHARE:
            return
        # By their keys alone, where these tell enough: to look at packed events takes its time.
        gone = matching = self._recent.keys(0, excess)
        if self.filter.hides_something:
            events = self._recent[:excess]
            matching = [row.sort_key for row in events if isinstance(row, Event) and self._matches(row)]
        self._recent.evict_oldest(excess)
        self._recent_floor = _raised(self._recent_floor, self._recent.first_key)
        self._matching_recent -= len(matching)
        if self.frozen or not self.attached:
            missed = [key for key in matching if self._is_missed(key)]
            if missed:
                # Right before the first of them: what is read from there on has them.
                self.ceiling = (missed[0][0], missed[0][1] - 1)
        if self.unconfirmed or self.not_stored:
            gone_ids = {UUID(int=number) for _, number in gone}
            self.unconfirmed -= gone_ids
            self.not_stored -= gone_ids

    def _is_missed(self, key: SortKey) -> bool:
        return self.covers(key) and not self.rows.has(key)

    def _let_go_of_oldest(self) -> None:
        """What someone reads may be twice as long as what is followed."""
        excess = len(self.rows) - 2 * self._capacity
        if excess > 0:
            self.rows.evict_oldest(excess)
            self.floor = _raised(self.floor, self.rows.first_key)

    def _evict_rows(self) -> None:
        if len(self.rows) > self._capacity + self._capacity // _EVICTION_SHARE:
            self.rows.evict_oldest(len(self.rows) - self._capacity)
            self.floor = _raised(self.floor, self.rows.first_key)


def _raised(floor: SortKey | None, first: SortKey | None) -> SortKey | None:
    """The floor once all before `first` was let go. Late events stand below the floor and never lower it."""
    if first is None:
        return floor
    first = _bounded(first)
    return first if floor is None else max(floor, first)


def _bounded(key: SortKey) -> SortKey:
    """A gap has no place among ids, which is where the store is asked to read on from."""
    return (key[0], min(key[1], LAST_ID.int))
