"""Events counted by several fields at once: from the rollups where they can tell, else among the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, LargeBinary, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.event import Event
from store.event_counts import divided, scan_conditions
from store.event_filter import EventFilter
from store.event_rows import refuse_negative
from store.event_selection import minute_column
from store.rollups import Minutes
from store.tables import event_rollups, events

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER = 15
"""Minutes of which every zone's offset has been a multiple since 1972."""


class GroupField(StrEnum):
    """What events are counted by: a field as queries name it, or a span of time.

    `ACTOR` and `RESOURCE` are written as pairs; of resources, the primary one is meant.
    """

    CATEGORY = "category"
    TYPE = "type"
    SEVERITY = "severity"
    STATUS = "status"
    ACTOR = "actor"
    ACTOR_TYPE = "actor_type"
    ACTOR_ID = "actor_id"
    RESOURCE = "resource"
    RESOURCE_TYPE = "resource_type"
    RESOURCE_ID = "resource_id"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


_STEPS = {GroupField.MINUTE: 1, GroupField.HOUR: 60, GroupField.DAY: 1440}
_COLUMNS: dict[GroupField, tuple[str, ...]] = {
    **{field: (str(field),) for field in GroupField if field not in _STEPS},
    GroupField.TYPE: ("event_type",),
    GroupField.ACTOR: ("actor_type", "actor_id"),
    GroupField.RESOURCE: ("resource_type", "resource_id"),
}
_SEPARATORS = {GroupField.ACTOR: ":", GroupField.RESOURCE: "/"}
Value = str | datetime | date | None
"""Text; the UTC moment at which a minute or an hour begins; a day of the zone; None where an event has no value."""


class Group(NamedTuple):
    """How many events have these values, one for each field in the order in which they were asked for."""

    values: tuple[Value, ...]
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]


def refuse_senseless(by: Sequence[GroupField]) -> None:
    """Check that events can be counted by these fields.

    Raises:
        ValueError: there are none, one comes twice, or there is more than one span of time.
    """
    if not by:
        raise ValueError("no field to count by")
    if len(set(by)) < len(by):
        raise ValueError("a field to count by comes twice")
    if len([field for field in by if field in _STEPS]) > 1:
        raise ValueError("minute, hour and day exclude each other")


class GroupCounts:
    """Counts events that are handed to it one by one: what `grouped` tells of those in the store."""

    def __init__(self, by: Sequence[GroupField], zone: tzinfo | None = UTC) -> None:
        refuse_senseless(by)
        self._by = tuple(by)
        self._zone = zone
        self._totals = Counter[tuple[Value, ...]]()

    def add(self, event: Event) -> None:
        """Count `event`."""
        texts = [None if (value := getattr(event, name)) is None else str(value) for name in _names(self._by)]
        self._totals[_values(self._by, texts, rollups.minute_of(event.inserted_at), self._zone)] += 1

    def ordered(self, limit: int) -> list[Group]:
        """As `grouped` orders them."""
        return _ordered(self._by, self._totals, limit)


async def grouped(
    connection: AsyncConnection,
    by: Sequence[GroupField],
    chosen: EventFilter,
    limit: int,
    zone: tzinfo | None = UTC,
) -> list[Group]:
    """The stored events of `chosen` counted by `by`: the `limit` most frequent groups, ties by their values.

    With a span of time among `by`, the latest groups, oldest first. Hours and days are those of `zone`; None is the
    local one.

    Raises:
        ValueError: the fields make no sense together, or `limit` is negative.
    """
    refuse_senseless(by)
    refuse_negative(limit)
    names, span = _names(by), next((field for field in by if field in _STEPS), None)
    step = None if span is None else _STEPS[span] if zone is UTC else min(_STEPS[span], _QUARTER)
    minutes, rest = divided(chosen) if rollups.COUNTED.issuperset(names) else (None, [chosen])
    found: list[tuple[list[str | None], int | None, int]] = []
    if minutes is not None:
        found += await _from_rollups(connection, names, step, minutes, chosen)
    for part in rest:
        # Only groups that nothing is added to any more may be cut off by the database.
        most = limit if minutes is None and step is None else None
        found += await _from_events(connection, names, step, part, most)
    totals = Counter[tuple[Value, ...]]()
    for texts, minute, number in found:
        if number and (step is None or minute is not None):
            totals[_values(by, texts, minute, zone)] += number
    return _ordered(by, totals, limit)


def _names(by: Sequence[GroupField]) -> list[str]:
    return [name for field in by for name in _COLUMNS.get(field, ())]


async def _from_rollups(
    connection: AsyncConnection, names: list[str], step: int | None, minutes: Minutes, chosen: EventFilter
) -> list[tuple[list[str | None], int | None, int]]:
    columns: list[ColumnElement[Any]] = [event_rollups.c[name] for name in names]
    if step is not None:
        columns.append(rollups.bucket_of(event_rollups.c.minute, step).label("bucket"))
    total = func.sum(event_rollups.c.count - event_rollups.c.pruned)
    statement = select(*columns, total).where(minutes.condition, rollups.matching(chosen, connection))
    rows = await connection.execute(statement.group_by(*columns))
    # No severity is the empty text there.
    return [_row([text or None for text in row[: len(names)]], row, step) for row in rows]


async def _from_events(
    connection: AsyncConnection, names: list[str], step: int | None, chosen: EventFilter, limit: int | None
) -> list[tuple[list[str | None], int | None, int]]:
    dialect = connection.dialect.name
    columns: list[ColumnElement[Any]] = [events.c[name] for name in names]
    # As bytes, since SQLite's driver refuses text of others that is not UTF-8.
    shown = [cast(column, LargeBinary) for column in columns] if dialect == "sqlite" else columns
    # In the order of an index on a column, SQLite would rather walk over all events than look up the latest.
    kinds = list(columns) if chosen.since is None else list(shown)
    if step is not None:
        bucket = rollups.bucket_of(minute_column(dialect), step).label("bucket")
        shown, kinds = [*shown, bucket], [*kinds, bucket]
    statement = select(*shown, func.count()).where(*scan_conditions(chosen, dialect)).group_by(*kinds)
    if limit is not None:
        # Databases do not agree on where NULL belongs.
        ties = [order for kind in kinds for order in (kind.is_not(None), kind)]
        statement = statement.order_by(func.count().desc(), *ties).limit(limit)
    rows = await connection.execute(statement)
    return [_row([_text(value) for value in row[: len(names)]], row, step) for row in rows]


def _row(texts: list[str | None], row: Any, step: int | None) -> tuple[list[str | None], int | None, int]:
    minute = None if step is None or row[-2] is None else int(row[-2])
    return texts, minute, int(row[-1])


def _text(value: Any) -> str | None:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _values(
    by: Sequence[GroupField], texts: Sequence[str | None], minute: int | None, zone: tzinfo | None
) -> tuple[Value, ...]:
    """One value a field, of the values of the columns and the minute since 1970."""
    left = iter(texts)
    values: list[Value] = []
    for field in by:
        if field in _STEPS:
            values.append(_begin(field, minute or 0, zone))
            continue
        parts = [next(left) for _ in _COLUMNS[field]]
        present = [part for part in parts if part is not None]
        values.append(_SEPARATORS.get(field, "").join(present) if present else None)
    return tuple(values)


def _begin(field: GroupField, minute: int, zone: tzinfo | None) -> datetime | date:
    moment = _EPOCH + timedelta(minutes=minute)
    if field is GroupField.MINUTE:
        return moment
    local = moment.astimezone(zone)
    # In UTC again, where an hour that a clock goes through twice is two.
    return local.date() if field is GroupField.DAY else moment - timedelta(minutes=local.minute)


def _ordered(by: Sequence[GroupField], totals: Counter[tuple[Value, ...]], limit: int) -> list[Group]:
    place = next((place for place, field in enumerate(by) if field in _STEPS), None)
    groups = sorted(
        (Group(values, number) for values, number in totals.items()),
        key=lambda group: (-group.count, [str(value or "") for value in group.values]),
    )
    if place is None:
        return groups[:limit]
    groups.sort(key=lambda group: str(group.values[place]))
    return groups[-limit:] if limit else []
