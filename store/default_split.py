"""Partitions of their own for many events that are in the default one, while others write, read and prune.

PostgreSQL attaches a partition only when no event of its range is in the default one. Moving them first would put
them out of sight, and out of what keeps an event from being stored twice; a constraint that keeps the default free
of them would refuse new ones until the partition is there, for good after a run that was cut short; and
without one, PostgreSQL reads all of the default under a lock.

So the default partition is copied, a little at a time, into new tables beside it: a partition for each new range and
another default. Before that begins, a trigger sees to it that what is done to the original is done to the copy. In
the end they change places in one short transaction: constraints say which ids the new tables have, so that
PostgreSQL need not look. Whoever is cut short leaves the copy and its trigger, and the next one goes on with them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.default_copy import (
    LONG_WAIT,
    REPLACED,
    begin,
    copy_events,
    copy_oid,
    exchange,
    give_up,
    is_current,
    is_mirrored,
    is_split,
    next_ids,
)
from store.engines import TRANSACTION_TIMEOUT_SECONDS
from store.errors import DataRefusedError, StoreUnavailableError
from store.partition_tables import IdRange, is_taken
from store.short_transactions import ShortTransactions, TableLock, is_contended

RANGES_MAX = 12
"""New partitions at a time: each adds three milliseconds to the transaction in which the tables change places."""
READERS_WAIT_SECONDS = TRANSACTION_TIMEOUT_SECONDS + 5
"""How long to wait for transactions that see the tables as they were before the copy was complete."""
_OPEN_TRANSACTIONS = text(
    "SELECT virtualtransaction FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid()"
    " AND datid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND coalesce(backend_type, 'client backend') = 'client backend'"
)


class DefaultSplit:
    """The default partition of `database` on its way into several; one run of it, or a part of one."""

    def __init__(self, database: Database, transactions: ShortTransactions) -> None:
        self._database = database
        self._transactions = transactions

    async def resume(self) -> str | None:
        """Go on where another run was cut short, if one was. Returns why it is not done, in a few words.

        Raises:
            StoreUnavailableError: the database failed, or someone uses the table of events.
        """
        await self._drop_replaced()
        async with self._database.read() as connection:
            begun, mirrored = await is_split(connection), await is_mirrored(connection)
            usable = begun and mirrored and await is_current(connection)
        if usable:
            return await self._complete()
        if begun or mirrored:
            await self._discard()
        return None

    async def split(self, ranges: Sequence[IdRange]) -> str | None:
        """Give the `ranges`, `RANGES_MAX` at most, partitions of their own. Returns why not, in a few words.

        Raises:
            StoreUnavailableError: the database failed, or someone uses the table of events.
        """

        async def begin_it(connection: AsyncConnection, lock: TableLock) -> None:
            await begin(connection, lock, ranges)

        await self._transactions.run_with_tables(begin_it)
        return await self._complete()

    async def _complete(self) -> str | None:
        async with self._database.read() as connection:
            copy = await copy_oid(connection)

        async def exchange_it(connection: AsyncConnection, lock: TableLock) -> bool:
            return await exchange(connection, lock, copy)

        try:
            await self._copy()
            if not await self._earlier_transactions_end():
                return "a transaction is open that began before its events were copied"
            exchanged = await self._transactions.run_with_tables(exchange_it)
        except (StoreUnavailableError, DataRefusedError) as error:
            if isinstance(error, StoreUnavailableError) and is_contended(error):
                raise
            # No room, for example: the copy must not stay and take it.
            with suppress(StoreUnavailableError):
                await self._discard()
            raise StoreUnavailableError(str(error)) from error
        if not exchanged:
            await self._discard()
            return "the table of events was changed meanwhile"
        await self._drop_replaced()
        return None

    async def _copy(self) -> None:
        last: UUID | None = None
        while True:
            async with self._database.read() as connection:
                found = await next_ids(connection, last)
            if not found:
                return
            last, missing = found
            await self._transactions.for_each(missing, copy_events, lambda _: None)

    async def _earlier_transactions_end(self) -> bool:
        """Wait for those that, once it is in place, would see the copy without the events that came into it last."""
        deadline = time.monotonic() + READERS_WAIT_SECONDS
        earlier: set[str] | None = None
        while True:
            async with self._database.read() as connection:
                now_open = set((await connection.execute(_OPEN_TRANSACTIONS)).scalars())
            earlier = now_open if earlier is None else earlier & now_open
            if not earlier:
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(0.05)

    async def _discard(self) -> None:
        await self._transactions.run_with_tables(give_up)
        await self._drop_replaced()

    async def _drop_replaced(self) -> None:
        # Not in the transaction before: large files take a while, and no one else has to wait for that.
        async with self._database.read() as connection:
            if not await is_taken(connection, REPLACED):
                return
        async with self._database.write() as connection:
            await connection.exec_driver_sql(LONG_WAIT)
            await connection.exec_driver_sql(f"DROP TABLE IF EXISTS {REPLACED}")
