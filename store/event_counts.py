"""How many events: from the rollups where they can tell, which costs the same however much is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.event import Event
from store.event_filter import EventFilter
from store.event_rows import refuse_negative
from store.event_selection import Selection, conditions, dated, minute_column
from store.rollups import Minutes
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
        totals.update(await _scanned_histogram(connection, step_minutes, part))
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
    return [(_start(bucket), severity, total) for (bucket, severity), total in ordered if total]


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
    is_counted = rollups.COUNTED.issuperset(names)
    minutes, rest = divided(chosen) if is_counted else (None, [chosen])
    totals = Counter[tuple[str | None, ...]]()
    if minutes is not None:
        totals.update(await rollups.stored_by(connection, names, minutes, chosen))
    for part in rest:
        totals.update(await _scanned_by(connection, names, part, limit if minutes is None else None))
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


def divided(chosen: EventFilter) -> tuple[Minutes | None, list[EventFilter]]:
    """What of `chosen` the rollups can tell, and filters for the rest, which is looked up among the events.

    Together they are all of `chosen`, each event once: its whole minutes, and those that its span covers in part.
    """
    if not chosen.is_counted:
        return None, [chosen]
    first = None if chosen.since is None else _minute_from(chosen.since)
    last = None if chosen.until is None else rollups.minute_of(chosen.until)
    if first is not None and last is not None and first >= last:
        return None, [chosen]
    edges: list[EventFilter] = []
    if chosen.since is not None and first is not None and _start(first) != chosen.since:
        edges.append(replace(chosen, until=_start(first)))
    if chosen.until is not None and last is not None and _start(last) != chosen.until:
        edges.append(replace(chosen, since=_start(last)))
    return Minutes(first, last), edges


def restricted(chosen: EventFilter, since: datetime, until: datetime | None) -> EventFilter:
    """The events of `chosen` in the minutes from `since` up to and with `until`.

    Raises:
        ValueError: `since` or `until` has no zone.
    """
    minutes = Minutes.between(since, until)
    first, end = chosen.since, chosen.until
    if minutes.first is not None:
        start = _start(minutes.first)
        first = start if first is None else max(first, start)
    if minutes.last is not None:
        last = _start(minutes.last)
        end = last if end is None else min(end, last)
    return replace(chosen, since=first, until=end)


async def _scanned_count(connection: AsyncConnection, chosen: EventFilter) -> int:
    statement = select(func.count()).select_from(events)
    statement = statement.where(*scan_conditions(chosen, connection.dialect.name))
    return (await connection.execute(statement)).scalar_one()


async def _scanned_histogram(
    connection: AsyncConnection, step_minutes: int, chosen: EventFilter
) -> dict[tuple[int, str | None], int]:
    dialect = connection.dialect.name
    bucket = rollups.bucket_of(minute_column(dialect), step_minutes).label("bucket")
    statement = select(bucket, events.c.severity, func.count()).where(*scan_conditions(chosen, dialect))
    rows = await connection.execute(statement.group_by(bucket, events.c.severity))
    # A row whose moment is none is in no bucket.
    return {(int(start), severity): total for start, severity, total in rows if start is not None}


async def _scanned_by(
    connection: AsyncConnection, names: Sequence[str], chosen: EventFilter, limit: int | None
) -> Counter[tuple[str | None, ...]]:
    dialect = connection.dialect.name
    columns: list[ColumnElement[Any]] = [events.c[name] for name in names]
    # As bytes, since SQLite's driver refuses text of others that is not UTF-8.
    values = [cast(column, LargeBinary) for column in columns] if dialect == "sqlite" else columns
    # In the order of an index on the column, SQLite would rather walk over all events than look up the latest.
    kinds = columns if chosen.since is None else values
    statement = select(*values, func.count()).where(*scan_conditions(chosen, dialect)).group_by(*kinds)
    # An event that has none comes first among equals; databases do not agree on where NULL belongs.
    order = [part for kind in kinds for part in (kind.is_not(None), kind)]
    statement = statement.order_by(func.count().desc(), *order).limit(limit)
    totals = Counter[tuple[str | None, ...]]()
    for *found, total in await connection.execute(statement):
        totals[tuple(map(_text, found))] += total
    return totals


def _text(value: str | bytes | None) -> str | None:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def scan_conditions(chosen: EventFilter, dialect: str) -> list[ColumnElement[bool]]:
    """What holds for the rows of `chosen`; in a span, only for those that have a date."""
    has_span = chosen.since is not None or chosen.until is not None
    return [*conditions(chosen, dialect), *([dated(dialect)] if has_span else [])]


def _minute_from(moment: datetime) -> int:
    """The first minute that begins at `moment` or later."""
    minute = rollups.minute_of(moment)
    return minute if _start(minute) == moment else minute + 1


def _start(minute: int) -> datetime:
    return _EPOCH + timedelta(minutes=min(minute, _LAST_MINUTE))
