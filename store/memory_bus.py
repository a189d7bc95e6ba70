"""A bus inside one process: the twin of the Redis one, for tests and for programs that need no other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from store.bus import BATCH_MAX, CHANNEL, Disconnected, Messages, Signal, Subscribed, addressed, new_producer
from store.counters.keys import Pending
from store.event import Event
from store.read_models import ReadModels


class MemoryBus:
    """Delivers announcements to the subscribers of this object.

    `capacity` bounds the messages that wait for one subscriber. When it is full they are dropped and the
    subscriber gets `Disconnected` and `Subscribed`, as when Redis cuts off a slow client. `disconnect` and
    `reconnect` play an outage.
    """

    pending = None
    """It adds up nothing of what counters get."""
    read_models = ReadModels(None)
    """It keeps nothing."""

    def __init__(self, *, producer: str | None = None, capacity: int = 10_000) -> None:
        self._producer = producer or new_producer()
        self._capacity = capacity
        self._sequence = 0
        self._inboxes: set[_Inbox] = set()
        self._outage: Disconnected | None = None
        self._closed = False

    async def announce(self, events: Sequence[Event], pending: Pending | None = None) -> bool:
        """Deliver `events` to whoever subscribes. False during an outage and after `close`.

        What counters get is found among the events.
        """
        reachable = self._outage is None and not self._closed
        for event in events:
            self._sequence += 1
            if reachable:
                for channel, payload in addressed(event, self._producer, self._sequence):
                    self.publish(payload, channel)
        return reachable

    def publish(self, payload: bytes, channel: str = CHANNEL) -> None:
        """Deliver one raw message, as `redis-cli PUBLISH` would. Lost during an outage."""
        if self._outage is None:
            for inbox in self._inboxes:
                if inbox.channel == channel:
                    inbox.put(payload)

    @asynccontextmanager
    async def subscribe(self, channel: str = CHANNEL) -> AsyncGenerator[AsyncIterator[Signal], None]:
        """Signals of `channel` until the context is left or the bus is closed."""
        if self._closed:
            raise RuntimeError("the bus is closed")
        inbox = _Inbox(channel, self._capacity)
        inbox.put(self._outage or Subscribed())
        self._inboxes.add(inbox)
        try:
            yield inbox
        finally:
            self._inboxes.discard(inbox)

    def disconnect(self, reason: str, *, retry_in: float = 0.1) -> None:
        """Begin an outage, or report one more failed attempt of the present one."""
        attempt = self._outage.attempt + 1 if self._outage else 1
        self._outage = Disconnected(reason, attempt, retry_in)
        for inbox in self._inboxes:
            inbox.put(self._outage)

    def reconnect(self) -> None:
        """End the outage. Subscribers get `Subscribed` and none of what was announced meanwhile."""
        if self._outage is None:
            return
        self._outage = None
        for inbox in self._inboxes:
            inbox.put(Subscribed())

    async def close(self) -> None:
        """End every subscription, after what waits in it."""
        self._closed = True
        for inbox in self._inboxes:
            inbox.close()


class _Inbox:
    """What waits for one subscriber, in order. Being its iterator, it needs no task."""

    def __init__(self, channel: str, capacity: int) -> None:
        self.channel = channel
        self._capacity = capacity
        self._waiting: deque[bytes | Subscribed | Disconnected] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, item: bytes | Subscribed | Disconnected) -> None:
        if len(self._waiting) >= self._capacity:
            lost = sum(isinstance(waiting, bytes) for waiting in self._waiting)
            self._waiting.clear()
            self._waiting.extend([Disconnected(f"too slow: {lost} messages dropped", 1, 0.0), Subscribed()])
        self._waiting.append(item)
        self._changed.set()

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    def __aiter__(self) -> _Inbox:
        return self

    async def __anext__(self) -> Signal:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        first = self._waiting.popleft()
        if not isinstance(first, bytes):
            return first
        batch = [first]
        while self._waiting and len(batch) < BATCH_MAX and isinstance(self._waiting[0], bytes):
            batch.append(self._waiting.popleft())  # pyright: ignore[reportArgumentType]
        return Messages(tuple(batch))
