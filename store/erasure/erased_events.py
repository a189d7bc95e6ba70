"""The events of an actor: found by position, outside of any lock, and changed in their places."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.erasure.identity import Replacement
from store.errors import StoreUnavailableError
from store.event import Event, search_text
from store.partition_tables import partition_table
from store.retention.detached_partitions import detached
from store.search.purging import texts_changed
from store.short_transactions import is_undefined_table
from store.tables import events

WINDOW = 5000
"""Positions that are looked through in one read, so that none takes long."""
_UNREADABLE = (TypeError, ValueError, OverflowError, OperationalError)
_FIELDS = (
    "actor_type",
    "actor_id",
    "resource_type",
    "resource_id",
    "secondary_resource_type",
    "secondary_resource_id",
)
_CHANGED = ("actor_id", "resource_id", "secondary_resource_id", "metadata", "search_text")


@dataclass(frozen=True, slots=True)
class RowChange:
    """The values that a row of the table of that name gets, by the names of `bindparam`."""

    table: str
    values: dict[str, Any]


class ErasedEvents:
    """The events that an actor did, that are about it, or that name it: in the order of their positions.

    `searched_to` is the last position that was looked at. `unreadable` are rows that may be about it and cannot be
    read, since something else wrote them.
    """

    name = "events"

    def __init__(self, database: Database, replacement: Replacement) -> None:
        self._database = database
        self._replacement = replacement
        self._concerned = self._condition(events)
        self.searched_to = 0
        self.unreadable = 0

    async def changes(self) -> AsyncGenerator[Sequence[RowChange]]:
        """Those of the table, and of partitions that are still to be dropped."""
        async with self._database.read() as connection:
            names = await detached(connection) if connection.dialect.name == "postgresql" else []
        for name in names:
            try:
                async for found in self._walk(partition_table(name)):
                    yield found
            except StoreUnavailableError as error:
                # Dropped meanwhile, and all of its events with it.
                if not is_undefined_table(error):
                    raise
        async for found in self._walk(events):
            yield found

    async def change(self, connection: AsyncConnection, changes: Sequence[RowChange]) -> Counter[str]:
        """Update the rows: the one exception to that events never change."""
        for name in {change.table for change in changes}:
            table = events if name == events.name else partition_table(name)
            # By both: the id finds the partition, and the position is given out anew in a store that was cleared.
            statement = update(table).where(
                table.c.id == bindparam("key"), table.c.position == bindparam("place")
            )
            values = {column: bindparam(f"new_{column}", type_=table.c[column].type) for column in _CHANGED}
            await connection.execute(
                statement.values(**values), [change.values for change in changes if change.table == name]
            )
        places = [int(change.values["place"]) for change in changes if change.table == events.name]
        await texts_changed(connection, places)
        return Counter({self.name: len(changes)})

    async def after(self, connection: AsyncConnection) -> Sequence[RowChange]:
        """Those behind the last position that was looked at."""
        return await self._found(connection, events, events.c.position > self.searched_to)

    async def _walk(self, table: Table) -> AsyncGenerator[Sequence[RowChange]]:
        async with self._database.read() as connection:
            bounds = select(func.min(table.c.position), func.max(table.c.position))
            first, last = (await connection.execute(bounds)).one()
        if first is None:
            return
        for begin in range(first, last + 1, WINDOW):
            end = min(begin + WINDOW - 1, last)
            async with self._database.read() as connection:
                found = await self._found(connection, table, table.c.position.between(begin, end))
            if table is events:
                self.searched_to = end
            if found:
                yield found

    async def _found(
        self, connection: AsyncConnection, table: Table, where: ColumnElement[bool]
    ) -> list[RowChange]:
        names = [column for column in table.c if column.name != "search_text"]
        concerned = self._concerned if table is events else self._condition(table)
        statement = select(*names).where(where, concerned)
        try:
            rows = list[Any]((await connection.execute(statement)).mappings().all())
        except _UNREADABLE:
            rows = list[Any]()
            keys = (await connection.execute(statement.with_only_columns(table.c.position))).scalars().all()
            for position in keys:
                try:
                    one = select(*names).where(table.c.position == position)
                    rows.append((await connection.execute(one)).mappings().one())
                except _UNREADABLE:
                    self.unreadable += 1
        return [change for row in rows if (change := self._changed(table, dict(row))) is not None]

    def _changed(self, table: Table, row: dict[str, Any]) -> RowChange | None:
        if not isinstance(row["metadata"], dict):
            self.unreadable += 1
            return None
        changed = self._replacement.event(row)
        if changed is None:
            return None
        row |= changed
        values = {f"new_{name}": row[name] for name in _CHANGED if name != "search_text"}
        values["new_search_text"] = search_text(Event.from_valid(row))
        return RowChange(table.name, {"key": row["id"], "place": row["position"], **values})

    def _condition(self, table: Table) -> ColumnElement[bool]:
        """What holds for all rows that may be concerned, and for few others."""
        identity, column = self._replacement.identity, table.c
        pairs = [(column[kind], column[name]) for kind, name in zip(_FIELDS[::2], _FIELDS[1::2], strict=True)]
        named = [and_(kind == identity.actor_type, name == identity.actor_id) for kind, name in pairs]
        in_text = column.search_text.contains(identity.actor_id.casefold(), autoescape=True)
        return or_(*named, in_text)
