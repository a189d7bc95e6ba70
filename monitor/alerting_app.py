"""What the application does about alerts beside showing them: rules, what is usual, the record that is shared."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from monitor.alert_keeper import AlertKeeper
from monitor.errors import read_failure
from monitor.handing_over import HandingOverApp
from monitor.health.rule import Rule
from monitor.model.arrivals import Arrivals
from monitor.model.console import ConsoleModel
from monitor.notify import terminal
from monitor.notify.chosen import BELL, DESKTOP, TITLE, Telling
from monitor.notify.teller import Teller
from monitor.text import clean
from store.event import Event

if TYPE_CHECKING:
    from monitor.backend import Backend
    from monitor.worker.lookout import Lookout


class AlertingApp(HandingOverApp):
    """Watches by rules, and keeps the record of alerts."""

    model: ConsoleModel
    now: Callable[[], datetime]
    _keeper: AlertKeeper | None = None
    _looking_back: Callable[[], Awaitable[None]] | None = None
    _teller: Teller | None = None
    _lookout: Lookout | None = None
    _title = ""
    _silences_looked_at: datetime | None = None

    @property
    def system_name(self) -> str:
        """What the status line calls this system."""
        raise NotImplementedError

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Draw what is known now."""
        raise NotImplementedError

    @property
    def unrecorded(self) -> str:
        """Why what fires is not on record, so that no other console knows of it; empty when it is."""
        return "" if self._keeper is None else self._keeper.failure

    async def watch_by(self, rules: Sequence[Rule] | None, backend: Backend) -> None:
        """Hold `rules` against what comes from now on; None are those that evtop comes with."""
        from monitor.looking_back import look_back
        from monitor.recorded_alerts import recorded_alerts
        from monitor.rules import shipped_rules
        from monitor.usual_counts import keep_learning

        # Reading them also builds the parser of queries, before the first key of a filter has to wait for it.
        chosen = await asyncio.to_thread(shipped_rules) if rules is None else rules
        self.model.watch_by(chosen)
        self._keeper = AlertKeeper(
            self.model.alerts,
            partial(recorded_alerts, backend.store.repository),
            backend.record,
            self.now,
            records=backend.keeps_alerts,
            is_done_by_others=lambda: self._lookout is not None and self._lookout.alerts_are_watched,
        )
        if not backend.is_private:
            self._look_for_workers(backend)
        usual = keep_learning(self.model, chosen, lambda: backend.store.repository, self.now)
        self.run_worker(usual, name="usual", exit_on_error=False)
        self.run_worker(self._keeper.run(), name="alert record", exit_on_error=False)
        self._looking_back = partial(
            look_back, self.model.alerts, backend.store.repository, self.now, self.after_keys
        )

    def _look_for_workers(self, backend: Backend) -> None:
        """Leave to workers what they do, as far as that is seen."""
        from monitor.worker.lookout import Lookout

        teller = self._teller
        channels = () if teller is None else teller.messengers
        self._lookout = lookout = Lookout(backend.leases, lambda: [one.identity for one in channels])

        def looked() -> None:
            if teller is not None:
                teller.leave_to_others(lookout.told, self.now())

        if teller is not None:
            # Until it is known who tells.
            teller.leave_to_others(None, self.now())
        self.run_worker(lookout.run(looked), name="workers", exit_on_error=False)

    @property
    def worker_trouble(self) -> str:
        """What is the matter with workers, in a few words of raw text; empty when there is nothing to look at."""
        if self._lookout is None or not self._lookout.jobs:
            return ""
        from monitor.worker.duties import trouble

        return trouble(self._lookout.jobs)

    @property
    def work_done(self) -> str:
        """What workers do, and what nobody does, in one line of raw text; empty where that is not known."""
        if self._lookout is None or (self._lookout.jobs is None and not self._lookout.failure):
            return ""
        from monitor.worker.duties import report

        return self._lookout.failure or report(self._lookout.jobs or {})

    def look_back(self) -> None:
        """Find out what happened while nobody watched, beside everything else, now that the feed has begun."""
        self.run_worker(self._look_back, group="looking back", exclusive=True, exit_on_error=False)

    async def _look_back(self) -> None:
        if self._looking_back is not None:
            await self._looking_back()
            self.advance()

    def record_alert(self, event: Event, said: str) -> None:
        """Record what someone says of an alert, beside everything else, and then tell `said`; or why it cannot be."""
        self.run_worker(partial(self._record_alert, event, said), group="alert", exit_on_error=False)

    async def _record_alert(self, event: Event, said: str) -> None:
        if self._keeper is None:
            return
        try:
            await self._keeper.keep([event])
        except Exception as error:
            # Whatever the database says of it: the operator hears it, and the console goes on.
            self.notify(clean(f"not recorded: {read_failure(error)}"), severity="error", markup=False)
        else:
            self.notify(clean(said), markup=False)

    # Telling people

    def tell_by(self, telling: Telling) -> None:
        """Tell people of alerts in these ways from now on."""
        self._teller = Teller(telling, self.system_name)
        if telling.channels:
            self.run_worker(self._teller.run(), name="notifications", exit_on_error=False)

    @property
    def untold(self) -> str:
        """Why people were not told of something lately, and how often; empty when they were."""
        return "" if self._teller is None else self._teller.untold

    def tell_of_alerts(self) -> None:
        """Tell of what fires now, and of what is over, where its time has come."""
        teller, alerting, now = self._teller, self.model.alerts, self.now()
        if teller is None:
            return
        ways = teller.telling.terminal
        if not (ways or teller.telling.channels):
            return
        for notification, wording in teller.tell(alerting, now):
            if BELL in ways and notification.firing:
                self.tell_terminal(terminal.BELL)
            if DESKTOP in ways:
                self.tell_terminal(terminal.desktop(wording.title, os.environ))
        if TITLE in ways and alerting.is_settled(now):
            self._name_terminal(sum(one.attention for one in alerting.shown(now)))

    def tell_of_silences(self) -> None:
        """Say of each silence that has run out since the last time: its alerts call again."""
        alerting, now = self.model.alerts, self.now()
        if not self.model.opened or alerting.wants_record:
            return
        before, self._silences_looked_at = self._silences_looked_at, now
        for silence in alerting.desk.expired(before, now) if before is not None else ():
            self.notify(clean(f"the silence of {silence.text} has run out"), severity="warning", markup=False)

    def _name_terminal(self, calling: int) -> None:
        title = f"{calling} firing · evtop {self.system_name}" if calling else f"evtop {self.system_name}"
        if title != self._title:
            keep = "" if self._title else terminal.KEEP_TITLE
            self._title = title
            self.tell_terminal(keep + terminal.title(title))

    def _put_title_back(self) -> None:
        if self._title:
            self._title = ""
            self.tell_terminal(terminal.OLD_TITLE)
