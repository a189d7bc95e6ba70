"""Everything in the database that holds identity: what of it is about an actor, and how that is changed.

Whoever adds a table in which ids or texts of events stand adds it here. The full-text index follows the events
(`store.search.purging`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.erasure.erased_events import ErasedEvents
from store.erasure.erased_records import ErasedCounters, ErasedLetters, ErasedSnapshots
from store.erasure.identity import Replacement


class Holder(Protocol):
    """What holds identity. `name` is what is counted of it."""

    @property
    def name(self) -> str:
        """In the plural, as it is reported."""
        ...

    def changes(self) -> AsyncGenerator[Sequence[Any]]:
        """What is to be changed, some at a time, found outside of any lock. What was changed is not found again."""
        ...

    async def change(self, connection: AsyncConnection, changes: Sequence[Any]) -> Counter[str]:
        """Make these changes. Making one again does no harm."""
        ...

    async def after(self, connection: AsyncConnection) -> Sequence[Any]:
        """What has come since `changes`, for a transaction in which nobody appends."""
        ...


def holders(database: Database, replacement: Replacement) -> list[Holder]:
    """All that there are."""
    return [
        ErasedEvents(database, replacement),
        ErasedLetters(database, replacement),
        ErasedCounters(database, replacement),
        ErasedSnapshots(database, replacement),
    ]
