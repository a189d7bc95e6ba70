"""A TCP proxy on the loopback interface that can be slow, deaf, cut off or closed, for fault tests."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from tests.database_server import HOST, free_port
from tests.line_quality import Direction, Quality

_CHUNK_BYTES = 64 * 1024
_PACKET_BYTES = 1400
_CHUNKS_UNDER_WAY = 64
_CALL_TIMEOUT = 10.0
# SO_LINGER on, for 0 seconds: closing resets the connection and throws away what was not sent.
_RESET = struct.pack("ii", 1, 0)
_TO_TARGET, _TO_CLIENT = 0, 1

_UnderWay = asyncio.Queue[tuple[float, bytes | OSError]]


class TcpProxy:
    """Forwards `127.0.0.1:port` to `127.0.0.1:target_port`. Its loop runs in a thread of its own.

    A switch has taken effect when its call returns. Calls block for a moment and may come from any thread.
    A target that takes no connection shows as a reset right after connecting.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = free_port()
        self.connections = 0
        """How many clients were taken, since the start."""
        self._bytes = [0, 0]
        self._qualities = (Quality(), Quality())
        self._chance = random.Random()
        self._flowing = asyncio.Event()
        self._links: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._door: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def open_connections(self) -> int:
        """Clients that are connected now."""
        return len(self._links)

    @property
    def bytes_to_target(self) -> int:
        """Handed on to the target, since the start."""
        return self._bytes[_TO_TARGET]

    @property
    def bytes_to_client(self) -> int:
        """Handed on to clients, since the start."""
        return self._bytes[_TO_CLIENT]

    def url(self, url: str) -> str:
        """`url`, which names the target, led through this proxy."""
        parts = urlsplit(url)
        assert (parts.hostname, parts.port) == (HOST, self.target_port), "not a URL of the target"
        account, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{account}{at}{HOST}:{self.port}"))

    def start(self) -> None:
        """Listen and forward."""
        assert self._loop is None, "the proxy has been started"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._thread.start()
        self.resume()

    def close(self) -> None:
        """Reset all connections and end. A second call does nothing."""
        if self._thread is None or self._loop is None:
            return
        try:
            self._call(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CALL_TIMEOUT)
            self._thread = None
            self._loop.close()
        assert not self._failures, self._failures

    def delay(self, to_target: float, to_client: float | None = None) -> None:
        """Hand on what arrives from now on so many seconds later: in both directions, unless two times are given."""
        back = to_target if to_client is None else to_client
        self._qualities = (Quality(delay=to_target), Quality(delay=back))

    def degrade(self, quality: Quality, seed: int) -> None:
        """Carry what arrives from now on no better than that, in both directions. `Quality()` ends it."""
        self._chance = random.Random(seed)
        self._qualities = (quality, quality)

    def stall(self) -> None:
        """Cut without a word: connections stay, new ones are taken, nothing passes, not even the end of one."""
        self._call(self._stall())

    def abandon(self) -> None:
        """Let nothing more pass over the connections that are open, without a word. New ones work.

        So does a router that has forgotten them. This cannot be undone.
        """
        self._call(self._abandon())

    def cut(self) -> None:
        """Reset every connection, at both ends. New ones are taken."""
        self._call(self._reset_links())

    def refuse(self) -> None:
        """Refuse new connections. Those that are open stay."""
        self._call(self._shut_door())

    def resume(self) -> None:
        """Undo `stall` and `refuse`. What was on its way arrives; the delay stays as it is."""
        self._call(self._resume())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        if self._thread is None or self._loop is None:
            work.close()
            raise AssertionError("the proxy is not running")
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_TIMEOUT)

    async def _stall(self) -> None:
        self._flowing.clear()

    async def _abandon(self) -> None:
        # Each connection waits for the event that was there when it was made.
        self._flowing.clear()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def _resume(self) -> None:
        if self._accepting is None:
            if self._door is None:
                self._door = self._reserve()
            self._door.listen()
            self._accepting = asyncio.create_task(self._accept(self._door))
        self._flowing.set()

    async def _end(self) -> None:
        await self._shut_door()
        await self._reset_links()
        if self._door is not None:
            self._door.close()

    async def _reset_links(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _shut_door(self) -> None:
        if self._accepting is None or self._door is None:
            return
        self._accepting.cancel()
        with suppress(asyncio.CancelledError):
            await self._accepting
        self._accepting = None
        self._door.close()
        # A socket that has the port and does not listen: connecting is refused, and no one else gets the port.
        self._door = self._reserve()

    def _reserve(self) -> socket.socket:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setblocking(False)
        try:
            door.bind((HOST, self.port))
        except BaseException:
            door.close()
            raise
        return door

    async def _accept(self, door: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(door)
            self.connections += 1
            link = asyncio.create_task(self._link(client))
            self._links.add(link)
            link.add_done_callback(self._ended)

    def _ended(self, link: asyncio.Task[None]) -> None:
        self._links.discard(link)
        if not link.cancelled() and (failure := link.exception()) is not None:
            self._failures.append(failure)

    async def _link(self, client: socket.socket) -> None:
        """One client and its connection to the target, until both have ended or one is reset."""
        flowing = self._flowing
        with client, socket.socket() as target:
            ended = False
            try:
                target.setblocking(False)
                for end in (client, target):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await flowing.wait()
                await asyncio.get_running_loop().sock_connect(target, (HOST, self.target_port))
                async with asyncio.TaskGroup() as group:
                    for source, sink, way in ((client, target, _TO_TARGET), (target, client, _TO_CLIENT)):
                        under_way: _UnderWay = asyncio.Queue(_CHUNKS_UNDER_WAY)
                        group.create_task(self._take(source, under_way, way))
                        group.create_task(self._hand_on(sink, under_way, way, flowing))
                ended = True
            except* OSError:
                pass
            finally:
                if not ended:
                    for end in (client, target):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def _take(self, source: socket.socket, under_way: _UnderWay, way: int) -> None:
        """Read to the end. A reset goes the same way as the bytes before it, so that it is held up like them."""
        loop = asyncio.get_running_loop()
        direction = Direction()
        arrived: bytes | OSError | None = None
        while arrived != b"" and not isinstance(arrived, OSError):
            quality = self._qualities[way]
            try:
                arrived = await loop.sock_recv(
                    source, _PACKET_BYTES if quality.rate or quality.loss else _CHUNK_BYTES
                )
            except OSError as error:
                arrived = error
            size = len(arrived) if isinstance(arrived, bytes) else 0
            # As it is now: it may have been changed while this waited for something to arrive.
            due = direction.due(size, self._qualities[way], self._chance, loop.time())
            await under_way.put((due, arrived))

    async def _hand_on(
        self, sink: socket.socket, under_way: _UnderWay, way: int, flowing: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, arrived = await under_way.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            await flowing.wait()
            if isinstance(arrived, OSError):
                raise arrived
            if not arrived:
                sink.shutdown(socket.SHUT_WR)
                return
            await self._send(sink, arrived, way, flowing)

    async def _send(self, sink: socket.socket, chunk: bytes, way: int, flowing: asyncio.Event) -> None:
        """Not `sock_sendall`, which would go on with a chunk that a stall finds half sent."""
        rest = memoryview(chunk)
        while rest:
            await flowing.wait()
            try:
                sent = sink.send(rest)
            except BlockingIOError:
                await _writable(sink)
                continue
            self._bytes[way] += sent
            rest = rest[sent:]


async def _writable(sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    writable = loop.create_future()
    loop.add_writer(sink, lambda: writable.done() or writable.set_result(None))
    try:
        await writable
    finally:
        loop.remove_writer(sink)
