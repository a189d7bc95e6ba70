"""A console on a real SQLite store and an in-memory bus, headless, with a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.fit.choices import TerminalFit
from monitor.model.start import Start
from monitor.screens.live import LiveScreen
from monitor.widgets.facet_pane import FacetPane
from monitor.widgets.timeline_view import TimelineView
from store.event import Event
from store.events import EventStore
from store.memory_bus import MemoryBus
from tests.events import at, make_event
from tests.waiting import until


class Operator:
    """Someone at the console: presses keys and sees what is on the screen."""

    def __init__(self, app: EvtopApp, pilot: Pilot[None], store: EventStore, bus: MemoryBus) -> None:
        self.app = app
        self.pilot = pilot
        self.store = store
        self.bus = bus

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def sees(self, condition: Callable[[], object]) -> None:
        await until(condition)
        await self.pilot.pause()

    @property
    def live(self) -> LiveScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, LiveScreen)
        return screen

    @property
    def timeline(self) -> TimelineView:
        return self.live.timeline

    @property
    def facets(self) -> FacetPane:
        return self.live.query_one(FacetPane)

    @property
    def cursor(self) -> int:
        return self.timeline.viewport.cursor

    @property
    def types(self) -> list[str]:
        """Event types of the shown rows, oldest first."""
        return [row.event_type for row in self.app.model.timeline.rows if isinstance(row, Event)]

    def text(self, selector: str = "Screen") -> str:
        """What is drawn of the widget, or of the whole screen."""
        if selector == "Screen":
            lines = self.app.screen._compositor.render_strips()
        else:
            widget = self.app.screen.query_one(selector)
            lines = [widget.render_line(y) for y in range(widget.size.height)]
        return "\n".join("".join(segment.text for segment in line) for line in lines)


Opened = Callable[..., AbstractAsyncContextManager[Operator]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Open the console at a size over events that are stored already."""

    @asynccontextmanager
    async def open_at(
        size: tuple[int, int] = (120, 40),
        stored: list[Event] | None = None,
        fit: TerminalFit | None = None,
        start: Start | None = None,
        **more: Any,
    ) -> AsyncIterator[Operator]:
        now = lambda: at(3600)  # noqa: E731
        url = f"sqlite:///{tmp_path / 'events.db'}"
        async with await EventStore.open(url) as past:
            await past.create_many(an_hour() if stored is None else stored)
        bus = MemoryBus()
        store = await EventStore.open(url, bus)

        async def connect() -> Backend:
            return Backend(store, bus, now=now)

        app = EvtopApp(
            connect, name="test", now=now, places=[("store", "here")], fit=fit, start=start, **more
        )
        async with app.run_test(size=size, notifications=True) as pilot:
            await until(lambda: app.model.opened and not app.model.alerts.wants_past)
            await pilot.pause()
            yield Operator(app, pilot, store, bus)

    return open_at


def an_hour() -> list[Event]:
    """200 events of the last hour: one in ten a failure, one in twenty a warning, one component down."""
    events: list[Event] = []
    for number in range(200):
        kind = "download.completed"
        if number % 10 == 0:
            kind = "download.failed"
        elif number % 20 == 5:
            kind = "search.performed"
        elif number % 3 == 0:
            kind = "media_item.added"
        events.append(
            make_event(
                number + 1,
                event_type=kind,
                severity="warning"
                if kind == "search.performed"
                else "error"
                if kind.endswith("failed")
                else "info",
                resource_type="download",
                resource_id=f"d{number % 7}",
                secondary_resource_type="series",
                secondary_resource_id="s1",
                actor_type="user",
                actor_id=f"u{number % 3}",
                metadata={"title": f"Title {number}"},
                inserted_at=at(3600) - timedelta(seconds=15 * (200 - number)),
            )
        )
    down = make_event(
        900,
        event_type="indexer.health_changed",
        resource_type="indexer",
        resource_id="tidepool",
        status="down",
        severity="error",
        inserted_at=at(3300),
    )
    return [*events, down]
