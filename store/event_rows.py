"""Events to rows and back. A row that something else wrote may be no event: it is counted, not raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Dialect, Row, Select, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event import Event, search_text
from store.tables import events
from store.wire import validation_reason

COLUMNS = [column for column in events.c if column.name != "search_text"]
"""What an event is read from, in the order in which `read_events` expects it."""
_UNREADABLE = (TypeError, ValueError, OverflowError, OperationalError)
"""What drivers raise for a value that Python, or its column, cannot hold."""
ROWS_IN_A_ROW = 200
"""Rows made into events, at about 10 µs each, before the event loop gets a turn: keys may wait for it."""
_NAMES = [column.name for column in COLUMNS]
_INSERTED = [column.name for column in events.c]


class UnreadableRow(NamedTuple):
    """A row that is no event, and why: one line of safe characters."""

    position: int
    reason: str


async def read_events(
    connection: AsyncConnection, statement: Select[Any], limit: int
) -> tuple[list[Event], int]:
    """`limit` events of `statement`, which selects `COLUMNS`, and how many unreadable rows were passed over.

    There are fewer than `limit` only when `statement` has no more.

    Raises:
        ValueError: `limit` is negative.
    """
    refuse_negative(limit)
    found: list[Event] = []
    unreadable = offset = 0
    while True:
        rows = await _rows(connection, statement.limit(limit).offset(offset))
        for number, row in enumerate(rows, 1):
            if len(found) == limit:
                break
            if number % ROWS_IN_A_ROW == 0:
                await asyncio.sleep(0)
            event = _event(row)
            if isinstance(event, Event):
                found.append(event)
            else:
                unreadable += 1
        if len(rows) < limit or len(found) == limit:
            return found, unreadable
        offset += limit


async def read_unreadable(
    connection: AsyncConnection, before: int | None, limit: int
) -> tuple[list[UnreadableRow], int | None]:
    """The unreadable ones of the `limit` rows before the position `before`, or of the last ones. Latest first.

    Returns:
        Them, and the position to go on from; None when there are no rows before it.
    """
    statement = select(*COLUMNS).order_by(events.c.position.desc()).limit(limit)
    if before is not None:
        statement = statement.where(events.c.position < before)
    rows = await _rows(connection, statement)
    found = [row for row in map(_event, rows) if isinstance(row, UnreadableRow)]
    return found, rows[-1].position if rows and len(rows) == limit else None


def refuse_negative(limit: int) -> None:
    """Databases do not agree on what a negative limit means: none at all for SQLite, an error for the others.

    Raises:
        ValueError: `limit` is negative.
    """
    if limit < 0:
        raise ValueError("limit must not be negative")


async def _rows(connection: AsyncConnection, statement: Select[Any]) -> Sequence[Row[Any] | UnreadableRow]:
    """The rows of `statement`; one with a value that its column cannot hold is known by its position alone."""
    try:
        return (await connection.execute(statement)).all()
    except _UNREADABLE as error:
        if not _is_unreadable_value(error):
            raise
    # One such value fails the whole fetch; row by row, it fails its own row.
    rows: list[Row[Any] | UnreadableRow] = []
    for position in (await connection.execute(statement.with_only_columns(events.c.position))).scalars():
        try:
            rows.append(
                (await connection.execute(select(*COLUMNS).where(events.c.position == position))).one()
            )
        except _UNREADABLE as error:
            if not _is_unreadable_value(error):
                raise
            rows.append(UnreadableRow(position, "a value that its column cannot hold"))
    return rows


def _is_unreadable_value(error: Exception) -> bool:
    # SQLite's driver has no exception of its own for text that is not UTF-8.
    return not isinstance(error, OperationalError) or "decode to UTF-8" in str(error.orig)


def _event(row: Row[Any] | UnreadableRow) -> Event | UnreadableRow:
    if isinstance(row, UnreadableRow):
        return row
    try:
        return Event.model_validate(dict(zip(_NAMES, row, strict=True)))
    except ValidationError as error:
        return UnreadableRow(row.position, validation_reason(error))


def _converter(name: str, dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes of a value of this column what the driver takes; None when it takes it as it is."""
    if dialect.name == "sqlite" and name == "inserted_at":
        # What SQLAlchemy writes, which is UTC without its name, at a quarter of the time.
        return _sqlite_moment
    return events.c[name].type.dialect_impl(dialect).bind_processor(dialect)


def _sqlite_moment(moment: datetime) -> str:
    return moment.isoformat(" ", "microseconds")[:26]


class RowWriter:
    """Events as parameters of one INSERT, converted as SQLAlchemy does for this dialect, at a third of its cost.

    It converts every column of every row of a batch by name; here, only those are touched that need it.
    """

    def __init__(self, dialect: Dialect) -> None:
        compiled = insert(events).compile(dialect=dialect, column_keys=_INSERTED)
        self.statement = str(compiled)
        """The INSERT, in the driver's parameter style."""
        self._values = itemgetter(*_INSERTED)
        self._converters = [
            (name, convert) for name in _INSERTED if (convert := _converter(name, dialect)) is not None
        ]

    def parameters(self, batch: Sequence[Event]) -> list[tuple[Any, ...]]:
        """One tuple for each event, in the order of the statement's parameters."""
        rows: list[tuple[Any, ...]] = []
        for event in batch:
            row = dict(event.__dict__)
            row["actor_type"] = event.actor_type._value_
            row["severity"] = event.severity._value_ if event.severity else None
            row["search_text"] = search_text(event)
            for name, convert in self._converters:
                row[name] = convert(row[name])
            rows.append(self._values(row))
        return rows


_writers: dict[str, RowWriter] = {}


async def insert_events(connection: AsyncConnection, batch: Sequence[Event]) -> None:
    """Insert `batch`, whose events have their positions."""
    dialect = connection.dialect
    writer = _writers.get(dialect.name)
    if writer is None:
        writer = _writers[dialect.name] = RowWriter(dialect)
    await connection.exec_driver_sql(writer.statement, writer.parameters(batch))
