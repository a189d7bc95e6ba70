"""The full-text engines of the servers, over one table of documents: PostgreSQL's `tsvector`, InnoDB's `FULLTEXT`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, exists, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.search.engine import Document
from store.search.grams import BLOCK
from store.tables import events, search_blocks

_CLEANED_AT_ONCE = 500
"""Documents that are looked at in one transaction."""
_FIND_IN_POSTGRESQL = text(
    # The expression is that of the index. "+ 0" keeps the primary key out, by which each document would be parsed.
    "SELECT block FROM search_blocks WHERE array_to_tsvector(string_to_array(grams, ' ')) @@ CAST(:words AS tsquery)"
    " AND block + 0 < :below LIMIT :limit"
)
_FIND_IN_MARIADB = text(
    "SELECT block FROM search_blocks WHERE MATCH (grams) AGAINST (:words IN BOOLEAN MODE) AND block < :below"
    " LIMIT :limit"
)
_SHORTEST_WORD = text("SELECT @@innodb_ft_min_token_size")


class _Server:
    async def add(self, connection: AsyncConnection, documents: Sequence[Document]) -> None:
        """In the place of what a store that was cleared has left there."""
        if not documents:
            return
        await connection.execute(
            delete(search_blocks).where(search_blocks.c.block.between(documents[0][0], documents[-1][0]))
        )
        rows = [{"block": block, "grams": words} for block, words in documents]
        await connection.execute(insert(search_blocks), rows)

    async def reset(self, connection: AsyncConnection) -> None:
        """Nothing: `add` replaces what is there, and `clean` takes the rest away."""

    async def clean(self, connection: AsyncConnection, place: int) -> int | None:
        """Some hundred documents are looked at."""
        block = search_blocks.c.block
        some = select(block).where(block >= place).order_by(block).limit(_CLEANED_AT_ONCE)
        blocks = list((await connection.execute(some)).scalars())
        if not blocks:
            return None
        first = block * BLOCK
        in_use = exists().where(events.c.position.between(first, first + BLOCK - 1)).correlate(search_blocks)
        within = block.between(blocks[0], blocks[-1])
        dead = list((await connection.execute(select(block).where(within, ~in_use))).scalars())
        if dead:
            await connection.execute(delete(search_blocks).where(block.in_(dead)))
        return blocks[-1] + 1


class Postgresql(_Server):
    """A GIN index on the words. Its kind of `store.search.engine.SearchEngine`."""

    async def hindrance(self, connection: AsyncConnection) -> str | None:
        """Every server has what is needed."""
        return None

    async def find(
        self, connection: AsyncConnection, words: Sequence[str], below: int, limit: int
    ) -> list[int]:
        """By the index alone: to the planner, parsing all documents looks cheaper than it is."""
        values = {"words": " & ".join(words), "below": below, "limit": limit}
        await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return list((await connection.execute(_FIND_IN_POSTGRESQL, values)).scalars())


class Mariadb(_Server):
    """A FULLTEXT index on the words. Its kind of `store.search.engine.SearchEngine`."""

    async def hindrance(self, connection: AsyncConnection) -> str | None:
        """A server can be told to leave short words out."""
        shortest = (await connection.execute(_SHORTEST_WORD)).scalar_one()
        return (
            None if int(shortest) <= 3 else f"this server's innodb_ft_min_token_size is {shortest}, above 3"
        )

    async def find(
        self, connection: AsyncConnection, words: Sequence[str], below: int, limit: int
    ) -> list[int]:
        """By the index; there is no other way to do it."""
        values = {"words": " ".join(f"+{word}" for word in words), "below": below, "limit": limit}
        return list((await connection.execute(_FIND_IN_MARIADB, values)).scalars())
