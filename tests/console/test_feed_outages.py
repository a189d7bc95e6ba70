"""The feed when the bus or the store goes, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from monitor.feed import FeedOptions
from monitor.inbox import Inbox
from monitor.model.arrivals import Link
from monitor.model.gaps import GapState
from store.bus import CHANNEL, Signal, Subscribed
from store.errors import StoreUnavailableError
from store.events import EventStore
from store.memory_bus import MemoryBus
from tests.application import NO_POLL, QUICK, Application, application, downloads, live
from tests.waiting import until
from tests.watch import watching


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Application]:
    async with application(tmp_path / "events.db") as running:
        yield running


async def test_an_outage_is_one_gap_that_stays_open_until_live_again_while_polling_goes_on(
    store: Application,
) -> None:
    async with live(store) as watch:
        await store.create(5)
        await until(lambda: len(watch.events) == 5)
        store.bus.disconnect("it fell over")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        assert watch.status.reason == "it fell over"
        for _ in range(3):
            await store.create(4)
            await until(lambda: len(watch.events) % 4 == 1)
            store.bus.disconnect("still")
        await until(lambda: len(watch.events) == 17)
        await until(lambda: watch.last_gaps[0].recovered == 12)
        assert watch.status.attempt == 4
        assert watch.last_gaps[0].state is GapState.OPEN
        assert watch.last_gaps[0].until is None
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        (gap,) = watch.last_gaps
        assert (gap.state, gap.cause, gap.recovered) == (GapState.REPAIRED, "connection lost", 12)
        assert gap.until is not None
        assert gap.until > gap.since
        await store.create(1)
        await until(lambda: len(watch.events) == 18)
        assert len(watch.gaps) == 1
        assert watch.tally.missed == 12


async def test_polling_begins_with_the_outage(store: Application) -> None:
    async with live(store, FeedOptions(frame=0.01, safety_poll=60.0, poll=0.02)) as watch:
        store.bus.disconnect("gone")
        await store.create(3)
        await until(lambda: len(watch.events) == 3)


async def test_what_arrives_while_the_store_is_read_comes_after_what_is_found_there(
    store: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catch_up.PAGE", 20)
    async with live(store, NO_POLL) as watch:
        store.bus.disconnect("gone")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        events = await store.create(90)
        store.reader.after_["after"] = lambda: store.create(30)
        store.bus.reconnect()
        await until(lambda: len(watch.events) == 120)
        await until(lambda: watch.is_live)
        assert [event.id for event in watch.events[:90]] == [event.id for event in events]
        assert [event.position for event in watch.events] == list(range(1, 121))


async def test_a_disconnect_during_a_repair_leaves_the_gap_open(store: Application) -> None:
    async with live(store) as watch:
        store.bus.disconnect("first")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        store.reader.answering.clear()
        asked = len(store.reader.asked)
        store.bus.reconnect()
        await until(lambda: watch.last_gaps[0].state is GapState.REPAIRING)
        await until(lambda: len(store.reader.asked) > asked)
        store.bus.disconnect("second")
        await until(lambda: watch.last_gaps[0].state is GapState.OPEN)
        await store.create(3)
        store.reader.answering.set()
        await until(lambda: len(watch.events) == 3)
        assert watch.last_gaps[0].state is GapState.OPEN
        assert watch.last_gaps[0].until is None
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        (gap,) = watch.last_gaps
        assert (gap.state, gap.recovered) == (GapState.REPAIRED, 3)


async def test_two_causes_at_once_are_one_gap(store: Application) -> None:
    async with live(store, inbox=Inbox(max_messages=50)) as watch:
        await store.create(200)
        store.bus.disconnect("and now this")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(10)
        await until(lambda: len(watch.events) == 210)
        assert watch.last_gaps[0].state is GapState.OPEN
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        assert [gap.state for gap in watch.last_gaps] == [GapState.REPAIRED]


async def test_a_flapping_bus_loses_nothing_and_repeats_nothing(store: Application) -> None:
    async with live(store) as watch:
        for turn in range(40):
            await store.create(3)
            if turn % 2:
                store.bus.reconnect()
            else:
                store.bus.disconnect(f"turn {turn}")
            if turn % 5 == 0:
                await asyncio.sleep(0.01)
        store.bus.reconnect()
        await until(lambda: len(watch.events) == 120)
        await until(lambda: watch.is_live)
        assert watch.counted == 120
        assert watch.gaps
        assert all(gap.state is GapState.REPAIRED for gap in watch.last_gaps)
        assert watch.tally.duplicates == 0


async def test_being_cut_off_for_being_slow_is_repaired(store: Application) -> None:
    slow = MemoryBus(producer="app", capacity=50)
    store.bus = slow
    async with await EventStore.open(f"sqlite:///{store.path}", slow) as loud, live(store, NO_POLL) as watch:
        await loud.create_many(downloads(500))
        await until(lambda: len(watch.events) == 500)
        await until(lambda: watch.is_live)
        (gap,) = watch.last_gaps
        assert gap.state is GapState.REPAIRED
        assert gap.recovered > 400


async def test_without_a_bus_the_store_is_polled(store: Application) -> None:
    async with watching(store.reader, None) as watch:
        await until(lambda: watch.openings)
        assert (watch.status.link, watch.status.reason) == (Link.POLLING, "no bus")
        await store.create(5)
        await until(lambda: len(watch.events) == 5)
        assert not watch.gaps


async def test_a_bus_that_is_away_at_the_start_is_polled_for_and_goes_live_without_a_gap(
    store: Application,
) -> None:
    store.bus.disconnect("nobody there")
    async with watching(store.reader, store.bus, QUICK) as watch:
        await until(lambda: watch.openings)
        assert (watch.status.link, watch.status.reason) == (Link.POLLING, "nobody there")
        await store.create(5)
        await until(lambda: len(watch.events) == 5)
        store.bus.disconnect("still nobody")
        await until(lambda: watch.status.attempt == 2)
        await store.create(2)
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        await until(lambda: len(watch.events) == 7)
        await store.create(1)
        await until(lambda: len(watch.events) == 8)
        assert not watch.gaps


async def test_a_bus_that_goes_before_the_opening_is_read_is_a_gap_until_it_is_back(
    store: Application,
) -> None:
    store.reader.answering.clear()
    async with watching(store.reader, store.bus, QUICK) as watch:
        await until(lambda: store.reader.asked)
        store.bus.disconnect("already")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        store.reader.answering.set()
        await store.create(4)
        await until(lambda: watch.openings)
        await until(lambda: watch.counted == 4)
        assert watch.last_gaps[0].state is GapState.OPEN
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        assert [gap.state for gap in watch.last_gaps] == [GapState.REPAIRED]
        assert watch.counted == 4


async def test_a_bus_that_is_closed_leaves_polling(store: Application) -> None:
    async with live(store) as watch:
        await store.bus.close()
        await until(lambda: watch.status.link is Link.POLLING)
        assert watch.status.reason == "the bus is closed"
        await store.create(2)
        await until(lambda: len(watch.events) == 2)
        await until(lambda: not watch.status.repairing)


async def test_a_bus_that_fails_in_an_unforeseen_way_is_subscribed_again(
    store: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.feed.RESUBSCRIBE", 0.05)
    bus = BrokenOnce()
    async with watching(store.reader, bus, QUICK) as watch:
        await until(lambda: watch.status.link is Link.RECONNECTING)
        assert watch.status.reason == "AttributeError"
        await store.create(2)
        await until(lambda: watch.is_live)
        await until(lambda: len(watch.ids) == 2)
        assert watch.last_gaps[0].state is GapState.REPAIRED


class BrokenOnce(MemoryBus):
    """A bus whose first subscription ends with an error that no one would expect."""

    def __init__(self) -> None:
        super().__init__()
        self._broken = False

    @asynccontextmanager
    async def subscribe(self, channel: str = CHANNEL) -> AsyncGenerator[AsyncIterator[Signal], None]:
        async with super().subscribe(channel) as signals:
            first, self._broken = not self._broken, True
            yield _broken() if first else signals


async def _broken() -> AsyncIterator[Signal]:
    yield Subscribed()
    raise AttributeError("'NoneType' object has no attribute 'read'")


@pytest.mark.parametrize("error", [StoreUnavailableError("EVTOP_STORE x: gone"), ValueError("a corrupt row")])
async def test_a_store_that_is_away_is_said_and_live_events_go_on(
    store: Application, error: Exception
) -> None:
    async with live(store) as watch:
        store.reader.error = error
        await until(lambda: watch.status.store_error)
        assert ("gone" in watch.status.store_error) == isinstance(error, StoreUnavailableError)
        await store.create(3)
        await until(lambda: len(watch.events) == 3)
        missed = await store.create_unannounced(2)
        store.bus.disconnect("and the bus too")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        store.bus.reconnect()
        await store.create(1)
        await until(lambda: len(watch.events) == 4)
        assert watch.status.repairing
        store.reader.error = None
        await until(lambda: watch.is_live and not watch.status.store_error)
        await until(lambda: len(watch.events) == 6)
        assert watch.ids >= {event.id for event in missed}
        assert [gap.state for gap in watch.last_gaps] == [GapState.REPAIRED]


async def test_a_store_that_is_away_at_the_start_is_waited_for(store: Application) -> None:
    store.reader.error = StoreUnavailableError("EVTOP_STORE x: gone")
    async with watching(store.reader, store.bus, QUICK) as watch:
        await until(lambda: watch.status.store_error and watch.status.link is Link.LIVE)
        await store.create(3)
        store.bus.disconnect("both")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        store.bus.reconnect()
        store.reader.error = None
        await until(lambda: watch.is_live)
        assert watch.status.store_error == ""
        assert watch.counted == 3


async def test_a_store_that_does_not_answer_is_said_and_live_events_go_on(
    store: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catch_up.PATIENCE", 0.05)
    async with live(store) as watch:
        store.reader.answering.clear()
        store.bus.disconnect("gone")
        store.bus.reconnect()
        await store.create(3)
        await until(lambda: watch.status.store_error)
        await until(lambda: len(watch.events) == 3)
        store.reader.answering.set()
        await until(lambda: watch.is_live and not watch.status.store_error)


async def test_a_catch_up_that_fails_half_way_goes_on_where_it_was(
    store: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catch_up.PAGE", 10)

    async def fail_next() -> None:
        store.reader.error = StoreUnavailableError("EVTOP_STORE x: gone")

    async with live(store) as watch:
        store.bus.disconnect("gone")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        store.reader.after_["after"] = fail_next
        await store.create(35)
        await until(lambda: watch.status.store_error)
        assert len(watch.events) == 10
        store.reader.error = None
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        assert [event.position for event in watch.events] == list(range(1, 36))
        assert watch.last_gaps[0].recovered == 35
