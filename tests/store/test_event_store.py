"""The store that applications use: committed first, announced after, each event once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from store.bus import CHANNEL, Messages, Signal, Subscribed
from store.counters.keys import Pending
from store.database import Database
from store.errors import StoreUnavailableError
from store.event import Event
from store.events import EventStore
from store.memory_bus import MemoryBus
from store.wire import Announcement, decode
from tests.events import make_event, make_events

DEADLINE = 5.0


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(producer="p")


@pytest.fixture
async def store(migrated_url: str, database: Database, bus: MemoryBus) -> AsyncIterator[EventStore]:
    """An empty store on each kind of database."""
    async with await EventStore.open(migrated_url, bus) as opened:
        yield opened


class Subscription:
    """What was announced so far."""

    def __init__(self, signals: AsyncIterator[Signal]) -> None:
        self._signals = signals

    async def announcements(self, count: int) -> list[Announcement]:
        """The next `count` announcements; fails when more wait than that."""
        payloads: list[bytes] = []
        async with asyncio.timeout(DEADLINE):
            while len(payloads) < count:
                signal = await anext(self._signals)
                assert isinstance(signal, Messages), signal
                payloads.extend(signal.payloads)
        assert len(payloads) == count
        return [decode(payload) for payload in payloads]


@asynccontextmanager
async def subscribed(bus: MemoryBus, channel: str = CHANNEL) -> AsyncGenerator[Subscription]:
    async with bus.subscribe(channel) as signals:
        assert await anext(signals) == Subscribed()
        yield Subscription(signals)


async def test_a_created_event_is_stored_and_announced_with_its_position(
    store: EventStore, bus: MemoryBus
) -> None:
    async with subscribed(bus) as subscription:
        stored = await store.create(make_event(1))
        assert stored == make_event(1, position=1)
        assert await store.repository.newest() == [stored]
        assert await subscription.announcements(1) == [Announcement(stored, "p", 1)]


async def test_announcements_reach_the_channel_of_each_resource(store: EventStore, bus: MemoryBus) -> None:
    async with subscribed(bus, "evtop:events:episode:s1e2") as subscription:
        stored = await store.create(
            make_event(
                1,
                resource_type="download",
                resource_id="9f3a",
                secondary_resource_type="episode",
                secondary_resource_id="s1e2",
            )
        )
        assert await subscription.announcements(1) == [Announcement(stored, None, None)]


async def test_only_new_events_of_a_batch_are_returned_and_announced(
    store: EventStore, bus: MemoryBus
) -> None:
    await store.create(make_event(2))
    async with subscribed(bus) as subscription:
        new = await store.create_many([*make_events(4), make_event(1)])
        assert [event.id.int for event in new] == [0, 1, 3]
        announced = await subscription.announcements(3)
    assert [announcement.event for announcement in announced] == new
    assert [announcement.sequence for announcement in announced] == [2, 3, 4]


async def test_an_event_that_is_stored_already_is_returned_as_stored_and_not_announced(
    store: EventStore, bus: MemoryBus
) -> None:
    first = await store.create(make_event(1, status="first"))
    async with subscribed(bus) as subscription:
        assert await store.create(make_event(1, status="second")) == first
        assert await store.create_many([make_event(1)]) == []
        last = await store.create(make_event(2))
        assert await subscription.announcements(1) == [Announcement(last, "p", 2)]


class PruningStore(EventStore):
    """A store in which someone prunes everything between the write and the read that follows it."""

    async def create_many(self, events: Sequence[Event]) -> list[Event]:
        return []


async def test_an_event_that_was_pruned_meanwhile_is_returned_as_given(tmp_path: Path) -> None:
    async with await PruningStore.open(f"sqlite:///{tmp_path}/events.db") as store:
        assert await store.create(make_event(1)) == make_event(1)


class WatchingBus(MemoryBus):
    """Notes what the store holds at the moment of each announcement."""

    store: EventStore

    def __init__(self) -> None:
        super().__init__()
        self.held: list[int] = []

    async def announce(self, events: Sequence[Event], pending: Pending | None = None) -> bool:
        found = await self.store.repository.get([event.id for event in events])
        self.held.append(len(found))
        return await super().announce(events, pending)


async def test_events_are_committed_before_they_are_announced(tmp_path: Path) -> None:
    bus = WatchingBus()
    async with await EventStore.open(f"sqlite:///{tmp_path}/events.db", bus) as store:
        bus.store = store
        await store.create_many(make_events(5))
        await store.create(make_event(9))
    assert bus.held == [5, 1]


async def test_nothing_is_announced_when_nothing_could_be_stored(tmp_path: Path, bus: MemoryBus) -> None:
    path = tmp_path / "events.db"
    await (await EventStore.open(f"sqlite:///{path}")).close()
    read_only = f"sqlite:///file:{path}?mode=ro&uri=true"
    async with await EventStore.open(read_only, bus) as store, subscribed(bus) as subscription:
        with pytest.raises(StoreUnavailableError, match="readonly"):
            await store.create(make_event(1))
        await bus.announce([make_event(2)])
        assert [heard.event.id.int for heard in await subscription.announcements(1)] == [2]


async def test_a_bus_that_is_away_keeps_no_event_from_being_stored(store: EventStore, bus: MemoryBus) -> None:
    bus.disconnect("gone")
    assert (await store.create(make_event(1))).position == 1
    await store.create_many(make_events(3, start=2))
    assert await store.repository.count() == 4
    bus.reconnect()
    async with subscribed(bus) as subscription:
        stored = await store.create(make_event(9))
        # The numbers of what was never heard are spent, so that the hole can be seen.
        assert await subscription.announcements(1) == [Announcement(stored, "p", 5)]


async def test_a_store_without_a_bus_only_stores(tmp_path: Path) -> None:
    async with await EventStore.open(f"sqlite:///{tmp_path}/events.db") as store:
        assert (await store.create(make_event(1))).position == 1
        assert store.place == f"sqlite:///{tmp_path}/events.db"


async def test_closing_the_store_closes_its_bus(tmp_path: Path, bus: MemoryBus) -> None:
    async with await EventStore.open(f"sqlite:///{tmp_path}/events.db", bus):
        pass
    with pytest.raises(RuntimeError, match="closed"):
        async with bus.subscribe():
            pass
