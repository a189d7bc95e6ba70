"""What the operator marked: rows to come back to, and the one at which the incident began."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from monitor.model.rows import SortKey
from store.event import Event


class Marks:
    """Bookmarked events in the order of the timeline, whether they are loaded or not."""

    def __init__(self) -> None:
        self._events: dict[SortKey, Event] = {}
        self._keys: list[SortKey] = []
        self.zero: Event | None = None
        """The event from which times are counted (T0)."""
        self.revision = 0
        """Another number after every change."""

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def events(self) -> list[Event]:
        """The bookmarked events, oldest first."""
        return [self._events[key] for key in self._keys]

    def has(self, event: Event) -> bool:
        """Whether `event` is bookmarked."""
        return event.sort_key in self._events

    def marks(self, key: SortKey) -> bool:
        """Whether the event with `key` is bookmarked, or the one from which times are counted."""
        return key in self._events or (self.zero is not None and self.zero.sort_key == key)

    def clear(self) -> None:
        """Forget all of them, and from when times are counted."""
        self._events.clear()
        self._keys.clear()
        self.zero = None
        self.revision += 1

    def toggle(self, event: Event) -> bool:
        """Bookmark `event`, or forget its bookmark. Returns whether it has one now."""
        key = event.sort_key
        self.revision += 1
        if key in self._events:
            del self._events[key]
            self._keys.remove(key)
            return False
        self._events[key] = event
        insort(self._keys, key)
        return True

    def toggle_zero(self, event: Event) -> bool:
        """Count times from `event`, or no longer when they are. Returns whether they are counted from it now."""
        self.revision += 1
        self.zero = None if self.zero is not None and self.zero.sort_key == event.sort_key else event
        return self.zero is not None

    def beside(self, key: SortKey | None, step: int) -> Event | None:
        """The next (+1) or previous (-1) bookmarked event after or before `key`; from either end without a key."""
        if not self._keys:
            return None
        if key is None:
            return self._events[self._keys[0 if step > 0 else -1]]
        index = bisect_right(self._keys, key) if step > 0 else bisect_left(self._keys, key) - 1
        return self._events[self._keys[index]] if 0 <= index < len(self._keys) else None
