"""Keeps the record of alerts, which all consoles share: what fires and what is over, and what people make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from monitor.errors import read_failure
from monitor.health.alerting import Alerting
from store.event import Event

LOOK_EVERY = 1.0
RETRY_FIRST, RETRY_MAX = 5.0, 60.0
"""Seconds until a record that cannot be written is tried again: a store that is away, or that may only be read."""
Record = Callable[[Sequence[Event]], Awaitable[object]]


class AlertKeeper:
    """`record` stores events and announces them. What is stored already is known there by its id, and comes to nothing.

    `failure` says in one line why nothing can be recorded at present; it is empty while that is possible.
    """

    def __init__(self, alerting: Alerting, record: Record, now: Callable[[], datetime]) -> None:
        self._alerting = alerting
        self._record = record
        self._now = now
        self.failure = ""

    async def run(self) -> None:
        """Record what this console's rules find, until cancelled."""
        wait = LOOK_EVERY
        while True:
            await asyncio.sleep(wait)
            events = self._alerting.to_record(self._now())
            if not events:
                continue
            try:
                await self.keep(events)
            except Exception as error:
                # Whatever it was: the alerts are shown all the same, and are recorded as soon as that is possible.
                self.failure = read_failure(error)
                wait = min(RETRY_MAX, max(RETRY_FIRST, 2 * wait))
            else:
                self.failure = ""
                wait = LOOK_EVERY

    async def keep(self, events: Sequence[Event]) -> None:
        """Record `events`; what they say holds here at once.

        Raises:
            StoreError: they cannot be stored: the store is away, or may only be read.
        """
        await self._record(events)
        self._alerting.apply(events, self._now())
