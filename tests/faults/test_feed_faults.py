"""The feed over a real Valkey that is killed, frozen, absent or abused, and a real SQLite store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from monitor.model.arrivals import Link
from monitor.model.gaps import GapState
from store.bus import CHANNEL
from store.event import Event
from store.events import EventStore
from store.redis_bus import RedisBus
from store.wire import MESSAGE_MAX_BYTES, encode
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import Watch, watching

pytestmark = pytest.mark.fault


@asynccontextmanager
async def application(path: Path, server: ValkeyServer | None) -> AsyncIterator[EventStore]:
    """A store that announces on `server`, or announces nothing."""
    bus = RedisBus(server.url) if server is not None else None
    async with await EventStore.open(f"sqlite:///{path}", bus) as store:
        yield store


@asynccontextmanager
async def console(path: Path, server: ValkeyServer) -> AsyncIterator[Watch]:
    """A feed with the options of the program, with a store and a bus of its own."""
    bus = RedisBus(server.url)
    async with await EventStore.open(f"sqlite:///{path}") as store, watching(store.repository, bus) as watch:
        yield watch
    await bus.close()


def batch(count: int) -> list[Event]:
    return [Event(event_type="download.completed", metadata={"n": n}) for n in range(count)]


async def test_a_killed_bus_loses_nothing_and_repeats_nothing(tmp_path: Path, valkey: ValkeyServer) -> None:
    path = tmp_path / "events.db"
    async with application(path, valkey) as store, console(path, valkey) as watch:
        await until(lambda: watch.is_live)
        created: list[Event] = []

        async def stream() -> None:
            for _ in range(200):
                created.extend(await store.create_many(batch(10)))
                await asyncio.sleep(0.005)

        streaming = asyncio.create_task(stream())
        await until(lambda: len(watch.events) >= 300)
        valkey.kill()
        await until(lambda: watch.status.link is Link.RECONNECTING, 2.0)
        before = len(created)
        await until(lambda: len(created) >= before + 300)
        await until(lambda: len(watch.events) >= before + 200, 3.0)
        assert watch.last_gaps[0].state is GapState.OPEN
        valkey.start()
        back = monotonic()
        await until(lambda: watch.status.link is Link.LIVE, 3.0)
        await until(lambda: watch.last_gaps[0].state is GapState.REPAIRED, 5.0 - (monotonic() - back))
        await streaming
        await until(lambda: len(watch.events) == 2000)
        await until(lambda: not watch.status.repairing)

        assert {event.id for event in watch.events} == {event.id for event in created}
        assert watch.counted == 2000
        assert watch.last_gaps[0].cause == "connection lost"
        assert watch.last_gaps[0].recovered >= 300
        assert all(gap.state is GapState.REPAIRED for gap in watch.last_gaps)
        assert watch.tally.missed > 0
        assert (watch.tally.dropped, watch.tally.malformed, watch.tally.duplicates) == (0, 0, 0)

        (fresh,) = await store.create_many(batch(1))
        await until(lambda: fresh.id in watch.ids, 1.0)


async def test_a_frozen_bus_is_noticed_and_recovered_from(tmp_path: Path, valkey: ValkeyServer) -> None:
    path = tmp_path / "events.db"
    async with application(path, valkey) as store, console(path, valkey) as watch:
        await until(lambda: watch.is_live)
        await store.create_many(batch(5))
        await until(lambda: len(watch.events) == 5)
        valkey.pause()
        frozen = monotonic()
        try:
            await until(lambda: watch.status.link is Link.RECONNECTING, 5.0)
            await store.create_many(batch(50))
            await until(lambda: len(watch.events) == 55, 2.0)
            assert watch.last_gaps[0].state is GapState.OPEN
            await until(lambda: monotonic() >= frozen + 6.0, 7.0)
        finally:
            valkey.resume()
        await until(lambda: watch.is_live, 3.0)
        (gap,) = watch.last_gaps
        assert (gap.state, gap.recovered) == (GapState.REPAIRED, 50)
        assert watch.counted == 55


async def test_without_a_server_at_the_start_the_store_is_shown_and_the_feed_goes_live_by_itself(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    path = tmp_path / "events.db"
    valkey.kill()
    async with application(path, valkey) as store:
        await store.create_many(batch(20))
        began = monotonic()
        async with console(path, valkey) as watch:
            await until(lambda: watch.openings, 2.0)
            assert watch.status.link is Link.POLLING
            assert watch.counted == 20
            await store.create_many(batch(3))
            await until(lambda: watch.counted == 23, 2.0)
            assert monotonic() - began < 3.0
            assert watch.status.retry_at is not None
            assert watch.status.retry_at - datetime.now(UTC) <= timedelta(seconds=5)
            valkey.start()
            await until(lambda: watch.is_live, 3.0)
            await until(lambda: watch.counted == 23)
            assert not watch.gaps


async def test_commits_that_nobody_announces_appear_all_the_same(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    path = tmp_path / "events.db"
    async with (
        application(path, valkey) as loud,
        application(path, None) as quiet,
        console(path, valkey) as watch,
    ):
        await until(lambda: watch.is_live)
        await loud.create_many(batch(1))
        quietly = await quiet.create_many(batch(3))
        await loud.create_many(batch(1))
        await until(lambda: len(watch.events) == 5, 3.0)
        assert watch.ids >= {event.id for event in quietly}
        assert watch.tally.recovered == 3
        assert not watch.gaps


async def test_whatever_is_published_the_next_event_arrives(tmp_path: Path, valkey: ValkeyServer) -> None:
    path = tmp_path / "events.db"
    malformed = [
        b"",
        b"\x00",
        b"\n",
        b"\xef\xbb\xbf{}",
        '{"event_type":"job.failed"}'.encode("utf-16"),
        b"[]",
        b"{'event_type':'job.failed'}",
        b'{"event_type":"job.failed",}',
        b'{"event_type":"job.failed","metadata":{"n":NaN}}',
        b'{"event_type":"job.failed","actor_id":"\\ud800"}',
        b'{"event_type":"job.failed","metadata":' + b"[" * 50_000,
        b'{"event_type":"\x1b]0;x\x07"}',
        b'{"event_type":"job.failed","metadata":{"x":"' + b"x" * MESSAGE_MAX_BYTES + b'"}}',
        encode(Event(event_type="job.failed"))[:-1],
    ]
    bare = b'{"event_type":"job.failed","resource_type":"job","resource_id":"sync"}'
    async with application(path, valkey) as store, console(path, valkey) as watch:
        await until(lambda: watch.is_live)
        for payload in (*malformed, bare):
            assert valkey.publish(CHANNEL, payload) == 1
        began = monotonic()
        await store.create(Event(event_type="job.completed"))
        await until(lambda: len(watch.events) == 2, 1.0 - (monotonic() - began))
        assert [event.event_type for event in watch.events] == ["job.failed", "job.completed"]
        assert watch.unconfirmed == {watch.events[0].id}
        assert watch.tally.malformed == len(malformed)
        assert not watch.gaps


async def test_a_viewer_that_the_server_cuts_off_reads_what_it_missed(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    # Valkey counts only references of large messages against the limit.
    with ValkeyServer("--client-output-buffer-limit", "pubsub", "16kb", "16kb", "1") as server:
        async with application(path, None) as store, console(path, server) as watch:
            await until(lambda: watch.is_live)
            events = [Event(event_type="job.failed", metadata={"log": "x" * 30_000}) for _ in range(200)]
            stored = await store.create_many(events)
            # Not awaited: the feed reads nothing meanwhile.
            reached = [server.publish(CHANNEL, encode(event, "app", n)) for n, event in enumerate(stored)]
            assert reached[-1] == 0, "the server did not cut off anyone"
            await until(lambda: len(watch.events) == 200)
            await until(lambda: watch.is_live and watch.gaps)
            assert watch.ids == {event.id for event in events}
            assert all(gap.state is GapState.REPAIRED for gap in watch.last_gaps)
            fresh = Event(event_type="job.completed")
            assert server.publish(CHANNEL, encode(fresh)) == 1
            await until(lambda: fresh.id in watch.ids, 1.0)
