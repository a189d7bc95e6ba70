"""Taking out of the index what belongs to events that retention has deleted: it takes room, and does no harm."""

from __future__ import annotations

from functools import partial

from store.database import Database
from store.search.engine import engine_of
from store.short_transactions import ShortTransactions


async def clean_search_index(database: Database) -> None:
    """Delete the documents of blocks that have no events any more, in short transactions.

    SQLite's documents go by chapters (`store.search.fts5`).

    Raises:
        StoreUnavailableError: the database failed, or may not be written. What was deleted before that stays deleted.
    """
    engine = engine_of(database.dialect)
    async with database.read() as connection:
        if await engine.hindrance(connection) is not None:
            return
    transactions = ShortTransactions(database)
    place: int | None = 0
    while place is not None:
        place = await transactions.run(partial(engine.clean, place=place))
