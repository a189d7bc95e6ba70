"""Taking texts out of the index that events no longer have: who an actor was must not be told by it either.

What was indexed cannot be taken out word by word. So the index is forgotten, and is built anew from what stands
there now; until then, searches look through the events.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.search.building import forget_index
from store.search.cleaning import clean_search_index
from store.search.engine import engine_of
from store.search.grams import block_of
from store.short_transactions import ShortTransactions
from store.tables import search_blocks, search_head

_AT_ONCE = 200
"""Blocks that are deleted in one transaction."""


async def texts_changed(connection: AsyncConnection, positions: Collection[int]) -> None:
    """Forget the index when it has the events at `positions`, in the transaction that changes their texts."""
    if not positions:
        return
    if min(positions) <= await _indexed_to(connection):
        await forget_index(connection)
    else:
        # What someone has read of them, to index it, is not used.
        generation = search_head.c.generation
        await connection.execute(update(search_head).values(generation=generation + 1))


async def purge_search_index(database: Database) -> None:
    """Delete what the index has beyond what was built since it was forgotten, in short transactions.

    Raises:
        StoreUnavailableError: the database failed, or may not be written.
    """
    async with database.read() as connection:
        if await engine_of(database.dialect).hindrance(connection) is not None:
            return
    transactions = ShortTransactions(database)
    while await transactions.run(_purge):
        continue
    await clean_search_index(database)


async def _purge(connection: AsyncConnection) -> bool:
    """One step; False when there is nothing left."""
    indexed_to = await _indexed_to(connection)
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("PRAGMA secure_delete = ON")
        if not indexed_to:
            # Whoever builds has not begun: else that one has put aside what was there.
            await engine_of("sqlite").reset(connection)
        return False
    block = search_blocks.c.block
    last = block_of(indexed_to) if indexed_to else -1
    old = select(block).where(block > last).order_by(block).limit(_AT_ONCE)
    blocks = list((await connection.execute(old)).scalars())
    if blocks:
        await connection.execute(delete(search_blocks).where(block.in_(blocks)))
    return len(blocks) == _AT_ONCE


async def _indexed_to(connection: AsyncConnection) -> int:
    """Up to which position events are indexed; nobody moves that until the end of the transaction."""
    statement = select(search_head.c.position)
    if connection.dialect.name != "sqlite":
        statement = statement.with_for_update()
    return int((await connection.execute(statement)).scalar_one())
