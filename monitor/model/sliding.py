"""Numbers by key and minute, with their sums over a window that slides."""

from __future__ import annotations

from collections import defaultdict

from monitor.model.counts import OTHERS

Key = tuple[str, str]
"""A value and, in a tree, the value under it; else the empty text."""
_NOTHING = 1e-6
"""Less than any event counts for: what sums of fractions leave behind."""


class SlidingCounts:
    """Counts over the `window` minutes that end with the present one, which `slide` moves on.

    Adding costs the same however much is held, and so does a sum. Bounded: minutes out of reach are let go, and at
    most `MAX_KEYS` keys are told apart, further ones are counted as `OTHERS` until others have gone.
    """

    MAX_KEYS = 1000

    def __init__(self, window: int, last: int) -> None:
        self.totals: dict[Key, float] = {}
        """Sums over the window; keys without any are not there."""
        self.version = 0
        """Another one whenever a number has changed."""
        self._window = window
        self._span = range(last - window + 1, last + 1)
        self._minutes: dict[int, defaultdict[Key, float]] = {}
        self._held: defaultdict[Key, int] = defaultdict(int)

    @property
    def span(self) -> range:
        """The minutes of the window."""
        return self._span

    def slide(self, last: int) -> None:
        """Let the window end with the minute `last`."""
        before, self._span = self._span, range(last - self._window + 1, last + 1)
        if self._span == before:
            return
        self.version += 1
        for minute, counts in list(self._minutes.items()):
            was, is_in = minute in before, minute in self._span
            if was != is_in:
                for key, amount in counts.items():
                    self._sum(key, amount if is_in else -amount)
            if not self._is_held(minute):
                self._forget(minute)

    def add(self, minute: int, key: Key, amount: float) -> None:
        """Count `amount` for `key` in `minute`; what is out of reach of the window is left out."""
        if not self._is_held(minute):
            return
        self.version += 1
        counts = self._minutes.setdefault(minute, defaultdict(float))
        key = self._told_apart(key)
        if key not in counts:
            self._held[key] += 1
        counts[key] += amount
        if minute in self._span:
            self._sum(key, amount)

    def at(self, minute: int, key: Key) -> float:
        """How much was counted for `key` in one minute."""
        counts = self._minutes.get(minute)
        return 0.0 if counts is None else counts.get(key, 0.0)

    def _told_apart(self, key: Key) -> Key:
        if key in self._held or len(self._held) < self.MAX_KEYS:
            return key
        below = (key[0], OTHERS)
        return below if key[1] and (key[0], "") in self._held else (OTHERS, OTHERS if key[1] else "")

    def _is_held(self, minute: int) -> bool:
        # Minutes to come too: of a producer whose clock runs ahead.
        return self._span.start <= minute < self._span.stop + self._window

    def _forget(self, minute: int) -> None:
        for key in self._minutes.pop(minute):
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]

    def _sum(self, key: Key, amount: float) -> None:
        total = self.totals.get(key, 0.0) + amount
        if total > _NOTHING:
            self.totals[key] = total
        else:
            self.totals.pop(key, None)
