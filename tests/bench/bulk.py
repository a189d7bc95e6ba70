"""Filling a store with millions of events, past the repository: rows as it writes them, and the indexes at the end."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import Dialect, make_url
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.schema import CreateIndex, DropIndex

from store.event_rows import RowWriter
from store.rollups import minute_of
from store.tables import event_rollups, events
from tests.bench.figure import progress
from tests.bench.traffic import Traffic

CHUNK = 20_000
_NAMES = [column.name for column in events.c]
_CELLS = [column.name for column in event_rollups.c]
Row = tuple[Any, ...]
Cells = Counter[tuple[int, str, str, str]]


async def fill(url: str, size: int, start: datetime, end: datetime) -> None:
    """Store `size` events, evenly over the time from `start` to `end`, into an empty, migrated store."""
    if url.startswith("sqlite"):
        _fill_sqlite(url, size, start, end)
    else:
        await _fill_postgresql(url, size, start, end)


def _fill_sqlite(url: str, size: int, start: datetime, end: datetime) -> None:
    dialect, cells = SQLiteDialect_aiosqlite(), Cells()
    with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for statement in _index_statements(DropIndex, dialect):
            connection.execute(statement)
        writer = RowWriter(dialect)
        for rows in _rows(writer, dialect, size, start, end, cells):
            connection.executemany(writer.statement, rows)
        for statement in _index_statements(CreateIndex, dialect):
            connection.execute(statement)
        places = ", ".join("?" * len(_CELLS))
        connection.executemany(f"INSERT INTO event_rollups VALUES ({places})", _cell_rows(cells))
        connection.execute("UPDATE event_head SET position = ?", (size,))
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _fill_postgresql(url: str, size: int, start: datetime, end: datetime) -> None:
    dialect, cells = PGDialect_asyncpg(), Cells()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '256MB'")
        for statement in _index_statements(DropIndex, dialect):
            await connection.execute(statement)
        for rows in _rows(RowWriter(dialect), dialect, size, start, end, cells):
            await connection.copy_records_to_table("events", records=rows, columns=_NAMES)
        for statement in _index_statements(CreateIndex, dialect):
            await connection.execute(statement)
        await connection.copy_records_to_table("event_rollups", records=_cell_rows(cells), columns=_CELLS)
        await connection.execute("UPDATE event_head SET position = $1", size)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _index_statements(action: type[CreateIndex] | type[DropIndex], dialect: Dialect) -> list[str]:
    return [str(action(index).compile(dialect=dialect)) for index in events.indexes]


def _rows(
    writer: RowWriter, dialect: Dialect, size: int, start: datetime, end: datetime, cells: Cells
) -> Iterator[list[Row]]:
    """The rows in order of time, in chunks. `cells` are counted along the way."""
    traffic, draw = Traffic(seed=size), random.Random(size)
    step = (end - start) / size
    convert = events.c.inserted_at.type.dialect_impl(dialect).bind_processor(dialect)
    assert convert is not None
    identify = events.c.id.type.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)
    position, identifier, time = (_NAMES.index(name) for name in ("position", "id", "inserted_at"))
    templates = [traffic.event(start).at(1) for _ in range(2_000)]
    kinds = [(event.category, event.event_type, event.severity or "") for event in templates]
    prepared = [list(row) for row in writer.parameters(templates)]
    for first in range(0, size, CHUNK):
        rows: list[Row] = []
        for number in range(first, min(first + CHUNK, size)):
            moment = start + step * number + timedelta(microseconds=draw.randrange(1000))
            chosen = draw.randrange(len(prepared))
            row = prepared[chosen]
            row[position], row[time] = number + 1, convert(moment)
            row[identifier] = identify(traffic.identifier(moment))
            rows.append(tuple(row))
            cells[minute_of(moment), *kinds[chosen]] += 1
        yield rows
        if (first + CHUNK) % 1_000_000 == 0:
            progress(f"{dialect.name}: {first + CHUNK:,} of {size:,} rows")


def _cell_rows(cells: Cells) -> list[Row]:
    return [(*key, count, float(count), 0) for key, count in sorted(cells.items())]
