"""Stored events counted by columns and by spans of minutes: by the rollups where they can tell, else among the events.

What `event_counts` and `event_groups` tell is put together from this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, LargeBinary, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.event_filter import EventFilter
from store.event_selection import conditions, dated, minute_column
from store.rollups import Minutes
from store.tables import events

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MINUTE = rollups.minute_of(datetime.max.replace(tzinfo=UTC))


class Tally(NamedTuple):
    """How many events have these values, in the order of their columns, and happened in the bucket that begins there.

    `minute` counts since 1970; None where no buckets were asked for, and for a row whose moment is none.
    """

    values: tuple[str | None, ...]
    minute: int | None
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]


async def tallied(
    connection: AsyncConnection,
    names: Sequence[str],
    chosen: EventFilter,
    limit: int,
    step_minutes: int | None = None,
) -> list[Tally]:
    """The events of `chosen` by the columns of text `names`, and by buckets of `step_minutes`, in no order.

    The same values may come more than once, to be summed up. At least the `limit` most frequent ones are there, ties by
    the values; all of them with buckets.
    """
    minutes, rest = divided(chosen) if rollups.COUNTED.issuperset(names) else (None, [chosen])
    found: list[Tally] = []
    if minutes is not None:
        told = await rollups.stored_by(connection, names, minutes, chosen, step_minutes)
        found += [Tally(*tally) for tally in told]
    # Only what nothing is added to any more may be cut off by the database.
    most = limit if minutes is None and step_minutes is None else None
    for part in rest:
        found += await scanned(connection, names, part, most, step_minutes)
    return found


async def scanned(
    connection: AsyncConnection,
    names: Sequence[str],
    chosen: EventFilter,
    limit: int | None = None,
    step_minutes: int | None = None,
) -> list[Tally]:
    """The same, counted among the events alone; with `limit`, the most frequent ones."""
    dialect = connection.dialect.name
    columns: list[ColumnElement[Any]] = [events.c[name] for name in names]
    # As bytes, since SQLite's driver refuses text of others that is not UTF-8.
    shown = [cast(column, LargeBinary) for column in columns] if dialect == "sqlite" else columns
    # In the order of an index on a column, SQLite would rather walk over all events than look up the latest.
    kinds = list(columns if chosen.since is None else shown)
    if step_minutes is not None:
        bucket = rollups.bucket_of(minute_column(dialect), step_minutes).label("bucket")
        shown, kinds = [*shown, bucket], [*kinds, bucket]
    statement = select(*shown, func.count()).where(*scan_conditions(chosen, dialect)).group_by(*kinds)
    if limit is not None:
        # An event that has none comes first among equals; databases do not agree on where NULL belongs.
        ties = [order for kind in kinds for order in (kind.is_not(None), kind)]
        statement = statement.order_by(func.count().desc(), *ties).limit(limit)
    tallies: list[Tally] = []
    for *cells, total in await connection.execute(statement):
        minute = None if step_minutes is None else cells.pop()
        tallies.append(Tally(tuple(map(_text, cells)), None if minute is None else int(minute), total))
    return tallies


def _text(value: str | bytes | None) -> str | None:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


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
    if chosen.since is not None and first is not None and start_of(first) != chosen.since:
        edges.append(replace(chosen, until=start_of(first)))
    if chosen.until is not None and last is not None and start_of(last) != chosen.until:
        edges.append(replace(chosen, since=start_of(last)))
    return Minutes(first, last), edges


def scan_conditions(chosen: EventFilter, dialect: str) -> list[ColumnElement[bool]]:
    """What holds for the rows of `chosen`; in a span, only for those that have a date."""
    has_span = chosen.since is not None or chosen.until is not None
    return [*conditions(chosen, dialect), *([dated(dialect)] if has_span else [])]


def start_of(minute: int) -> datetime:
    """The moment at which a minute begins that is counted since 1970."""
    return _EPOCH + timedelta(minutes=min(minute, _LAST_MINUTE))


def _minute_from(moment: datetime) -> int:
    """The first minute that begins at `moment` or later."""
    minute = rollups.minute_of(moment)
    return minute if start_of(minute) == moment else minute + 1
