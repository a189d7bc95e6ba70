"""The timeline: a bounded window of rows that match the filter, and all recent events behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from monitor.model.filter import Filter
from monitor.model.gaps import Gap
from monitor.model.rows import Rows, SortKey
from store.event import Event

CAPACITY = 20_000
"""Rows kept in the window, and events kept behind it."""
_EVICTION_SHARE = 20


class Timeline:
    """Rows in time order, oldest first.

    `rows` is a window without holes on the events that match the filter. While it is *attached*, its end is
    the present: matching events join it as they arrive. Frozen, or full while someone reads further up, it
    stays as it is, and what arrives is counted in `pending` until `attach()`.

    `recent` holds the latest events whatever the filter, so that another filter shows something at once;
    what lies further back is read from the store with the same filter and given to `add_older()`.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.rows = Rows()
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
        self._recent = Rows()
        self._recent_floor: SortKey | None = None
        self.floor: SortKey | None = None
        """Every matching event from here on is among `rows`; None when that holds for all events."""
        self._gaps: dict[int, Gap] = {}
        self._capacity = capacity
        self._matching_recent = 0

    @property
    def hidden(self) -> int:
        """How many of the recent events the filter hides."""
        return len(self._recent) - self._matching_recent

    @property
    def has_older(self) -> bool:
        """Whether the store may hold matching events that come before the ones shown."""
        return self.floor is not None

    @property
    def is_full(self) -> bool:
        """No older page can be added without letting go of newer rows."""
        return len(self.rows) >= 2 * self._capacity

    def open_with(self, newest: Iterable[Event], *, has_older: bool) -> None:
        """Start over with the newest stored events."""
        self._recent = Rows(sorted(newest, key=lambda event: event.sort_key))
        self._recent_floor = self._recent.first_key if has_older else None
        self._rebuild()

    def add(self, events: Sequence[Event]) -> None:
        """Take in events that are not on the timeline yet, in any order."""
        batch = sorted(events, key=lambda event: event.sort_key)
        self._recent.add(batch)
        matching = [event for event in batch if self._matches(event)]
        self._matching_recent += len(matching)
        self._evict_recent()
        if self.frozen or not self.attached:
            self.pending += len(matching)
            return
        self.rows.add(matching)
        if self.reading:
            self.pending += len(matching)
            if len(self.rows) > 2 * self._capacity:
                self.attached = False
        else:
            self._evict_rows()

    def add_older(self, page: Sequence[Event], *, has_older: bool) -> None:
        """Put a page from the store, read with the present filter, before the first row."""
        known = self.rows
        rows = sorted(page, key=lambda event: event.sort_key)
        known.prepend([event for event in rows if not known.has(event.sort_key)])
        self.floor = rows[0].sort_key if rows and has_older else None

    def show_gap(self, gap: Gap) -> None:
        """Show `gap`, or its newer state."""
        self._gaps[gap.number] = gap
        while len(self._gaps) > 100:
            self.rows.discard(self._gaps.pop(next(iter(self._gaps))).sort_key)
        if not self.frozen:
            self.rows.add([gap])

    def confirm(self, confirmed: Iterable[UUID], missing: Iterable[UUID]) -> None:
        """Note which unconfirmed events the store has, and which it should have had by now."""
        self.unconfirmed.difference_update(confirmed)
        missing = set(missing)
        self.unconfirmed -= missing
        self.not_stored |= missing

    def apply(self, new_filter: Filter) -> None:
        """Show what matches `new_filter` among the recent events; older ones are to be read from the store."""
        self.filter = new_filter
        self._matches = new_filter.predicate()
        self._rebuild()

    def freeze(self) -> None:
        """Let nothing change until `attach()`."""
        self.frozen = True

    def attach(self) -> None:
        """Make the window end at the present again, unfrozen."""
        self.frozen = False
        last = self.rows.last_key
        floor = self._recent_floor
        if last is None or (floor is not None and last < floor):
            self._rebuild()
            return
        self.rows.add(row for row in self._recent if isinstance(row, Event) and self._matches(row))
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
        matching = [row for row in self._recent if isinstance(row, Event) and self._matches(row)]
        self._matching_recent = len(matching)
        self.rows = Rows(matching)
        self.floor = self._recent_floor
        self.rows.add(self._gaps.values())
        self.attached = True
        self.pending = 0

    def _evict_recent(self) -> None:
        if len(self._recent) > self._capacity + self._capacity // _EVICTION_SHARE:
            gone = self._recent.evict_oldest(len(self._recent) - self._capacity)
            self._recent_floor = self._recent.first_key
            self._matching_recent -= sum(1 for row in gone if isinstance(row, Event) and self._matches(row))
            gone_ids = {row.id for row in gone if isinstance(row, Event)}
            self.unconfirmed -= gone_ids
            self.not_stored -= gone_ids

    def _evict_rows(self) -> None:
        if len(self.rows) > self._capacity + self._capacity // _EVICTION_SHARE:
            self.rows.evict_oldest(len(self.rows) - self._capacity)
            self.floor = self.rows.first_key
