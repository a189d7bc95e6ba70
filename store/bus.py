"""The bus: a hint that events were stored. Losing a message costs latency, never data."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from store.counters.keys import Pending
from store.event import Event
from store.signing import Signer
from store.wire import encode

if TYPE_CHECKING:
    from store.counters.redis_pending import RedisPending
    from store.read_models import ReadModels

CHANNEL = "evtop:events"
"""Carries every announcement. `resource_channel` names the ones of one resource."""
BATCH_MAX = 1_000
"""Payloads in one `Messages` at most."""


def resource_channel(resource_type: str, resource_id: str) -> str:
    """The channel that carries the announcements of one resource."""
    return f"{CHANNEL}:{resource_type}:{resource_id}"


def new_producer() -> str:
    """A producer name that no other process has: `host:pid:random`, 128 characters at most."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"


def addressed(
    event: Event, producer: str, sequence: int, signer: Signer | None = None
) -> list[tuple[str, bytes]]:
    """What to publish for `event`: pairs of channel and message, signed by `signer` if there is one.

    Only the message for `CHANNEL` carries `producer` and `sequence`, so that a receiver of that channel sees
    consecutive numbers; the ones for the event's resources carry neither.
    """
    sign = signer.sign if signer else bytes
    messages = [(CHANNEL, sign(encode(event, producer, sequence)))]
    channels = dict.fromkeys(
        resource_channel(kind, identifier)
        for kind, identifier in (
            (event.resource_type, event.resource_id),
            (event.secondary_resource_type, event.secondary_resource_id),
        )
        if kind is not None and identifier is not None
    )
    if channels:
        plain = sign(encode(event))
        messages.extend((channel, plain) for channel in channels)
    return messages


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The subscription stands. Every one after the first means that messages may have been missed."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The bus is away. `attempt` counts from 1 since it was there; the next try is in `retry_in` seconds.

    `reason` is one line without control characters and without credentials.
    """

    reason: str
    attempt: int
    retry_in: float


@dataclass(frozen=True, slots=True)
class Messages:
    """Raw messages in the order they came, `BATCH_MAX` at most.

    They are not decoded here: a bad one must not stop the reader.
    """

    payloads: tuple[bytes, ...]


Signal = Subscribed | Disconnected | Messages


class Bus(Protocol):
    """Announces stored events, and delivers announcements to whoever subscribes."""

    @property
    def pending(self) -> RedisPending | None:
        """What counters got since they were flushed; None for a bus that adds nothing up."""
        ...

    @property
    def read_models(self) -> ReadModels:
        """What is costly to work out, kept for a while by a bus that can."""
        ...

    async def announce(self, events: Sequence[Event], pending: Pending | None = None) -> bool:
        """Publish `events`, each with the producer's next sequence number; `pending` is what they add to counters.

        Never raises for a bus that is away, and never waits long for one: returns False, and the store has
        the events. Their sequence numbers are spent all the same, so that receivers see the hole.
        """
        ...

    def subscribe(self, channel: str = CHANNEL) -> AbstractAsyncContextManager[AsyncIterator[Signal]]:
        """Signals of `channel` until the context is left. The iterator reconnects by itself.

        It ends only when the bus is closed.

        Raises:
            RuntimeError: the bus is closed already.
        """
        ...

    async def close(self) -> None:
        """Close connections and end subscriptions. A closed bus announces nothing and takes no subscriber."""
        ...
