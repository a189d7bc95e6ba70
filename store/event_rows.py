"""Events to rows and back. A row that something else wrote may be no event: it is counted, not raised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row, Select, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event import Event, search_text
from store.tables import events

COLUMNS = [column for column in events.c if column.name != "search_text"]
"""What an event is read from, in the order in which `read_events` expects it."""
_NAMES = [column.name for column in COLUMNS]


async def read_events(
    connection: AsyncConnection, statement: Select[Any], limit: int
) -> tuple[list[Event], int]:
    """`limit` events of `statement`, which selects `COLUMNS`, and how many unreadable rows were passed over.

    There are fewer than `limit` only when `statement` has no more.
    """
    found: list[Event] = []
    unreadable = offset = 0
    while True:
        rows = await _rows(connection, statement.limit(limit).offset(offset))
        for row in rows:
            if len(found) == limit:
                break
            event = _event(row)
            if event is None:
                unreadable += 1
            else:
                found.append(event)
        if len(rows) < limit or len(found) == limit:
            return found, unreadable
        offset += limit


async def _rows(connection: AsyncConnection, statement: Select[Any]) -> Sequence[Row[Any] | None]:
    """The rows of `statement`, None for one with a value that its column cannot hold."""
    try:
        return (await connection.execute(statement)).all()
    except (TypeError, ValueError, OperationalError) as error:
        if not _is_unreadable_value(error):
            raise
    # One such value fails the whole fetch; row by row, it fails its own row.
    rows: list[Row[Any] | None] = []
    for position in (await connection.execute(statement.with_only_columns(events.c.position))).scalars():
        try:
            rows.append(
                (await connection.execute(select(*COLUMNS).where(events.c.position == position))).one()
            )
        except (TypeError, ValueError, OperationalError) as error:
            if not _is_unreadable_value(error):
                raise
            rows.append(None)
    return rows


def _is_unreadable_value(error: Exception) -> bool:
    # SQLite's driver has no exception of its own for text that is not UTF-8.
    return not isinstance(error, OperationalError) or "decode to UTF-8" in str(error.orig)


def _event(row: Row[Any] | None) -> Event | None:
    if row is None:
        return None
    try:
        return Event.model_validate(dict(zip(_NAMES, row, strict=True)))
    except ValidationError:
        return None


def row_of(event: Event) -> dict[str, Any]:
    """The columns of `event`, but for its position, which the store gives."""
    row = dict(event.__dict__)
    del row["position"]
    row["actor_type"] = event.actor_type.value
    row["severity"] = event.severity.value if event.severity else None
    row["search_text"] = search_text(event)
    return row
