"""How many events: from the rollups where they can tell, which costs the same however much is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.event import Event
from store.event_filter import EventFilter
from store.event_rows import refuse_negative
from store.event_selection import Selection
from store.event_tallies import divided, scan_conditions, scanned, start_of, tallied
from store.rollups import Minutes
from store.tables import events

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
    minutes, rest = divided(chosen)
    total = 0 if minutes is None else await rollups.stored_count(connection, minutes, chosen)
    for part in rest:
        total += await _scanned_count(connection, part)
    return total


async def histogram(
    connection: AsyncConnection,
    since: datetime,
    until: datetime | None,
    step_minutes: int,
    chosen: EventFilter,
    *,
    estimated: bool = False,
) -> Sequence[Bucket]:
    """Events in the minutes from `since` up to and with `until`, by bucket and severity, oldest first.

    With `estimated`, where the rollups tell what was recorded, it is what there was before sampling.

    Raises:
        ValueError: `step_minutes` is below 1; `since` or `until` has no zone.
    """
    _refuse_step(step_minutes)
    within = restricted(chosen, since, until)
    minutes, rest = divided(within)
    totals = Counter[tuple[int, str | None]]()
    if minutes is not None:
        # Of a filter with a span the edges are looked up, where pruned events are gone: so they are not counted.
        recorded = chosen.since is None and chosen.until is None
        totals.update(
            await rollups.histogram(
                connection, minutes, step_minutes, chosen, pruned=recorded, estimated=estimated
            )
        )
    for part in rest:
        for (severity,), bucket, total in await scanned(connection, ["severity"], part, None, step_minutes):
            # A row whose moment is none is in no bucket.
            if bucket is not None:
                totals[bucket, severity] += total
    return _in_time_order(totals)


async def histogram_of(found: AsyncIterable[Event], step_minutes: int) -> Sequence[Bucket]:
    """The events `found` by bucket and severity, oldest first.

    Raises:
        ValueError: `step_minutes` is below 1.
    """
    _refuse_step(step_minutes)
    totals = Counter[tuple[int, str | None]]()
    async for event in found:
        bucket = rollups.minute_of(event.inserted_at) // step_minutes * step_minutes
        totals[bucket, event.severity and event.severity.value] += 1
    return _in_time_order(totals)


def _in_time_order(totals: Counter[tuple[int, str | None]]) -> Sequence[Bucket]:
    ordered = sorted(totals.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    return [(start_of(bucket), severity, total) for (bucket, severity), total in ordered if total]


def _refuse_step(step_minutes: int) -> None:
    if step_minutes < 1:
        raise ValueError("step_minutes must be 1 or more")


async def facets(
    connection: AsyncConnection, facet: Facet, chosen: EventFilter, limit: int
) -> list[tuple[str | None, int]]:
    """The most frequent values of `facet` among the stored events of `chosen`, with their numbers; ties by name.

    Raises:
        ValueError: `limit` is negative.
    """
    return [(values[0], total) for values, total in await combinations(connection, [facet], chosen, limit)]


async def combinations(
    connection: AsyncConnection, names: Sequence[str], chosen: EventFilter, limit: int
) -> list[tuple[tuple[str | None, ...], int]]:
    """The most frequent values of the fields `names` together, with how many stored events of `chosen` have them.

    `names` are columns of text of an event. Ties are ordered by the values.

    Raises:
        ValueError: `limit` is negative.
    """
    refuse_negative(limit)
    totals = Counter[tuple[str | None, ...]]()
    for values, _, total in await tallied(connection, names, chosen, limit):
        totals[values] += total
    return _most_frequent(totals, limit)


async def facets_of(found: AsyncIterable[Event], facet: Facet, limit: int) -> list[tuple[str | None, int]]:
    """The most frequent values of `facet` among the events `found`, with their numbers; ties by name.

    Raises:
        ValueError: `limit` is negative.
    """
    return [(value, total) for (value,), total in await combinations_of(found, [facet], limit)]


async def combinations_of(
    found: AsyncIterable[Event], names: Sequence[str], limit: int
) -> list[tuple[tuple[str | None, ...], int]]:
    """The most frequent values of the fields `names` together among the events `found`, as `combinations` has them.

    Raises:
        ValueError: `limit` is negative.
    """
    refuse_negative(limit)
    totals = Counter[tuple[str | None, ...]]()
    async for event in found:
        values = (getattr(event, name) for name in names)
        totals[tuple(None if value is None else str(value) for value in values)] += 1
    return _most_frequent(totals, limit)


def _most_frequent(
    totals: Counter[tuple[str | None, ...]], limit: int
) -> list[tuple[tuple[str | None, ...], int]]:
    found = [(values, total) for values, total in totals.items() if total]
    return sorted(found, key=lambda item: (-item[1], *(value or "" for value in item[0])))[:limit]


def restricted(chosen: EventFilter, since: datetime, until: datetime | None) -> EventFilter:
    """The events of `chosen` in the minutes from `since` up to and with `until`.

    Raises:
        ValueError: `since` or `until` has no zone.
    """
    minutes = Minutes.between(since, until)
    first, end = chosen.since, chosen.until
    if minutes.first is not None:
        start = start_of(minutes.first)
        first = start if first is None else max(first, start)
    if minutes.last is not None:
        last = start_of(minutes.last)
        end = last if end is None else min(end, last)
    return replace(chosen, since=first, until=end)


async def _scanned_count(connection: AsyncConnection, chosen: EventFilter) -> int:
    statement = select(func.count()).select_from(events)
    statement = statement.where(*scan_conditions(chosen, connection.dialect.name))
    return (await connection.execute(statement)).scalar_one()
