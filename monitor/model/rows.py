"""Rows in timeline order, with the index arithmetic that keeps a view in place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import overload

from monitor.model.gaps import Gap
from store.event import Event

Row = Event | Gap
SortKey = tuple[datetime, int]


_key, _row = itemgetter(0), itemgetter(1)


class Rows(Sequence[Row]):
    """A list of rows kept sorted by `sort_key`. Appending in order is O(1), which is what live events do."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: list[Row] = []
        self._keys: list[SortKey] = []
        self.version = 0
        """Another number after every change."""
        self._touched: SortKey | None = None
        self.add(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self._rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

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

    def prepend(self, rows: Sequence[Row]) -> None:
        """Insert `rows`, sorted, all of them before the present ones: O(n) once instead of for each."""
        if rows and self._keys and rows[-1].sort_key >= self._keys[0]:
            self.add(rows)
            return
        if rows:
            self._touch(rows[0].sort_key)
        self._keys[:0] = [row.sort_key for row in rows]
        self._rows[:0] = rows

    def evict_oldest(self, count: int) -> list[Row]:
        """Remove and return the `count` oldest rows."""
        gone = self._rows[:count]
        self.version += 1
        del self._rows[:count]
        del self._keys[:count]
        return gone

    def evict_newest(self, count: int) -> SortKey:
        """Remove the `count` newest rows, of which there are more. Returns the key of the newest one that stays."""
        del self._rows[-count:]
        del self._keys[-count:]
        self._touch(self._keys[-1])
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
