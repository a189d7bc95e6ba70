"""Book-keeping of the feed: which commits were seen, which announcements were missed, which ids are known."""

from __future__ import annotations

from collections import OrderedDict
from enum import IntFlag
from uuid import UUID


class Watermark:
    """The position up to which every commit was seen, and the ones seen beyond it.

    Positions of one database are consecutive but for aborted transactions and events that were stored
    already; `advance_to` closes such holes after the store was read.
    """

    MAX_AHEAD = 100_000

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self._ahead: set[int] = set()

    def saw(self, position: int) -> None:
        """Note that the commit at `position` was seen."""
        if position <= self.position:
            return
        self._ahead.add(position)
        while self.position + 1 in self._ahead:
            self.position += 1
            self._ahead.discard(self.position)
        if len(self._ahead) > self.MAX_AHEAD:
            # Forgotten ones are read from the store again and folded by id.
            self._ahead.clear()

    def advance_to(self, position: int) -> None:
        """Note that the store was read up to `position`: what was not found there does not exist."""
        if position > self.position:
            self.position = position
            self._ahead = {ahead for ahead in self._ahead if ahead > position}
            while self.position + 1 in self._ahead:
                self.position += 1
                self._ahead.discard(self.position)


class SequenceTracker:
    """Counts the announcements that were missed, by the consecutive numbers of each producer."""

    MAX_PRODUCERS = 1000

    def __init__(self) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()

    def missed_before(self, producer: str, sequence: int) -> int:
        """How many of this producer's announcements were missed since its last one; 0 for a new producer."""
        last = self._last.get(producer)
        if last is None or sequence > last:
            self._last[producer] = sequence
        self._last.move_to_end(producer)
        if len(self._last) > self.MAX_PRODUCERS:
            self._last.popitem(last=False)
        return max(0, sequence - last - 1) if last is not None else 0

    def forget(self) -> None:
        """Start over, after a loss that is repaired as a whole."""
        self._last.clear()


class Seen(IntFlag):
    """Where an event was seen so far."""

    NOWHERE = 0
    BUS = 1
    STORE = 2


class KnownIds:
    """The ids seen last, and where: an event arrives by the bus and again from the store, in either order."""

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity = capacity
        self._ids: dict[UUID, Seen] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def note(self, identifier: UUID, where: Seen) -> Seen:
        """Note that the event was seen at `where`; returns where it was seen before."""
        before = self._ids.get(identifier, Seen.NOWHERE)
        self._ids[identifier] = before | where
        if len(self._ids) > self._capacity:
            del self._ids[next(iter(self._ids))]
        return before
