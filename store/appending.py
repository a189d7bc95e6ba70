"""Appending events: positions in the order of commits, each id once, counted in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.engines import json_text
from store.event import Event
from store.event_rows import insert_events
from store.tables import event_head, events

_ID_CHUNK = 500
"""Ids in one statement: well below what any of the databases takes."""
_KNOWN_IN_SQLITE = "SELECT id FROM events WHERE id IN (SELECT value FROM json_each(?))"
_WRITTEN = select(func.coalesce(func.max(events.c.position), 0)).scalar_subquery()
"""The last position in the table. Something else may have written events without asking for one."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did: the new events with their positions, and how many were in the table already.

    `epoch` is the one that the commit belongs to, by which counters are flushed.
    """

    events: list[Event]
    duplicates: int
    epoch: int = 0


async def append(connection: AsyncConnection, batch: Sequence[Event]) -> Appended:
    """Store `batch` and its rollups. An id that is stored already is left alone, and takes no position."""
    unique: dict[UUID, Event] = {}
    for event in batch:
        unique.setdefault(event.id, event)
    if not unique:
        return Appended([], 0)
    last, epoch = await _advance(connection, len(unique))
    first = last - len(unique) + 1
    known = await _known_ids(connection, list(unique))
    new = [event for event in unique.values() if event.id not in known] if known else unique.values()
    stored = [event.at(position) for position, event in enumerate(new, first)]
    if known:
        await _move_head(connection, first + len(stored) - 1)
    if stored:
        await insert_events(connection, stored)
        await rollups.add(connection, stored)
    return Appended(stored, len(batch) - len(stored), epoch)


async def last_position(connection: AsyncConnection) -> int:
    """The position of the latest commit; 0 for a new store."""
    given, written = (await connection.execute(select(event_head.c.position, _WRITTEN))).one()
    return max(given, written)


async def reset(connection: AsyncConnection) -> None:
    """Let positions begin anew."""
    await _move_head(connection, 0)


async def _advance(connection: AsyncConnection, count: int) -> tuple[int, int]:
    """Give out `count` positions; return the last one, and the epoch. Whoever appends next waits for the commit."""
    head = event_head.c.position
    told = (head, _WRITTEN, event_head.c.epoch)
    statement = update(event_head).values(position=head + count)
    if connection.dialect.update_returning:
        last, written, epoch = (await connection.execute(statement.returning(*told))).one()
    else:
        # Not in the statement that takes the lock: MariaDB would look at the events, and lock them, before it
        # has that, and two appenders would wait for each other.
        await connection.execute(statement)
        last, written, epoch = (await connection.execute(select(*told))).one()
    if written > last - count:
        last = written + count
        await _move_head(connection, last)
    return last, epoch


async def _move_head(connection: AsyncConnection, position: int) -> None:
    await connection.execute(update(event_head).values(position=position))


async def _known_ids(connection: AsyncConnection, ids: list[UUID]) -> set[UUID]:
    """Which of `ids` are in the table."""
    if connection.dialect.name == "sqlite":
        # One parameter: a list of them costs more to write down than the ids to look up.
        rows = await connection.exec_driver_sql(_KNOWN_IN_SQLITE, (json_text([key.hex for key in ids]),))
        return {UUID(row[0]) for row in rows}
    known: set[UUID] = set()
    for start in range(0, len(ids), _ID_CHUNK):
        chunk = ids[start : start + _ID_CHUNK]
        known.update((await connection.execute(select(events.c.id).where(events.c.id.in_(chunk)))).scalars())
    return known
