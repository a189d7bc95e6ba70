"""The index as the planner and the builder see it; what it is made of differs between the databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

Document = tuple[int, str]
"""A block, and its words (`store.search.grams.document`)."""


class SearchEngine(Protocol):
    """Documents by number of their block, found by the words in them."""

    async def hindrance(self, connection: AsyncConnection) -> str | None:
        """Why this server or library cannot have such an index, in one line; None when it can."""
        ...

    async def find(
        self, connection: AsyncConnection, words: Sequence[str], below: int, limit: int
    ) -> list[int]:
        """Up to `limit` blocks before `below` whose documents have all of `words`, in no order.

        May change settings of the transaction.
        """
        ...

    async def add(self, connection: AsyncConnection, documents: Sequence[Document]) -> None:
        """Store `documents`, in place of those that these blocks have."""
        ...

    async def reset(self, connection: AsyncConnection) -> None:
        """Prepare for positions that begin anew: what there is belongs to events that are gone."""
        ...

    async def clean(self, connection: AsyncConnection, place: int) -> int | None:
        """Delete some documents of blocks that have no events any more, from the block `place` on: one short step.

        Returns the place to go on from; None at the end.
        """
        ...


def engine_of(dialect: str) -> SearchEngine:
    """The engine of a kind of database, by SQLAlchemy's name of its dialect."""
    if dialect == "sqlite":
        from store.search.fts5 import Fts5

        return Fts5()
    from store.search.server_fulltext import Mariadb, Postgresql

    return Postgresql() if dialect == "postgresql" else Mariadb()
