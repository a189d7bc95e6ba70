"""Book-keeping of the feed: which commits were seen, which ids are known."""

from __future__ import annotations

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
        if position == self.position + 1 and not self._ahead:
            # As long as nothing is missed, which is nearly always.
            self.position = position
            return
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


class Seen:
    """Where an event was seen so far. Plain numbers: `enum.IntFlag` takes a microsecond to join two of them."""

    NOWHERE = 0
    BUS = 1
    STORE = 2
    OPENING = 4
    """In the store, when the console was opened."""


class KnownIds:
    """The ids seen last, and where: an event arrives by the bus and again from the store, in either order.

    Remembers `capacity` ids at least, and twice as many at most.
    """

    def __init__(self, capacity: int = 30_000) -> None:
        self._capacity = capacity
        # Two generations, of which the older one is forgotten whole: a dictionary that loses its first entry again
        # and again takes longer and longer to find it. By the number of the id, whose hash is not a call of Python.
        self._new: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def note(self, identifier: UUID, where: int) -> int:
        """Note that the event was seen at `where`; returns where it was seen before."""
        number = identifier.int
        before = self._new.get(number, Seen.NOWHERE) or self._old.pop(number, Seen.NOWHERE)
        self._new[number] = before | where
        if len(self._new) >= self._capacity:
            self._old, self._new = self._new, {}
        return before
