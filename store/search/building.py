"""Bringing the index up to the last commits, a few hundred events at a time, beside everything else."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import LargeBinary, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.errors import StoreUnavailableError
from store.search.engine import Document, engine_of
from store.search.grams import BLOCK, block_of, document
from store.short_transactions import is_contended
from store.tables import events, search_head

BLOCKS_AT_ONCE = 32
"""Blocks in one transaction: SQLite's write lock is held for some milliseconds then, for longer when it merges."""
TRIES = 5
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Indexed:
    """How far the index is: up to which position of how many. The rest is less than a block when it is up to date.

    `hindrance` says why there can be none, in one line.
    """

    position: int
    last: int
    hindrance: str | None = None

    @property
    def is_up_to_date(self) -> bool:
        """Whether there is nothing to be done."""
        return block_of(self.position + 1) >= block_of(self.last + 1)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The texts of some events behind the index, and up to where that brings it."""

    position: int
    generation: int
    until: int
    last: int
    texts: Sequence[tuple[int, str]]


async def build_search_index(
    database: Database, progress: Callable[[Indexed], None] | None = None
) -> Indexed:
    """Index all that is not yet, in short transactions. Any number may do so at once, and be cut short.

    `progress` is told after each transaction.

    Raises:
        StoreUnavailableError: the database failed, or may not be written.
    """
    while True:
        indexed = await advance(database)
        if progress is not None:
            progress(indexed)
        if indexed.is_up_to_date or indexed.hindrance is not None:
            return indexed


async def advance(database: Database, blocks: int = BLOCKS_AT_ONCE) -> Indexed:
    """Index the next events, `blocks` full blocks at most, in one transaction.

    Raises:
        StoreUnavailableError: the database failed, or may not be written; nothing was indexed.
    """
    engine = engine_of(database.dialect)
    async with database.read() as connection:
        hindrance = await engine.hindrance(connection)
        batch = await _next_batch(connection, blocks)
    if hindrance is not None or batch.until <= batch.position:
        return Indexed(batch.position, batch.last, hindrance)
    # Beside the event loop, and outside of any lock.
    documents = await asyncio.to_thread(_documents, batch.texts)
    for remaining in reversed(range(TRIES)):
        try:
            async with database.write() as connection:
                if await _claim(connection, batch):
                    if not batch.position:
                        await engine.reset(connection)
                    await engine.add(connection, documents)
        except StoreUnavailableError as error:
            if not remaining or not is_contended(error):
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            break
    # Another one that builds may be further, or the store have been cleared: the next step will see.
    return Indexed(batch.until, batch.last)


async def forget_index(connection: AsyncConnection) -> None:
    """Begin anew, as positions do: what is indexed is not looked at any more."""
    head = search_head.c
    await connection.execute(update(search_head).values(position=0, generation=head.generation + 1))


async def _next_batch(connection: AsyncConnection, blocks: int) -> _Batch:
    head = search_head.c
    last_position = select(func.coalesce(func.max(events.c.position), 0)).scalar_subquery()
    position, generation, last = (
        await connection.execute(select(head.position, head.generation, last_position))
    ).one()
    full = block_of(last + 1)
    following = select(func.min(events.c.position)).where(events.c.position > position)
    first = (await connection.execute(following)).scalar()
    if first is None or block_of(first) >= full:
        return _Batch(position, generation, position, last, [])
    end = min(block_of(first) + blocks, full) * BLOCK
    # As bytes, since SQLite's driver refuses text of others that is not UTF-8.
    is_sqlite = connection.dialect.name == "sqlite"
    found = cast(events.c.search_text, LargeBinary) if is_sqlite else events.c.search_text
    statement = select(events.c.position, found).where(events.c.position > position, events.c.position < end)
    rows = (await connection.execute(statement.order_by(events.c.position))).all()
    return _Batch(position, generation, end - 1, last, [(place, _text(text)) for place, text in rows])


def _text(found: Any) -> str:
    return found.decode(errors="replace") if isinstance(found, bytes) else found


def _documents(texts: Sequence[tuple[int, str]]) -> list[Document]:
    blocks: defaultdict[int, list[str]] = defaultdict(list)
    for position, text in texts:
        blocks[block_of(position)].append(text)
    return [(block, document(found)) for block, found in sorted(blocks.items())]


async def _claim(connection: AsyncConnection, batch: _Batch) -> bool:
    """Move the head on; False when someone else has, or the store was cleared since the texts were read."""
    head = search_head.c
    ours = (head.position == batch.position) & (head.generation == batch.generation)
    moved = await connection.execute(update(search_head).where(ours).values(position=batch.until))
    return moved.rowcount == 1
