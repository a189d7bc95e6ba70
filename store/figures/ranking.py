"""Counting what there may be far too many of: the frequent ones exactly, as long as there is room."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Generic, TypeVar

from store.figures.figures import TOP, Entries, Entry

Key = TypeVar("Key", bound=tuple[str | None, ...])
KEPT_MAX = 300_000
"""Values that are kept apart. Beyond, the rarer half is let go (Manku and Motwani, 2002), and others may count low."""


class Ranking(Generic[Key]):
    """How often there was each value, and how often as an error."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._numbers: dict[Key, list[int]] = {}
        self._kept_max = kept_max
        self.is_exact = True

    def add(self, key: Key, number: int, errors: int = 0) -> None:
        """Count `key` so many times more; a negative number takes back."""
        known = self._numbers.get(key)
        if known is None:
            self._numbers[key] = [number, errors]
            if len(self._numbers) > self._kept_max:
                self._let_go()
        else:
            known[0] += number
            known[1] += errors

    def top(self, *, errors: bool = False) -> Entries:
        """The most frequent ones, those that were errors alone with `errors`. Ties by name, none before any."""
        place = 1 if errors else 0
        counted = ((key, known) for key, known in self._numbers.items() if known[place] > 0)
        best = heapq.nsmallest(TOP, counted, key=lambda one: (-one[1][place], _order(one[0])))
        return tuple(Entry(key, number, errors) for key, (number, errors) in best)

    def _let_go(self) -> None:
        self.is_exact = False
        kept = heapq.nlargest(self._kept_max // 2, self._numbers.items(), key=lambda one: max(one[1]))
        self._numbers = dict(kept)


def _order(key: Iterable[str | None]) -> list[tuple[bool, str]]:
    return [(value is not None, value or "") for value in key]
