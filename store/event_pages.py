"""Events read from SQL: pages of the timeline, of a resource, of what was committed; what a console opens with."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import appending, rollups
from store.database import Database
from store.event import Event
from store.event_filter import EVERY_EVENT
from store.event_rows import COLUMNS, UnreadableRow, read_events, read_unreadable, refuse_negative
from store.event_selection import (
    Cursor,
    Selection,
    conditions,
    follows,
    newest_first,
    oldest_first,
    page,
    precedes,
    recheck,
)
from store.id_chunks import id_chunks
from store.query.predicate import Predicate
from store.query.syntax import UNSTORABLE
from store.rollups import RollupCount
from store.search.lookup import TextLookup
from store.sifting import Beyond, sift
from store.tables import events

_ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Overview:
    """The newest events, the rollups since a moment (in no order) and the last position, all seen at one moment."""

    newest: list[Event]
    rollups: list[RollupCount]
    last_position: int


class EventPages:
    """Reads events. Pages are lists of events, newest first unless said otherwise.

    A row that is no valid event (something else wrote it) is left out and counted in `unreadable`. The page
    is filled up with the ones after it: a page below its limit is the last one.

    Every method raises `StoreUnavailableError` when the database fails, and `ValueError` for what has no answer:
    a negative limit, a moment without a zone.
    """

    commit_overlap = 0
    """How far back of the last position a commit may still become visible: commits are made in order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = database.dialect
        self._lookup = TextLookup(database.dialect)
        self.unreadable = 0

    async def newest(self, limit: int = 100, chosen: Selection = EVERY_EVENT) -> list[Event]:
        """The newest `limit` events of `chosen`.

        Raises:
            ValueError: `limit` is negative.
        """
        return await self._page(page(chosen, self._dialect), limit, chosen, _precedes)

    async def before(self, cursor: Cursor, limit: int = 100, chosen: Selection = EVERY_EVENT) -> list[Event]:
        """The `limit` events of `chosen` that come right before `cursor` on the timeline.

        Raises:
            ValueError: `limit` is negative; the moment of `cursor` has no zone.
        """
        statement = page(chosen, self._dialect).where(precedes(cursor))
        return await self._page(statement, limit, chosen, _precedes)

    async def following(
        self, cursor: Cursor, limit: int = 100, chosen: Selection = EVERY_EVENT
    ) -> list[Event]:
        """The `limit` events of `chosen` that come right after `cursor` on the timeline, newest first.

        Raises:
            ValueError: `limit` is negative; the moment of `cursor` has no zone.
        """
        statement = select(*COLUMNS).where(*conditions(chosen, self._dialect), follows(cursor))
        found = await self._page(statement.order_by(*oldest_first()), limit, chosen, _follows)
        return found[::-1]

    async def after(self, position: int, limit: int = 1000, chosen: Selection = EVERY_EVENT) -> list[Event]:
        """Up to `limit` events of `chosen`, committed after `position`, in order of commit.

        Raises:
            ValueError: `limit` is negative.
        """
        statement = select(*COLUMNS).where(*conditions(chosen, self._dialect), events.c.position > position)
        return await self._page(statement.order_by(events.c.position), limit, chosen, _committed_after)

    async def holding(self, claims: Mapping[int, UUID]) -> set[int]:
        """The positions of those claims that are true: whose id is stored at their position, readable or not."""
        held: set[int] = set()
        if not claims:
            return held
        async with self._database.read() as connection:
            for positions in id_chunks(sorted(claims)):
                # By id as well, so that no id that something else wrote has to be read.
                statement = select(events.c.position, events.c.id).where(
                    events.c.position.between(positions[0], positions[-1]),
                    events.c.id.in_([claims[position] for position in positions]),
                )
                rows = (await connection.execute(statement)).all()
                held.update(position for position, identifier in rows if claims.get(position) == identifier)
        return held

    async def resource_events(
        self,
        resource_type: str,
        resource_id: str,
        limit: int = 100,
        before: Cursor | None = None,
        *,
        after: Cursor | None = None,
        chosen: Selection = EVERY_EVENT,
    ) -> list[Event]:
        """The newest events of one resource, in its primary and in its secondary role.

        With `before`, the ones right before that place; with `after`, the ones right after it. Newest first.

        Raises:
            ValueError: `limit` is negative; the moment of `before` or `after` has no zone.
        """
        statement = select(*COLUMNS).where(*conditions(chosen, self._dialect))
        if before is not None:
            statement = statement.where(precedes(before))
        if after is not None:
            statement = statement.where(follows(after))
        forwards = after is not None and before is None
        statement = statement.order_by(*(oldest_first() if forwards else newest_first()))
        # One index walk a role: an OR over both would sort all of the resource's events first.
        walks = [statement.where(role) for role in _roles(resource_type, resource_id)]
        if (wanted := recheck(chosen)) is not None:
            beyond = _follows if forwards else _precedes
            pages = [await self._sifted(walk, limit, wanted, beyond) for walk in walks]
        else:
            async with self._database.read() as connection:
                pages = [await self._filled(connection, walk, limit) for walk in walks]
        found = {event.id: event for found_in_role in pages for event in found_in_role}
        ordered = sorted(found.values(), key=lambda event: event.sort_key, reverse=not forwards)[:limit]
        return ordered[::-1] if forwards else ordered

    async def resource_span(self, resource_type: str, resource_id: str) -> tuple[int, datetime | None]:
        """How many events one resource has, in both roles, and when the first one was."""
        primary, secondary = _roles(resource_type, resource_id)
        total, first = 0, None
        counted = select(func.count()).select_from(events)
        async with self._database.read() as connection:
            # An event that names the resource in both roles counts once.
            for role in (primary, secondary & not_(func.coalesce(primary, false()))):
                total += (await connection.execute(counted.where(role))).scalar_one()
                oldest = select(*COLUMNS).where(role).order_by(*oldest_first())
                for event in await self._filled(connection, oldest, 1):
                    first = event.inserted_at if first is None else min(first, event.inserted_at)
        return total, first

    async def get(self, ids: Iterable[UUID]) -> list[Event]:
        """The stored events among `ids`, in no order."""
        found: list[Event] = []
        for chunk in id_chunks(list(ids)):
            found.extend(await self._page(select(*COLUMNS).where(events.c.id.in_(chunk)), len(chunk)))
        return found

    async def last_position(self) -> int:
        """The position of the latest commit, which stays when its event is pruned; 0 for a new store."""
        async with self._database.read() as connection:
            return await appending.last_position(connection)

    async def unreadable_rows(self, limit: int, among: int) -> list[UnreadableRow]:
        """The latest `limit` rows that are no events, with the reason, of the last `among` commits. Latest first."""
        found: list[UnreadableRow] = []
        before: int | None = None
        for looked_at in range(0, among, _ROWS_AT_ONCE):
            async with self._database.read() as connection:
                page, before = await read_unreadable(
                    connection, before, min(_ROWS_AT_ONCE, among - looked_at)
                )
            found += page
            if before is None or len(found) >= limit:
                break
        return found[:limit]

    async def newest_of_types(self, patterns: Iterable[str], limit: int) -> list[Event]:
        """The newest events whose type matches one of `patterns`, where `*` stands for any text. Newest first.

        Of several that share the moment of the last one, those committed last are chosen.

        Raises:
            ValueError: `limit` is negative.
        """
        refuse_negative(limit)
        statement = select(*COLUMNS).order_by(events.c.inserted_at.desc(), events.c.position.desc())
        found: list[Event] = []
        async with self._database.read() as connection:
            # A glob alone would scan every event, and a list of types sort all of theirs: so one index walk a type.
            for name in await _types_named(connection, frozenset(patterns)):
                walk = statement.where(events.c.event_type == name)
                if found and len(found) == limit:
                    walk = walk.where(events.c.inserted_at >= found[-1].inserted_at)
                found.extend(await self._filled(connection, walk, limit))
                found = sorted(found, key=_commit_order, reverse=True)[:limit]
        return sorted(found, key=lambda event: event.sort_key, reverse=True)

    async def overview(self, limit: int, since: datetime, chosen: Selection = EVERY_EVENT) -> Overview:
        """What a console opens with, read in one transaction so that nothing is counted twice.

        Raises:
            ValueError: `limit` is negative; `since` has no zone.
        """
        statement, wanted = page(chosen, self._dialect), recheck(chosen)
        async with self._database.read() as connection:
            newest: list[Event] = []
            if wanted is None:
                newest = await self._filled(
                    connection, await self._lookup.among(connection, statement, chosen), limit
                )
            counts = await rollups.minute_counts(connection, since)
            last = await appending.last_position(connection)
        if wanted is not None:
            # Of what was there at that moment, however long it takes to look through.
            statement = statement.where(events.c.position <= last)
            newest = await self._sifted(statement, limit, wanted, _precedes, chosen)
        return Overview(newest, counts, last)

    async def _page(
        self,
        statement: Select[Any],
        limit: int,
        chosen: Selection = EVERY_EVENT,
        beyond: Beyond | None = None,
    ) -> list[Event]:
        """`beyond` is needed where `chosen` may be a query that SQL cannot decide."""
        wanted = recheck(chosen)
        if wanted is not None and beyond is not None:
            return await self._sifted(statement, limit, wanted, beyond, chosen)
        async with self._database.read() as connection:
            statement = await self._lookup.among(connection, statement, chosen)
            return await self._filled(connection, statement, limit)

    def _matching(self, chosen: Selection, wanted: Predicate) -> AsyncGenerator[Event]:
        return self._sieve(page(chosen, self._dialect), wanted, _precedes, chosen)

    def _sieve(
        self, statement: Select[Any], wanted: Predicate, beyond: Beyond, chosen: Selection
    ) -> AsyncGenerator[Event]:
        """Of a resource, `chosen` is every event: its own index finds those sooner than their words would be."""
        among = partial(self._lookup.among, chosen=chosen)
        return sift(self._database, statement, wanted, beyond, among, self._pass_over)

    async def _sifted(
        self,
        statement: Select[Any],
        limit: int,
        wanted: Predicate,
        beyond: Beyond,
        chosen: Selection = EVERY_EVENT,
    ) -> list[Event]:
        refuse_negative(limit)
        found: list[Event] = []
        if limit:
            async with aclosing(self._sieve(statement, wanted, beyond, chosen)) as matching:
                async for event in matching:
                    found.append(event)
                    if len(found) == limit:
                        break
        return found

    def _pass_over(self, unreadable: int) -> None:
        self.unreadable += unreadable

    async def _filled(self, connection: AsyncConnection, statement: Select[Any], limit: int) -> list[Event]:
        found, unreadable = await read_events(connection, statement, limit)
        self._pass_over(unreadable)
        return found


def _precedes(event: Event) -> ColumnElement[bool]:
    return precedes(Cursor.of(event))


def _follows(event: Event) -> ColumnElement[bool]:
    return follows(Cursor.of(event))


def _committed_after(event: Event) -> ColumnElement[bool]:
    return events.c.position > event.position


async def _types_named(connection: AsyncConnection, patterns: frozenset[str]) -> list[str]:
    """The types that `patterns` match, of those that were ever stored; names alone are not looked up."""
    if not any("*" in pattern for pattern in patterns):
        return sorted(patterns)
    named = re.compile("|".join(".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns))
    return [name for name in await rollups.known_types(connection) if named.fullmatch(name)]


def _commit_order(event: Event) -> tuple[datetime, int]:
    return event.inserted_at, event.position or 0


def _roles(resource_type: str, resource_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    if UNSTORABLE.search(resource_type + resource_id):
        # No event has it, and some of the databases refuse to look for it.
        return false(), false()
    return (
        and_(events.c.resource_type == resource_type, events.c.resource_id == resource_id),
        and_(
            events.c.secondary_resource_type == resource_type, events.c.secondary_resource_id == resource_id
        ),
    )
