"""What time it is, for deleting: a clock that jumped forward must not take everything with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_selection import begins_with_date, minute_column
from store.server_clock import server_clock
from store.tables import dead_letters, event_rollups, events

SLACK = timedelta(days=1)
"""How far time may have gone on since the newest event."""
TOLERANCE = timedelta(minutes=1)
"""Clocks that differ by less are not worth a word."""
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reference:
    """The moment from which ages are counted.

    `machine` is what this machine's clock says. `note` says in one line by which clock it is not believed.
    """

    moment: datetime
    machine: datetime
    note: str | None = None


async def reference(connection: AsyncConnection, machine: datetime, *, trust_clock: bool) -> Reference:
    """The earliest of `machine`, the server's clock, and a day after the newest event (in whole minutes).

    An event later than those clocks says nothing about the time, so that it neither brings anything forward nor
    hides a clock that is wrong. Of a store without events, what else it recorded tells.
    """
    if trust_clock:
        return Reference(machine, machine)
    moment, note = machine, None
    server = await server_clock(connection)
    if server is not None and server < moment:
        moment, note = server, "the clock of the database server"
    newest = await _newest(connection, moment)
    if newest is not None and newest + SLACK < moment:
        moment, note = newest + SLACK, "a day after the newest event"
    ahead = machine - moment
    if note is None or ahead < TOLERANCE:
        return Reference(moment, machine)
    said = f"this machine's clock ({machine:%Y-%m-%d %H:%M} UTC) is {_span(ahead)} ahead of {note}"
    return Reference(moment, machine, said)


async def _newest(connection: AsyncConnection, until: datetime) -> datetime | None:
    """When the newest event up to `until` was; of what else was recorded, where there is no event."""
    dialect = connection.dialect.name
    happened, failed = events.c.inserted_at, dead_letters.c.failed_at
    minute = event_rollups.c.minute
    last_minute = (until - _EPOCH) // _MINUTE
    statements: list[tuple[Any, ...]] = [
        (
            select(minute_column(dialect))
            .where(
                happened <= until, begins_with_date(happened, dialect), minute_column(dialect).is_not(None)
            )
            .order_by(happened.desc(), events.c.id.desc()),
        ),
        (
            select(minute).where(minute <= last_minute).order_by(minute.desc()),
            select(failed).where(failed <= until, begins_with_date(failed, dialect)).order_by(failed.desc()),
        ),
    ]
    for alternatives in statements:
        found: list[datetime] = []
        for statement in alternatives:
            value = (await connection.execute(statement.limit(1))).scalar()
            if value is not None:
                found.append(value if isinstance(value, datetime) else _EPOCH + int(value) * _MINUTE)
        if found:
            return max(found)
    return None


def _span(span: timedelta) -> str:
    return f"{span.days} d {span.seconds // 3600} h" if span.days else f"{span.seconds // 60} min"
