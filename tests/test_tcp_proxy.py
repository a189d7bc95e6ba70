"""The proxy of the fault tests: what each switch does to real connections."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator

import pytest

from tests.line_quality import Direction, Quality
from tests.tcp_proxy import TcpProxy
from tests.waiting import until

QUIET = 0.15
"""How long nothing must come for it to count as held up, seconds."""


class Echo:
    """A TCP server that sends back what it gets, after which it ends as the client does."""

    def __init__(self) -> None:
        self.resets = 0
        self.ends = 0
        self.server: asyncio.Server | None = None

    async def start(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            self.ends += 1
        except ConnectionResetError:
            self.resets += 1
        finally:
            writer.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, proxy: TcpProxy) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    async def echo(self, data: bytes) -> bytes:
        self.writer.write(data)
        return await asyncio.wait_for(self.reader.readexactly(len(data)), 5)

    def reset_on_close(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    yield echo
    if echo.server is not None:
        echo.server.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[TcpProxy]:
    with TcpProxy(await echo.start()) as proxy:
        yield proxy


async def test_bytes_pass_both_ways_and_are_counted_with_the_connections(proxy: TcpProxy, echo: Echo) -> None:
    payload = os.urandom(3_000_000)
    one, other = await Client.connect(proxy), await Client.connect(proxy)

    assert await one.echo(payload) == payload
    assert await other.echo(b"hello") == b"hello"

    assert (proxy.connections, proxy.open_connections) == (2, 2)
    # The last bytes can be here before the proxy's thread has counted them.
    await until(lambda: proxy.bytes_to_target == proxy.bytes_to_client == len(payload) + 5)
    await one.close()
    await other.close()
    await until(lambda: proxy.open_connections == 0)
    assert proxy.connections == 2


async def test_the_end_of_one_direction_passes_and_leaves_the_other_open(proxy: TcpProxy, echo: Echo) -> None:
    client = await Client.connect(proxy)
    client.writer.write(b"last words")
    client.writer.write_eof()
    assert await asyncio.wait_for(client.reader.read(), 5) == b"last words"
    assert (echo.ends, echo.resets) == (1, 0)
    await client.close()


async def test_a_delay_holds_up_each_direction_by_its_own_time(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    await client.echo(b"warm")
    for delays, expected in (((0.1,), 0.2), ((0.0, 0.15), 0.15), ((0.15, 0.0), 0.15)):
        proxy.delay(*delays)
        before = time.monotonic()
        await client.echo(b"x")
        took = time.monotonic() - before
        assert expected <= took < expected + 1, f"{delays} gave {took:.3f} s"
    proxy.delay(0)
    await client.close()


async def test_what_is_sent_under_delay_arrives_in_order_once_the_delay_ends(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    proxy.delay(0.2, 0)
    client.writer.write(b"first ")
    await client.writer.drain()
    await until(lambda: proxy.open_connections == 1)
    proxy.delay(0)
    client.writer.write(b"second")
    assert await asyncio.wait_for(client.reader.readexactly(12), 5) == b"first second"
    await client.close()


async def test_a_stall_lets_nothing_through_and_resume_loses_nothing(proxy: TcpProxy, echo: Echo) -> None:
    client = await Client.connect(proxy)
    await client.echo(b"before")
    proxy.stall()
    handed_on = proxy.bytes_to_target, proxy.bytes_to_client
    payload = os.urandom(200_000)
    client.writer.write(payload)
    late = await Client.connect(proxy)
    late.writer.write(b"late")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.reader.read(1), QUIET)

    assert (proxy.bytes_to_target, proxy.bytes_to_client) == handed_on
    assert (echo.ends, echo.resets) == (0, 0)
    proxy.resume()
    assert await asyncio.wait_for(client.reader.readexactly(len(payload)), 5) == payload
    assert await asyncio.wait_for(late.reader.readexactly(4), 5) == b"late"
    await client.close()
    await late.close()


async def test_a_stall_stops_a_chunk_that_is_half_sent(proxy: TcpProxy) -> None:
    """A client that reads again during a stall gets only what its own buffers held."""
    client = await Client.connect(proxy)
    payload = bytes(40_000_000)
    sending = asyncio.create_task(client.echo(payload))
    await until(lambda: proxy.bytes_to_client > 1_000_000)
    proxy.stall()
    handed_on = proxy.bytes_to_target, proxy.bytes_to_client

    done, _ = await asyncio.wait({sending}, timeout=QUIET)

    assert not done
    assert (proxy.bytes_to_target, proxy.bytes_to_client) == handed_on
    proxy.resume()
    assert await sending == payload
    await client.close()


async def test_abandoned_connections_stay_silent_for_good_while_new_ones_work(
    proxy: TcpProxy, echo: Echo
) -> None:
    client = await Client.connect(proxy)
    await client.echo(b"before")
    proxy.abandon()
    client.writer.write(b"never arrives")
    other = await Client.connect(proxy)
    assert await other.echo(b"new") == b"new"
    proxy.stall()
    proxy.resume()
    assert await other.echo(b"still") == b"still"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.reader.read(1), QUIET)
    await client.close()
    await other.close()
    await until(lambda: echo.ends == 1)
    assert echo.resets == 0


async def test_a_narrow_line_passes_so_many_bytes_a_second(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    await client.echo(b"warm")
    payload = os.urandom(60_000)
    proxy.degrade(Quality(rate=200_000), seed=1)
    before = time.monotonic()
    assert await client.echo(payload) == payload
    # Both directions work at the same time, so that it takes one of them and a packet of the other.
    assert 0.3 <= time.monotonic() - before < 2
    await client.close()


async def test_a_bad_line_delivers_everything_in_order(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    proxy.degrade(Quality(delay=0.02, jitter=0.02, loss=0.2, resend=0.02), seed=1)
    sent = b"".join(b"%05d" % number for number in range(4000))
    assert await client.echo(sent) == sent
    proxy.degrade(Quality(), seed=1)
    assert await client.echo(b"x") == b"x"
    await client.close()


def test_packets_wait_for_their_turn_for_the_line_and_for_the_lost_ones_before_them() -> None:
    chance = random.Random(1)
    narrow = Direction()
    assert [narrow.due(1000, Quality(delay=0.5, rate=1000), chance, 0.0) for _ in range(3)] == [1.5, 2.5, 3.5]
    assert narrow.due(1000, Quality(delay=0.5, rate=1000), chance, 10.0) == 11.5

    jittery = Direction()
    moments = [jittery.due(1, Quality(delay=0.5, jitter=0.3), chance, 0.01 * n) for n in range(1000)]
    assert moments == sorted(moments)
    assert all(0.2 <= due - 0.01 * n <= 0.8 for n, due in enumerate(moments))
    assert max(due - 0.01 * n for n, due in enumerate(moments)) > 0.75

    lossy = Direction()
    held_up = [lossy.due(1, Quality(loss=0.05, resend=0.3), chance, float(n)) - n for n in range(4000)]
    assert 0.03 < sum(late > 0 for late in held_up) / 4000 < 0.07
    assert {0.3, 0.9} <= {round(late, 3) for late in held_up}


@pytest.mark.parametrize("how", ["end", "reset"])
async def test_a_stall_hides_how_a_client_ends_until_it_is_over(
    proxy: TcpProxy, echo: Echo, how: str
) -> None:
    client = await Client.connect(proxy)
    await client.echo(b"before")
    proxy.stall()
    if how == "reset":
        client.reset_on_close()
    await client.close()

    await asyncio.sleep(QUIET)

    assert (echo.ends, echo.resets) == (0, 0)
    proxy.resume()
    await until(lambda: echo.ends + echo.resets == 1)
    assert echo.resets == (how == "reset")


async def test_a_cut_resets_both_ends_and_the_next_connection_works(proxy: TcpProxy, echo: Echo) -> None:
    client = await Client.connect(proxy)
    await client.echo(b"before")

    proxy.cut()

    assert proxy.open_connections == 0
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(client.reader.read(1), 5)
    await until(lambda: echo.resets == 1)
    client.writer.transport.abort()
    again = await Client.connect(proxy)
    assert await again.echo(b"after") == b"after"
    await again.close()


async def test_a_cut_ends_what_a_stall_holds(proxy: TcpProxy, echo: Echo) -> None:
    client = await Client.connect(proxy)
    await client.echo(b"before")
    proxy.stall()
    client.writer.write(b"never arrives")
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(client.reader.read(1), 5)
    await until(lambda: echo.resets == 1)
    client.writer.transport.abort()


async def test_refused_connections_fail_at_once_while_open_ones_go_on(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    await client.echo(b"before")
    for _ in range(3):
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await Client.connect(proxy)
        assert await client.echo(b"still") == b"still"
        proxy.resume()
        proxy.resume()
        back = await Client.connect(proxy)
        assert await back.echo(b"back") == b"back"
        await back.close()
    await client.close()


async def test_a_target_that_is_away_shows_as_a_reset(echo: Echo) -> None:
    port = await echo.start()
    assert echo.server is not None
    echo.server.close()
    await echo.server.wait_closed()

    async def connect_and_read(proxy: TcpProxy) -> bytes:
        # The reset may be here before the event loop learns that it is connected, so either call may meet it.
        client = await Client.connect(proxy)
        return await asyncio.wait_for(client.reader.read(1), 5)

    with TcpProxy(port) as proxy:
        with pytest.raises(ConnectionResetError):
            await connect_and_read(proxy)
        assert proxy.connections == 1
        await until(lambda: proxy.open_connections == 0)


async def test_closing_in_any_state_leaves_no_thread_no_socket_and_no_port_behind(echo: Echo) -> None:
    target = await echo.start()
    for state in ("forwarding", "delay", "stall", "refuse"):
        before = set(threading.enumerate())
        proxy = TcpProxy(target)
        proxy.start()
        client = await Client.connect(proxy)
        await client.echo(b"x")
        if state == "delay":
            proxy.delay(60)
            client.writer.write(b"on its way for a minute")
        elif state == "stall":
            proxy.stall()
        elif state == "refuse":
            proxy.refuse()
        proxy.close()
        proxy.close()
        assert set(threading.enumerate()) == before, state
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(client.reader.read(1), 5)
        client.writer.transport.abort()
        with pytest.raises(ConnectionRefusedError):
            await Client.connect(proxy)
        with pytest.raises(AssertionError, match="not running"):
            proxy.stall()


def test_a_url_is_led_through_the_proxy_with_its_account_as_written() -> None:
    proxy = TcpProxy(5432)
    assert proxy.url("postgresql://u:p%40%2F@127.0.0.1:5432/evtop?x=1") == (
        f"postgresql://u:p%40%2F@127.0.0.1:{proxy.port}/evtop?x=1"
    )
    assert proxy.url("redis://127.0.0.1:5432/0") == f"redis://127.0.0.1:{proxy.port}/0"
    with pytest.raises(AssertionError, match="not a URL of the target"):
        proxy.url("postgresql://127.0.0.1:5433/evtop")
