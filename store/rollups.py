"""Events counted by minute and kind: written with the events, read by histograms, facets and rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    case,
    delete,
    false,
    func,
    null,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.visitors import replacement_traverse

from store.adding import adding_to
from store.event import Event
from store.event_filter import EVERY_EVENT, EventFilter
from store.query.sql import where
from store.query.syntax import EVERYTHING
from store.sampling import weight
from store.tables import NO_SEVERITY, event_rollups, events

_CELL = [column.name for column in event_rollups.primary_key]
COUNTED = frozenset({"category", "event_type", "severity"})
"""The fields of an event by which it is counted."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STORED = event_rollups.c.count - event_rollups.c.pruned
_SEVERITY: ColumnElement[str | None] = case(
    (event_rollups.c.severity == NO_SEVERITY, null()), else_=event_rollups.c.severity
)


class RollupCount(NamedTuple):
    """How many events of one kind fell into one minute (counted since 1970, UTC).

    `estimate` is what there was before sampling, a whole number where nothing was left out.
    """

    minute: int
    category: str
    event_type: str
    severity: str | None
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]
    estimate: float


class Minutes(NamedTuple):
    """The minutes from `first` up to and without `last`, counted since 1970, UTC; None is no bound."""

    first: int | None = None
    last: int | None = None

    @classmethod
    def between(cls, since: datetime, until: datetime | None) -> Minutes:
        """From the minute of `since` up to and with that of `until`."""
        return cls(minute_of(since), None if until is None else minute_of(until) + 1)

    @property
    def condition(self) -> ColumnElement[bool]:
        """What holds for the cells of these minutes."""
        minute = event_rollups.c.minute
        return and_(
            true() if self.first is None else minute >= self.first,
            true() if self.last is None else minute < self.last,
        )


class FacetCount(NamedTuple):
    """How many events of one kind there were in a span of time; `estimate` is what there was before sampling."""

    category: str
    event_type: str
    severity: str | None
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]
    estimate: float


def minute_of(moment: datetime) -> int:
    """The minute of `moment`, counted since 1970 in UTC.

    Raises:
        ValueError: `moment` has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone is in no minute")
    # Not by a float, which has no room for the microseconds of every year.
    since = moment - _EPOCH
    return since.days * 1440 + since.seconds // 60


async def add(connection: AsyncConnection, stored: Sequence[Event]) -> None:
    """Add `stored` to the rollups, in the transaction that stores them."""
    cells: dict[tuple[int, str, str, str], tuple[int, float]] = {}
    for event in stored:
        severity = event.severity._value_ if event.severity else NO_SEVERITY
        key = (minute_of(event.inserted_at), event.category, event.event_type, severity)
        count, estimate = cells.get(key, (0, 0.0))
        cells[key] = (count + 1, estimate + weight(event))
    await connection.execute(
        adding_to(event_rollups, connection.dialect.name, ("count", "estimate")),
        [
            {**dict(zip(_CELL, key, strict=True)), "count": count, "estimate": estimate}
            # In one order in every transaction, so that two of them never wait for each other.
            for key, (count, estimate) in sorted(cells.items())
        ],
    )


async def mark_pruned(connection: AsyncConnection, gone: FromClause) -> None:
    """Count events as pruned, in the transaction that deletes them.

    `gone` has the columns of a cell's key and `number`, how many of its events there are. No more are counted than
    were recorded: rows that something else wrote are in no cell.
    """
    rollup, pruned = event_rollups.c, event_rollups.c.pruned + gone.c.number
    await connection.execute(
        update(event_rollups)
        .where(*(rollup[name] == gone.c[name] for name in _CELL))
        .values(pruned=case((pruned < rollup.count, pruned), else_=rollup.count))
    )


async def clear(connection: AsyncConnection) -> None:
    """Delete all counts."""
    await connection.execute(delete(event_rollups))


async def minute_counts(connection: AsyncConnection, since: datetime) -> list[RollupCount]:
    """All counts from the minute of `since` on, in no order."""
    rollup = event_rollups.c
    columns = (rollup.minute, rollup.category, rollup.event_type, _SEVERITY, rollup.count, rollup.estimate)
    rows = await connection.execute(select(*columns).where(Minutes.between(since, None).condition))
    return [RollupCount(*row) for row in rows]


async def facet_counts(
    connection: AsyncConnection, since: datetime, until: datetime | None, chosen: EventFilter = EVERY_EVENT
) -> list[FacetCount]:
    """Events by category, type and severity in the minutes from `since` up to and with `until`."""
    kinds = (event_rollups.c.category, event_rollups.c.event_type, event_rollups.c.severity)
    totals = (func.sum(event_rollups.c.count), func.sum(event_rollups.c.estimate))
    minutes = Minutes.between(since, until)
    statement = (
        select(*kinds, *totals).where(minutes.condition, matching(chosen, connection)).group_by(*kinds)
    )
    return [
        FacetCount(category, event_type, severity or None, int(count), float(estimate))
        for category, event_type, severity, count, estimate in await connection.execute(statement)
    ]


async def histogram(
    connection: AsyncConnection,
    minutes: Minutes,
    step_minutes: int,
    chosen: EventFilter,
    *,
    pruned: bool,
    estimated: bool = False,
) -> dict[tuple[int, str | None], int]:
    """Events of `minutes` by the first minute of their bucket of `step_minutes`, and by severity.

    They are what is stored, with `pruned` what was recorded, and with `estimated` as well what there was before
    sampling, rounded. Empty buckets may be left out.
    """
    bucket = bucket_of(event_rollups.c.minute, step_minutes).label("bucket")
    recorded = event_rollups.c.estimate if estimated else event_rollups.c.count
    total = func.sum(recorded if pruned else _STORED)
    statement = (
        select(bucket, event_rollups.c.severity, total)
        .where(minutes.condition, matching(chosen, connection))
        .group_by(bucket, event_rollups.c.severity)
    )
    rows = await connection.execute(statement)
    return {(int(start), severity or None): round(count) for start, severity, count in rows}


def bucket_of(minute: ColumnElement[Any], step_minutes: int) -> ColumnElement[Any]:
    """The first minute of the bucket that `minute` falls into; NULL where that is NULL."""
    # The remainder has the sign of the minute, which is negative before 1970.
    return minute - (minute % step_minutes + step_minutes) % step_minutes


async def stored_count(connection: AsyncConnection, minutes: Minutes, chosen: EventFilter) -> int:
    """How many events that match `chosen` are stored of `minutes`."""
    statement = select(func.coalesce(func.sum(_STORED), 0))
    statement = statement.where(minutes.condition, matching(chosen, connection))
    return int((await connection.execute(statement)).scalar_one())


async def stored_by(
    connection: AsyncConnection,
    names: Sequence[str],
    minutes: Minutes,
    chosen: EventFilter,
    step_minutes: int | None = None,
) -> list[tuple[tuple[str | None, ...], int | None, int]]:
    """How many events that match `chosen` are stored of `minutes`, by the values of the counted fields `names`.

    They come as (values, first minute of a bucket of `step_minutes` when there is one, number).
    """
    columns: list[ColumnElement[Any]] = [event_rollups.c[name] for name in names]
    if step_minutes is not None:
        columns.append(bucket_of(event_rollups.c.minute, step_minutes).label("bucket"))
    statement = select(*columns, func.sum(_STORED)).where(minutes.condition, matching(chosen, connection))
    told: list[tuple[tuple[str | None, ...], int | None, int]] = []
    for *cells, total in await connection.execute(statement.group_by(*columns)):
        minute = None if step_minutes is None else int(cells.pop())
        # No severity is the empty text there.
        told.append((tuple(value or None for value in cells), minute, int(total)))
    return told


async def known_types(connection: AsyncConnection) -> list[str]:
    """Every event type that was ever stored, by name."""
    return sorted((await connection.execute(select(event_rollups.c.event_type).distinct())).scalars())


def matching(chosen: EventFilter, connection: AsyncConnection) -> ColumnElement[bool]:
    """The condition on cells that holds for the events of `chosen`, which must be counted (`is_counted`)."""
    if chosen.is_impossible:
        return false()
    conditions = [event_rollups.c[name] == value for name, value in chosen.exact.items()]
    if chosen.node != EVERYTHING:
        conditions.append(_of_cells(where(chosen.node, connection.dialect.name)))
    return and_(true(), *conditions)


def _of_cells(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition on events as one on the cells that count them."""
    columns: dict[Any, Any] = {
        events.c.category: event_rollups.c.category,
        events.c.event_type: event_rollups.c.event_type,
        events.c.severity: _SEVERITY,
    }
    return replacement_traverse(condition, {}, lambda element, **_: columns.get(element))
