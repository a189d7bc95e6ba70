"""Which announcements were missed, by the producers' own numbering, and whether the store has what they were about."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple


class _Last(NamedTuple):
    sequence: int
    position: int | None


class _Jump(NamedTuple):
    """Announcements that one producer made between two that were heard, and the positions of those two."""

    missed: int
    after: int
    before: int


class Announcements:
    """Counts missed announcements, and sets off against them the commits that nobody announced.

    A producer numbers its announcements one by one, so that a jump tells how many never came. Each was about an event
    with a position between those of the two that were heard: what the store has there and nobody announced accounts
    for them, and what is left over is about events that the store does not have.
    """

    MAX_PRODUCERS = 1000
    MAX_JUMPS = 1000
    MAX_UNANNOUNCED = 100_000

    def __init__(self) -> None:
        self._last: OrderedDict[str, _Last] = OrderedDict()
        self._jumps: list[_Jump] = []
        self._unannounced: dict[int, None] = {}

    def heard(self, producer: str, sequence: int, position: int | None = None) -> int:
        """Note an announcement. Returns how many of this producer's were missed before it; 0 for a new producer."""
        last = self._last.get(producer)
        if last is None or sequence > last.sequence:
            self._last[producer] = _Last(sequence, position)
        self._last.move_to_end(producer)
        if last is None:
            if len(self._last) > self.MAX_PRODUCERS:
                self._last.popitem(last=False)
            return 0
        missed = sequence - last.sequence - 1
        if missed <= 0:
            return 0
        # Of events without a position, the store cannot say what became of them.
        if last.position is not None and position is not None:
            jump = _Jump(missed, min(last.position, position), max(last.position, position))
            self._jumps = [*self._jumps[-self.MAX_JUMPS :], jump]
        return missed

    def forget(self) -> None:
        """Start over, after a loss that is repaired as a whole, or told of in another way."""
        self._last.clear()
        self._jumps.clear()
        self._unannounced.clear()

    def stored(self, position: int) -> None:
        """Note a commit that only the store told of."""
        self._unannounced[position] = None
        if len(self._unannounced) > 2 * self.MAX_UNANNOUNCED:
            self._unannounced = dict.fromkeys(sorted(self._unannounced)[-self.MAX_UNANNOUNCED :])

    def announced(self, position: int) -> None:
        """Note that a commit was announced after the store had told of it."""
        self._unannounced.pop(position, None)

    def settle(self, position: int) -> int:
        """Call when the store was read up to `position`: how many announcements it does not account for, each once."""
        jumps = [jump for jump in self._jumps if jump.before <= position]
        if not jumps:
            return 0
        self._jumps = [jump for jump in self._jumps if jump.before > position]
        first, last = min(jump.after for jump in jumps), max(jump.before for jump in jumps)
        accounted = [position for position in self._unannounced if first < position < last]
        for position in accounted:
            del self._unannounced[position]
        return max(0, sum(jump.missed for jump in jumps) - len(accounted))
