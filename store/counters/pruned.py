"""Counters outlive the events that they counted: what retention deletes stays in the value, and is noted as pruned."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.counters.rows import CountingRow, add_to, counting_rows, head_of, tallied
from store.tables import counter_head, event_head, resource_counters
from store.taxonomy import active


async def keep_counted(connection: AsyncConnection, conditions: Sequence[ColumnElement[bool]]) -> None:
    """Keep what the events count for which `conditions` hold, in the transaction that deletes them."""
    if rows := await counting_rows(connection, active(), conditions):
        await keep_rows(connection, rows)


async def keep_rows(connection: AsyncConnection, rows: Sequence[CountingRow]) -> None:
    """The same of `rows`, which are no longer to be found among the events. The caller has the lock of appenders."""
    taxonomy = active()
    head = await head_of(connection, lock=True)
    await add_to(connection, tallied(rows, taxonomy), "pruned")
    # No flush will find these any more.
    uncounted = [row for row in rows if row.position > head.position]
    await add_to(connection, tallied(uncounted, taxonomy), "value")


async def forget_all(connection: AsyncConnection) -> None:
    """Begin anew, as in a new store. What Redis has of the epoch before is no longer looked at."""
    await connection.execute(delete(resource_counters))
    await connection.execute(update(counter_head).values(position=0, epoch=-1, last=0))
    await connection.execute(update(event_head).values(epoch=0))
