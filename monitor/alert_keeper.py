"""Keeps the record of alerts, which all consoles share: what fires and what is over, and what people make of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

from monitor.errors import read_failure
from monitor.health.alerting import Alerting
from store.event import Event

LOOK_EVERY = 1.0
RETRY_FIRST, RETRY_MAX = 5.0, 60.0
"""Seconds until a record that cannot be written is tried again: a store that is away, or that may only be read."""
OTHERS_WITHIN = 15.0
"""Seconds in which others record what they find."""
Record = Callable[[Sequence[Event]], Awaitable[object]]
Recorded = Callable[[], AsyncGenerator[Sequence[Event]]]


class AlertKeeper:
    """`recorded` reads what is on record of alerts, a batch after another, and `record` adds to it and announces that.

    What is recorded already is known there by its id, and comes to nothing. With `records`, what the rules of this
    console find is recorded too; while that `is_done_by_others`, what is still missing after `OTHERS_WITHIN`: they may
    go by other rules. `failure` says in one line why that cannot be done at present; else it is empty.
    """

    def __init__(
        self,
        alerting: Alerting,
        recorded: Recorded,
        record: Record,
        now: Callable[[], datetime],
        *,
        records: bool,
        is_done_by_others: Callable[[], bool] = lambda: False,
    ) -> None:
        self._alerting = alerting
        self._recorded = recorded
        self._record = record
        self._now = now
        self._records = records
        self._is_done_by_others = is_done_by_others
        self._missing_since: dict[UUID, float] = {}
        """Since when events are missing on record that are left to others, by a monotonic clock."""
        self.failure = ""

    async def run(self) -> None:
        """Read the record, and keep it, until cancelled."""
        wait = LOOK_EVERY
        while True:
            await asyncio.sleep(wait)
            try:
                await self._look()
            except Exception as error:
                # Whatever it was: the alerts are shown all the same, and are recorded as soon as that is possible.
                self.failure = read_failure(error)
                wait = min(RETRY_MAX, max(RETRY_FIRST, 2 * wait))
            else:
                self.failure = ""
                wait = LOOK_EVERY

    async def _look(self) -> None:
        if self._alerting.wants_record:
            async with aclosing(self._recorded()) as batches:
                async for batch in batches:
                    self._alerting.apply(batch, self._now())
                    # A page that was there already leaves no room for a key by itself.
                    await asyncio.sleep(0)
            self._alerting.recalled()
        if self._records and (events := self._left(self._alerting.to_record(self._now()))):
            await self.keep(events)

    def _left(self, events: Sequence[Event]) -> Sequence[Event]:
        """Those of `events` that are to be recorded here."""
        if not self._is_done_by_others():
            self._missing_since = {}
            return events
        now, known = time.monotonic(), self._missing_since
        self._missing_since = {event.id: known.get(event.id, now) for event in events}
        return [event for event in events if now - self._missing_since[event.id] >= OTHERS_WITHIN]

    async def keep(self, events: Sequence[Event]) -> None:
        """Record `events`; what they say holds here at once.

        Raises:
            StoreError: they cannot be stored: the store is away, or may only be read.
        """
        await self._record(events)
        self._alerting.apply(events, self._now())
