"""Rows in timeline order, with the index arithmetic that keeps a view in place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import overload

from monitor.model.gaps import Gap
from monitor.model.packed_events import PACK, PackedEvents
from store.event import Event

Row = Event | Gap
SortKey = tuple[datetime, int]

UNPACKED_MAX = 8
"""Packs that were looked at last and are kept whole beside: the rows in sight are of one or two."""
_key, _row = itemgetter(0), itemgetter(1)


class Rows(Sequence[Row]):
    """A list of rows kept sorted by `sort_key`. Appending in order is O(1), which is what live events do.

    The newest `whole` rows are kept as they are, of those before them the events are packed: None packs none. A row
    that was packed is another object each time it is made whole, and equal.
    """

    def __init__(self, rows: Iterable[Row] = (), whole: int | None = None) -> None:
        self._rows: list[Row | PackedEvents] = []
        """In place of an event that is packed, what it is packed in."""
        self._keys: list[SortKey] = []
        self.version = 0
        """Another number after every change."""
        self._touched: SortKey | None = None
        self._whole = whole
        self._packed_to: SortKey | None = None
        """Rows from here on are still to be packed; None when none was packed yet."""
        self._unpacked: dict[PackedEvents, dict[SortKey, Event]] = {}
        self.add(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if self._packed_to is None:
            # As in most consoles: nothing was packed yet.
            return self._rows[index]  # pyright: ignore[reportReturnType]
        if isinstance(index, slice):
            return list(map(self._made_whole, self._keys[index], self._rows[index]))
        row = self._rows[index]
        return self._made_whole(self._keys[index], row) if isinstance(row, PackedEvents) else row

    def __iter__(self) -> Iterator[Row]:
        if self._packed_to is None:
            return iter(self._rows)  # pyright: ignore[reportReturnType]
        return map(self._made_whole, self._keys, self._rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Insert `rows`, in any order; a row with the key of a present one replaces it."""
        for row in rows:
            key = row.sort_key
            self._touch(key)
            if not self._keys or key > self._keys[-1]:
                self._keys.append(key)
                self._rows.append(row)
                continue
            index = bisect_left(self._keys, key)
            if self._keys[index] == key:
                self._rows[index] = row
            else:
                self._keys.insert(index, key)
                self._rows.insert(index, row)
        self._pack_far()

    def add_new(self, events: Iterable[Event]) -> list[tuple[SortKey, Event]]:
        """Insert those of `events`, in any order, whose key is not there yet. Returns them with their keys, sorted."""
        new = sorted(((event.sort_key, event) for event in events), key=_key)
        unique = dict(new)
        if len(unique) < len(new):
            new = list(unique.items())
        late = bisect_right(new, self._keys[-1], key=_key) if self._keys else 0
        if late:
            new[:late] = [pair for pair in new[:late] if not self.has(pair[0])]
        self.add_keyed(new)
        return new

    def add_keyed(self, pairs: Sequence[tuple[SortKey, Row]]) -> None:
        """Insert rows by their keys, sorted and each one once. Of a row that is there already, the older one stays."""
        keys = self._keys
        if pairs:
            self._touch(pairs[0][0])
        late = bisect_right(pairs, keys[-1], key=_key) if keys else 0
        for key, row in pairs[:late]:
            index = bisect_left(keys, key)
            if keys[index] != key:
                keys.insert(index, key)
                self._rows.insert(index, row)
        keys.extend(map(_key, pairs[late:]))
        self._rows.extend(map(_row, pairs[late:]))
        self._pack_far()

    def prepend(self, rows: Sequence[Row]) -> None:
        """Insert `rows`, sorted, all of them before the present ones: O(n) once instead of for each."""
        if rows and self._keys and rows[-1].sort_key >= self._keys[0]:
            self.add(rows)
            return
        if rows:
            self._touch(rows[0].sort_key)
        self._keys[:0] = [row.sort_key for row in rows]
        self._rows[:0] = rows
        if self._packed_to is None:
            self._pack_far()
        else:
            self._pack(0, len(rows))

    def evict_oldest(self, count: int) -> None:
        """Remove the `count` oldest rows."""
        self.version += 1
        del self._rows[:count]
        del self._keys[:count]

    def evict_newest(self, count: int) -> SortKey:
        """Remove the `count` newest rows, of which there are more. Returns the key of the newest one that stays."""
        del self._rows[-count:]
        del self._keys[-count:]
        self._touch(self._keys[-1])
        if self._packed_to is not None:
            self._packed_to = min(self._packed_to, self._keys[-1])
        return self._keys[-1]

    def discard(self, key: SortKey) -> None:
        """Remove the row with `key`, if there is one."""
        index = self.index(key)
        if index < len(self._keys) and self._keys[index] == key:
            self._touch(key)
            del self._keys[index]
            del self._rows[index]

    def index(self, key: SortKey) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Where the row with `key` is, or would be."""
        return bisect_left(self._keys, key)

    def has(self, key: SortKey) -> bool:
        """Whether a row with `key` is present."""
        index = self.index(key)
        return index < len(self._keys) and self._keys[index] == key

    def key(self, index: int) -> SortKey:
        """The key of the row number `index`."""
        return self._keys[index]

    def keys(self, start: int, stop: int | None = None) -> list[SortKey]:
        """The keys of the rows from number `start` on, up to and without `stop`."""
        return self._keys[start:stop]

    def take_touched(self) -> SortKey | None:
        """The lowest key of a row that was inserted, replaced or discarded since the last call; None when none was.

        Evicting the oldest rows does not count.
        """
        touched, self._touched = self._touched, None
        return touched

    def following(self, start: int) -> Iterator[Row]:
        """The rows from number `start` on, one at a time: of a long window, no more are whole at once than need be."""
        return map(self._made_whole, self._keys[start:], self._rows[start:])

    def _made_whole(self, key: SortKey, row: Row | PackedEvents) -> Row:
        """`row`, whose key is `key`, as it is when it is whole."""
        if not isinstance(row, PackedEvents):
            return row
        events = self._unpacked.get(row)
        if events is None:
            while len(self._unpacked) >= UNPACKED_MAX:
                del self._unpacked[next(iter(self._unpacked))]
            events = self._unpacked[row] = row.unpacked()
        return events[key]

    def _pack_far(self) -> None:
        """Pack what is no longer among the newest `whole` rows, once it fills a pack."""
        if self._whole is None or len(self._rows) < self._whole + PACK:
            return
        start = 0 if self._packed_to is None else self.index(self._packed_to)
        stop = len(self._rows) - self._whole
        stop -= max(0, stop - start) % PACK
        if start < stop:
            self._pack(start, stop)
            self._packed_to = self._keys[stop]

    def _pack(self, start: int, stop: int) -> None:
        """Pack the events from row number `start` up to and without `stop`; late ones before those stay whole."""
        for first in range(start, stop, PACK):
            numbers = range(first, min(first + PACK, stop))
            events = {number: row for number in numbers if isinstance(row := self._rows[number], Event)}
            packed = PackedEvents([self._keys[number] for number in events], list(events.values()))
            for number in events:
                self._rows[number] = packed

    def _touch(self, key: SortKey) -> None:
        self.version += 1
        if self._touched is None or key < self._touched:
            self._touched = key

    @property
    def first_key(self) -> SortKey | None:
        """Key of the oldest row."""
        return self._keys[0] if self._keys else None

    @property
    def last_key(self) -> SortKey | None:
        """Key of the newest row."""
        return self._keys[-1] if self._keys else None
