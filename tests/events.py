"""Events for tests: every id and time follows from a number, so that a failure reads the same each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from store.event import Event

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """The moment `seconds` after noon."""
    return NOON + timedelta(seconds=seconds)


def make_event(number: int = 0, /, **fields: Any) -> Event:
    """The event `number`: that many seconds after noon unless `inserted_at` says otherwise, with id `number`."""
    return Event.model_validate(
        {"id": UUID(int=number), "event_type": "job.executed", "inserted_at": at(number), **fields}
    )


def make_events(count: int, /, start: int = 0, **fields: Any) -> list[Event]:
    """`count` events, one a second, oldest first."""
    return [make_event(number, **fields) for number in range(start, start + count)]
