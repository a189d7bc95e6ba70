"""Events in SQL: append, pages, catching up, counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, false, func, literal, not_, select, text, tuple_
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.database import Database
from store.event import Event
from store.event_rows import COLUMNS, read_events, row_of
from store.query.sql import where
from store.query.syntax import EVERYTHING, Node
from store.rollups import FacetCount, RollupCount
from store.tables import events

_ID_CHUNK = 500


class Cursor(NamedTuple):
    """A place on the timeline: an event's `inserted_at` and `id`."""

    inserted_at: datetime
    id: UUID

    @classmethod
    def of(cls, event: Event) -> Cursor:
        """The place of `event`."""
        return cls(event.inserted_at, event.id)


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did: the new events with their positions, and how many were in the table already."""

    events: list[Event]
    duplicates: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The newest events, the rollups since a moment and the last position, all seen at one moment."""

    newest: list[Event]
    rollups: list[RollupCount]
    last_position: int


class EventRepository:
    """Reads and appends events. Pages are lists of events, newest first unless said otherwise.

    A row that is no valid event (something else wrote it) is left out and counted in `unreadable`. The page
    is filled up with the ones after it: a page below its limit is the last one.
    """

    commit_overlap = 0
    """How far back of the last position a commit may still become visible: SQLite commits in order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.unreadable = 0

    async def append(self, batch: Sequence[Event]) -> Appended:
        """Store `batch` and its rollups in one transaction. An id that is stored already is left alone.

        Raises:
            StoreUnavailableError: nothing of the batch was stored.
        """
        unique: dict[UUID, Event] = {}
        for event in batch:
            unique.setdefault(event.id, event)
        if not unique:
            return Appended([], 0)
        rows = [row_of(event) for event in unique.values()]
        async with self._database.write() as connection:
            statement = insert(events).on_conflict_do_nothing(index_elements=[events.c.id])
            result = await connection.execute(statement.returning(events.c.id, events.c.position), rows)
            positions: dict[UUID, int] = {row.id: row.position for row in result}
            stored = [
                event.model_copy(update={"position": positions[event.id]})
                for event in unique.values()
                if event.id in positions
            ]
            if stored:
                await rollups.count_in(connection, stored)
        return Appended(stored, len(batch) - len(stored))

    async def clear(self) -> None:
        """Delete every event and every count; positions begin anew, as in a new store."""
        async with self._database.write() as connection:
            await connection.execute(delete(events))
            await connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'events'"))
            await rollups.clear(connection)

    async def newest(self, limit: int = 100, query: Node = EVERYTHING) -> list[Event]:
        """The newest `limit` events that match `query`."""
        return await self._page(_newest_first(query), limit)

    async def before(self, cursor: Cursor, limit: int = 100, query: Node = EVERYTHING) -> list[Event]:
        """The `limit` events that match `query` and come right before `cursor` on the timeline."""
        return await self._page(_newest_first(query).where(_precedes(cursor)), limit)

    async def after(self, position: int, limit: int = 1000, query: Node = EVERYTHING) -> list[Event]:
        """Up to `limit` events that match `query`, committed after `position`, in order of commit."""
        statement = select(*COLUMNS).where(events.c.position > position).order_by(events.c.position)
        return await self._page(_matching(statement, query), limit)

    async def resource_events(
        self, resource_type: str, resource_id: str, limit: int = 100, before: Cursor | None = None
    ) -> list[Event]:
        """The newest events of one resource, in its primary and in its secondary role."""
        found: dict[UUID, Event] = {}
        async with self._database.read() as connection:
            # One index walk a role: an OR over both would sort all of the resource's events first.
            for role in _roles(resource_type, resource_id):
                statement = _newest_first(EVERYTHING).where(role)
                if before is not None:
                    statement = statement.where(_precedes(before))
                for event in await self._filled(connection, statement, limit):
                    found[event.id] = event
        return sorted(found.values(), key=lambda event: event.sort_key, reverse=True)[:limit]

    async def resource_span(self, resource_type: str, resource_id: str) -> tuple[int, datetime | None]:
        """How many events one resource has, in both roles, and when the first one was."""
        primary, secondary = _roles(resource_type, resource_id)
        total, first = 0, None
        async with self._database.read() as connection:
            # An event that names the resource in both roles counts once.
            for role in (primary, secondary & not_(func.coalesce(primary, false()))):
                total += (await connection.execute(select(func.count()).where(role))).scalar_one()
                oldest = select(*COLUMNS).where(role).order_by(events.c.inserted_at, events.c.id)
                for event in await self._filled(connection, oldest, 1):
                    first = event.inserted_at if first is None else min(first, event.inserted_at)
        return total, first

    async def get(self, ids: Iterable[UUID]) -> list[Event]:
        """The stored events among `ids`, in no order."""
        wanted = list(ids)
        found: list[Event] = []
        for start in range(0, len(wanted), _ID_CHUNK):
            chunk = wanted[start : start + _ID_CHUNK]
            found.extend(await self._page(select(*COLUMNS).where(events.c.id.in_(chunk)), len(chunk)))
        return found

    async def count(self, query: Node = EVERYTHING) -> int:
        """How many stored events match `query`."""
        async with self._database.read() as connection:
            statement = _matching(select(func.count()).select_from(events), query)
            return (await connection.execute(statement)).scalar_one()

    async def last_position(self) -> int:
        """The position of the latest commit; 0 for an empty store."""
        async with self._database.read() as connection:
            return await _last_position(connection)

    async def facet_counts(self, since: datetime, until: datetime | None = None) -> list[FacetCount]:
        """Events by category, type and severity in the minutes from `since` up to and with `until`."""
        async with self._database.read() as connection:
            return await rollups.facet_counts(connection, since, until)

    async def histogram(
        self, since: datetime, until: datetime | None = None, step_minutes: int = 1
    ) -> list[tuple[datetime, str | None, int]]:
        """Events by bucket and severity: (start of the bucket, severity, count), oldest first.

        Buckets are whole multiples of `step_minutes` since 1970; empty ones are left out.
        """
        async with self._database.read() as connection:
            return await rollups.histogram(connection, since, until, step_minutes)

    async def known_types(self) -> list[str]:
        """Every event type that was ever stored, by name. Reads the rollups, not the events."""
        async with self._database.read() as connection:
            return await rollups.known_types(connection)

    async def newest_of_types(self, patterns: Iterable[str], limit: int) -> list[Event]:
        """The newest events whose type matches one of `patterns`, where `*` stands for any text.

        The patterns are looked up among the known types first: a glob alone would scan every event.
        """
        expressions = [re.compile(".*".join(map(re.escape, pattern.split("*")))) for pattern in patterns]
        known = await self.known_types()
        types = [name for name in known if any(expression.fullmatch(name) for expression in expressions)]
        if not types:
            return []
        return await self._page(_newest_first(EVERYTHING).where(events.c.event_type.in_(types)), limit)

    async def overview(self, limit: int, since: datetime, query: Node = EVERYTHING) -> Overview:
        """What a console opens with, read in one transaction so that nothing is counted twice."""
        async with self._database.read() as connection:
            newest = await self._filled(connection, _newest_first(query), limit)
            counts = await rollups.minute_counts(connection, since)
            return Overview(newest, counts, await _last_position(connection))

    async def _page(self, statement: Select[Any], limit: int) -> list[Event]:
        async with self._database.read() as connection:
            return await self._filled(connection, statement, limit)

    async def _filled(self, connection: AsyncConnection, statement: Select[Any], limit: int) -> list[Event]:
        found, unreadable = await read_events(connection, statement, limit)
        self.unreadable += unreadable
        return found


def _roles(resource_type: str, resource_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        and_(events.c.resource_type == resource_type, events.c.resource_id == resource_id),
        and_(
            events.c.secondary_resource_type == resource_type, events.c.secondary_resource_id == resource_id
        ),
    )


def _precedes(cursor: Cursor) -> ColumnElement[bool]:
    place = tuple_(
        literal(cursor.inserted_at, events.c.inserted_at.type), literal(cursor.id, events.c.id.type)
    )
    return tuple_(events.c.inserted_at, events.c.id) < place


def _matching(statement: Select[Any], query: Node) -> Select[Any]:
    return statement if query == EVERYTHING else statement.where(where(query))


def _newest_first(query: Node) -> Select[Any]:
    return _matching(select(*COLUMNS), query).order_by(events.c.inserted_at.desc(), events.c.id.desc())


async def _last_position(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.max(events.c.position)))).scalar() or 0
