"""Events counted by minute and kind: written with the events, read by histograms, facets and rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event import Event
from store.tables import NO_SEVERITY, event_rollups


class RollupCount(NamedTuple):
    """How many events of one kind fell into one minute (counted since 1970, UTC)."""

    minute: int
    category: str
    event_type: str
    severity: str | None
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]


class FacetCount(NamedTuple):
    """How many events of one kind there were in a span of time."""

    category: str
    event_type: str
    severity: str | None
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]


def minute_of(moment: datetime) -> int:
    """The minute of `moment`, counted since 1970 in UTC."""
    return int(moment.timestamp() // 60)


async def count_in(connection: AsyncConnection, stored: Sequence[Event]) -> None:
    """Add `stored` to the rollups, in the transaction that stores them."""
    counts = Counter(
        (minute_of(event.inserted_at), event.category, event.event_type, event.severity or NO_SEVERITY)
        for event in stored
    )
    statement = insert(event_rollups)
    statement = statement.on_conflict_do_update(
        index_elements=[column.name for column in event_rollups.primary_key],
        set_={"count": event_rollups.c.count + statement.excluded["count"]},
    )
    await connection.execute(
        statement,
        [
            {
                "minute": minute,
                "category": category,
                "event_type": kind,
                "severity": str(severity),
                "count": count,
            }
            for (minute, category, kind, severity), count in counts.items()
        ],
    )


async def clear(connection: AsyncConnection) -> None:
    """Delete all counts."""
    await connection.execute(delete(event_rollups))


async def minute_counts(connection: AsyncConnection, since: datetime) -> list[RollupCount]:
    """All counts from the minute of `since` on, in no order."""
    rollup = event_rollups.c
    columns = (rollup.minute, rollup.category, rollup.event_type, rollup.severity, rollup.count)
    rows = await connection.execute(select(*columns).where(_minutes(since, None)))
    return [
        RollupCount(minute, category, event_type, severity or None, count)
        for minute, category, event_type, severity, count in rows
    ]


async def facet_counts(
    connection: AsyncConnection, since: datetime, until: datetime | None
) -> list[FacetCount]:
    """Events by category, type and severity in the minutes from `since` up to and with `until`."""
    kinds = (event_rollups.c.category, event_rollups.c.event_type, event_rollups.c.severity)
    total = func.sum(event_rollups.c.count)
    rows = await connection.execute(select(*kinds, total).where(_minutes(since, until)).group_by(*kinds))
    return [FacetCount(row[0], row[1], row[2] or None, int(row[3])) for row in rows]


async def histogram(
    connection: AsyncConnection, since: datetime, until: datetime | None, step_minutes: int
) -> list[tuple[datetime, str | None, int]]:
    """Events by bucket of `step_minutes` and severity, oldest first; empty buckets are left out."""
    # The remainder has the sign of the minute, which is negative before 1970.
    past = (event_rollups.c.minute % step_minutes + step_minutes) % step_minutes
    bucket = event_rollups.c.minute - past
    statement = (
        select(bucket, event_rollups.c.severity, func.sum(event_rollups.c.count))
        .where(_minutes(since, until))
        .group_by(bucket, event_rollups.c.severity)
        .order_by(bucket)
    )
    rows = await connection.execute(statement)
    return [
        (datetime.fromtimestamp(start * 60, UTC), severity or None, int(count))
        for start, severity, count in rows
    ]


async def known_types(connection: AsyncConnection) -> list[str]:
    """Every event type that was ever stored, by name."""
    statement = select(event_rollups.c.event_type).distinct().order_by(event_rollups.c.event_type)
    return list((await connection.execute(statement)).scalars())


def _minutes(since: datetime, until: datetime | None) -> ColumnElement[bool]:
    from_minute = event_rollups.c.minute >= minute_of(since)
    return from_minute if until is None else from_minute & (event_rollups.c.minute <= minute_of(until))
