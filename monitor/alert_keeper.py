"""Keeps the record of alerts, which all consoles share: what fires and what is over, and what people make of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime

from monitor.errors import read_failure
from monitor.health.alerting import Alerting
from store.event import Event

LOOK_EVERY = 1.0
RETRY_FIRST, RETRY_MAX = 5.0, 60.0
"""Seconds until a record that cannot be written is tried again: a store that is away, or that may only be read."""
Record = Callable[[Sequence[Event]], Awaitable[object]]
Recorded = Callable[[], AsyncGenerator[Sequence[Event]]]


class AlertKeeper:
    """`recorded` reads what is on record of alerts, a batch after another, and `record` adds to it and announces that.

    What is recorded already is known there by its id, and comes to nothing. With `records`, what the rules of this
    console find is recorded too. `failure` says in one line why that cannot be done at present; else it is empty.
    """

    def __init__(
        self,
        alerting: Alerting,
        recorded: Recorded,
        record: Record,
        now: Callable[[], datetime],
        *,
        records: bool,
    ) -> None:
        self._alerting = alerting
        self._recorded = recorded
        self._record = record
        self._now = now
        self._records = records
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
        if self._records and (events := self._alerting.to_record(self._now())):
            await self.keep(events)

    async def keep(self, events: Sequence[Event]) -> None:
        """Record `events`; what they say holds here at once.

        Raises:
            StoreError: they cannot be stored: the store is away, or may only be read.
        """
        await self._record(events)
        self._alerting.apply(events, self._now())
