"""Reads what is usual from the counts of the store: the days before a moment, by time of day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from monitor.health.rule import Rule
from monitor.health.usual import DAYS, SLOT, slot_of
from store.event_filter import EventFilter
from store.query.syntax import Node
from store.repository import EventRepository

_STEP_MINUTES = SLOT // timedelta(minutes=1)


def asked_usual(rules: Iterable[Rule]) -> tuple[Node, ...]:
    """The queries of which `rules` ask what is usual, each once."""
    return tuple(dict.fromkeys(rule.query for rule in rules if rule.kind.asks_usual))


async def read_usual(
    repository: EventRepository, queries: Iterable[Node], since: datetime, until: datetime
) -> Mapping[Node, Mapping[int, float]]:
    """How many events each query matched from `DAYS` days before `since` until `until`, by slot, before sampling.

    Raises:
        StoreUnavailableError: the store failed.
    """
    counts: dict[Node, Mapping[int, float]] = {}
    first = since - timedelta(days=DAYS)
    for query in queries:
        by_slot: dict[int, float] = {}
        chosen = EventFilter(query=query)
        for start, _, number in await repository.histogram(
            first, until, _STEP_MINUTES, chosen, estimated=True
        ):
            slot = slot_of(start)
            by_slot[slot] = by_slot.get(slot, 0) + number
        counts[query] = by_slot
    return counts
