"""What the application does about alerts beside showing them: rules, what is usual, the record that is shared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from monitor.alert_keeper import AlertKeeper
from monitor.errors import read_failure
from monitor.handing_over import HandingOverApp
from monitor.health.rule import Rule
from monitor.model.console import ConsoleModel
from monitor.text import clean
from store.errors import StoreError
from store.event import Event

if TYPE_CHECKING:
    from monitor.backend import Backend

USUAL_EVERY = 3600.0
"""Seconds between two looks at what is usual."""


class AlertingApp(HandingOverApp):
    """Watches by rules, and keeps the record of alerts."""

    model: ConsoleModel
    now: Callable[[], datetime]
    _keeper: AlertKeeper | None = None

    @property
    def unrecorded(self) -> str:
        """Why what fires is not on record, so that no other console knows of it; empty when it is."""
        return "" if self._keeper is None else self._keeper.failure

    async def watch_by(self, rules: Sequence[Rule] | None, backend: Backend) -> None:
        """Hold `rules` against what comes from now on; None are those that evtop comes with."""
        from monitor.recorded_alerts import recorded_alerts
        from monitor.rules import shipped_rules

        # Reading them also builds the parser of queries, before the first key of a filter has to wait for it.
        chosen = await asyncio.to_thread(shipped_rules) if rules is None else rules
        self.model.watch_by(chosen)
        self._keeper = AlertKeeper(
            self.model.alerts,
            partial(recorded_alerts, backend.store.repository),
            backend.record,
            self.now,
            records=backend.keeps_alerts,
        )
        self.run_worker(self._learn_usual(chosen, backend), name="usual", exit_on_error=False)
        self.run_worker(self._keeper.run(), name="alert record", exit_on_error=False)

    def record_alert(self, event: Event, said: str) -> None:
        """Record what someone says of an alert, beside everything else, and then tell `said`; or why it cannot be."""
        self.run_worker(partial(self._record_alert, event, said), group="alert", exit_on_error=False)

    async def _record_alert(self, event: Event, said: str) -> None:
        if self._keeper is None:
            return
        try:
            await self._keeper.keep([event])
        except Exception as error:
            self.notify(clean(f"not recorded: {read_failure(error)}"), severity="error", markup=False)
        else:
            self.notify(clean(said), markup=False)

    async def _learn_usual(self, rules: Sequence[Rule], backend: Backend) -> None:
        """Read from time to time what is usual, for the rules that ask. A store that is away is tried again."""
        from monitor.usual_counts import asked_usual, read_usual

        queries = asked_usual(rules)
        while queries:
            now = self.now()
            try:
                repository = backend.store.repository
                self.model.learn_usual(await read_usual(repository, queries, now, now), self.now())
            except StoreError as error:
                self.log.warning("what is usual cannot be read", error)
            await asyncio.sleep(USUAL_EVERY)
