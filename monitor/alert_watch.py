"""Rules at work without a screen: follows the feed, keeps the record of alerts and tells people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from monitor.alert_keeper import AlertKeeper
from monitor.backend import Backend
from monitor.health.rule import Rule
from monitor.looking_back import look_back
from monitor.model.arrivals import Arrivals
from monitor.model.console import ConsoleModel
from monitor.notify.teller import Teller
from monitor.recorded_alerts import recorded_alerts
from monitor.usual_counts import keep_learning

Result = TypeVar("Result")
ROWS = 1000
"""Rows of the timeline that nobody sees."""
SECOND = 1.0
_LOOK = 0.05


class AlertWatch:
    """What a console does about alerts, by the same parts. `model` is what it knows, for whoever shows figures."""

    def __init__(
        self,
        backend: Backend,
        rules: Sequence[Rule],
        teller: Teller,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = ConsoleModel(ROWS)
        self.model.watch_by(rules)
        self.teller = teller
        self._backend = backend
        self._rules = tuple(rules)
        self._now = now
        self._tick = tick
        self._keeper = AlertKeeper(
            self.model.alerts,
            partial(recorded_alerts, backend.store.repository),
            backend.record,
            now,
            records=backend.keeps_alerts,
        )
        self._records = backend.keeps_alerts
        self._looking_back: asyncio.Task[None] | None = None

    @property
    def unrecorded(self) -> str:
        """Why what fires is not on record; empty when it is."""
        return self._keeper.failure

    async def run(self) -> None:
        """Watch until cancelled. Neither a store nor a bus that is away ends it."""
        await self._beside(asyncio.Event().wait())

    async def catch_up(self, patience: float) -> bool:
        """Watch until all that happened is known, on record and told; False when `patience` seconds have gone by."""
        return await self._beside(self._until_done(patience))

    async def _beside(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do `work` while all goes on."""
        async with asyncio.TaskGroup() as tasks:
            usual = keep_learning(self.model, self._rules, lambda: self._backend.store.repository, self._now)
            going_on = [
                tasks.create_task(usual, name="alerts: what is usual"),
                tasks.create_task(self._keeper.run(), name="alerts: record"),
                tasks.create_task(self.teller.run(), name="alerts: notifications"),
                tasks.create_task(
                    self._backend.run(partial(self._take_in, tasks), self.model.alerts.interest),
                    name="alerts: feed",
                ),
                tasks.create_task(self._seconds(), name="alerts: time"),
            ]
            try:
                return await work
            finally:
                for task in going_on:
                    task.cancel()
                if self._looking_back is not None:
                    self._looking_back.cancel()

    def _take_in(self, tasks: asyncio.TaskGroup, arrivals: Arrivals) -> None:
        self.model.apply(arrivals, self._now(), self._tick())
        if arrivals.opening is None:
            return
        if self._looking_back is not None:
            self._looking_back.cancel()
        self._looking_back = tasks.create_task(
            look_back(self.model.alerts, self._backend.store.repository, self._now),
            name="alerts: looking back",
        )

    async def _seconds(self) -> None:
        while True:
            self.model.alerts.tick(self._now())
            self.teller.tell(self.model.alerts, self._now())
            await asyncio.sleep(SECOND)

    async def _until_done(self, patience: float) -> bool:
        deadline = self._tick() + patience
        while not self._is_known:
            if self._tick() >= deadline:
                return False
            await asyncio.sleep(_LOOK)
        self.teller.tell(self.model.alerts, self._now())
        while any(messenger.is_busy for messenger in self.teller.messengers):
            if self._tick() >= deadline:
                return False
            await asyncio.sleep(_LOOK)
        return True

    @property
    def _is_known(self) -> bool:
        """Whether what happened until now is known, and on record."""
        alerts, now = self.model.alerts, self._now()
        if not self.model.opened or alerts.wants_record or alerts.wants_past:
            return False
        return not (self._records and alerts.to_record(now))
