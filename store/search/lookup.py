"""Where in the store the events of a query may be: what the index says, and what it does not cover yet."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_filter import EventFilter
from store.event_selection import Selection, at_positions
from store.query.needles import Needles, needles_of
from store.query.sql import has_needles
from store.search.engine import SearchEngine, engine_of
from store.search.grams import BLOCK, GRAM, block_of, words_of
from store.tables import events, search_head

logger = logging.getLogger(__name__)
MOST_WORDS = 12
"""Words that are looked up for one alternative: a few rule out most blocks, and each is a list to read."""
FEWEST_BLOCKS = 256
ROWS_A_BLOCK = 64
"""How many blocks may be named: the root of so many times all blocks. To look through them costs as much then as
to look through the newest events until a page is full of those that match."""
LATEST = 50_000
"""Events that the index may be behind: so many are looked through in some 50 ms."""
BLOCKS_AT_ONCE = 256
_REMEMBERED = 256
_FREQUENT_SECONDS = 30.0
_UNUSABLE_SECONDS = 60.0


class Extent(NamedTuple):
    """Up to which position events are in the index, and the last position there is."""

    indexed: int
    last: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask the index: for each alternative some words, and how many blocks it may name in all.

    Of words that are in more of them, the newest events fill a page sooner than the blocks are looked through.
    """

    alternatives: tuple[tuple[str, ...], ...]
    most_blocks: int


def planned(needles: Needles | None, extent: Extent) -> Plan | None:
    """How to look up `needles`; None when looking through the events is the better way.

    That is so where nothing can be looked up, and where the index is far behind.
    """
    if needles is None or not extent.indexed or extent.last - extent.indexed > LATEST:
        return None
    alternatives = tuple(_some_words(pieces) for pieces in needles)
    most = max(FEWEST_BLOCKS, isqrt(ROWS_A_BLOCK * block_of(extent.indexed)))
    return Plan(alternatives, most) if all(alternatives) else None


def _some_words(pieces: tuple[str, ...]) -> tuple[str, ...]:
    """Words of `pieces`, from all over them; none when all are too short."""
    words = sorted(set[str]().union(*(words_of(piece) for piece in pieces if len(piece) >= GRAM)))
    step = -(-len(words) // MOST_WORDS) or 1
    return tuple(words[::step])


class TextLookup:
    """Asks the index of one database. What is found out there holds for all that read it."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._engine: SearchEngine = engine_of(dialect)
        self._frequent: dict[Needles, float] = {}
        """Needles that are in too many blocks, with the moment until which that is taken for granted."""
        self._unusable_until = 0.0

    async def among(
        self, connection: AsyncConnection, statement: Select[Any], chosen: Selection
    ) -> Select[Any]:
        """`statement`, which selects events of `chosen`, restricted to where the index says that they are.

        Unchanged where it does not say so.
        """
        found = await self.positions(connection, chosen)
        if found is None:
            return statement
        # MariaDB would rather walk along the index that has the order of the timeline.
        return statement.where(at_positions(found, self._dialect)).with_hint(
            events, "FORCE INDEX (PRIMARY)", "mariadb"
        )

    async def narrowed(self, connection: AsyncConnection, chosen: EventFilter) -> EventFilter:
        """`chosen` with the positions of its events, where the index says so."""
        found = await self.positions(connection, chosen)
        return chosen if found is None else replace(chosen, positions=tuple(found))

    async def positions(self, connection: AsyncConnection, chosen: Selection) -> list[int] | None:
        """The positions of all events whose searchable text has what `chosen` needs; None when that is not known.

        Seen by the transaction of `connection`, whatever is committed or indexed meanwhile.
        """
        needles = needles_of(chosen.node if isinstance(chosen, EventFilter) else chosen)
        now = time.monotonic()
        if needles is None or now < max(self._unusable_until, self._frequent.get(needles, 0.0)):
            return None
        try:
            async with _attempt(connection):
                extent = await _extent(connection)
                plan = planned(needles, extent)
                blocks = None if plan is None else await self._blocks(connection, plan, extent)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            # No right to read it, an SQLite without FTS5, a table that is damaged: the events are all there.
            logger.debug("the full-text index cannot be used: %s", error.orig)
            self._unusable_until = now + _UNUSABLE_SECONDS
            return None
        if plan is None:
            return None
        if blocks is None:
            self._remember(needles, now)
            return None
        return await self._checked(connection, needles, blocks, extent)

    def _remember(self, needles: Needles, now: float) -> None:
        if len(self._frequent) >= _REMEMBERED:
            self._frequent.clear()
        self._frequent[needles] = now + _FREQUENT_SECONDS

    async def _blocks(self, connection: AsyncConnection, plan: Plan, extent: Extent) -> list[int] | None:
        """The blocks that have all words of an alternative, in order; None when there are too many."""
        found: set[int] = set()
        below = block_of(extent.indexed + 1)
        for words in plan.alternatives:
            found.update(await self._engine.find(connection, words, below, plan.most_blocks + 1))
            if len(found) > plan.most_blocks:
                return None
        return sorted(found)

    async def _checked(
        self, connection: AsyncConnection, needles: Needles, blocks: list[int], extent: Extent
    ) -> list[int]:
        """The positions of the events that have the needles: of those in `blocks`, and of those not yet indexed."""
        position, wanted = events.c.position, has_needles(needles, self._dialect)
        found: list[int] = []
        for start in range(0, len(blocks), BLOCKS_AT_ONCE):
            some = blocks[start : start + BLOCKS_AT_ONCE]
            within = [block * BLOCK + offset for block in some for offset in range(BLOCK)]
            found += await _those(connection, at_positions(within, self._dialect), wanted)
        if extent.last > extent.indexed:
            found += await _those(connection, position > extent.indexed, wanted)
        return found


async def indexed_position(connection: AsyncConnection) -> int | None:
    """Up to which position events are in the index; None where that may not be read."""
    try:
        async with _attempt(connection):
            return (await connection.execute(select(search_head.c.position))).scalar()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return None


@asynccontextmanager
async def _attempt(connection: AsyncConnection) -> AsyncGenerator[None]:
    """What fails here, or is set, concerns no other statement of the transaction; of PostgreSQL's it would."""
    if connection.dialect.name != "postgresql":
        yield
        return
    attempt = await connection.begin_nested()
    try:
        yield
    finally:
        await attempt.rollback()


async def _extent(connection: AsyncConnection) -> Extent:
    last = select(func.coalesce(func.max(events.c.position), 0)).scalar_subquery()
    row = (await connection.execute(select(search_head.c.position, last))).one_or_none()
    return Extent(0, 0) if row is None else Extent(*row)


async def _those(connection: AsyncConnection, *wanted: ColumnElement[bool]) -> list[int]:
    statement = select(events.c.position).where(*wanted)
    # By position, and never along another index to the few that have the needles.
    statement = statement.with_hint(events, "NOT INDEXED", "sqlite").with_hint(
        events, "FORCE INDEX (PRIMARY)", "mariadb"
    )
    return list((await connection.execute(statement)).scalars())
