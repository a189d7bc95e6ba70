"""What is deleted by age beside the events: their counts by minute, and dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.event_selection import begins_with_date, minute_column
from store.rollups import minute_of
from store.tables import dead_letters, event_rollups, events

_BATCH = 2000


class ExpiredCounts:
    """The cells of the minutes that ended by `before`, for as long as no event of theirs is stored."""

    name = "counts by minute"

    def __init__(self, database: Database, before: datetime) -> None:
        self._database = database
        self._minute = minute_of(before)

    async def count(self) -> int:
        """How many cells there are."""
        statement = select(func.count()).where(event_rollups.c.minute < self._minute)
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalar_one()

    async def batches(self) -> AsyncGenerator[Sequence[int]]:
        """Their minutes, oldest first."""
        minute = event_rollups.c.minute
        found: Sequence[int] = ()
        while not found or len(found) == _BATCH:
            statement = select(minute).where(minute < self._minute).distinct().order_by(minute).limit(_BATCH)
            if found:
                statement = statement.where(minute > found[-1])
            async with self._database.read() as connection:
                found = (await connection.execute(statement)).scalars().all()
            if not found:
                return
            yield found

    async def delete(self, connection: AsyncConnection, minutes: Sequence[int]) -> Counter[str]:
        """Delete the cells of `minutes`, but none that counts a stored event: it came late."""
        minute = event_rollups.c.minute
        oldest = await _oldest_minute(connection)
        statement = delete(event_rollups).where(minute.in_(minutes), minute < self._minute)
        if oldest is not None:
            statement = statement.where(minute < oldest)
        return Counter({self.name: (await connection.execute(statement)).rowcount})


class ExpiredLetters:
    """The dead letters of before `before`."""

    name = "dead letters"

    def __init__(self, database: Database, before: datetime) -> None:
        self._database = database
        failed = dead_letters.c.failed_at
        self._conditions: list[ColumnElement[bool]] = [
            failed < before,
            begins_with_date(failed, database.dialect),
        ]

    async def count(self) -> int:
        """How many there are."""
        statement = select(func.count()).select_from(dead_letters).where(*self._conditions)
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalar_one()

    async def batches(self) -> AsyncGenerator[Sequence[int]]:
        """Their numbers, oldest first. Each batch is to be deleted before the next one is asked for."""
        letter = dead_letters.c
        statement = select(letter.id).where(*self._conditions).order_by(letter.failed_at, letter.id)
        while True:
            async with self._database.read() as connection:
                found = (await connection.execute(statement.limit(_BATCH))).scalars().all()
            if not found:
                return
            yield found

    async def delete(self, connection: AsyncConnection, numbers: Sequence[int]) -> Counter[str]:
        """Delete the letters of these numbers."""
        statement = delete(dead_letters).where(dead_letters.c.id.in_(numbers), *self._conditions)
        return Counter({self.name: (await connection.execute(statement)).rowcount})


async def _oldest_minute(connection: AsyncConnection) -> int | None:
    """The minute of the oldest event; None when there is none."""
    dialect, moment = connection.dialect.name, events.c.inserted_at
    statement = (
        select(minute_column(dialect)).where(begins_with_date(moment, dialect)).order_by(moment, events.c.id)
    )
    oldest = (await connection.execute(statement.limit(1))).scalar()
    return None if oldest is None else int(oldest)
