"""The events that a policy no longer keeps: found by index, outside of any lock, and deleted with their counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.counters.pruned import keep_counted
from store.database import Database
from store.event_selection import begins_with_date, minute_column
from store.raw_values import (
    bound,
    bound_moment,
    raw,
    raw_moment,
    text_of,
)
from store.retention.policy import Cutoffs
from store.tables import NO_SEVERITY, events

BATCH = 2000
"""Events that are looked up at once."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Some events that are not to be kept, as they were when they were looked up.

    `keys` name the rows, `categories` tells how many there are of each, `conditions` held for all of them.
    """

    keys: Sequence[Any]
    categories: Counter[str]
    conditions: tuple[ColumnElement[bool], ...]


@dataclass(frozen=True, slots=True)
class _Sweep:
    """One walk along an index: the events of one `category` (raw), or of all, `since` and `before` two moments."""

    before: datetime
    since: datetime | None = None
    category: Any = None

    def over(self, dialect: str) -> tuple[ColumnElement[bool], ...]:
        moment, category = events.c.inserted_at, events.c.category
        found = [moment < self.before, begins_with_date(moment, dialect)]
        if self.since is not None:
            found.append(moment >= self.since)
        if self.category is not None:
            found.append(category == bound(self.category, category, dialect))
        return tuple(found)


class ExpiredEvents:
    """The events of `database` that are older than `cutoffs`, oldest first; by category where those differ.

    First all of those that no category keeps, by time alone. Then, of each category that keeps less than the
    longest, the rest of its own: so what stays is never walked over.
    """

    def __init__(self, database: Database, cutoffs: Cutoffs) -> None:
        self._database = database
        self._dialect = database.dialect
        self._cutoffs = cutoffs

    async def batches(self) -> AsyncGenerator[Expired]:
        """All of them, up to `BATCH` at a time. Whether they are deleted in between makes no difference."""
        async with aclosing(self._sweeps()) as sweeps:
            async for sweep in sweeps:
                async with aclosing(self._walk(sweep)) as batches:
                    async for batch in batches:
                        yield batch

    async def _sweeps(self) -> AsyncGenerator[_Sweep]:
        oldest, default = self._cutoffs.oldest, self._cutoffs.default
        if oldest is not None:
            yield _Sweep(oldest)
        for name, before in self._cutoffs.by_category.items():
            if before is not None and before != oldest:
                yield _Sweep(before, oldest, name.encode() if self._dialect == "sqlite" else name)
        if default is None or default == oldest:
            return
        category = await self._next_category(None)
        while category is not None:
            if text_of(category) not in self._cutoffs.by_category:
                yield _Sweep(default, oldest, category)
            following = await self._next_category(category)
            # SQLite orders a value that is no text behind every text, itself included.
            category = following if following != category else None

    async def _next_category(self, after: Any) -> Any:
        """The first category behind `after` that there are events of: one look into the index."""
        column = events.c.category
        statement = select(raw(func.min(column, type_=column.type), self._dialect))
        if after is not None:
            statement = statement.where(column > bound(after, column, self._dialect))
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalar()

    async def _walk(self, sweep: _Sweep) -> AsyncGenerator[Expired]:
        dialect, moment = self._dialect, events.c.inserted_at
        key = key_column(dialect)
        # What the index that is walked is ordered by, behind the moment.
        index, tie = (
            ("events_by_time", events.c.id) if sweep.category is None else ("events_by_category", key)
        )
        conditions = sweep.over(dialect)
        statement = (
            select(
                key,
                raw(events.c.category, dialect),
                raw_moment(dialect),
                tie if tie is key else raw(tie, dialect),
            )
            .where(*conditions)
            .order_by(moment, tie)
            .limit(BATCH)
            # MariaDB would rather sort all of a category than walk along the index that has it in order.
            .with_hint(events, f"FORCE INDEX ({index})", "mariadb")
        )
        ahead: ColumnElement[bool] | None = None
        while True:
            async with self._database.read() as connection:
                chosen = statement if ahead is None else statement.where(ahead)
                rows = (await connection.execute(chosen)).all()
            if rows:
                yield Expired([row[0] for row in rows], Counter(text_of(row[1]) for row in rows), conditions)
            if len(rows) < BATCH:
                return
            last = bound_moment(rows[-1][2], dialect)
            behind = tie > (rows[-1][3] if tie is key else bound(rows[-1][3], tie, dialect))
            # Not a comparison of pairs, for which MariaDB uses no index.
            ahead = and_(moment >= last, or_(moment > last, behind))


def key_column(dialect: str) -> ColumnElement[Any]:
    """By which rows are deleted. PostgreSQL finds the partition by the id."""
    return events.c.id if dialect == "postgresql" else events.c.position


async def delete_expired(
    connection: AsyncConnection, keys: Sequence[Any], conditions: Sequence[ColumnElement[bool]]
) -> Counter[str]:
    """Delete the events of `keys` for which `conditions` hold, and count them as pruned.

    Returns how many there were by category: only of those that were still there, whoever deleted the others.
    """
    dialect = connection.dialect.name
    chosen: list[ColumnElement[bool]] = [key_column(dialect).in_(keys)]
    if dialect != "postgresql":
        # Looked at again: a store that was cleared gives out its positions anew.
        chosen += conditions
    minute = minute_column(dialect).label("minute")
    severity = func.coalesce(events.c.severity, literal_column(f"'{NO_SEVERITY}'")).label("severity")
    kind = (events.c.category, events.c.event_type)
    cells = select(minute, *kind, severity, func.count().label("number")).where(*chosen)
    cells = cells.group_by(literal_column("minute"), *kind, events.c.severity)
    await rollups.mark_pruned(connection, cells.subquery("gone"))
    await keep_counted(connection, chosen)
    category = raw(events.c.category, dialect)
    deleted = await connection.execute(delete(events).where(*chosen).returning(category))
    return Counter(map(text_of, deleted.scalars()))
