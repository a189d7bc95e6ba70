"""What only the bus over a real server can show: losses, silence, credentials, permissions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from store.bus import BATCH_MAX, CHANNEL, Disconnected, Messages, Signal, Subscribed
from store.event import Event
from store.redis_bus import ANNOUNCE_TIMEOUT, RETRY_MAX, RedisBus
from store.redis_listener import FRAME_MAX_BYTES
from store.wire import decode
from tests.valkey import ValkeyServer

DEADLINE = 8.0
PASSWORD = "s3cr3t/pw@x"
QUOTED = "s3cr3t%2Fpw%40x"


def event() -> Event:
    return Event(event_type="job.failed", resource_type="job", resource_id="sync")


async def following(signals: AsyncIterator[Signal], kind: type[Signal], within: float = DEADLINE) -> Signal:
    async with asyncio.timeout(within):
        async for signal in signals:
            if isinstance(signal, kind):
                return signal
    raise AssertionError("the signals ended")


@pytest.fixture
async def bus(valkey: ValkeyServer) -> AsyncIterator[RedisBus]:
    bus = RedisBus(valkey.url, heartbeat=0.1, deadline=0.3)
    yield bus
    await bus.close()


def open_sockets() -> int:
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists the folder
            count += str(descriptor.readlink()).startswith("socket:")
    return count


async def test_a_killed_server_is_noticed_at_once_and_its_return_within_3_seconds(
    valkey: ValkeyServer, bus: RedisBus
) -> None:
    async with bus.subscribe() as signals:
        await anext(signals)
        valkey.kill()
        lost = await following(signals, Disconnected, within=1)
        assert isinstance(lost, Disconnected)
        assert "\n" not in lost.reason
        returned = time.monotonic()
        valkey.start()
        await following(signals, Subscribed)
        assert time.monotonic() - returned < 3


async def test_retries_begin_soon_slow_down_and_stay_below_the_cap(valkey: ValkeyServer) -> None:
    valkey.kill()
    bus = RedisBus(valkey.url)
    lost: list[Disconnected] = []
    async with bus.subscribe() as signals:
        for _ in range(4):
            signal = await asyncio.wait_for(anext(signals), DEADLINE)
            assert isinstance(signal, Disconnected)
            lost.append(signal)
    assert [signal.attempt for signal in lost] == [1, 2, 3, 4]
    assert lost[0].retry_in <= 0.1
    assert all(signal.retry_in <= RETRY_MAX for signal in lost)
    assert lost[-1].retry_in > 2 * lost[0].retry_in
    await bus.close()


async def test_a_server_that_freezes_is_noticed_though_it_keeps_the_connection(
    valkey: ValkeyServer, bus: RedisBus
) -> None:
    async with bus.subscribe() as signals:
        await anext(signals)
        valkey.pause()
        lost = await following(signals, Disconnected, within=2)
        assert isinstance(lost, Disconnected)
        assert "no answer" in lost.reason
        valkey.resume()
        await following(signals, Subscribed, within=3)


@pytest.mark.fault
async def test_a_frozen_server_is_noticed_within_5_seconds_by_default(valkey: ValkeyServer) -> None:
    bus = RedisBus(valkey.url)
    async with bus.subscribe() as signals:
        await anext(signals)
        valkey.pause()
        await following(signals, Disconnected, within=5)
    await bus.close()


async def test_a_quiet_server_is_not_taken_for_a_dead_one(valkey: ValkeyServer, bus: RedisBus) -> None:
    async with bus.subscribe() as signals:
        await anext(signals)
        waiting = asyncio.ensure_future(anext(signals))
        done, _ = await asyncio.wait([waiting], timeout=1)
        assert not done, "a signal although nothing happened for three deadlines"
        valkey.publish(CHANNEL, b"there")
        assert await asyncio.wait_for(waiting, DEADLINE) == Messages((b"there",))


async def test_our_own_stall_is_not_blamed_on_the_server(valkey: ValkeyServer) -> None:
    bus = RedisBus(valkey.url, heartbeat=0.05, deadline=0.6)
    async with bus.subscribe() as signals:
        await anext(signals)
        waiting = asyncio.ensure_future(anext(signals))
        valkey.pause()
        await asyncio.sleep(0.3)  # a PING is out
        valkey.resume()
        time.sleep(
            0.7
        )  # the event loop stands still beyond the deadline, as under SIGSTOP; the answer is there
        for _ in range(10):
            await asyncio.sleep(0)
        valkey.publish(CHANNEL, b"still here")
        assert await asyncio.wait_for(waiting, DEADLINE) == Messages((b"still here",))
    await bus.close()


async def test_a_message_without_an_end_costs_the_connection_and_not_the_memory(
    valkey: ValkeyServer, bus: RedisBus
) -> None:
    async with bus.subscribe() as signals:
        await anext(signals)
        valkey.publish(CHANNEL, b"x" * (2 * FRAME_MAX_BYTES))
        lost = await following(signals, Disconnected)
        assert isinstance(lost, Disconnected)
        assert lost.reason == "a message over 4 MiB"
        await following(signals, Subscribed)
        valkey.publish(CHANNEL, b"y" * (FRAME_MAX_BYTES // 2))
        assert await following(signals, Messages) == Messages((b"y" * (FRAME_MAX_BYTES // 2),))


async def test_a_flood_comes_in_batches_in_order(valkey: ValkeyServer, bus: RedisBus) -> None:
    numbers = [b"%d" % number for number in range(3 * BATCH_MAX)]
    async with bus.subscribe() as signals:
        await anext(signals)
        for number in numbers:
            valkey.publish(CHANNEL, number)
        received: list[bytes] = []
        batches = 0
        while len(received) < len(numbers):
            signal = await following(signals, Messages)
            assert isinstance(signal, Messages)
            assert len(signal.payloads) <= BATCH_MAX
            received += signal.payloads
            batches += 1
    assert received == numbers
    assert batches < len(numbers) / 10


async def test_messages_sent_before_the_server_died_are_delivered(
    valkey: ValkeyServer, bus: RedisBus
) -> None:
    async with bus.subscribe() as signals:
        await anext(signals)
        for number in range(100):
            valkey.publish(CHANNEL, b"%d" % number)
        assert valkey.answers()  # a later turn of its loop: the messages are on their way
        valkey.kill()
        received: list[bytes] = []
        async with asyncio.timeout(DEADLINE):
            async for signal in signals:
                if not isinstance(signal, Messages):
                    assert isinstance(signal, Disconnected)
                    break
                received.extend(signal.payloads)
    assert received == [b"%d" % number for number in range(100)]


async def test_announcing_to_a_dead_server_fails_fast(valkey: ValkeyServer, bus: RedisBus) -> None:
    valkey.kill()
    began = time.monotonic()
    for _ in range(100):
        assert await bus.announce([event()]) is False
    assert time.monotonic() - began < 5


async def test_announcing_to_a_frozen_server_is_bounded_and_works_again_after(valkey: ValkeyServer) -> None:
    bus = RedisBus(valkey.url)
    assert await bus.announce([event()])
    valkey.pause()
    began = time.monotonic()
    assert await asyncio.gather(*(bus.announce([event()]) for _ in range(20))) == [False] * 20
    assert await bus.announce([event()]) is False
    assert time.monotonic() - began < ANNOUNCE_TIMEOUT + 4
    valkey.resume()
    async with bus.subscribe() as signals:
        await following(signals, Subscribed)
        async with asyncio.timeout(DEADLINE):
            while not await bus.announce([event()]):
                await asyncio.sleep(0.01)
        message = await following(signals, Messages)
        assert isinstance(message, Messages)
        assert (decode(message.payloads[-1]).sequence or 0) >= 23
    await bus.close()


async def test_a_restart_between_two_announcements_costs_none(valkey: ValkeyServer, bus: RedisBus) -> None:
    assert await bus.announce([event()])
    valkey.kill()
    valkey.start()
    for _ in range(3):
        await asyncio.sleep(0)  # lets the event loop see that the connection is gone
    assert await bus.announce([event()])


async def test_subscriptions_and_outages_leave_no_connection_and_no_task(
    valkey: ValkeyServer, bus: RedisBus
) -> None:
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    for _ in range(10):
        async with bus.subscribe() as signals:
            await anext(signals)
    async with bus.subscribe() as signals:
        for _ in range(3):
            await following(signals, Subscribed)
            valkey.kill()
            await following(signals, Disconnected)
            valkey.start()
    await bus.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert open_sockets() == sockets


async def test_ensure_is_called_before_each_attempt_and_its_error_is_the_reason(valkey: ValkeyServer) -> None:
    calls = 0

    def ensure() -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise OSError(f"cannot start\n\x1b[2Jtry {calls}")

    bus = RedisBus(valkey.url, ensure=ensure)
    async with bus.subscribe() as signals:
        reasons = [await anext(signals), await anext(signals)]
        assert await anext(signals) == Subscribed()
    assert [signal.reason for signal in reasons if isinstance(signal, Disconnected)] == [
        "cannot start [2Jtry 1",
        "cannot start [2Jtry 2",
    ]
    assert calls == 3
    await bus.close()


# --- credentials and permissions


@pytest.fixture
def locked() -> Iterator[ValkeyServer]:
    with ValkeyServer("--requirepass", PASSWORD) as server:
        yield server


async def test_a_password_in_the_url_is_used_and_never_shown(
    locked: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bus = RedisBus(SecretStr(f"unix://:{QUOTED}@{locked.socket}"))
    async with bus.subscribe() as signals:
        assert await anext(signals) == Subscribed()
        assert await bus.announce([event()])
        locked.kill()
        lost = await following(signals, Disconnected)
        assert not await bus.announce([event()])
    shown = f"{bus!r} {bus} {bus.address} {lost} {caplog.text}"
    assert "announcing to unix://" in caplog.text
    assert "s3cr3t" not in shown
    await bus.close()


async def test_a_wrong_password_is_a_reason_that_does_not_quote_it(
    locked: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    bus = RedisBus(f"unix://:wr0ng-s3cr3t@{locked.socket}")
    assert not await bus.announce([event()])
    async with bus.subscribe() as signals:
        lost = await anext(signals)
    assert isinstance(lost, Disconnected)
    assert "password" in lost.reason
    assert "wr0ng" not in f"{lost} {caplog.text}"
    await bus.close()


async def test_what_a_server_or_a_starter_quotes_of_the_url_is_masked() -> None:
    def ensure() -> None:
        raise OSError(f"no route to redis://u:{QUOTED}@h or with {PASSWORD} or redis://v:ot/her@h")

    bus = RedisBus(f"redis://u:{QUOTED}@127.0.0.1:1", ensure=ensure)
    async with bus.subscribe() as signals:
        lost = await anext(signals)
    assert isinstance(lost, Disconnected)
    assert lost.reason == "no route to redis://***@h or with *** or redis://***@h"
    await bus.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://u:s3cr3t@host",
        "redis://u:s3cr3t/x@host:1",
        "redis://u:s3cr3t@host:port",
        "redis://u:s3cr3t@host?no_such_option=s3cr3t",
        "redis://[s3cr3t",
        "unix://u:s3cr3t@",
        "",
    ],
)
def test_an_unusable_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match="unusable bus URL") as refusal:
        RedisBus(url)
    assert "s3cr3t" not in "".join(traceback.format_exception(refusal.value))
    inside = refusal.traceback[1:]
    assert all("s3cr3t" not in repr(value) for frame in inside for value in frame.locals.values())


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://u:s3cr3t@host/3", "redis://host:6379"),
        ("rediss://:s3cr3t@host:7000?ssl_ca_certs=/x", "rediss://host:7000"),
        ("redis://[::1]:7000?password=s3cr3t", "redis://[::1]:7000"),
        ("unix://u:s3cr3t@/run/a%20b.sock", "unix:///run/a b.sock"),
    ],
)
async def test_the_address_shows_the_place_and_nothing_else(url: str, address: str) -> None:
    bus = RedisBus(url)
    assert bus.address == address
    assert repr(bus) == f"RedisBus({address})"
    await bus.close()


async def test_options_in_the_url_cannot_undo_the_timing_and_the_decoding(valkey: ValkeyServer) -> None:
    bus = RedisBus(
        f"{valkey.url}?decode_responses=true&socket_timeout=99&protocol=3", heartbeat=0.1, deadline=0.3
    )
    async with bus.subscribe() as signals:
        await anext(signals)
        valkey.publish(CHANNEL, b"\xff")
        assert await anext(signals) == Messages((b"\xff",))
        valkey.pause()
        await following(signals, Disconnected, within=2)
    await bus.close()


def test_times_and_names_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="heartbeat"):
        RedisBus("redis://h", heartbeat=4, deadline=4)
    with pytest.raises(ValueError, match="producer"):
        RedisBus("redis://h", producer="")
    with pytest.raises(ValueError, match="producer"):
        RedisBus("redis://h", producer="x" * 129)
