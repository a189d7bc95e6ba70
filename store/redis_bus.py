"""The bus over Redis or Valkey pub/sub, by redis-py, with a heartbeat and a reconnect loop of its own.

redis-py alone reconnects without telling, and never notices a server that stops answering: both would hide
that messages were missed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from store.bus import CHANNEL, Disconnected, Signal, addressed, new_producer
from store.counters.keys import Pending
from store.counters.redis_pending import RedisPending
from store.event import Event
from store.read_models import ReadModels, invalidated_by, version_key
from store.redis_listener import RedisListener
from store.signing import Signer

ANNOUNCE_TIMEOUT = 1.0
"""Seconds that one `announce` may take, connecting included."""
RETRY_FIRST, RETRY_MAX = 0.1, 2.0
"""Seconds until the first retry, and at most between two."""
_LOG_INTERVAL = 10.0
_REASON_MAX = 200

_log = logging.getLogger(__name__)


class RedisBus:
    """Announces and subscribes over `redis://`, `rediss://` (verified TLS) or `unix:///path`.

    One object belongs to one event loop. `producer` names this process in announcements, 1 to 128 characters; a
    `signer` signs them.
    `ensure` is called before each connection attempt of a subscriber, on the event loop: it must be quick,
    and its OSError becomes the reason of a `Disconnected`. A subscriber sends a PING after `heartbeat` seconds
    without traffic, and gives the connection up after `deadline` seconds without any, PONG included.

    Raises:
        ValueError: not a usable URL, or times or a name out of range. The message never quotes the URL.
    """

    address: str = "unusable"
    """Scheme and place of the server, without credentials: fit for a screen or a log."""

    def __init__(
        self,
        url: str | SecretStr,
        *,
        producer: str | None = None,
        signer: Signer | None = None,
        ensure: Callable[[], None] | None = None,
        heartbeat: float = 2.0,
        deadline: float = 4.0,
    ) -> None:
        if not 0 < heartbeat < deadline:
            raise ValueError("heartbeat must be above 0 and below deadline")
        producer = new_producer() if producer is None else producer
        if not 1 <= len(producer) <= 128:
            raise ValueError("producer must have 1 to 128 characters")
        # Rebound, so that a traceback with local variables has nothing to show.
        url = url if isinstance(url, SecretStr) else SecretStr(url)
        options = _connection_options(url, deadline)
        if options is None:
            raise ValueError(
                "unusable bus URL: redis://host:port, rediss://host:port or unix:///path expected"
            )
        self.address = _address(options)
        self.producer = producer
        self._signer = signer
        self._ensure = ensure
        self._heartbeat = heartbeat
        self._deadline = deadline
        self._secrets = [
            SecretStr(options[name]) for name in ("password", "ssl_password") if options.get(name)
        ]
        self._pool = ConnectionPool(**options)
        self._client = Redis(connection_pool=self._pool)
        self.pending = RedisPending(self._client)
        """What counters got since they were flushed."""
        self.read_models = ReadModels(self._client)
        """What is costly to work out, for ten minutes."""
        self._turn = asyncio.Lock()
        self._sequence = 0
        self._failures = 0
        self._retry_at = 0.0
        self._logged_at = float("-inf")
        self._listeners: set[RedisListener] = set()
        self._closed = asyncio.Event()

    def __repr__(self) -> str:
        return f"RedisBus({self.address})"

    async def announce(self, events: Sequence[Event], pending: Pending | None = None) -> bool:
        """Publish `events` and add up what they count, in one round trip, within `ANNOUNCE_TIMEOUT`.

        After a failure it returns False at once for a while, 0.1 s at first and `RETRY_MAX` at most.
        """
        if not events:
            return not self._closed.is_set()
        first = self._sequence + 1
        self._sequence += len(events)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANNOUNCE_TIMEOUT), self._turn:
                if self._closed.is_set() or loop.time() < self._retry_at:
                    self.pending.settle(pending, None)
                    return False
                await self._publish(events, first, pending)
        except (RedisError, OSError) as error:
            self.pending.settle(pending, None)
            if loop.time() >= self._retry_at:  # else another call has failed in the same outage already
                self._failures += 1
                self._retry_at = loop.time() + _retry_delay(self._failures)
            if loop.time() - self._logged_at >= _LOG_INTERVAL:
                self._logged_at = loop.time()
                _log.warning("announcing to %s failed: %s", self.address, self._reason(error))
            return False
        self._failures = 0
        return True

    @asynccontextmanager
    async def subscribe(self, channel: str = CHANNEL) -> AsyncGenerator[AsyncIterator[Signal], None]:
        """Signals of `channel` until the context is left or the bus is closed."""
        if self._closed.is_set():
            raise RuntimeError("the bus is closed")
        async with aclosing(self._signals(channel)) as signals:
            yield signals

    async def close(self) -> None:
        """Close all connections and end the subscriptions."""
        self._closed.set()
        for listener in tuple(self._listeners):
            await listener.close()
        async with self._turn:
            await self._pool.aclose()

    async def _publish(self, events: Sequence[Event], first: int, pending: Pending | None) -> None:
        async with self._client.pipeline(transaction=False) as pipeline:
            for sequence, event in enumerate(events, first):
                for channel, payload in addressed(event, self.producer, sequence, self._signer):
                    pipeline.publish(channel, payload)  # pyright: ignore[reportUnknownMemberType]
            counting = self.pending.add_to(pipeline, pending)
            outdated = invalidated_by(events)
            for name in outdated:
                pipeline.incr(version_key(name))
            # The pipeline's own error would quote the command, and with it the event.
            replies: list[object] = await pipeline.execute(raise_on_error=False)
        announced = len(replies) - counting - len(outdated)
        self.pending.settle(pending, replies[announced : announced + counting])
        # A server that counts nothing, or caches nothing, announces all the same.
        for reply in replies[:announced]:
            if isinstance(reply, RedisError):
                raise reply

    async def _signals(self, channel: str) -> AsyncGenerator[Signal, None]:
        loop = asyncio.get_running_loop()
        attempt = 0
        while not self._closed.is_set():
            listener = RedisListener(self._pool.make_connection(), channel, self._heartbeat, self._deadline)
            self._listeners.add(listener)
            try:
                if self._ensure is not None:
                    self._ensure()
                await listener.open()
                while True:
                    if self._closed.is_set():
                        return
                    for signal in await listener.receive():
                        attempt = 0
                        yield signal
            except (RedisError, OSError) as error:
                reason = self._reason(error)
            finally:
                self._listeners.discard(listener)
                await listener.close()
            if self._closed.is_set():
                return
            attempt += 1
            delay = _retry_delay(attempt)
            retry_at = loop.time() + delay
            yield Disconnected(reason, attempt, delay)
            try:
                async with asyncio.timeout_at(retry_at):
                    await self._closed.wait()
            except TimeoutError:
                continue

    def _reason(self, error: Exception) -> str:
        """One printable line about `error`. What a server says is hostile, and may quote what it was sent."""
        if isinstance(error, TimeoutError) and not str(error):
            return f"no answer within {ANNOUNCE_TIMEOUT:g} s"
        text = _refused_certificate(error) or str(error) or type(error).__name__
        # What redis-py puts before the cause is longer than the room there is for it on a status line.
        text = re.sub(r"^Error -?\d+ connecting to \S+\. ", "", text)
        for secret in self._secrets:
            plain = secret.get_secret_value()
            text = text.replace(plain, "***").replace(quote(plain, safe=""), "***")
        text = re.sub(r"//\S*@", "//***@", text)
        printable = "".join(character if character.isprintable() else " " for character in text)
        return " ".join(printable.split())[:_REASON_MAX]


def _connection_options(url: SecretStr, deadline: float) -> dict[str, Any] | None:
    """What the URL says, with our own timing; None when it is no usable URL.

    Returns None rather than raising: a traceback would show the frame that holds the password.
    """
    try:
        options: dict[str, Any] = dict(parse_url(url.get_secret_value()))
        options.update(
            # RESP2 serves subscribers with every server version, and needs no handshake.
            protocol=2,
            decode_responses=False,
            # A loss must be seen at once, not after redis-py's own retries.
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=deadline,
            socket_timeout=deadline,
            health_check_interval=0,
            driver_info=None,
        )
        ConnectionPool(**options).make_connection()
    except Exception:
        # The URL decides which class gets which keywords, and so what is raised for a wrong one.
        return None
    if options.get("connection_class") is UnixDomainSocketConnection and not options.get("path"):
        return None
    return options


def _refused_certificate(error: Exception) -> str | None:
    """Why the server's certificate was not taken, if that is what went wrong."""
    cause = error.__cause__ or error.__context__
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return None
    return f"certificate refused: {cause.verify_message}"


def _address(options: dict[str, Any]) -> str:
    if "path" in options:
        return f"unix://{options['path']}"
    scheme = "rediss" if options.get("connection_class") is SSLConnection else "redis"
    host = options.get("host", "localhost")
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{options.get('port', 6379)}"


def _retry_delay(attempt: int) -> float:
    """Seconds before retry `attempt`, from 1: doubled each time, capped, and spread by a quarter."""
    delay = min(RETRY_FIRST * 2 ** min(attempt - 1, 10), RETRY_MAX)
    return delay * random.uniform(0.75, 1.0)  # noqa: S311 - spreads retries, guards nothing
