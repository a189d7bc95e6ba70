"""Partitions of which no event is kept any longer: detached under a short lock, then dropped whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.default_copy import is_split
from store.errors import StoreUnavailableError
from store.partition_tables import Month, months_around, partition_names, take_repartitioning
from store.retention.detached_partitions import DetachedPartition, detach, detached
from store.retention.policy import Cutoffs
from store.short_transactions import ShortTransactions, TableLock, is_contended

_NAME = re.compile(r"events_(\d{4})_(\d{2})")
_CATEGORIES_MAX = 1000
_NEWEST = """
WITH RECURSIVE kinds (category, number) AS (
    (SELECT category, 1 FROM {name} ORDER BY category LIMIT 1)
    UNION ALL
    SELECT (SELECT category FROM {name} WHERE category > kinds.category ORDER BY category LIMIT 1), number + 1
    FROM kinds WHERE category IS NOT NULL AND number <= {most}
)
SELECT category, greatest(least((SELECT max(inserted_at) FROM {name} WHERE category = kinds.category),
    '9999-12-30Z'), '0001-01-02Z') FROM kinds WHERE category IS NOT NULL
"""
"""Each category and when its newest event was: two looks into an index for each, however many events there are."""


class ExpiredPartitions:
    """The partitions of `database` that hold nothing which `cutoffs` keep, and that no event of `now` belongs in."""

    def __init__(self, database: Database, cutoffs: Cutoffs, now: datetime) -> None:
        self._database = database
        self._cutoffs = cutoffs
        # Those that would be made again stay.
        self._first_kept = min(months_around(now), default=Month.of(now))

    async def names(self) -> list[str]:
        """Their names, oldest first."""
        async with self._database.read() as connection:
            return [
                month.name
                for month in sorted(self._months(await partition_names(connection)))
                if await self._is_expired(connection, month)
            ]

    async def tell(self, count: Callable[[Counter[str]], None]) -> list[str]:
        """What `drop` would drop. `count` is told only what is in no partition any more, as it was left half done."""
        async with self._database.read() as connection:
            left = [DetachedPartition(self._database, name) for name in await detached(connection)]
        for table in left:
            count(await table.remaining())
        return [*(table.partition for table in left), *await self.names()]

    async def drop(
        self,
        transactions: ShortTransactions,
        count: Callable[[Counter[str]], None],
        dropped: Callable[[str], None],
    ) -> list[str]:
        """Drop them. `count` is told their events by category, part by part, `dropped` the name of each partition.

        Returns what could not be dropped, and why, each in one line.

        Raises:
            StoreUnavailableError: the database failed.
        """
        async with self._database.read() as connection:
            left = await detached(connection)
        try:
            for name in left:
                await self._finish(name, transactions, count, dropped)
            for name in await self.names():
                table = await transactions.run_with_tables(
                    lambda connection, lock, name=name: self._detach(connection, lock, name)
                )
                if table is not None:
                    await self._finish(table, transactions, count, dropped)
        except StoreUnavailableError as error:
            if not is_contended(error):
                raise
            # Whoever is in the way of one partition as a rule is in the way of all of them.
            return ["partitions are not dropped while the table of events is in use"]
        return []

    async def _finish(
        self,
        name: str,
        transactions: ShortTransactions,
        count: Callable[[Counter[str]], None],
        dropped: Callable[[str], None],
    ) -> None:
        table = DetachedPartition(self._database, name)
        if await table.drop(transactions, count):
            dropped(table.partition)

    async def _detach(self, connection: AsyncConnection, lock: TableLock, name: str) -> str | None:
        """Detach a partition, unless it has to stay. Returns the new name of its table."""
        await take_repartitioning(connection)
        if await is_split(connection):
            return None
        for month in self._months(await partition_names(connection)):
            if month.name == name:
                await lock("LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE")
                # Looked at again: an event may have come late.
                return await detach(connection, name) if await self._is_expired(connection, month) else None
        return None

    def _months(self, names: Sequence[str]) -> list[Month]:
        found = [_NAME.fullmatch(name) for name in names]
        months = [Month(int(match[1]), int(match[2])) for match in found if match]
        return [month for month in months if month < self._first_kept]

    async def _is_expired(self, connection: AsyncConnection, month: Month) -> bool:
        newest = (await connection.execute(text(_NEWEST.format(name=month.name, most=_CATEGORIES_MAX)))).all()
        if len(newest) > _CATEGORIES_MAX:
            # Too many to be looked at under a lock.
            return False
        for category, moment in newest:
            before = self._cutoffs.by_category.get(category, self._cutoffs.default)
            if before is None or moment >= before:
                return False
        return True
