"""How the application tracks what it does: one call that never fails, over the two methods of the store it needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from uuid_utils.compat import uuid7

from store.event import ActorType, Event, Severity

logger = logging.getLogger(__name__)

Resource = tuple[str, str]
"""Resource type and id: `("series", "brackwater")`."""


class Actor(NamedTuple):
    """Who does it."""

    type: ActorType
    id: str | None


SYSTEM = Actor(ActorType.SYSTEM, None)
GUEST = Actor(ActorType.USER, None)


def user(name: str) -> Actor:
    """The signed-in user `name`."""
    return Actor(ActorType.USER, name)


def job(name: str) -> Actor:
    """The scheduled job `name`."""
    return Actor(ActorType.JOB, name)


class Tracker(Protocol):
    """What the application needs of an event store. `store.events.EventStore` is one."""

    async def create(self, event: Event) -> Event:
        """Store `event` and announce it; raises when it could not be stored."""
        ...

    async def create_many(self, events: Sequence[Event]) -> list[Event]:
        """Store `events` in one transaction and announce them; raises when none could be stored."""
        ...


class Tracking:
    """Turns what the modules say into events. An operation succeeds even when its event fails.

    `now` gives the time of the next event, aware.
    """

    def __init__(self, tracker: Tracker, now: Callable[[], datetime]) -> None:
        self.tracker = tracker
        self._now = now
        self._batching = False
        self._batch: list[Event] = []
        self._done: list[Event] = []
        self.lost = 0
        """Events that the tracker refused."""

    async def track(
        self,
        event_type: str,
        *,
        actor: Actor = SYSTEM,
        resource: Resource | None = None,
        secondary: Resource | None = None,
        status: str | None = None,
        severity: Severity | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Record that something happened. Never raises; without `severity`, the taxonomy gives it."""
        try:
            moment = self._now()
            fields: dict[str, object] = {} if severity is None else {"severity": severity}
            event = Event.model_validate(
                {
                    # The id orders as the time does, for a simulated past too.
                    "id": uuid7(nanoseconds=int(moment.timestamp() * 1_000_000) * 1_000),
                    "event_type": event_type,
                    "actor_type": actor.type,
                    "actor_id": actor.id,
                    "resource_type": resource[0] if resource else None,
                    "resource_id": resource[1] if resource else None,
                    "secondary_resource_type": secondary[0] if secondary else None,
                    "secondary_resource_id": secondary[1] if secondary else None,
                    "metadata": dict(metadata or {}),
                    "status": status,
                    "inserted_at": moment,
                    **fields,
                }
            )
            self._done.append(event)
            if self._batching:
                self._batch.append(event)
            else:
                await self.tracker.create(event)
        except Exception as error:
            self._count_lost(1, error)

    @property
    def pending(self) -> int:
        """Events that wait for `flush`."""
        return len(self._batch)

    def start_batching(self) -> None:
        """Keep events until `flush`: one transaction for many, for a busy application."""
        self._batching = True

    async def flush(self, chunk: int) -> None:
        """Hand on the events kept so far, at most `chunk` in a transaction. Never raises."""
        batch, self._batch = self._batch, []
        for first in range(0, len(batch), chunk):
            part = batch[first : first + chunk]
            try:
                await self.tracker.create_many(part)
            except Exception as error:
                self._count_lost(len(part), error)

    async def stop_batching(self, chunk: int) -> None:
        """Flush, and hand events on one by one from now on."""
        self._batching = False
        await self.flush(chunk)

    def take(self) -> list[Event]:
        """The events made since the last call, stored or not."""
        done, self._done = self._done, []
        return done

    def _count_lost(self, count: int, error: Exception) -> None:
        # Quoted, because an error may carry event text, and once, because an outage fails every event.
        if self.lost == 0:
            logger.warning("events are not being tracked: %s: %r", type(error).__name__, str(error))
        self.lost += count
