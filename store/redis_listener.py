"""One subscribed connection: bytes in, batches of messages out, with a heartbeat.

redis-py makes the connection, with TLS, password and handshake. What comes over it afterwards is read here, in one
go, and not by redis-py's pub/sub, which costs a coroutine and a dictionary a message; hiredis, which redis-py uses as
well, takes it apart.
"""

from __future__ import annotations

import asyncio

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from store.bus import BATCH_MAX, Messages, Signal, Subscribed

READ_BYTES = 256 * 1024
"""Read from the socket at once, at most."""
FRAME_MAX_BYTES = 4 * 1024 * 1024
"""A message that is still not complete after so much costs the connection: it must not fill the memory."""
_GRACE = 0.05
"""Seconds in which an answer that has arrived already is read."""


class RedisListener:
    """A connection, subscribed to one channel, that must show signs of life.

    After `heartbeat` seconds without traffic it sends a PING; after `deadline` seconds without any, the answer to
    that included, the connection is given up. Belongs to one event loop.
    """

    def __init__(
        self, connection: AbstractConnection, channel: str, heartbeat: float, deadline: float
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._heartbeat = heartbeat
        self._patience = deadline - heartbeat
        self._asked_at: float | None = None
        self._parser = hiredis.Reader(protocolError=RedisConnectionError, replyError=ResponseError)
        self._incomplete = 0

    async def open(self) -> None:
        """Connect and ask to be subscribed; `receive` tells when that is done.

        Raises:
            redis.exceptions.RedisError, OSError: that was not possible.
        """
        await self._connection.connect()
        await self._ask("SUBSCRIBE", self._channel)

    async def close(self) -> None:
        """Close the connection, without a word."""
        await self._connection.disconnect(nowait=True)

    async def receive(self) -> list[Signal]:
        """Wait for traffic, then take all that has arrived. Empty when that was no message.

        Raises:
            redis.exceptions.RedisError, OSError: the connection is lost, or shows no life.
        """
        data = await self._wait()
        self._parser.feed(data)
        self._incomplete += len(data)
        signals: list[Signal] = []
        payloads: list[bytes] = []
        next_reply = self._parser.gets
        # `gets` gives False when what is left is no complete reply.
        while (reply := next_reply()) is not False:
            self._incomplete = 0
            if isinstance(reply, ResponseError):
                raise reply
            kind = reply[0]
            if kind == b"message":
                payloads.append(reply[2])
                if len(payloads) == BATCH_MAX:
                    signals.append(Messages(tuple(payloads)))
                    payloads.clear()
            elif kind == b"subscribe":
                if payloads:
                    signals.append(Messages(tuple(payloads)))
                    payloads.clear()
                signals.append(Subscribed())
        if payloads:
            signals.append(Messages(tuple(payloads)))
        if self._incomplete > FRAME_MAX_BYTES:
            raise OSError(f"a message over {FRAME_MAX_BYTES // 2**20} MiB")
        return signals

    async def _wait(self) -> bytes:
        while True:
            asked = self._asked_at
            if asked is None:
                data = await self._read(self._heartbeat)
            else:
                data = await self._read(asked + self._patience - asyncio.get_running_loop().time())
                if data is None:
                    # The silence may be ours: after a stopped process goes on, the answer is there to be read.
                    data = await self._read(_GRACE)
            if data is not None:
                self._asked_at = None
                return data
            if asked is not None:
                raise OSError(f"no answer within {self._patience:g} s")
            await self._ask("PING")

    async def _ask(self, *command: str) -> None:
        if not self._connection.is_connected:
            # redis-py would connect again by itself, and not be subscribed.
            raise OSError("the connection is closed")
        self._asked_at = asyncio.get_running_loop().time()
        await self._connection.send_command(*command, check_health=False)

    async def _read(self, seconds: float) -> bytes | None:
        """What has arrived, None after `seconds` without anything."""
        # The one thing that redis-py keeps to itself and that nothing else gives: the stream behind its parser.
        stream = self._connection._reader  # pyright: ignore[reportPrivateUsage]
        if stream is None:
            raise OSError("the connection is closed")
        try:
            async with asyncio.timeout(seconds):
                data = await stream.read(READ_BYTES)
        except TimeoutError:
            return None
        if not data:
            raise OSError("the server closed the connection")
        return data
