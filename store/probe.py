"""What this program may do with a store, and whether their clocks agree. Nothing is changed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from store.database import Database
from store.server_clock import server_clock
from store.tables import event_head


class _TakenBackError(Exception):
    """Ends a transaction that was only a try."""


async def try_writing(database: Database) -> None:
    """Do what every append begins with, and take it back. The schema must be up to date.

    Raises:
        StoreUnavailableError: it may not be written, or the database failed; `ONLY_READING` tells which.
    """
    with suppress(_TakenBackError):
        async with database.write() as connection:
            await connection.execute(update(event_head).values(position=event_head.c.position))
            raise _TakenBackError


async def clock_ahead(database: Database) -> timedelta | None:
    """How far the clock of the server is ahead of ours; None for a store that goes by ours.

    Raises:
        StoreUnavailableError: the database failed.
    """
    async with database.read() as connection:
        asked = datetime.now(UTC)
        moment = await server_clock(connection)
        answered = datetime.now(UTC)
    return None if moment is None else moment - (asked + (answered - asked) / 2)
