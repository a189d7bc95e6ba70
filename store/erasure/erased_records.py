"""What there is of an actor beside its events: dead letters, counters, snapshots."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.counters.rows import head_of
from store.database import Database
from store.erasure.identity import Replacement
from store.erasure.pending import PENDING
from store.tables import dead_letters, resource_counters, snapshots

_LETTERS = 100
"""Letters in memory at a time: each may be large."""


@dataclass(frozen=True, slots=True)
class LetterChange:
    """What a letter holds from now on."""

    number: int
    payload: str
    reason: str


class ErasedLetters:
    """Dead letters. All are read: in what could not be stored, nothing can be looked up."""

    name = "dead_letters"

    def __init__(self, database: Database, replacement: Replacement) -> None:
        self._database = database
        self._replacement = replacement
        self._searched_to = 0

    async def changes(self) -> AsyncGenerator[Sequence[LetterChange]]:
        """Those that an actor's events are in, or whose reason names it."""
        while True:
            before = self._searched_to
            async with self._database.read() as connection:
                found = await self.after(connection)
            if found:
                yield found
            if self._searched_to == before:
                return

    async def after(self, connection: AsyncConnection) -> Sequence[LetterChange]:
        """Those of the next hundred behind the last one that was looked at."""
        letter = dead_letters.c
        statement = select(letter.id, letter.payload, letter.reason).where(letter.id > self._searched_to)
        rows = (await connection.execute(statement.order_by(letter.id).limit(_LETTERS))).all()
        if rows:
            self._searched_to = rows[-1][0]
        return [change for row in rows if (change := self._changed(*row)) is not None]

    async def change(self, connection: AsyncConnection, changes: Sequence[LetterChange]) -> Counter[str]:
        """Write them anew."""
        statement = update(dead_letters).where(dead_letters.c.id == bindparam("number"))
        statement = statement.values(payload=bindparam("new_payload"), reason=bindparam("new_reason"))
        rows = [
            {"number": one.number, "new_payload": one.payload, "new_reason": one.reason} for one in changes
        ]
        await connection.execute(statement, rows)
        return Counter({self.name: len(changes)})

    def _changed(self, number: int, payload: str, reason: str) -> LetterChange | None:
        written = self._replacement.document(payload)
        about_it = written is not None or self._replacement.names(reason)
        said = self._replacement.text(reason)[: dead_letters.c.reason.type.length] if about_it else reason  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
        if (written or payload, said) == (payload, reason):
            return None
        return LetterChange(number, written or payload, said)


class ErasedCounters:
    """Counters of the actor as a resource: they go on under the pseudonym."""

    name = "counters"

    def __init__(self, database: Database, replacement: Replacement) -> None:
        self._database = database
        self._replacement = replacement

    async def changes(self) -> AsyncGenerator[Sequence[tuple[str, str]]]:
        """The resource type and the name of each."""
        async with self._database.read() as connection:
            found = await self.after(connection)
        if found:
            yield found

    async def after(self, connection: AsyncConnection) -> Sequence[tuple[str, str]]:
        """All that there are: what was recorded before the events were changed may have been counted since."""
        counter = resource_counters.c
        statement = select(counter.resource_type, counter.counter).where(*self._its())
        return [(kind, name) for kind, name in (await connection.execute(statement)).all()]

    async def change(self, connection: AsyncConnection, changes: Sequence[tuple[str, str]]) -> Counter[str]:
        """Add what each has to that of the pseudonym: there is one where events came in after an earlier run."""
        counter, number = resource_counters.c, 0
        # Nobody counts meanwhile.
        await head_of(connection, lock=True)
        for kind, name in changes:
            old = and_(
                counter.resource_type == kind,
                counter.resource_id == self._replacement.identity.actor_id,
                counter.counter == name,
            )
            row = (await connection.execute(select(counter.value, counter.pruned).where(old))).one_or_none()
            if row is None:
                continue
            new = {"resource_type": kind, "resource_id": self._replacement.pseudonym, "counter": name}
            there = and_(*(counter[column] == value for column, value in new.items()))
            added = {"value": counter.value + row.value, "pruned": counter.pruned + row.pruned}
            if not (await connection.execute(update(resource_counters).where(there).values(added))).rowcount:
                values = {**new, "value": row.value, "pruned": row.pruned}
                await connection.execute(insert(resource_counters).values(values))
            await connection.execute(delete(resource_counters).where(old))
            number += 1
        return Counter({self.name: number})

    def _its(self) -> list[ColumnElement[bool]]:
        identity, counter = self._replacement.identity, resource_counters.c
        its = [counter.resource_id == identity.actor_id]
        return its if self._replacement.everywhere else [*its, counter.resource_type == identity.actor_type]


class ErasedSnapshots:
    """Figures that name it are deleted: they are worked out again, from what is stored then."""

    name = "snapshots"

    def __init__(self, database: Database, replacement: Replacement) -> None:
        self._database = database
        self._replacement = replacement

    async def changes(self) -> AsyncGenerator[Sequence[str]]:
        """Their names."""
        async with self._database.read() as connection:
            found = await self.after(connection)
        if found:
            yield found

    async def after(self, connection: AsyncConnection) -> Sequence[str]:
        """Those that there are now: some may have been worked out from what was there before."""
        rows = (await connection.execute(select(snapshots.c.name, snapshots.c.payload))).all()
        return [name for name, payload in rows if not name.startswith(PENDING) and self._is_in(name, payload)]

    async def change(self, connection: AsyncConnection, changes: Sequence[str]) -> Counter[str]:
        """Delete them."""
        deleted = await connection.execute(delete(snapshots).where(snapshots.c.name.in_(changes)))
        return Counter({self.name: deleted.rowcount})

    def _is_in(self, name: str, payload: str) -> bool:
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError):
            document = payload
        return self._replacement.has_word(document) or self._replacement.has_word(name)
