"""The event store that applications use: commit to SQL first, then announce on the bus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from store.appending import Appended
from store.bus import Bus
from store.counters.keys import Pending
from store.counters.repository import CounterRepository
from store.counters.tally import tally
from store.credentials import secret
from store.database import Database
from store.dead_letters import DeadLetterRepository
from store.event import Event
from store.event_counts import Bucket, Facet
from store.event_filter import EVERY_EVENT, EventFilter
from store.event_selection import Cursor
from store.figures.snapshots import SnapshotRepository
from store.read_models import ReadModels
from store.repository import EventRepository
from store.taxonomy import active


class EventStore:
    """Stores events and reads them back: for code that waits for the answer. `store.recorder` is for all other.

    Every method raises `StoreUnavailableError` when the database fails.

    >>> async with await EventStore.open("sqlite:///events.db") as store:
    ...     await store.create(Event(event_type="download.failed", resource_type="download", resource_id="9f3a"))
    """

    def __init__(self, database: Database, bus: Bus | None = None) -> None:
        self._database = database
        self._bus = bus
        self.repository = EventRepository(database)
        self.dead_letters = DeadLetterRepository(database)
        self.snapshots = SnapshotRepository(database)
        self.read_models = ReadModels(None) if bus is None else bus.read_models
        self.counters = CounterRepository(database, None if bus is None else bus.pending)

    @classmethod
    async def open(cls, url: str | SecretStr, bus: Bus | None = None) -> EventStore:
        """Open the database at `url` (an SQLAlchemy URL), migrated; announce on `bus`, which the store then owns.

        Raises:
            StoreError: the database cannot be used; the message is one line that says why.
        """
        # Rebound, so that a traceback with local variables has nothing to show.
        url = secret(url)
        return cls(await Database.open(url), bus)

    @property
    def database(self) -> Database:
        """Where everything is."""
        return self._database

    @property
    def place(self) -> str:
        """Where the store is, for people: no password in it."""
        return self._database.place

    async def create(self, event: Event) -> Event:
        """Store `event`, then announce it. Returns the stored event, with its position.

        An event whose id is stored already is neither stored nor announced again; the stored one is returned.

        Raises:
            RefusedEventError: the taxonomy does not admit it; the message says why.
            DataRefusedError: the database found fault with it.
        """
        stored = await self.create_many([event]) or await self.repository.get([event.id])
        # The row that was there already may have been pruned since, or be no event.
        return stored[0] if stored else event

    async def create_many(self, events: Sequence[Event]) -> list[Event]:
        """Store `events` in one transaction, then announce the new ones, together. Returns the new ones.

        Raises:
            RefusedEventError: the taxonomy does not admit one of them; none is stored.
            DataRefusedError: the database found fault with one of them; none is stored.
        """
        taxonomy = active()
        appended = await self.repository.append([taxonomy.admit(event) for event in events])
        await self.announce(appended)
        return appended.events

    async def announce(self, appended: Appended) -> None:
        """Announce what was appended, and what it adds to counters. A bus that is away is no error."""
        if self._bus is not None and appended.events:
            pending = Pending(appended.epoch, tally(appended.events, active()))
            await self._bus.announce(appended.events, pending)

    async def list_events(
        self,
        chosen: EventFilter = EVERY_EVENT,
        *,
        limit: int = 100,
        before: Cursor | None = None,
        after: Cursor | None = None,
    ) -> list[Event]:
        """Up to `limit` events of `chosen`, newest first.

        With `before`, the ones right before that place on the timeline; with `after`, the ones right after it. The
        next page begins at `Cursor.of` the last event of this one, the page before at that of the first.

        Raises:
            ValueError: both `before` and `after` were given, one of them has no zone, or `limit` is negative.
        """
        if before is not None and after is not None:
            raise ValueError("a page lies before one place or after one, not both")
        if before is not None:
            return await self.repository.before(before, limit, chosen)
        if after is not None:
            return await self.repository.following(after, limit, chosen)
        return await self.repository.newest(limit, chosen)

    async def resource_events(
        self,
        resource_type: str,
        resource_id: str,
        chosen: EventFilter = EVERY_EVENT,
        *,
        limit: int = 100,
        before: Cursor | None = None,
        after: Cursor | None = None,
    ) -> list[Event]:
        """Events of one resource, in its primary and in its secondary role, paged as `list_events` does.

        Raises:
            ValueError: as there.
        """
        return await self.repository.resource_events(
            resource_type, resource_id, limit, before, after=after, chosen=chosen
        )

    async def count(self, chosen: EventFilter = EVERY_EVENT) -> int:
        """How many stored events match `chosen`."""
        return await self.repository.count(chosen)

    async def facets(
        self, facet: Facet, chosen: EventFilter = EVERY_EVENT, limit: int = 100
    ) -> list[tuple[str | None, int]]:
        """The most frequent values of `facet` among the events of `chosen`, with how many have it.

        Raises:
            ValueError: `limit` is negative.
        """
        return await self.repository.facets(facet, chosen, limit)

    async def histogram(
        self,
        since: datetime,
        until: datetime | None = None,
        step_minutes: int = 1,
        chosen: EventFilter = EVERY_EVENT,
    ) -> Sequence[Bucket]:
        """Events by bucket of `step_minutes` and severity, oldest first: see `EventRepository.histogram`.

        Raises:
            ValueError: `step_minutes` is below 1, or `since` or `until` has no zone.
        """
        return await self.repository.histogram(since, until, step_minutes, chosen)

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
