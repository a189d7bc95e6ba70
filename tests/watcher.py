"""A console without a terminal that is opened at a moment, does all that there is to do for it, and is closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.notify.chosen import TERMINAL, Telling
from store.event import Event
from store.events import EventStore
from tests.events import at
from tests.waiting import until

Record = Callable[[Sequence[Event]], Awaitable[None]]


class Watcher:
    """`record` stands for the store's own, which it is given."""

    def __init__(self, store: str, second: float, record: Callable[[Record], Record] | None = None) -> None:
        self._store = store
        self._now = at(second)
        self._record = record
        self.rang: list[str] = []
        """What the terminal was told."""

    async def looks(self) -> EvtopApp:
        """Open it, and wait until all is on record."""
        store = await EventStore.open(self._store)

        async def connect() -> Backend:
            backend = Backend(store, None, keeps_alerts=True, now=lambda: self._now)
            if self._record is not None:
                backend.record = self._record(backend.record)  # type: ignore[method-assign]
            return backend

        app = EvtopApp(
            connect, name="test", now=lambda: self._now, telling=Telling(terminal=frozenset(TERMINAL))
        )
        app.tell_terminal = self.rang.append  # type: ignore[method-assign]
        async with app.run_test(size=(120, 40)) as pilot:
            await until(lambda: app.model.opened and not app.model.alerts.wants_record)
            alerts = app.model.alerts
            await until(lambda: not alerts.wants_past and not alerts.to_record(self._now))
            await pilot.pause()
            app.second()
        return app
