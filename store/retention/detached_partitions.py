"""Partitions that were detached to be dropped: their events are taken off the counts first, a part at a time.

Nobody writes to such a table any more, so that it can be counted without a lock. How far that is, is noted in the
transaction that does it, as the comment of the table: whoever prunes next goes on from there.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    case,
    cast,
    column,
    extract,
    func,
    literal_column,
    null,
    select,
    text,
    values,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.counters.pruned import keep_rows
from store.counters.rows import CountingRow, counting_rows, head_of, of_resource, tallied
from store.counters.tally import CounterKey
from store.database import Database
from store.errors import StoreUnavailableError
from store.event import LAST_ID
from store.partition_tables import partition_table
from store.short_transactions import HOLD_SECONDS, LOCK_WAIT, ShortTransactions, is_undefined_table
from store.tables import NO_SEVERITY, event_rollups
from store.taxonomy import Taxonomy, active

FIRST_PART, LARGEST_PART = 500, 50_000
"""Events that are taken off the counts in one transaction, at first (and at least) and at most."""
_FIRST_ID = UUID(int=0)
_PREFIX = "events_detached_"
_NAME = re.compile(_PREFIX + r"\d{4}_\d{2}")
_TABLES = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    " AND relkind = 'r' AND NOT relispartition ORDER BY relname"
)
_EXISTS = text("SELECT to_regclass(:name) IS NOT NULL")
_COMMENT = text("SELECT obj_description(to_regclass(:name), 'pg_class')")
_CELLS_AT_ONCE = 1000
"""Cells in one statement: below the number of parameters that PostgreSQL takes."""
_CELL = (
    *(column(name, event_rollups.c[name].type) for name in ("minute", "category", "event_type", "severity")),
    column("number", BigInteger()),
)
_DROP_WAIT = "SET LOCAL lock_timeout = '5s'"


async def detach(connection: AsyncConnection, partition: str) -> str:
    """Detach `partition`, in a transaction of its own. Returns the name that its table has now."""
    name = f"{_PREFIX}{partition.removeprefix('events_')}"
    # Not concurrently, which PostgreSQL does not do where there is a default partition.
    await connection.exec_driver_sql(f"ALTER TABLE events DETACH PARTITION {partition}")
    await connection.exec_driver_sql(f"ALTER TABLE {partition} RENAME TO {name}")
    # Read behind the lock on the table: no flush finds its events any more, nor has one that is not committed.
    counted = (await head_of(connection)).position
    await connection.exec_driver_sql(f"COMMENT ON TABLE {name} IS '{_Mark(counted, _FIRST_ID)}'")
    return name


async def detached(connection: AsyncConnection) -> list[str]:
    """The tables that were detached and are still there."""
    return [name for name in (await connection.execute(_TABLES)).scalars() if _NAME.fullmatch(name)]


async def detached_counts(
    connection: AsyncConnection, taxonomy: Taxonomy, key: CounterKey
) -> Counter[CounterKey]:
    """What counters still have of the resource of `key` that only detached tables tell."""
    found: Counter[CounterKey] = Counter()
    for name in await detached(connection):
        comment = (await connection.execute(_COMMENT, {"name": name})).scalar()
        mark, table = _Mark.of(comment), partition_table(name)
        conditions = [*of_resource(key, table), table.c.id >= mark.begin]
        if mark.counted is not None:
            conditions.append(table.c.position <= mark.counted)
        found.update(tallied(await counting_rows(connection, taxonomy, conditions, table=table), taxonomy))
    return found


class _Mark(NamedTuple):
    """What the comment of a table says: from which id on its events are still to be taken off.

    Up to the position `counted` they were in the counters when it was detached; None where nobody noted that.
    """

    counted: int | None
    begin: UUID

    @classmethod
    def of(cls, comment: str | None) -> _Mark:
        counted, _, begin = (comment or str(_FIRST_ID)).rpartition(" ")
        return cls(int(counted) if counted else None, UUID(begin))

    def __str__(self) -> str:
        return str(self.begin) if self.counted is None else f"{self.counted} {self.begin}"


class DetachedPartition:
    """One of the tables that `detached` names."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self.partition = name.replace(_PREFIX, "events_")
        """What it was called as a partition."""

    async def remaining(self) -> Counter[str]:
        """Its events by category that are not yet taken off the counts."""
        part = await self._part(None)
        return Counter() if part is None else part.by_category

    async def drop(self, transactions: ShortTransactions, count: Callable[[Counter[str]], None]) -> bool:
        """Take its events off the counts, and drop it. `count` is told those of each part, by category.

        Returns False when another one that prunes was faster.

        Raises:
            StoreUnavailableError: the database failed.
        """
        size = FIRST_PART
        while True:
            part = await self._part(size)
            if part is None:
                return False
            if await transactions.run(part.take_off):
                count(part.by_category)
                if part.end == LAST_ID:
                    return await self._drop()
            faster = part.seconds < HOLD_SECONDS / 2
            size = min(2 * size, LARGEST_PART) if faster else max(size // 2, FIRST_PART)

    async def _drop(self) -> bool:
        # Not in the transaction before: large files take a while, and no one else has to wait for that.
        try:
            async with self._database.write() as connection:
                await connection.exec_driver_sql(_DROP_WAIT)
                await connection.exec_driver_sql(f"DROP TABLE {self._name}")
        except StoreUnavailableError as error:
            if is_undefined_table(error):
                return False
            raise
        return True

    async def _part(self, size: int | None) -> _Part | None:
        """The next `size` events, or all that remain; None when the table is gone."""
        try:
            async with self._database.read() as connection:
                if not (await connection.execute(_EXISTS, {"name": self._name})).scalar_one():
                    return None
                return await self._counted(connection, size)
        except StoreUnavailableError as error:
            if is_undefined_table(error):
                return None
            raise

    async def _counted(self, connection: AsyncConnection, size: int | None) -> _Part:
        comment = (await connection.execute(_COMMENT, {"name": self._name})).scalar()
        begin, end = _Mark.of(comment).begin, LAST_ID
        table = partition_table(self._name)
        event = table.c
        if size is not None:
            behind = select(event.id).where(event.id >= begin).order_by(event.id).offset(size).limit(1)
            end = (await connection.execute(behind)).scalar() or end
        severity = func.coalesce(event.severity, literal_column(f"'{NO_SEVERITY}'"))
        minute = cast(func.floor(extract("epoch", event.inserted_at) / 60), BigInteger)
        # PostgreSQL has moments that are infinitely far away.
        counted = case((func.isfinite(event.inserted_at), minute), else_=null())
        kind = (counted, event.category, event.event_type, severity)
        within = (event.id >= begin, event.id < end)
        counts = select(*kind, func.count()).where(*within).group_by(*kind)
        cells = (await connection.execute(counts)).all()
        counting: Sequence[CountingRow] = ()
        if size is not None:  # else it is only looked at
            counting = await counting_rows(connection, active(), within, table=table)
        return _Part(self._name, comment, end, cells, counting)


class _Part:
    """Some events, counted from where `comment` says up to the id `end`, which is not among them."""

    def __init__(
        self,
        name: str,
        comment: str | None,
        end: UUID,
        rows: Sequence[Any],
        counting: Sequence[CountingRow],
    ) -> None:
        self.end = end
        self._counting = counting
        self.by_category: Counter[str] = Counter()
        self.seconds = 0.0
        """How long it took to take them off the counts."""
        self._name = name
        self._comment = comment
        self._cells: list[tuple[Any, ...]] = []
        for minute, category, event_type, severity, number in rows:
            self.by_category[category] += number
            if minute is not None:
                self._cells.append((minute, category, event_type, severity, number))

    async def take_off(self, connection: AsyncConnection) -> bool:
        """Count them as pruned, and note it. False when someone else has done it meanwhile."""
        started = time.monotonic()
        named = {"name": self._name}
        exists = (await connection.execute(_EXISTS, named)).scalar_one()
        if not exists or (await connection.execute(_COMMENT, named)).scalar() != self._comment:
            return False
        await connection.exec_driver_sql(LOCK_WAIT)
        for start in range(0, len(self._cells), _CELLS_AT_ONCE):
            gone = values(*_CELL, name="gone").data(self._cells[start : start + _CELLS_AT_ONCE])
            await rollups.mark_pruned(connection, gone)
        mark = _Mark.of(self._comment)
        if self._counting:
            await keep_rows(connection, self._counting, mark.counted)
        await connection.exec_driver_sql(
            f"COMMENT ON TABLE {self._name} IS '{mark._replace(begin=self.end)}'"
        )
        self.seconds = time.monotonic() - started
        return True
