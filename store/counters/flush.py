"""Counting what was recorded since the last time, each event once, whoever is killed meanwhile.

A flush ends the epoch that is recorded in, and counts its events from position to position. How far that is, stands in
the row that the transaction moves on which adds them up: two that flush take turns, and who is killed leaves a
beginning that the next one goes on from.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.appending import last_position
from store.counters.rows import Head, add_to, counted_between, head_of
from store.database import Database
from store.short_transactions import ShortTransactions
from store.tables import counter_head, event_head
from store.taxonomy import Taxonomy, active

if TYPE_CHECKING:
    from store.counters.redis_pending import RedisPending

FIRST_STEP, SMALLEST_STEP, LARGEST_STEP = 500, 100, 20_000
"""Events that count, in one transaction, at first, at least and at most."""
_HOLD_SECONDS = 0.03
"""How long a transaction may take before the next one is made smaller."""


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did: how many events that count it found, and how far it counted.

    `transactions` is how many it took, `longest` the longest time that one held its locks, seconds.
    """

    events: int
    position: int
    transactions: int
    longest: float


async def flush(
    database: Database, pending: RedisPending | None = None, taxonomy: Taxonomy | None = None
) -> Flushed:
    """Count all events that were stored when this was called. `pending` is told which epoch is over.

    Raises:
        StoreUnavailableError: the database failed. What was counted before that stays counted.
    """
    return await _Flush(database, pending, active() if taxonomy is None else taxonomy).run()


class _Flush:
    def __init__(self, database: Database, pending: RedisPending | None, taxonomy: Taxonomy) -> None:
        self._database = database
        self._pending = pending
        self._taxonomy = taxonomy
        self._transactions = ShortTransactions(database)
        self._events = 0
        self._size = FIRST_STEP

    async def run(self) -> Flushed:
        # What another one left is finished first: an epoch is counted before the next one begins.
        head = await self._count(await self._head())
        fresh = secrets.randbits(62) + 1
        is_whole = True
        if self._pending is not None:
            is_whole = await self._pending.is_whole(head.epoch) is not False
            # Before anything can be recorded in it: what is added later is all there, unless the server forgets it.
            await self._pending.begin(fresh)
        begin = partial(self._begin, fresh, is_whole=is_whole)
        head = await self._count(await self._transactions.run(begin))
        if self._pending is not None:
            await self._pending.drop(head.counted if head.epoch == fresh else fresh)
        return Flushed(self._events, head.position, self._transactions.count, self._transactions.longest)

    async def _head(self) -> Head:
        async with self._database.read() as connection:
            return await head_of(connection)

    async def _begin(self, fresh: int, connection: AsyncConnection, *, is_whole: bool) -> Head:
        """End the epoch that is recorded in, unless nothing was, or someone else has just done that.

        Nobody appends meanwhile: this has the lock that they take first.
        """
        head = await head_of(connection, lock=True)
        last = await last_position(connection)
        is_needed = last != head.last or not head.epoch or not is_whole
        if not head.is_complete or not is_needed:
            return head
        await connection.execute(update(event_head).values(epoch=fresh))
        await connection.execute(update(counter_head).values(epoch=head.epoch, last=last))
        return Head(head.position, head.epoch, last, fresh)

    async def _count(self, head: Head) -> Head:
        """Count the epoch that is over, together with whoever else does."""
        while not head.is_complete:
            head = await self._transactions.run_beside(self._step)
            seconds = self._transactions.latest
            if seconds < _HOLD_SECONDS / 2:
                self._size = min(2 * self._size, LARGEST_STEP)
            elif seconds > _HOLD_SECONDS:
                self._size = max(self._size // 2, SMALLEST_STEP)
        return head

    async def _step(self, connection: AsyncConnection) -> Head:
        # Read under the lock: what retention deletes in the meantime would be counted by both.
        head = await head_of(connection, lock=True)
        if head.is_complete:
            return head
        part = await counted_between(connection, self._taxonomy, head.position, head.last, self._size)
        await add_to(connection, part.totals, "value")
        await connection.execute(update(counter_head).values(position=part.end))
        self._events += part.rows
        return head._replace(position=part.end)
