"""The store and the bus behind a console, opened and closed in one place, outside the application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from monitor.errors import StartError
from monitor.feed import Feed
from monitor.model.arrivals import Arrivals
from monitor.settings import Settings
from store.bus import Bus
from store.bus_url import (
    BUS_SETTING,
    EMBEDDED,
    NO_BUS,
    producer_bus,
    redis_bus,
    transport_weakness,
)
from store.database import Database
from store.embedded import EmbeddedBus
from store.event import Event
from store.event_filter import EventFilter
from store.event_selection import BEFORE_ALL, Cursor, Selection
from store.events import EventStore
from store.featured import MODEL, featured_items
from store.featured_item import FeaturedItem
from store.figures.computing import figures_of
from store.figures.figures import Figures
from store.figures.period import Period
from store.leases import Leases
from store.query.syntax import Node
from store.redis_bus import RedisBus
from store.signing import Signer
from store.status import missing_file

MinuteCount = tuple[int, str | None, int]
"""First minute of a bar, severity, number."""
SNAPSHOT_LIFE = timedelta(minutes=35)
"""How old stored figures may be: a little older than a worker lets them get."""


class Backend:
    """An open store with its bus: runs the feed and reads pages.

    With a `signer`, only messages that it signed are believed before the store confirms them.
    `weakness` is what someone on the way to the bus can do, in a line; None when nothing. With `keeps_alerts`, what
    fires is to be recorded in the store by whoever finds it. One that `is_private` is nobody else's, and no worker's.
    """

    def __init__(
        self,
        store: EventStore,
        bus: Bus | None,
        embedded: EmbeddedBus | None = None,
        *,
        weakness: str | None = None,
        signer: Signer | None = None,
        keeps_alerts: bool = False,
        is_private: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.is_private = is_private
        self.store = store
        self.leases = Leases(store.database)
        """Where it stands which worker does what."""
        self.weakness = weakness
        self.keeps_alerts = keeps_alerts
        self._signer = signer
        self._bus = bus
        self._embedded = embedded
        self._now = now
        self._feed: Feed | None = None

    @property
    def caught_up_at(self) -> float:
        """When the feed last had all that the store had, by `time.monotonic()`; 0 before that."""
        return 0.0 if self._feed is None else self._feed.caught_up_at

    async def run(self, deliver: Callable[[Arrivals], None], interest: tuple[str, ...] = ()) -> None:
        """Run the feed until cancelled, handing `deliver` at most one frame at a time."""
        self._feed = Feed(
            self.store.repository,
            self._bus,
            deliver,
            interest=interest,
            signer=self._signer,
            now=self._now,
        )
        await self._feed.run()

    async def start_over(self) -> None:
        """Have the feed begin anew with the newest page, and wait until that is handed on."""
        if self._feed is not None:
            await self._feed.start_over()

    async def before(self, floor: tuple[datetime, int] | None, limit: int, query: Selection) -> list[Event]:
        """The newest `limit` events that match `query` and come before the sort key `floor`."""
        repository = self.store.repository
        if floor is None:
            return await repository.newest(limit, query)
        return await repository.before(_cursor(floor), limit, query)

    async def newest_of_types(self, types: Sequence[str], limit: int) -> list[Event]:
        """The newest `limit` events of `types`."""
        return await self.store.repository.newest_of_types(types, limit)

    async def after(self, ceiling: tuple[datetime, int], limit: int, query: Selection) -> list[Event]:
        """The `limit` events that match `query` and come right after the sort key `ceiling`, newest first."""
        return await self.store.repository.following(_cursor(ceiling), limit, query)

    async def resource_events(
        self,
        resource_type: str,
        resource_id: str,
        limit: int,
        query: Selection,
        *,
        before: tuple[datetime, int] | None = None,
        after: tuple[datetime, int] | None = None,
    ) -> list[Event]:
        """The newest `limit` events of a resource, in both roles, that match `query`; next to a sort key."""
        return await self.store.repository.resource_events(
            resource_type,
            resource_id,
            limit,
            None if before is None else _cursor(before),
            after=None if after is None else _cursor(after),
            chosen=query,
        )

    async def resource_span(self, resource_type: str, resource_id: str) -> tuple[int, datetime | None]:
        """How many events a resource has, in both roles, and the time of its first."""
        return await self.store.repository.resource_span(resource_type, resource_id)

    async def span(self, chosen: EventFilter) -> tuple[int, datetime | None]:
        """How many events there are of `chosen`, and the time of the first."""
        repository = self.store.repository
        count = await repository.count(chosen)
        oldest = await repository.following(Cursor(BEFORE_ALL, UUID(int=0)), 1, chosen) if count else []
        return count, oldest[0].inserted_at if oldest else None

    async def histogram(self, since: int, until: int, step: int, query: Node) -> list[MinuteCount]:
        """Recorded events that match `query`, in the minutes (since 1970) `since` up to and without `until`.

        They come as (first minute of a bar of `step` minutes, severity, number before sampling), oldest first.
        """
        first, last = (datetime.fromtimestamp(minute * 60, UTC) for minute in (since, until - 1))
        chosen = EventFilter(query=query)
        buckets = await self.store.repository.histogram(first, last, step, chosen, estimated=True)
        return [(int(start.timestamp()) // 60, severity, number) for start, severity, number in buckets]

    async def combinations(
        self, names: Sequence[str], chosen: EventFilter, limit: int
    ) -> list[tuple[tuple[str | None, ...], int]]:
        """The most frequent values of the fields `names` together among the stored events of `chosen`."""
        return await self.store.repository.combinations(names, chosen, limit)

    async def figures(self, period: Period, *, anew: bool = False) -> AsyncGenerator[Figures]:
        """The figures of `period`: those that a worker stored lately, else worked out, in two steps.

        The last hour is always worked out: half an hour ago it was another one.
        """
        now = self._now()
        if not anew and period is not Period.HOUR:
            stored = await self.store.snapshots.get(period)
            if stored is not None and timedelta() <= now - stored.computed_at <= SNAPSHOT_LIFE:
                yield stored
                return
        async with aclosing(figures_of(self.store.database, period, now)) as steps:
            async for figures in steps:
                yield figures

    async def featured(self) -> list[FeaturedItem]:
        """What is featured now, by a copy that is dropped when that changes."""

        async def compute() -> list[dict[str, Any]]:
            return [item.plain() for item in await featured_items(self.store.repository)]

        model = await self.store.read_models.get(MODEL, compute, self._now())
        items = FeaturedItem.all_from(model.value)
        return await featured_items(self.store.repository) if items is None else items

    async def counters(self, resource_type: str, resource_id: str) -> Mapping[str, int]:
        """What events counted for a resource, every stored event included."""
        return (await self.store.counters.of(resource_type, resource_id)).values

    async def record(self, events: Sequence[Event]) -> None:
        """Store `events` and announce them; those that are stored already are left alone.

        Raises:
            StoreError: they cannot be stored.
        """
        await self.store.create_many(events)

    async def known_types(self) -> list[str]:
        """Every event type that was ever stored, by name."""
        return await self.store.repository.known_types()

    async def close(self) -> None:
        """Close the store, the bus, and the embedded server if this process started it."""
        await self.store.close()
        if self._embedded is not None:
            self._embedded.close()


def _cursor(key: tuple[datetime, int]) -> Cursor:
    return Cursor(key[0], UUID(int=key[1]))


def _signer(settings: Settings) -> Signer | None:
    return None if settings.signing_key is None else Signer(settings.signing_key)


def _private_bus(settings: Settings) -> EmbeddedBus:
    try:
        return EmbeddedBus(settings.runtime)
    except OSError as error:
        raise StartError(str(error)) from None


def open_bus(settings: Settings) -> tuple[Bus | None, EmbeddedBus | None]:
    """The bus of `settings`; connections are made when they are needed.

    Raises:
        StartError: the URL of the bus cannot be used.
    """
    if settings.bus == NO_BUS:
        return None, None
    if settings.bus == EMBEDDED:
        embedded = _private_bus(settings)
        return RedisBus(embedded.url, signer=_signer(settings), ensure=embedded.ensure), embedded
    try:
        return redis_bus(settings.bus_url, settings.signing_key), None
    except ValueError as error:
        raise StartError(f"{BUS_SETTING}: {error}") from None


def announcing_bus(settings: Settings) -> Bus | None:
    """The bus of `settings` for a producer. It starts no embedded server: that would end with this process.

    Raises:
        StartError: the URL of the bus cannot be used.
    """
    try:
        return producer_bus(settings.bus_url, settings.runtime, settings.signing_key)
    except ValueError as error:
        raise StartError(f"{BUS_SETTING}: {error}") from None
    except OSError as error:
        raise StartError(str(error)) from None


async def open_store(settings: Settings, *, announce: bool = True, create: bool = True) -> EventStore:
    """Open the store alone, to record or to read once; it announces on the bus of `settings`, unless told not to.

    Without `create`, an SQLite file that is not there is not made: a mistyped name must not look like an empty store.

    Raises:
        StartError: the URL of the bus cannot be used, or there is no file.
        store.errors.StoreError: the store cannot be used; one line that says why.
    """
    missing = None if create else missing_file(settings.store_url)
    if missing is not None:
        raise StartError(f"there is no store at {missing}; nothing was recorded there yet")
    bus = announcing_bus(settings) if announce else None
    try:
        return EventStore(await Database.open(settings.store_url), bus)
    except BaseException:
        if bus is not None:
            await bus.close()
        raise


async def open_backend(settings: Settings, server: EmbeddedBus | None = None) -> Backend:
    """Open store and bus. `server` is an embedded bus that already runs, to be closed with the rest.

    Raises:
        store.errors.StoreError: the store cannot be used; one line that says why.
    """
    bus, embedded = open_bus(settings)
    try:
        store = EventStore(await Database.open(settings.store_url), bus)
    except BaseException:
        if bus is not None:
            await bus.close()
        raise
    return Backend(
        store,
        bus,
        embedded or server,
        weakness=transport_weakness(settings.bus_url),
        signer=_signer(settings),
        keeps_alerts=settings.records_alerts,
    )
