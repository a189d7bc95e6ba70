"""How many events: from the rollups where they can tell, which costs the same however much is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.event_filter import EventFilter
from store.event_selection import Selection, conditions, minute_column
from store.tables import events

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MINUTE = rollups.minute_of(datetime.max.replace(tzinfo=UTC))
Bucket = tuple[datetime, str | None, int]
"""Start of the bucket, severity, number of events."""


class Facet(StrEnum):
    """A field whose values can be counted."""

    CATEGORY = "category"
    EVENT_TYPE = "event_type"
    SEVERITY = "severity"
    ACTOR_TYPE = "actor_type"
    ACTOR_ID = "actor_id"
    RESOURCE_TYPE = "resource_type"
    RESOURCE_ID = "resource_id"
    STATUS = "status"


async def count(connection: AsyncConnection, chosen: Selection) -> int:
    """How many stored events match `chosen`."""
    chosen = chosen if isinstance(chosen, EventFilter) else EventFilter(query=chosen)
    if not chosen.is_counted:
        return await _scan(connection, chosen)
    first = None if chosen.since is None else _minute_from(chosen.since)
    last = None if chosen.until is None else rollups.minute_of(chosen.until)
    if first is not None and last is not None and first >= last:
        return await _scan(connection, chosen)
    total = await rollups.stored_count(connection, first, last, chosen)
    # The minutes that the span covers in part are looked up among the events.
    if chosen.since is not None and first is not None and _start(first) != chosen.since:
        total += await _scan(connection, replace(chosen, until=_start(first)))
    if chosen.until is not None and last is not None and _start(last) != chosen.until:
        total += await _scan(connection, replace(chosen, since=_start(last)))
    return total


async def histogram(
    connection: AsyncConnection,
    since: datetime,
    until: datetime | None,
    step_minutes: int,
    chosen: EventFilter,
) -> Sequence[Bucket]:
    """Events in the minutes from `since` up to and with `until`, by bucket and severity, oldest first."""
    if chosen.is_counted and chosen.since is None and chosen.until is None:
        return await rollups.histogram(connection, since, until, step_minutes, chosen)
    bucket = rollups.bucket_of(minute_column(connection.dialect.name), step_minutes).label("bucket")
    statement = select(bucket, events.c.severity, func.count()).select_from(events)
    statement = statement.where(*conditions(chosen, connection.dialect.name), *_span(since, until))
    statement = statement.group_by(bucket, events.c.severity).order_by(bucket)
    return [
        (_start(int(start)), severity, total)
        for start, severity, total in await connection.execute(statement)
    ]


async def facets(
    connection: AsyncConnection, facet: Facet, chosen: EventFilter, limit: int
) -> list[tuple[str | None, int]]:
    """The most frequent values of `facet` among the stored events of `chosen`, with their numbers; ties by name."""
    if chosen.is_counted and chosen.since is None and chosen.until is None and facet in rollups.COUNTED:
        totals = await rollups.stored_by(connection, facet, chosen)
    else:
        column: ColumnElement[Any] = events.c[facet]
        statement = select(column, func.count()).where(*conditions(chosen, connection.dialect.name))
        statement = statement.group_by(column).limit(limit)
        # An event that has none comes first among equals; databases do not agree on where NULL belongs.
        statement = statement.order_by(func.count().desc(), column.is_not(None), column)
        totals = {row[0]: row[1] for row in await connection.execute(statement)}
    return sorted(totals.items(), key=lambda item: (-item[1], item[0] or ""))[:limit]


async def _scan(connection: AsyncConnection, chosen: EventFilter) -> int:
    statement = select(func.count()).select_from(events)
    statement = statement.where(*conditions(chosen, connection.dialect.name))
    return (await connection.execute(statement)).scalar_one()


def _span(since: datetime, until: datetime | None) -> list[ColumnElement[bool]]:
    """The whole minutes from that of `since` up to and with that of `until`, as the rollups have them."""
    span = [events.c.inserted_at >= _start(rollups.minute_of(since))]
    if until is not None:
        span.append(events.c.inserted_at < _start(rollups.minute_of(until) + 1))
    return span


def _minute_from(moment: datetime) -> int:
    """The first minute that begins at `moment` or later."""
    minute = rollups.minute_of(moment)
    return minute if _start(minute) == moment else minute + 1


def _start(minute: int) -> datetime:
    return _EPOCH + timedelta(minutes=min(minute, _LAST_MINUTE))
