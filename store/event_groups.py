"""Events counted by several fields at once: from the rollups where they can tell, else among the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.event import Event
from store.event_filter import EventFilter
from store.event_rows import refuse_negative
from store.event_tallies import tallied

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
    totals = Counter[tuple[Value, ...]]()
    for texts, minute, number in await tallied(connection, names, chosen, limit, step):
        if number and (step is None or minute is not None):
            totals[_values(by, texts, minute, zone)] += number
    return _ordered(by, totals, limit)


def _names(by: Sequence[GroupField]) -> list[str]:
    return [name for field in by for name in _COLUMNS.get(field, ())]


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
