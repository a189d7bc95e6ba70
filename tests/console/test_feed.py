"""The feed while all is well: the opening, live events, and messages that are not what they should be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.confirmations import MAX_UNCONFIRMED
from monitor.feed import FRAME_MESSAGES, FeedOptions
from monitor.inbox import Inbox
from monitor.model.arrivals import Link
from store import wire
from store.bus import CHANNEL, Signal
from store.event import Event
from store.memory_bus import MemoryBus
from tests.application import NO_POLL, QUICK, Application, application, downloads, live
from tests.waiting import until
from tests.watch import watching


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Application]:
    async with application(tmp_path / "events.db") as running:
        yield running


async def test_the_opening_holds_the_newest_page_and_counts_everything(store: Application) -> None:
    await store.create(600)
    async with live(store) as watch:
        opening = watch.openings[0]
        assert len(opening.newest) == 500
        assert opening.has_older
        assert watch.counted == 600
        assert watch.tally.received == 0


async def test_an_opening_that_is_everything_says_so(store: Application) -> None:
    await store.create(499)
    async with live(store) as watch:
        assert not watch.openings[0].has_older


async def test_rows_that_are_no_events_are_counted_and_do_not_hide_that_there_are_older_ones(
    store: Application,
) -> None:
    await store.create(510)
    store.write_rows("UPDATE events SET event_type = 'NO EVENT' WHERE position > 505")
    async with live(store) as watch:
        assert len(watch.openings[0].newest) == 500
        assert watch.openings[0].has_older
        assert watch.tally.unreadable == 5


async def test_the_history_holds_the_wanted_types_however_old(store: Application) -> None:
    wanted = await store.loud.create(Event(event_type="indexer.down"))
    await store.create(600)
    async with live(store, interest=["indexer.*"]) as watch:
        assert [event.id for event in watch.openings[0].history] == [wanted.id]


async def test_what_is_stored_between_subscribing_and_the_opening_counts_once(store: Application) -> None:
    await store.create(5)
    store.reader.before["overview"] = lambda: store.create(700)
    store.reader.after_["overview"] = lambda: store.create(7)
    async with live(store) as watch:
        await until(lambda: watch.tally.received == 7)
        await store.create(1)
        await until(lambda: watch.tally.received == 8)
        assert watch.counted == await store.count() == 713


async def test_a_stream_during_the_start_is_counted_exactly(store: Application) -> None:
    stop = asyncio.Event()

    async def produce() -> None:
        while not stop.is_set():
            await store.create(20)

    producing = asyncio.create_task(produce())
    async with watching(store.reader, store.bus, QUICK) as watch:
        await until(lambda: watch.tally.received > 500)
        stop.set()
        await producing
        total = await store.count()
        await until(lambda: watch.counted >= total)
        assert watch.counted == total
        assert watch.tally.duplicates == 0
        assert not watch.gaps


async def test_a_subscription_that_comes_after_the_opening_misses_nothing(store: Application) -> None:
    """A bus that says nothing for a while is not waited for, and catches up when it stands."""
    bus = LateBus()
    async with watching(store.reader, bus, NO_POLL) as watch:
        await until(lambda: watch.openings)
        assert watch.status.link is Link.CONNECTING
        missed = await store.create_unannounced(3)
        bus.stands.set()
        await until(lambda: watch.is_live)
        await until(lambda: len(watch.events) == 3)
        assert watch.ids >= {event.id for event in missed}
        assert not watch.gaps


class LateBus(MemoryBus):
    """A bus whose subscription stands only after a while."""

    def __init__(self) -> None:
        super().__init__()
        self.stands = asyncio.Event()

    @asynccontextmanager
    async def subscribe(self, channel: str = CHANNEL) -> AsyncGenerator[AsyncIterator[Signal], None]:
        await self.stands.wait()
        async with super().subscribe(channel) as signals:
            yield signals


async def test_an_announced_event_is_handed_on_once_and_confirmed(store: Application) -> None:
    async with live(store) as watch:
        (event,) = await store.create(1)
        await until(lambda: watch.events)
        asked = len(store.reader.asked)
        await until(lambda: store.reader.asked[asked:].count("last_position") >= 3)
        assert [seen.id for seen in watch.events] == [event.id]
        assert watch.tally.recovered == 0
        assert not watch.unconfirmed


async def test_the_first_event_after_a_quiet_spell_comes_at_once_then_one_frame_at_a_time(
    store: Application,
) -> None:
    frame = 0.5
    async with live(store, FeedOptions(frame=frame)) as watch:
        loop = asyncio.get_running_loop()
        await until(lambda: loop.time() > watch.times[-1] + frame)
        seen = len(watch.frames)
        began = loop.time()
        for _ in range(12):
            await store.create(1)
            await asyncio.sleep(0.1)
        await until(lambda: len(watch.events) == 12)
        times = watch.times[seen:]
        assert times[0] - began < 0.4
        assert all(later - earlier >= frame * 0.95 for earlier, later in pairwise(times))
        assert len(times) <= 5


async def test_nothing_wakes_an_idle_feed_but_the_safety_poll(store: Application) -> None:
    inbox = CountingInbox()
    async with live(store, FeedOptions(frame=0.01, safety_poll=0.1), inbox=inbox) as watch:
        polls = store.reader.asked.count
        start = polls("last_position")
        await until(lambda: polls("last_position") == start + 2)
        frames, looks = len(watch.frames), inbox.looks
        await until(lambda: polls("last_position") == start + 8)
        assert len(watch.frames) == frames
        assert inbox.looks - looks <= 8
        assert watch.times[-1] + 0.5 < asyncio.get_running_loop().time()


class CountingInbox(Inbox):
    """Counts how often someone looks into it."""

    looks = 0

    def take(self, limit: int) -> list[bytes]:
        self.looks += 1
        return super().take(limit)


async def test_a_burst_is_handed_on_in_portions_and_in_order(store: Application) -> None:
    async with live(store) as watch:
        created = await store.create(2 * FRAME_MESSAGES)
        await until(lambda: len(watch.events) == 2 * FRAME_MESSAGES)
        assert max(len(frame.events) for frame in watch.frames) <= FRAME_MESSAGES
        assert [event.id for event in watch.events] == [event.id for event in created]
        assert not watch.gaps


async def test_only_what_is_announced_twice_counts_as_a_duplicate(store: Application) -> None:
    (old,) = await store.create(1)
    async with live(store) as watch:
        recovered = await store.create_unannounced(2)
        await until(lambda: len(watch.events) == 2)
        await store.bus.announce(recovered)
        (once,) = await store.create(1)
        await store.bus.announce([old])
        await until(lambda: len(watch.events) == 3)
        assert watch.tally.duplicates == 0
        await store.bus.announce([once, once, old])
        await until(lambda: watch.tally.duplicates == 3)
        assert len(watch.events) == 3
        assert watch.counted == 4


async def test_what_is_no_event_is_counted_and_does_not_end_anything(
    store: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = wire.decode

    def decode_or_fail(payload: bytes) -> wire.Announcement:
        if payload == b"surprise":
            raise RuntimeError("nobody thought of this")
        return decode(payload)

    monkeypatch.setattr(wire, "decode", decode_or_fail)
    bad = [b"", b"{", b"null", b"\xff\xfe", b"[" * 100_000, b'{"event_type":1}', b"x" * 300_000, b"surprise"]
    async with live(store) as watch:
        for payload in bad:
            store.bus.publish(payload)
        await store.create(1)
        await until(lambda: len(watch.events) == 1)
        assert watch.tally.malformed == len(bad)
        assert not watch.gaps


async def test_messages_that_take_long_to_decode_are_taken_in_slices(
    store: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.intake.TIME_SLICE", 0.0)
    monkeypatch.setattr("monitor.feed.FOLDING", 0.0)
    async with live(store) as watch:
        created = await store.create(40)
        await until(lambda: len(watch.events) == 40)
        assert [event.id for event in watch.events] == [event.id for event in created]
        assert max(len(frame.events) for frame in watch.frames) == 1
        assert watch.tally.recovered == 0


async def test_it_has_caught_up_only_once_everything_is_handed_on(store: Application) -> None:
    slow = asyncio.Event()

    async def hold_what_follows() -> None:
        store.reader.before["get"] = slow.wait

    async with live(store, FeedOptions(frame=0.01, safety_poll=0.1, confirm_within=60.0)) as watch:
        # What only the bus has is looked up after each reading.
        store.bus.publish(wire.encode(Event(event_type="job.failed")))
        await until(lambda: watch.unconfirmed)
        await store.create_unannounced(50)
        since = time.monotonic()
        store.reader.after_["after"] = hold_what_follows
        await until(lambda: watch.caught_up_at() >= since)
        assert watch.counted >= 50
        slow.set()


async def test_a_bare_message_is_unconfirmed_until_the_store_has_it(store: Application) -> None:
    async with live(store, FeedOptions(frame=0.01, safety_poll=0.1, confirm_within=60.0)) as watch:
        event = Event(event_type="job.failed")
        store.bus.publish(wire.encode(event))
        await until(lambda: watch.unconfirmed == {event.id})
        await store.quiet.create(event)
        await until(lambda: watch.confirmed == [event.id])
        assert len(watch.events) == 1
        assert watch.tally.recovered == 0
        assert not watch.missing


async def test_a_bare_message_that_never_reaches_the_store_is_reported_missing(store: Application) -> None:
    async with live(store) as watch:
        event = Event(event_type="job.failed")
        store.bus.publish(wire.encode(event))
        await until(lambda: watch.missing)
        assert watch.missing == [event.id]
        told = next(when for when, frame in zip(watch.times, watch.frames, strict=True) if frame.missing)
        came = next(when for when, frame in zip(watch.times, watch.frames, strict=True) if frame.events)
        assert told - came >= QUICK.confirm_within * 0.9
        assert not watch.confirmed


async def test_a_flood_of_bare_messages_is_all_marked_and_none_of_it_taken_for_stored(
    store: Application,
) -> None:
    async with live(store) as watch:
        for event in (flood := downloads(1500)):
            store.bus.publish(wire.encode(event))
        await until(lambda: len(watch.events) == 1500)
        assert watch.unconfirmed == {event.id for event in flood}
        await until(lambda: len(watch.missing) >= MAX_UNCONFIRMED)
