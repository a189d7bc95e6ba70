"""What every bus promises, in one body for the one in memory and the one over a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from store.bus import BATCH_MAX, CHANNEL, Bus, Disconnected, Messages, Signal, Subscribed, resource_channel
from store.event import Event
from store.memory_bus import MemoryBus
from store.redis_bus import RedisBus
from store.wire import decode
from tests.valkey import ValkeyServer

DEADLINE = 5.0


@dataclass
class Backend:
    """A bus, and the hand of fate on its server."""

    bus: Bus
    publish: Callable[[str, bytes], object]
    lose: Callable[[], None]
    restore: Callable[[], None]


@pytest.fixture(params=["memory", "redis"])
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    if request.param == "memory":
        memory = MemoryBus(producer="p")
        backend = Backend(
            memory,
            lambda channel, payload: memory.publish(payload, channel),
            lambda: memory.disconnect("gone"),
            memory.reconnect,
        )
    else:
        server: ValkeyServer = request.getfixturevalue("valkey")
        bus = RedisBus(server.url, producer="p")
        backend = Backend(bus, server.publish, server.kill, server.start)
    yield backend
    await backend.bus.close()


async def following(signals: AsyncIterator[Signal], kind: type[Signal]) -> Signal:
    """The next signal of `kind`, whatever comes before it."""
    async with asyncio.timeout(DEADLINE):
        async for signal in signals:
            if isinstance(signal, kind):
                return signal
    raise AssertionError("the signals ended")


async def payloads(signals: AsyncIterator[Signal], count: int) -> list[bytes]:
    """The next `count` messages. Anything but messages is a failure."""
    received: list[bytes] = []
    async with asyncio.timeout(DEADLINE):
        while len(received) < count:
            signal = await anext(signals)
            assert isinstance(signal, Messages), signal
            received.extend(signal.payloads)
    return received


def downloads(count: int, resource_id: str | None = None) -> list[Event]:
    return [
        Event(event_type="download.completed", resource_type="download", resource_id=resource_id)
        for _ in range(count)
    ]


async def test_announced_events_arrive_whole_and_in_order(backend: Backend) -> None:
    events = [
        Event(event_type="download.failed", metadata={"tries": n, "why": "délai \x1b[2J"}) for n in range(20)
    ]
    async with backend.bus.subscribe() as signals:
        assert await anext(signals) == Subscribed()
        assert await backend.bus.announce(events[:5])
        assert await backend.bus.announce(events[5:])
        received = [decode(payload).event for payload in await payloads(signals, 20)]
    assert received == events


async def test_sequence_is_consecutive_over_announcements(backend: Backend) -> None:
    async with backend.bus.subscribe() as signals:
        await anext(signals)
        for size in (3, 0, 1, 4):
            await backend.bus.announce(downloads(size, "9f3a"))
        received = [decode(payload) for payload in await payloads(signals, 8)]
    assert {announcement.producer for announcement in received} == {"p"}
    first = received[0].sequence
    assert first is not None
    assert [announcement.sequence for announcement in received] == list(range(first, first + 8))


async def test_concurrent_announcements_keep_their_sequence_in_order(backend: Backend) -> None:
    async with backend.bus.subscribe() as signals:
        await anext(signals)
        await asyncio.gather(*(backend.bus.announce(downloads(size)) for size in (40, 1, 25, 2)))
        sequences = [decode(payload).sequence for payload in await payloads(signals, 68)]
    assert sequences == list(range(1, 69))


async def test_resource_channels_carry_the_event_without_producer_and_sequence(backend: Backend) -> None:
    event = Event(
        event_type="episode.added",
        resource_type="series",
        resource_id="7",
        secondary_resource_type="episode",
        secondary_resource_id="7x01",
    )
    async with (
        backend.bus.subscribe(resource_channel("series", "7")) as series,
        backend.bus.subscribe(resource_channel("episode", "7x01")) as episode,
    ):
        await anext(series)
        await anext(episode)
        await backend.bus.announce([event])
        for signals in (series, episode):
            (payload,) = await payloads(signals, 1)
            assert decode(payload) == (event, None, None)


async def test_an_event_whose_two_resources_are_one_is_sent_once(backend: Backend) -> None:
    event = Event(
        event_type="job.started",
        resource_type="job",
        resource_id="a",
        secondary_resource_type="job",
        secondary_resource_id="a",
    )
    async with backend.bus.subscribe(resource_channel("job", "a")) as signals:
        await anext(signals)
        await backend.bus.announce([event])
        backend.publish(resource_channel("job", "a"), b"end")
        assert (await payloads(signals, 2))[1] == b"end"


async def test_a_channel_brings_nothing_of_other_channels(backend: Backend) -> None:
    async with backend.bus.subscribe(resource_channel("download", "a")) as signals:
        await anext(signals)
        await backend.bus.announce(downloads(3, "b"))
        backend.publish(resource_channel("download", "a"), b"mine")
        assert await payloads(signals, 1) == [b"mine"]


async def test_malformed_messages_are_handed_on_as_they_are(backend: Backend) -> None:
    raw = [b"", b"\xff\xfe", b"{", b"\r\n", b"x" * 300_000]
    async with backend.bus.subscribe() as signals:
        await anext(signals)
        for payload in raw:
            backend.publish(CHANNEL, payload)
        assert await payloads(signals, len(raw)) == raw


async def test_messages_come_in_bounded_batches(backend: Backend) -> None:
    count = 3 * BATCH_MAX
    async with backend.bus.subscribe() as signals:
        await anext(signals)
        assert await backend.bus.announce(downloads(count))
        sizes: list[int] = []
        async with asyncio.timeout(DEADLINE):
            while sum(sizes) < count:
                signal = await anext(signals)
                assert isinstance(signal, Messages)
                sizes.append(len(signal.payloads))
    assert sum(sizes) == count
    assert max(sizes) <= BATCH_MAX
    assert len(sizes) < count / 10


async def test_an_outage_is_reported_and_its_end_too(backend: Backend) -> None:
    async with backend.bus.subscribe() as signals:
        await anext(signals)
        await backend.bus.announce(downloads(1))
        await payloads(signals, 1)
        backend.lose()
        lost = await following(signals, Disconnected)
        assert isinstance(lost, Disconnected)
        assert lost.attempt == 1
        assert lost.reason
        assert 0 < lost.retry_in <= 2
        backend.restore()
        await following(signals, Subscribed)
        backend.publish(CHANNEL, b"after")
        assert await payloads(signals, 1) == [b"after"]


async def test_events_announced_in_an_outage_leave_a_hole_in_the_sequence(backend: Backend) -> None:
    await backend.bus.announce(downloads(2))
    backend.lose()
    assert not await backend.bus.announce(downloads(3))
    backend.restore()
    async with backend.bus.subscribe() as signals:
        await following(signals, Subscribed)
        lost = 3
        async with asyncio.timeout(DEADLINE):
            while not await backend.bus.announce(downloads(1)):
                lost += 1
                await asyncio.sleep(0.01)
        (payload,) = await payloads(signals, 1)
    assert decode(payload).sequence == 2 + lost + 1


async def test_a_subscriber_that_comes_in_an_outage_is_told_and_subscribed_later(backend: Backend) -> None:
    backend.lose()
    async with backend.bus.subscribe() as signals:
        assert isinstance(await anext(signals), Disconnected)
        backend.restore()
        await following(signals, Subscribed)


async def test_every_subscriber_gets_every_message(backend: Backend) -> None:
    async with backend.bus.subscribe() as one, backend.bus.subscribe() as other:
        await anext(one)
        await anext(other)
        await backend.bus.announce(downloads(5))
        assert await payloads(one, 5) == await payloads(other, 5)


async def test_a_subscription_can_be_left_while_it_waits(backend: Backend) -> None:
    before = asyncio.all_tasks()

    async def listen() -> None:
        async with backend.bus.subscribe() as signals:
            async for _ in signals:
                subscribed.set()

    subscribed = asyncio.Event()
    listener = asyncio.create_task(listen())
    await asyncio.wait_for(subscribed.wait(), DEADLINE)
    listener.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listener
    assert asyncio.all_tasks() == before


async def test_closing_the_bus_ends_its_subscriptions(backend: Backend) -> None:
    async with backend.bus.subscribe() as signals:
        assert await anext(signals) == Subscribed()
        waiting = asyncio.ensure_future(anext(signals, None))
        await asyncio.sleep(0)
        await backend.bus.close()
        assert await asyncio.wait_for(waiting, DEADLINE) is None
    assert not await backend.bus.announce(downloads(1))
    with pytest.raises(RuntimeError, match="closed"):
        async with backend.bus.subscribe():
            pass


async def test_memory_bus_tells_a_slow_subscriber_that_messages_were_dropped() -> None:
    bus = MemoryBus(capacity=10)
    async with bus.subscribe() as signals:
        await anext(signals)
        for number in range(11):
            bus.publish(b"%d" % number)
        lost = await anext(signals)
        assert isinstance(lost, Disconnected)
        assert "10 messages dropped" in lost.reason
        assert await anext(signals) == Subscribed()
        assert await anext(signals) == Messages((b"10",))


async def test_memory_bus_counts_the_attempts_of_an_outage() -> None:
    bus = MemoryBus()
    async with bus.subscribe() as signals:
        await anext(signals)
        bus.disconnect("refused", retry_in=0.5)
        bus.disconnect("refused", retry_in=1.0)
        assert await anext(signals) == Disconnected("refused", 1, 0.5)
        assert await anext(signals) == Disconnected("refused", 2, 1.0)
        bus.reconnect()
        bus.disconnect("again")
        assert await anext(signals) == Subscribed()
        assert await anext(signals) == Disconnected("again", 1, 0.1)
