"""Reads what is on record of alerts from the store: all that a desk starts with."""

from __future__ import annotations

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


async def recorded_alerts(repository: EventRepository) -> list[Event]:
    """The latest `alert.*` events, in no order.

    Raises:
        StoreUnavailableError: the database fails.
    """
    found: list[Event] = []
    for event_type, limit in LIMITS.items():
        found += await repository.newest(limit, EventFilter(event_type=event_type))
    return found
