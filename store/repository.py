"""Events in SQL: append, pages, catching up, counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from sqlalchemy import delete

from store import appending, event_counts, event_groups, rollups
from store.appending import Appended
from store.counters.pruned import forget_all
from store.event import Event
from store.event_counts import Bucket, Facet
from store.event_filter import EVERY_EVENT, EventFilter
from store.event_groups import Group, GroupCounts, GroupField
from store.event_pages import EventPages, Overview
from store.event_rows import refuse_negative
from store.event_selection import Selection, recheck
from store.rollups import FacetCount
from store.search.building import forget_index
from store.tables import events

__all__ = ["EventRepository", "Overview"]


class EventRepository(EventPages):
    """Appends events, reads them as `EventPages` does, and counts them.

    A row that is no valid event is left out of what is read event by event.

    Every method raises `StoreUnavailableError` when the database fails, and `ValueError` for what has no answer:
    a negative limit, a moment without a zone.
    """

    async def append(self, batch: Sequence[Event]) -> Appended:
        """Store `batch` and its rollups in one transaction. An id that is stored already is left alone.

        Raises:
            StoreUnavailableError: nothing of the batch was stored.
            DataRefusedError: the database found fault with one of the events; nothing of the batch was stored.
        """
        async with self._database.write() as connection:
            return await appending.append(connection, batch)

    async def clear(self) -> None:
        """Delete every event and every count; positions begin anew, as in a new store."""
        async with self._database.write() as connection:
            await appending.reset(connection)
            await forget_index(connection)
            await connection.execute(delete(events))
            await rollups.clear(connection)
            await forget_all(connection)

    async def count(self, chosen: Selection = EVERY_EVENT) -> int:
        """How many stored events match `chosen`.

        Where it names category, type, severity and time alone, the rollups tell, save of minutes that the span
        covers in part; rows that something else wrote are not in them.
        """
        if (wanted := recheck(chosen)) is not None:
            return sum([1 async for _ in self._matching(chosen, wanted)])
        async with self._database.read() as connection:
            within = chosen if isinstance(chosen, EventFilter) else EventFilter(query=chosen)
            return await event_counts.count(connection, await self._lookup.narrowed(connection, within))

    async def facet_counts(
        self, since: datetime, until: datetime | None = None, chosen: EventFilter = EVERY_EVENT
    ) -> list[FacetCount]:
        """Recorded events by category, type and severity in the minutes from `since` up to and with `until`.

        Of `chosen`, only category, type and severity may be given. Pruned events are counted too.

        Raises:
            ValueError: `since` or `until` has no zone.
        """
        async with self._database.read() as connection:
            return await rollups.facet_counts(connection, since, until, chosen)

    async def facets(
        self, facet: Facet, chosen: EventFilter = EVERY_EVENT, limit: int = 100
    ) -> list[tuple[str | None, int]]:
        """The most frequent values of `facet` among the stored events of `chosen`, with how many have it.

        Category, type and severity are counted as `count` does. Ties are ordered by name.

        Raises:
            ValueError: `limit` is negative.
        """
        if (wanted := recheck(chosen)) is not None:
            return await event_counts.facets_of(self._matching(chosen, wanted), facet, limit)
        async with self._database.read() as connection:
            chosen = await self._lookup.narrowed(connection, chosen)
            return await event_counts.facets(connection, facet, chosen, limit)

    async def groups(
        self,
        by: Sequence[GroupField],
        chosen: EventFilter = EVERY_EVENT,
        limit: int = 100,
        zone: tzinfo | None = UTC,
    ) -> list[Group]:
        """The stored events of `chosen` counted by several fields at once: the `limit` most frequent groups.

        With a span of time among them, the latest groups, oldest first; hours and days are those of `zone`, None being
        the local one. Category, type, severity and time are counted as `count` does.

        Raises:
            ValueError: no field, a field twice, two spans of time, or `limit` is negative.
        """
        if (wanted := recheck(chosen)) is not None:
            refuse_negative(limit)
            counts = GroupCounts(by, zone)
            async for event in self._matching(chosen, wanted):
                counts.add(event)
            return counts.ordered(limit)
        async with self._database.read() as connection:
            chosen = await self._lookup.narrowed(connection, chosen)
            return await event_groups.grouped(connection, by, chosen, limit, zone)

    async def combinations(
        self, names: Sequence[str], chosen: EventFilter = EVERY_EVENT, limit: int = 100
    ) -> list[tuple[tuple[str | None, ...], int]]:
        """The most frequent values of several fields of text together, counted as `facets` does.

        Raises:
            ValueError: `limit` is negative.
        """
        if (wanted := recheck(chosen)) is not None:
            return await event_counts.combinations_of(self._matching(chosen, wanted), names, limit)
        async with self._database.read() as connection:
            chosen = await self._lookup.narrowed(connection, chosen)
            return await event_counts.combinations(connection, names, chosen, limit)

    async def histogram(
        self,
        since: datetime,
        until: datetime | None = None,
        step_minutes: int = 1,
        chosen: EventFilter = EVERY_EVENT,
        *,
        estimated: bool = False,
    ) -> Sequence[Bucket]:
        """Events by bucket and severity: (start of the bucket, severity, count), oldest first.

        Buckets are whole multiples of `step_minutes` since 1970; empty ones are left out. They hold the events of
        the minutes from `since` up to and with `until` that match `chosen`. Where `chosen` asks for category, type,
        severity and time alone, the rollups are read, save of minutes that its span covers in part; without a span
        of its own, pruned events are counted too, and with `estimated` those that sampling left out.

        Raises:
            ValueError: `step_minutes` is below 1; `since` or `until` has no zone.
        """
        if (wanted := recheck(chosen)) is not None:
            within = event_counts.restricted(chosen, since, until)
            return await event_counts.histogram_of(self._matching(within, wanted), step_minutes)
        async with self._database.read() as connection:
            chosen = await self._lookup.narrowed(connection, chosen)
            return await event_counts.histogram(
                connection, since, until, step_minutes, chosen, estimated=estimated
            )

    async def known_types(self) -> list[str]:
        """Every event type that was ever stored, by name. Reads the rollups, not the events."""
        async with self._database.read() as connection:
            return await rollups.known_types(connection)
