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


async def keep_rows(
    connection: AsyncConnection, rows: Sequence[CountingRow], counted: int | None = None
) -> None:
    """The same of `rows`, which are no longer to be found among the events. The caller has the lock of appenders.

    `counted` is the position that flushes had come to when the rows were last to be found; now, if it is not given.
    """
    taxonomy = active()
    head = await head_of(connection, lock=True)
    await add_to(connection, tallied(rows, taxonomy), "pruned")
    # No flush will find these any more.
    counted = head.position if counted is None else counted
    uncounted = [row for row in rows if row.position > counted]
    await add_to(connection, tallied(uncounted, taxonomy), "value")
    if any(row.position > head.last for row in uncounted):
        # Redis has added them up too: it is not asked again before the next epoch.
        await connection.execute(update(event_head).values(epoch=0))


async def forget_all(connection: AsyncConnection) -> None:
    """Begin anew, as in a new store. What Redis has of the epoch before is no longer looked at."""
    await connection.execute(delete(resource_counters))
    await connection.execute(update(counter_head).values(position=0, epoch=-1, last=0))
    await connection.execute(update(event_head).values(epoch=0))
