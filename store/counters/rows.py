"""The rows of counters: how far events were counted, what is in the table, what stored events add."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Text,
    cast,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.adding import adding_to
from store.counters.tally import CounterKey, added
from store.raw_values import raw, text_of
from store.sampling import KEPT_SHARE, whole_weight_of
from store.tables import counter_head, event_head, events, resource_counters
from store.taxonomy import Taxonomy

KEY = [column.name for column in resource_counters.primary_key]
_KEYS_AT_ONCE = 300


class Head(NamedTuple):
    """How far events were counted.

    All up to `position` are in the table. `counted` is the epoch that is being counted, which ends with the position
    `last`; `epoch` is the one that is recorded in.
    """

    position: int
    counted: int
    last: int
    epoch: int

    @property
    def is_complete(self) -> bool:
        """Whether the table has all that was recorded before the present epoch."""
        return self.position >= self.last


class CountingRow(NamedTuple):
    """An event that counts, as it is stored; bytes that are not UTF-8 are escaped."""

    position: int
    event_type: str
    resource_type: str
    resource_id: str
    metadata: str
    id: str


class Part(NamedTuple):
    """What some events add, up to and with the position `end`; `rows` is how many were looked at."""

    end: int
    totals: Counter[CounterKey]
    rows: int


async def head_of(connection: AsyncConnection, *, lock: bool = False) -> Head:
    """How far events were counted. With `lock`, nobody else moves it until the end of the transaction."""
    head, counted = event_head.c, counter_head.c
    statement = select(counted.position, counted.epoch, counted.last)
    if lock and connection.dialect.name != "sqlite":
        statement = statement.with_for_update()
    position, epoch, last = (await connection.execute(statement)).one()
    return Head(position, epoch, last, (await connection.execute(select(head.epoch))).scalar_one())


async def values_of(
    connection: AsyncConnection, keys: Sequence[CounterKey]
) -> dict[CounterKey, tuple[int, int]]:
    """What the table has of `keys`: the value, and how much of it events had that were pruned since."""
    found: dict[CounterKey, tuple[int, int]] = {}
    columns = resource_counters.c
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        wanted = set(keys[start : start + _KEYS_AT_ONCE])
        # By the ids alone, which every database looks up in its index; what else has them is left out here.
        statement = select(*(columns[name] for name in KEY), columns.value, columns.pruned).where(
            columns.resource_type.in_({key.resource_type for key in wanted}),
            columns.resource_id.in_({key.resource_id for key in wanted}),
        )
        for names, value, pruned in map(value_row, await connection.execute(statement)):
            if names in wanted:
                found[names] = (value, pruned)
    return found


def value_row(row: Row[Any]) -> tuple[CounterKey, int, int]:
    """A counter, its value, and how much of that pruned events had."""
    cells: tuple[Any, ...] = tuple(row)
    return CounterKey(*cells[:3]), int(cells[3]), int(cells[4])


async def add_to(connection: AsyncConnection, totals: Mapping[CounterKey, int], *columns: str) -> None:
    """Add to `columns` of counters, those that are not there yet included."""
    if not totals:
        return
    rows = [
        {**dict(zip(KEY, key, strict=True)), "value": 0, "pruned": 0} | dict.fromkeys(columns, total)
        # In one order in every transaction, so that two of them never wait for each other.
        for key, total in sorted(totals.items())
    ]
    await connection.execute(adding_to(resource_counters, connection.dialect.name, columns), rows)


async def counted_between(
    connection: AsyncConnection, taxonomy: Taxonomy, after: int, last: int, limit: int
) -> Part:
    """What the events behind the position `after` add, up to and with `last`, `limit` of those that count at most."""
    conditions = (events.c.position > after, events.c.position <= last)
    rows = await counting_rows(connection, taxonomy, conditions, limit=limit)
    end = last if len(rows) < limit else rows[-1].position
    return Part(end, tallied(rows, taxonomy), len(rows))


async def counting_rows(
    connection: AsyncConnection,
    taxonomy: Taxonomy,
    conditions: Sequence[ColumnElement[bool]],
    *,
    table: FromClause = events,
    limit: int | None = None,
) -> Sequence[CountingRow]:
    """The rows of events of `table` that count by `taxonomy` and for which `conditions` hold; with `limit`, the first.

    Each value is as it is stored: nothing that something else wrote keeps the rest from being counted.
    """
    if not taxonomy.counting:
        return ()
    dialect, event = connection.dialect.name, table.c
    texts = (event.event_type, event.resource_type, event.resource_id, event.metadata, event.id)
    statement = select(event.position, *(_stored(column, dialect) for column in texts)).where(
        *conditions,
        event.event_type.in_(taxonomy.counting),
        event.resource_type.is_not(None),
        event.resource_id.is_not(None),
    )
    if limit is not None:
        statement = statement.order_by(event.position).limit(limit)
    return [
        CountingRow(int(position), *map(text_of, cells))
        for position, *cells in await connection.execute(statement)
    ]


def of_resource(key: CounterKey, table: FromClause = events) -> tuple[ColumnElement[bool], ...]:
    """The condition on events of `table` that they are about the resource of `key`."""
    return table.c.resource_type == key.resource_type, table.c.resource_id == key.resource_id


def _stored(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """`column` as it is stored: as text also where PostgreSQL has another type for it."""
    if dialect == "postgresql" and column.key in {"metadata", "id"}:
        return cast(column, Text)
    return raw(column, dialect)


def tallied(rows: Iterable[CountingRow], taxonomy: Taxonomy) -> Counter[CounterKey]:
    """What `rows` add to counters."""
    counting = taxonomy.counting
    totals: Counter[CounterKey] = Counter()
    for row in rows:
        declared = counting.get(row.event_type, ())
        metadata: Mapping[str, Any] = {}
        text, times = row.metadata, 1
        # Most events count by one, whatever else they say.
        if any(isinstance(by, str) for _, by in declared):
            metadata = _object(text)
        if KEPT_SHARE in text:
            times = _times(row.id, metadata or _object(text))
        for counter, by in declared:
            totals[CounterKey(row.resource_type, row.resource_id, counter)] += added(by, metadata) * times
    return Counter({key: total for key, total in totals.items() if total})


def _times(identifier: str, metadata: Mapping[str, Any]) -> int:
    if KEPT_SHARE not in metadata:
        return 1
    try:
        return whole_weight_of(UUID(identifier), metadata)
    except ValueError:
        return 1


def _object(text: str) -> Mapping[str, Any]:
    """The JSON object in `text`; an empty one for what something else wrote there."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]
