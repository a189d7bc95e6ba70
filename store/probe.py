"""What this program may do with a store, and whether their clocks agree. Nothing is changed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import text, update

from store.database import Database
from store.tables import event_head

_NOW = {"postgresql": "SELECT clock_timestamp()", "mariadb": "SELECT UTC_TIMESTAMP(6)"}


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
    statement = _NOW.get(database.dialect)
    if statement is None:
        return None
    async with database.read() as connection:
        asked = datetime.now(UTC)
        told: datetime = (await connection.execute(text(statement))).scalar_one()
        answered = datetime.now(UTC)
    # MariaDB's has no zone.
    moment = told.replace(tzinfo=UTC) if told.tzinfo is None else told
    return moment - (asked + (answered - asked) / 2)
