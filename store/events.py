"""The event store that applications use: commit to SQL first, then announce on the bus."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from store.bus import Bus
from store.database import Database
from store.event import Event
from store.repository import EventRepository


class EventStore:
    """Records events and reads them back.

    >>> async with await EventStore.open("sqlite:///events.db") as store:
    ...     await store.create(Event(event_type="download.failed", resource_type="download", resource_id="9f3a"))
    """

    def __init__(self, database: Database, bus: Bus | None = None) -> None:
        self._database = database
        self._bus = bus
        self.repository = EventRepository(database)

    @classmethod
    async def open(cls, url: str, bus: Bus | None = None) -> EventStore:
        """Open the database at `url` (an SQLAlchemy URL), migrated; announce on `bus`, which the store then owns.

        Raises:
            StoreError: the database cannot be used; the message is one line that says why.
        """
        return cls(await Database.open(url), bus)

    @property
    def place(self) -> str:
        """Where the store is, for people: no password in it."""
        return self._database.place

    async def create(self, event: Event) -> Event:
        """Store `event`, then announce it. Returns the stored event, with its position.

        An event whose id is stored already is neither stored nor announced again; the stored one is returned.

        Raises:
            StoreUnavailableError: it could not be stored.
        """
        stored = await self.create_many([event]) or await self.repository.get([event.id])
        # The row that was there already may have been pruned since, or be no event.
        return stored[0] if stored else event

    async def create_many(self, events: Sequence[Event]) -> list[Event]:
        """Store `events` in one transaction, then announce the new ones. Returns the new ones.

        Raises:
            StoreUnavailableError: none of them could be stored.
        """
        appended = await self.repository.append(events)
        if self._bus is not None and appended.events:
            await self._bus.announce(appended.events)
        return appended.events

    async def close(self) -> None:
        """Close the bus and the database."""
        if self._bus is not None:
            await self._bus.close()
        await self._database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
