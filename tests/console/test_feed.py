"""The feed over a bus in memory and a real SQLite store: what it promises, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from monitor.feed import FeedOptions
from monitor.inbox import Inbox
from monitor.intake import CHUNK
from monitor.model.arrivals import Link
from monitor.model.gaps import GapState
from store import wire
from store.bus import CHANNEL, Signal, Subscribed
from store.errors import StoreUnavailableError
from store.event import Event
from store.events import EventStore
from store.memory_bus import MemoryBus
from store.repository import EventRepository
from tests.waiting import until
from tests.watch import Watch, watching

QUICK = FeedOptions(frame=0.01, safety_poll=0.1, poll=0.02, confirm_within=0.2)
NO_POLL = FeedOptions(frame=0.01, safety_poll=60.0, poll=60.0)
"""Nothing is found by looking at the store now and then: what is found was known to be missing."""


def downloads(count: int) -> list[Event]:
    return [Event(event_type="download.completed", metadata={"n": n}) for n in range(count)]


class TestStore:
    """An application that announces its events, one that does not, and the file that both write."""

    __test__ = False

    def __init__(self, path: Path, bus: MemoryBus, loud: EventStore, quiet: EventStore) -> None:
        self.path = path
        self.bus = bus
        self.loud = loud
        self.quiet = quiet
        self.reader = Moody(loud.repository)

    async def create(self, count: int) -> list[Event]:
        return await self.loud.create_many(downloads(count))

    async def create_unannounced(self, count: int) -> list[Event]:
        return await self.quiet.create_many(downloads(count))

    async def count(self) -> int:
        return await self.quiet.repository.count()

    def write_rows(self, statement: str) -> None:
        """Change the file behind everyone's back."""
        with sqlite3.connect(self.path) as connection:
            connection.execute(statement)
        connection.close()


class Moody:
    """The real repository, that can be away, silent, or interrupted between its answer and the feed's next step."""

    def __init__(self, repository: EventRepository) -> None:
        self._repository = repository
        self.commit_overlap = 0
        self.error: Exception | None = None
        self.answering = asyncio.Event()
        self.answering.set()
        self.asked: list[str] = []
        self.before: dict[str, Callable[[], Any]] = {}
        self.after_: dict[str, Callable[[], Any]] = {}
        self.hidden: set[int] = set()

    @property
    def unreadable(self) -> int:
        return self._repository.unreadable

    @unreadable.setter
    def unreadable(self, value: int) -> None:
        raise AssertionError("only the repository counts")

    async def overview(self, *arguments: Any) -> Any:
        return await self._ask("overview", *arguments)

    async def after(self, *arguments: Any) -> list[Event]:
        return [e for e in await self._ask("after", *arguments) if e.position not in self.hidden]

    async def newest_of_types(self, *arguments: Any) -> list[Event]:
        return await self._ask("newest_of_types", *arguments)

    async def last_position(self) -> int:
        return await self._ask("last_position")

    async def get(self, *arguments: Any) -> list[Event]:
        return await self._ask("get", *arguments)

    async def _ask(self, name: str, *arguments: Any) -> Any:
        self.asked.append(name)
        await self.answering.wait()
        if self.error is not None:
            raise self.error
        if name in self.before:
            await self.before.pop(name)()
        answer = await getattr(self._repository, name)(*arguments)
        if name in self.after_:
            await self.after_.pop(name)()
        return answer


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[TestStore]:
    path = tmp_path / "events.db"
    bus = MemoryBus(producer="app")
    async with (
        await EventStore.open(f"sqlite:///{path}", bus) as loud,
        await EventStore.open(f"sqlite:///{path}") as quiet,
    ):
        yield TestStore(path, bus, loud, quiet)


@asynccontextmanager
async def live(store: TestStore, options: FeedOptions = QUICK, **further: Any) -> AsyncIterator[Watch]:
    async with watching(store.reader, store.bus, options, **further) as watch:
        await until(lambda: watch.is_live)
        yield watch


# The opening


async def test_the_opening_holds_the_newest_page_and_counts_everything(store: TestStore) -> None:
    await store.create(600)
    async with live(store) as watch:
        opening = watch.openings[0]
        assert len(opening.newest) == 500
        assert opening.has_older
        assert watch.counted == 600
        assert watch.tally.received == 0


async def test_an_opening_that_is_everything_says_so(store: TestStore) -> None:
    await store.create(499)
    async with live(store) as watch:
        assert not watch.openings[0].has_older


async def test_rows_that_are_no_events_are_counted_and_do_not_hide_that_there_are_older_ones(
    store: TestStore,
) -> None:
    await store.create(510)
    store.write_rows("UPDATE events SET event_type = 'NO EVENT' WHERE position > 505")
    async with live(store) as watch:
        assert len(watch.openings[0].newest) == 500
        assert watch.openings[0].has_older
        assert watch.tally.unreadable == 5


async def test_the_history_holds_the_wanted_types_however_old(store: TestStore) -> None:
    wanted = await store.loud.create(Event(event_type="indexer.down"))
    await store.create(600)
    async with live(store, interest=["indexer.*"]) as watch:
        assert [event.id for event in watch.openings[0].history] == [wanted.id]


async def test_what_is_stored_between_subscribing_and_the_opening_counts_once(store: TestStore) -> None:
    await store.create(5)
    store.reader.before["overview"] = lambda: store.create(700)
    store.reader.after_["overview"] = lambda: store.create(7)
    async with live(store) as watch:
        await until(lambda: watch.tally.received == 7)
        await store.create(1)
        await until(lambda: watch.tally.received == 8)
        assert watch.counted == await store.count() == 713


async def test_a_stream_during_the_start_is_counted_exactly(store: TestStore) -> None:
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


async def test_a_subscription_that_comes_after_the_opening_misses_nothing(store: TestStore) -> None:
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


# Live


async def test_an_announced_event_is_handed_on_once_and_confirmed(store: TestStore) -> None:
    async with live(store) as watch:
        (event,) = await store.create(1)
        await until(lambda: watch.events)
        asked = len(store.reader.asked)
        await until(lambda: store.reader.asked[asked:].count("last_position") >= 3)
        assert [seen.id for seen in watch.events] == [event.id]
        assert watch.tally.recovered == 0
        assert not watch.unconfirmed


async def test_the_first_event_after_a_quiet_spell_comes_at_once_then_one_frame_at_a_time(
    store: TestStore,
) -> None:
    frame = 0.25
    async with live(store, FeedOptions(frame=frame)) as watch:
        loop = asyncio.get_running_loop()
        await until(lambda: loop.time() > watch.times[-1] + frame)
        seen = len(watch.frames)
        began = loop.time()
        for _ in range(12):
            await store.create(1)
            await asyncio.sleep(0.05)
        await until(lambda: len(watch.events) == 12)
        times = watch.times[seen:]
        assert times[0] - began < 0.15
        assert all(later - earlier >= frame * 0.95 for earlier, later in pairwise(times))
        assert len(times) <= 5


async def test_nothing_wakes_an_idle_feed_but_the_safety_poll(store: TestStore) -> None:
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


async def test_a_burst_is_handed_on_in_portions_and_in_order(store: TestStore) -> None:
    async with live(store) as watch:
        created = await store.create(3 * CHUNK)
        await until(lambda: len(watch.events) == 3 * CHUNK)
        assert max(len(frame.events) for frame in watch.frames) <= CHUNK
        assert [event.id for event in watch.events] == [event.id for event in created]
        assert not watch.gaps


async def test_only_what_is_announced_twice_counts_as_a_duplicate(store: TestStore) -> None:
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
    store: TestStore, monkeypatch: pytest.MonkeyPatch
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
        await until(lambda: len(watch.events) == 1, 1.0)
        assert watch.tally.malformed == len(bad)
        assert not watch.gaps


async def test_large_messages_are_taken_in_slices(store: TestStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.intake.TIME_SLICE", 0.002)
    large = [Event(event_type="job.failed", metadata={"log": ["x" * 10] * 3000}) for _ in range(60)]
    async with live(store) as watch:
        await store.loud.create_many(large)
        await until(lambda: len(watch.events) == 60)
        assert [event.id for event in watch.events] == [event.id for event in large]
        assert max(len(frame.events) for frame in watch.frames) < 30


# Messages that no one vouches for


async def test_a_bare_message_is_unconfirmed_until_the_store_has_it(store: TestStore) -> None:
    async with live(store, FeedOptions(frame=0.01, safety_poll=0.1, confirm_within=60.0)) as watch:
        event = Event(event_type="job.failed")
        store.bus.publish(wire.encode(event))
        await until(lambda: watch.unconfirmed == {event.id})
        await store.quiet.create(event)
        await until(lambda: watch.confirmed == [event.id])
        assert len(watch.events) == 1
        assert watch.tally.recovered == 0
        assert not watch.missing


async def test_a_bare_message_that_never_reaches_the_store_is_reported_missing(store: TestStore) -> None:
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
    store: TestStore,
) -> None:
    async with live(store) as watch:
        for event in (flood := downloads(1500)):
            store.bus.publish(wire.encode(event))
        await until(lambda: len(watch.events) == 1500)
        assert watch.unconfirmed == {event.id for event in flood}
        await until(lambda: len(watch.missing) == 1000)


# Lost announcements


async def test_commits_that_were_not_announced_are_found_without_a_gap_row(store: TestStore) -> None:
    async with live(store, FeedOptions()) as watch:
        missed = await store.create_unannounced(3)
        await until(lambda: len(watch.events) == 3, 3.0)
        assert watch.ids >= {event.id for event in missed}
        assert watch.tally.recovered == 3
        assert not watch.gaps


async def test_a_jump_in_a_sequence_is_a_gap_that_is_repaired_at_once_and_in_order(store: TestStore) -> None:
    async with live(store, NO_POLL) as watch:
        events = await store.create_unannounced(6)
        for sequence in (1, 5, 6):
            store.bus.publish(wire.encode(events[sequence - 1], "worker", sequence))
        await until(lambda: len(watch.events) == 6)
        await until(lambda: watch.is_live)
        assert [event.id for event in watch.events] == [event.id for event in events]
        (gap,) = watch.last_gaps
        assert gap.state is GapState.REPAIRED
        assert gap.until is not None
        assert gap.until >= gap.since
        assert watch.tally.missed == 3
        assert gap.recovered >= 3
        assert watch.tally.duplicates == 0


async def test_lost_announcements_of_events_that_were_seen_are_counted_and_no_gap(store: TestStore) -> None:
    async with live(store) as watch:
        events = await store.create_unannounced(5)
        await until(lambda: len(watch.events) == 5)
        (last,) = await store.create_unannounced(1)
        store.bus.publish(wire.encode(events[0], "worker", 1))
        store.bus.publish(wire.encode(last, "worker", 6))
        await until(lambda: len(watch.events) == 6)
        await until(lambda: watch.tally.missed == 4)
        assert not watch.gaps


async def test_a_producer_that_counts_wrongly_does_not_slow_the_stream(store: TestStore) -> None:
    async with live(store, FeedOptions(frame=0.05)) as watch:
        for number, event in enumerate(downloads(400)):
            store.bus.publish(wire.encode(event, "worker", 1000 * number))
        await until(lambda: len(watch.events) == 400, 1.0)
        assert watch.tally.missed == 399 * 999
        await until(lambda: watch.is_live)


async def test_what_does_not_fit_the_buffer_is_read_from_the_store(store: TestStore) -> None:
    async with live(store, NO_POLL, inbox=Inbox(max_messages=100)) as watch:
        created = await store.create(1000)
        later = await store.create(10)
        await until(lambda: len(watch.events) == 1010)
        await until(lambda: watch.is_live)
        assert [event.id for event in watch.events] == [event.id for event in (*created, *later)]
        assert watch.tally.dropped >= 900
        (gap,) = watch.last_gaps
        assert (gap.state, gap.cause) == (GapState.REPAIRED, "buffer overflow")
        assert gap.recovered >= 900
        assert watch.tally.missed == 0


async def test_rows_that_are_no_events_do_not_end_a_catch_up_early(
    store: TestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catch_up.PAGE", 10)
    async with live(store, NO_POLL) as watch:
        store.bus.disconnect("gone")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(95)
        bad = "position = 5 OR position BETWEEN 21 AND 45 OR position BETWEEN 90 AND 95"
        store.write_rows(f"UPDATE events SET event_type = 'NO EVENT' WHERE {bad}")
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        assert len(watch.events) == 95 - 32
        assert watch.tally.unreadable >= 32
        assert watch.last_gaps[-1].recovered == 95 - 32
        await store.create(1)
        await until(lambda: len(watch.events) == 96 - 32)


async def test_commits_that_become_visible_late_are_found_by_reading_an_overlap(store: TestStore) -> None:
    """As with a database whose transactions may commit in another order than their positions."""
    store.reader.commit_overlap = 10
    await store.create(6)
    store.write_rows("CREATE TABLE late AS SELECT * FROM events WHERE position = 3")
    store.write_rows("DELETE FROM events WHERE position = 3")
    store.write_rows("UPDATE event_rollups SET count = 5")
    async with live(store) as watch:
        assert watch.counted == 5
        store.write_rows("INSERT INTO events SELECT * FROM late")
        await store.create_unannounced(1)
        await until(lambda: len(watch.events) == 2)
        assert watch.counted == 7
        assert sorted(event.position or 0 for event in watch.events) == [3, 7]


# The bus goes and comes


async def test_an_outage_is_one_gap_that_stays_open_until_live_again_while_polling_goes_on(
    store: TestStore,
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


async def test_what_arrives_while_the_store_is_read_comes_after_what_is_found_there(
    store: TestStore, monkeypatch: pytest.MonkeyPatch
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


async def test_a_disconnect_during_a_repair_leaves_the_gap_open(store: TestStore) -> None:
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


async def test_two_causes_at_once_are_one_gap(store: TestStore) -> None:
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


async def test_a_flapping_bus_loses_nothing_and_repeats_nothing(store: TestStore) -> None:
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


async def test_being_cut_off_for_being_slow_is_repaired(store: TestStore) -> None:
    slow = MemoryBus(producer="app", capacity=50)
    store.bus = slow
    async with await EventStore.open(f"sqlite:///{store.path}", slow) as loud, live(store, NO_POLL) as watch:
        await loud.create_many(downloads(500))
        await until(lambda: len(watch.events) == 500)
        await until(lambda: watch.is_live)
        (gap,) = watch.last_gaps
        assert gap.state is GapState.REPAIRED
        assert gap.recovered > 400


async def test_without_a_bus_the_store_is_polled(store: TestStore) -> None:
    async with watching(store.reader, None) as watch:
        await until(lambda: watch.openings, 2.0)
        assert (watch.status.link, watch.status.reason) == (Link.POLLING, "no bus")
        await store.create(5)
        await until(lambda: len(watch.events) == 5, 1.0)
        assert not watch.gaps


async def test_a_bus_that_is_away_at_the_start_is_polled_for_and_goes_live_without_a_gap(
    store: TestStore,
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


async def test_a_bus_that_goes_before_the_opening_is_read_is_a_gap_until_it_is_back(store: TestStore) -> None:
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


async def test_a_bus_that_is_closed_leaves_polling(store: TestStore) -> None:
    async with live(store) as watch:
        await store.bus.close()
        await until(lambda: watch.status.link is Link.POLLING)
        assert watch.status.reason == "the bus is closed"
        await store.create(2)
        await until(lambda: len(watch.events) == 2)
        await until(lambda: not watch.status.repairing)


async def test_a_bus_that_fails_in_an_unforeseen_way_is_subscribed_again(
    store: TestStore, monkeypatch: pytest.MonkeyPatch
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


# The store goes and comes


@pytest.mark.parametrize("error", [StoreUnavailableError("EVTOP_STORE x: gone"), ValueError("a corrupt row")])
async def test_a_store_that_is_away_is_said_and_live_events_go_on(store: TestStore, error: Exception) -> None:
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


async def test_a_store_that_is_away_at_the_start_is_waited_for(store: TestStore) -> None:
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
    store: TestStore, monkeypatch: pytest.MonkeyPatch
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
    store: TestStore, monkeypatch: pytest.MonkeyPatch
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


# Too much to catch up


async def test_after_missing_too_much_the_feed_starts_over_and_says_how_much_it_left_out(
    store: TestStore,
) -> None:
    options = FeedOptions(frame=0.01, safety_poll=60.0, poll=60.0, catch_up_limit=100)
    await store.create(10)
    async with live(store, options) as watch:
        await store.create(5)
        await until(lambda: len(watch.events) == 5)
        store.bus.disconnect("gone for long")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(900)
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        assert len(watch.openings) == 2
        (gap,) = watch.last_gaps
        assert (gap.state, gap.left_out) == (GapState.NOT_LOADED, 900 - 500)
        await store.create(3)
        await until(lambda: len(watch.events) == 8)
        assert watch.counted == await store.count() == 918


async def test_starting_over_during_an_outage_keeps_the_gap_open_until_live_again(store: TestStore) -> None:
    options = FeedOptions(frame=0.01, safety_poll=0.1, poll=0.02, catch_up_limit=100)
    async with live(store, options) as watch:
        store.bus.disconnect("gone for long")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(700)
        await until(lambda: len(watch.openings) == 2)
        await store.create(2)
        await until(lambda: watch.counted == 702)
        assert watch.last_gaps[0].state is GapState.OPEN
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        (gap,) = watch.last_gaps
        assert (gap.state, gap.left_out, gap.recovered) == (GapState.NOT_LOADED, 200, 2)


async def test_falling_far_behind_without_any_outage_is_a_gap_of_its_own(store: TestStore) -> None:
    options = FeedOptions(frame=0.01, safety_poll=0.1, poll=0.02, catch_up_limit=100)
    async with live(store, options) as watch:
        await store.create_unannounced(800)
        await until(lambda: len(watch.openings) == 2)
        await until(lambda: watch.is_live)
        assert [(gap.state, gap.left_out) for gap in watch.last_gaps] == [(GapState.NOT_LOADED, 300)]
        assert watch.counted == 800


async def test_starting_over_keeps_what_only_the_bus_told_of(store: TestStore) -> None:
    options = FeedOptions(frame=0.05, safety_poll=60.0, poll=60.0, catch_up_limit=100)
    bare = Event(event_type="job.failed")

    async def while_reading() -> None:
        store.bus.publish(wire.encode(bare))

    async with live(store, options) as watch:
        store.bus.disconnect("gone for long")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(300)
        store.reader.after_["overview"] = while_reading
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        await until(lambda: bare.id in watch.ids)
        assert bare.id in watch.unconfirmed
        assert watch.counted == 301
