"""Short write transactions, one after the other, that leave room for whoever else writes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.errors import StoreUnavailableError
from store.tables import event_head

T = TypeVar("T")
Item = TypeVar("Item")
HOLD_SECONDS = 0.01
"""How long a transaction goes on before it commits. A writer of SQLite looks for the lock at growing intervals, of
10 ms at first and then up to 25 (sqlite3.c, sqliteDefaultBusyCallback): it must not miss the pause."""
FIRST_STEP, SHORTEST_STEP, LONGEST_STEP = 50, 25, 500
"""Rows in one statement: what has begun cannot be cut short."""
_LONGEST_PAUSE_SECONDS = 0.25
LOCK_WAIT = "SET LOCAL lock_timeout = '50ms'"
"""Who waits for a whole table of PostgreSQL's keeps everyone else waiting: better to try again."""
TRIES = 5
"""How often a transaction is begun when others have the lock, each time for as long as the database waits for it."""
TABLE_TRIES = 10
"""The same for whole tables, which are waited for for a moment only: until all who append at that time have ended."""
_TABLE_PAUSE_SECONDS = 0.1
_SQLITE_BUSY, _SQLITE_LOCKED = 5, 6
_CONTENDED = frozenset({"40001", "40P01", "55P03", 1020, 1205, 1213})
"""A lock that was not to be had: serialisation, deadlock and lock timeout of PostgreSQL (SQLSTATE) and MariaDB."""
_UNDEFINED_TABLE = "42P01"


class TableLock:
    """Locks tables of PostgreSQL for one transaction. Since it `began` to, others may have to wait."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.began: float | None = None

    async def __call__(self, statement: str) -> None:
        """Run `statement`, which takes a lock; from now on the transaction waits for none for long."""
        if self.began is None:
            self.began = time.monotonic()
        await self._connection.exec_driver_sql(LOCK_WAIT)
        await self._connection.exec_driver_sql(statement)


class ShortTransactions:
    """Runs work in write transactions that are short because they are measured.

    Each takes the lock that appending takes first, so that no two of them ever wait for each other, or whole tables,
    and is followed by a pause as long as it was. `longest` is the longest time from the lock to the end of the
    commit, seconds, in which SQLite may also tidy up its log when the lock is free again; `latest` is that of the last
    one; `count` is how many there were.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._step = FIRST_STEP
        self.longest = 0.0
        self.latest = 0.0
        self.count = 0

    async def run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do `work` in one transaction; again when another one had what it needed.

        Raises:
            StoreUnavailableError: the database failed; nothing of the transaction was stored.
        """
        return await self._tried(lambda: self._once(work), TRIES, HOLD_SECONDS)

    async def run_beside(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do `work` in one transaction, again as `run` does, but let others append meanwhile where they can.

        Raises:
            StoreUnavailableError: the database failed; nothing of the transaction was stored.
        """
        return await self._tried(lambda: self._once_beside(work), TRIES, HOLD_SECONDS)

    async def run_with_tables(self, work: Callable[[AsyncConnection, TableLock], Awaitable[T]]) -> T:
        """Do `work`, which locks whole tables with the `TableLock`, in one transaction; again as `run` does.

        Not while it has the lock that appending takes first: who waits for that one has looked at the table of
        events already, and keeps others from locking it. `work` may take its time before it locks a table.

        Raises:
            StoreUnavailableError: the database failed; nothing of the transaction was stored.
        """
        return await self._tried(lambda: self._once_with_tables(work), TABLE_TRIES, _TABLE_PAUSE_SECONDS)

    async def _tried(self, once: Callable[[], Awaitable[tuple[T, float]]], tries: int, pause: float) -> T:
        for remaining in reversed(range(tries)):
            try:
                result, held = await once()
            except StoreUnavailableError as error:
                if not remaining or not is_contended(error):
                    raise
                await asyncio.sleep(pause)
            else:
                self.count += 1
                self.latest, self.longest = held, max(self.longest, held)
                await asyncio.sleep(min(held, _LONGEST_PAUSE_SECONDS))
                return result
        raise AssertionError("the last try returns or raises")

    async def for_each(
        self,
        items: Sequence[Item],
        step: Callable[[AsyncConnection, Sequence[Item]], Awaitable[Counter[str]]],
        done: Callable[[Counter[str]], None],
    ) -> None:
        """Do `step` for some of `items` at a time. `done` is told the sum of a transaction once it is committed."""
        begin = 0
        while begin < len(items):
            begin, total = await self.run(self._portion(items, begin, step))
            done(total)

    def _portion(
        self,
        items: Sequence[Item],
        begin: int,
        step: Callable[[AsyncConnection, Sequence[Item]], Awaitable[Counter[str]]],
    ) -> Callable[[AsyncConnection], Awaitable[tuple[int, Counter[str]]]]:
        async def portion(connection: AsyncConnection) -> tuple[int, Counter[str]]:
            total: Counter[str] = Counter()
            place = begin
            started = now = time.monotonic()
            while place < len(items) and (place == begin or now < started + HOLD_SECONDS):
                chosen = items[place : place + self._step]
                total.update(await step(connection, chosen))
                place += len(chosen)
                before, now = now, time.monotonic()
                self._adapt(now - before, len(chosen))
            return place, total

        return portion

    def _adapt(self, elapsed: float, size: int) -> None:
        if elapsed > HOLD_SECONDS:
            self._step = max(self._step // 2, min(self._step, SHORTEST_STEP))
        elif elapsed < HOLD_SECONDS / 2 and size == self._step:
            self._step = min(2 * self._step, LONGEST_STEP)

    async def _once(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> tuple[T, float]:
        async with self._database.write() as connection:
            await take_turn(connection)
            began = time.monotonic()
            result = await work(connection)
        return result, time.monotonic() - began

    async def _once_beside(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> tuple[T, float]:
        async with self._database.write() as connection:
            began = time.monotonic()
            result = await work(connection)
        return result, time.monotonic() - began

    async def _once_with_tables(
        self, work: Callable[[AsyncConnection, TableLock], Awaitable[T]]
    ) -> tuple[T, float]:
        async with self._database.write() as connection:
            lock = TableLock(connection)
            result = await work(connection, lock)
        return result, 0.0 if lock.began is None else time.monotonic() - lock.began


async def take_turn(connection: AsyncConnection) -> None:
    """Wait until no one else appends or prunes. SQLite has one writer at a time anyway."""
    if connection.dialect.name != "sqlite":
        await connection.execute(select(event_head.c.position).with_for_update())


def is_contended(error: StoreUnavailableError) -> bool:
    """Whether a lock was not to be had, so that it is worth another try."""
    origin = _origin(error)
    code = getattr(origin, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in {_SQLITE_BUSY, _SQLITE_LOCKED}
    arguments = getattr(origin, "args", ())
    return getattr(origin, "sqlstate", None) in _CONTENDED or (
        bool(arguments) and isinstance(arguments[0], int) and arguments[0] in _CONTENDED
    )


def is_undefined_table(error: StoreUnavailableError) -> bool:
    """Whether a table of PostgreSQL's was not there: someone else has dropped it."""
    return getattr(_origin(error), "sqlstate", None) == _UNDEFINED_TABLE


def _origin(error: StoreUnavailableError) -> Any:
    cause = error.__cause__
    return cause.orig if isinstance(cause, DBAPIError) else cause
