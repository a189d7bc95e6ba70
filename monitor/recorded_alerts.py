"""Reads what is on record of alerts from the store: all that a desk starts with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from monitor.health.alert_events import (
    ACKNOWLEDGED,
    FIRED,
    RESOLVED,
    SILENCE_ENDED,
    SILENCED,
    UNACKNOWLEDGED,
)
from store.event import Event
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.repository import EventRepository

LIMITS = {
    FIRED: 10_000,
    RESOLVED: 10_000,
    ACKNOWLEDGED: 5_000,
    UNACKNOWLEDGED: 5_000,
    SILENCED: 2_000,
    SILENCE_ENDED: 2_000,
}
"""How many of the latest events of each type are read: each of its own, so that none is crowded out by another."""


PAGE = 500
"""Events read at a time: between two pages there is room for a key."""


async def recorded_alerts(repository: EventRepository) -> AsyncGenerator[Sequence[Event]]:
    """The latest `alert.*` events in batches, type by type and the newest first.

    Raises:
        StoreUnavailableError: the database fails.
    """
    for event_type, limit in LIMITS.items():
        chosen, cursor, left = EventFilter(event_type=event_type), None, limit
        while left > 0:
            page = min(PAGE, left)
            if cursor is None:
                found = await repository.newest(page, chosen)
            else:
                found = await repository.before(cursor, page, chosen)
            if found:
                yield found
            if len(found) < page:
                break
            cursor, left = Cursor.of(found[-1]), left - page
