"""How many events are kept because a clock is not believed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.retention.policy import Cutoffs
from store.rollups import minute_of
from store.tables import event_rollups


async def kept_back(connection: AsyncConnection, cutoffs: Cutoffs, wanted: Cutoffs) -> int:
    """Events between two sets of cut-offs, of which `wanted` are the later ones; whole minutes, from the rollups."""
    category = event_rollups.c.category
    total = await _stored(
        connection, cutoffs.default, wanted.default, category.not_in(list(wanted.by_category))
    )
    for name, before in wanted.by_category.items():
        total += await _stored(connection, cutoffs.by_category[name], before, category == name)
    return total


async def _stored(
    connection: AsyncConnection, first: datetime | None, last: datetime | None, which: ColumnElement[bool]
) -> int:
    if last is None:
        return 0
    rollup = event_rollups.c
    statement = select(func.coalesce(func.sum(rollup.count - rollup.pruned), 0))
    statement = statement.where(which, rollup.minute < minute_of(last))
    if first is not None:
        statement = statement.where(rollup.minute >= minute_of(first))
    return int((await connection.execute(statement)).scalar_one())
