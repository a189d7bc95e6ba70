"""Reads what is usual from the counts of the store: the days before a moment, by time of day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from monitor.errors import read_failure
from monitor.health.rule import Rule
from monitor.health.usual import DAYS, SLOT, slot_of
from store.event_filter import EventFilter
from store.query.syntax import Node
from store.repository import EventRepository

USUAL_EVERY = 3600.0
"""Seconds between two looks at what is usual."""
_STEP_MINUTES = SLOT // timedelta(minutes=1)

_log = logging.getLogger(__name__)


class Learns(Protocol):
    """Who is told what is usual."""

    def learn_usual(self, counts: Mapping[Node, Mapping[int, float]], now: datetime) -> None:
        """Take in counts by slot of the queries that rules asked for."""
        ...


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


async def keep_learning(
    model: Learns,
    rules: Sequence[Rule],
    repository: Callable[[], EventRepository],
    now: Callable[[], datetime],
) -> None:
    """Read from time to time what is usual, for the `rules` that ask, until cancelled.

    Until it is read, those rules hold nothing. A store that is away is tried again.
    """
    queries = asked_usual(rules)
    while queries:
        moment = now()
        try:
            model.learn_usual(await read_usual(repository(), queries, moment, moment), now())
        except Exception as error:
            _log.info("what is usual cannot be read: %s", read_failure(error))
        await asyncio.sleep(USUAL_EVERY)
