"""What is usual at a time of day: the median of the days before, and how far they are from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Protocol

from store.query.syntax import Node

SLOT = timedelta(minutes=10)
"""Times of day that are told apart."""
DAYS = 14
"""Days that are looked back."""
DAYS_MIN = 3
"""Earlier days that it takes to say what is usual."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLOTS_A_DAY = timedelta(days=1) // SLOT


@dataclass(frozen=True, slots=True)
class Norm:
    """Events a minute: the median of earlier days, and the median of their distances from it."""

    per_minute: float
    spread: float


class Usual(Protocol):
    """Knows how many events a query usually matches."""

    def norm(self, query: Node, at: datetime) -> Norm | None:
        """What is usual at the time of day of `at`, by the days before it; None when that is unknown."""
        ...


def slot_of(moment: datetime) -> int:
    """The slot of `moment`, counted since 1970 in UTC."""
    return (moment - _EPOCH) // SLOT


def slot_start(moment: datetime) -> datetime:
    """Where the slot of `moment` begins."""
    return _EPOCH + slot_of(moment) * SLOT


class UsualRates:
    """What is usual, worked out of counts by slot. Days without any event count as soon as there was one before."""

    def __init__(self) -> None:
        self._counts: dict[Node, Mapping[int, float]] = {}
        self._first: dict[Node, int] = {}
        self._norms: dict[tuple[Node, int], Norm | None] = {}

    def learn(self, query: Node, by_slot: Mapping[int, float]) -> None:
        """Take in how many events `query` matched, by slot; what was known of it is replaced."""
        self._counts[query] = dict(by_slot)
        self._first[query] = min(by_slot, default=0)
        self._norms.clear()

    def norm(self, query: Node, at: datetime) -> Norm | None:
        """What is usual at the time of day of `at`, by the up to `DAYS` days before it."""
        slot = slot_of(at)
        key = (query, slot)
        if key not in self._norms:
            if len(self._norms) > 10_000:
                self._norms.clear()
            self._norms[key] = self._norm(query, slot)
        return self._norms[key]

    def _norm(self, query: Node, slot: int) -> Norm | None:
        counts = self._counts.get(query)
        if not counts:
            return None
        first = self._first[query]
        minutes = SLOT / timedelta(minutes=1)
        earlier = [slot - day * _SLOTS_A_DAY for day in range(1, DAYS + 1)]
        rates = [counts.get(then, 0.0) / minutes for then in earlier if then >= first]
        if len(rates) < DAYS_MIN:
            return None
        middle = median(rates)
        return Norm(middle, median(abs(rate - middle) for rate in rates))
