"""Whether counters are what the events say, and putting right those that are not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.counters.flush import flush
from store.counters.rows import (
    KEY,
    add_to,
    counted_between,
    counting_rows,
    head_of,
    of_resource,
    tallied,
    value_row,
    values_of,
)
from store.counters.tally import CounterKey
from store.database import Database
from store.retention.detached_partitions import detached_counts
from store.short_transactions import ShortTransactions
from store.tables import events, resource_counters
from store.taxonomy import Taxonomy, active

if TYPE_CHECKING:
    from store.counters.redis_pending import RedisPending

_PAGE = 20_000
_ROWS_AT_ONCE = 5_000
_PENDING_TRIES = 5
_PENDING_PAUSE = 0.2
"""Seconds that an increment may be behind the commit of its event."""


class Difference(NamedTuple):
    """A counter that is not what the events say. `found` is None where Redis says it of what is pending."""

    key: CounterKey
    found: int
    expected: int
    is_pending: bool = False


class CounterCheck:
    """Holds the counters of `database`, and what `pending` has of them, against the events.

    What pruned events counted is taken for granted. A counter that the taxonomy does not declare is left alone.
    """

    def __init__(
        self, database: Database, pending: RedisPending | None = None, taxonomy: Taxonomy | None = None
    ) -> None:
        self._database = database
        self._pending = pending
        self._taxonomy = active() if taxonomy is None else taxonomy
        self._names = {name for counted in self._taxonomy.counting.values() for name, _ in counted}

    async def differences(self, progress: Callable[[int], None] | None = None) -> AsyncGenerator[Difference]:
        """Every counter that is wrong. Others may record, flush and prune meanwhile. `progress` hears of events read.

        Raises:
            StoreUnavailableError: the database failed.
        """
        await flush(self._database, self._pending, self._taxonomy)
        totals, position = await self._recounted(progress)
        async with aclosing(self._suspects(totals, position)) as suspects:
            async for key in suspects:
                async with self._database.read() as connection:
                    difference = await self._compared(connection, key)
                if difference is not None:
                    yield difference
        for difference in await self._pending_differences():
            yield difference

    async def put_right(self, difference: Difference) -> None:
        """Make the counter of `difference` what the events say now.

        Raises:
            StoreUnavailableError: the database failed.
        """
        if difference.is_pending:
            await self._distrust()
            return
        await ShortTransactions(self._database).run_beside(partial(self._rebuilt, difference.key))

    async def _recounted(self, progress: Callable[[int], None] | None) -> tuple[Counter[CounterKey], int]:
        """What all events add that were counted, and up to which position that is."""
        totals: Counter[CounterKey] = Counter()
        async with self._database.read() as connection:
            last = (await head_of(connection)).position
        position = done = 0
        while position < last:
            async with self._database.read() as connection:
                part = await counted_between(connection, self._taxonomy, position, last, _PAGE)
            totals.update(part.totals)
            position, done = part.end, done + part.rows
            if progress is not None:
                progress(done)
        return totals, last

    async def _suspects(self, totals: Counter[CounterKey], position: int) -> AsyncGenerator[CounterKey]:
        """Keys that have another value than `totals`: wrong ones, and those that have changed since."""
        columns = resource_counters.c
        names = tuple(columns[name] for name in KEY)
        statement = select(*names, columns.value, columns.pruned).order_by(*names).limit(_ROWS_AT_ONCE)
        after: CounterKey | None = None
        while True:
            chosen = statement
            if after is not None:
                # Not a comparison of triples, for which MariaDB uses no index.
                kind, identifier, counter = names
                chosen = statement.where(
                    (kind > after.resource_type)
                    | (
                        (kind == after.resource_type)
                        & (
                            (identifier > after.resource_id)
                            | ((identifier == after.resource_id) & (counter > after.counter))
                        )
                    )
                )
            async with self._database.read() as connection:
                rows = (await connection.execute(chosen)).all()
            for after, value, pruned in map(value_row, rows):
                if totals.pop(after, 0) != value - pruned and after.counter in self._names:
                    yield after
            if len(rows) < _ROWS_AT_ONCE:
                break
        for key in list(totals):
            if totals[key]:
                yield key

    async def _compared(self, connection: AsyncConnection, key: CounterKey) -> Difference | None:
        """Looked at in one transaction, where nothing changes meanwhile."""
        head = await head_of(connection)
        conditions = (*of_resource(key), events.c.position <= head.position)
        rows = await counting_rows(connection, self._taxonomy, conditions)
        value, pruned = (await values_of(connection, [key])).get(key, (0, 0))
        expected = tallied(rows, self._taxonomy)[key] + pruned
        if connection.dialect.name == "postgresql":
            expected += (await detached_counts(connection, self._taxonomy, key))[key]
        return None if value == expected else Difference(key, value, expected)

    async def _rebuilt(self, key: CounterKey, connection: AsyncConnection) -> None:
        await head_of(connection, lock=True)
        difference = await self._compared(connection, key)
        if difference is None:
            return
        columns = resource_counters.c
        await add_to(connection, {key: 0}, "value")
        named = [columns[name] == value for name, value in zip(KEY, key, strict=True)]
        await connection.execute(update(resource_counters).where(*named).values(value=difference.expected))

    async def _pending_differences(self) -> list[Difference]:
        if self._pending is None:
            return []
        found: list[Difference] = []
        for attempt in range(_PENDING_TRIES):
            if attempt:
                await asyncio.sleep(_PENDING_PAUSE)
            found = await self._compare_pending(self._pending)
            if not found:
                break
        return found

    async def _compare_pending(self, pending: RedisPending) -> list[Difference]:
        """What Redis has of the present epoch, against its events: unless it does not claim to have all."""
        async with self._database.read() as connection:
            head = await head_of(connection)
        said = await pending.all(head.epoch)
        if said is None or not head.is_complete:
            return []
        async with self._database.read() as connection:
            now = await head_of(connection)
            since = (events.c.position > head.position,)
            expected = tallied(await counting_rows(connection, self._taxonomy, since), self._taxonomy)
        if now.epoch != head.epoch:
            return []
        return [
            Difference(key, said[key], expected[key], is_pending=True)
            for key in sorted({*said, *expected})
            if said[key] != expected[key] and key.counter in self._names
        ]

    async def _distrust(self) -> None:
        """Have everybody count what is pending among the events, until the next flush."""
        if self._pending is None:
            return
        async with self._database.read() as connection:
            head = await head_of(connection)
        await self._pending.drop(head.epoch)
