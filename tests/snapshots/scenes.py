"""Scenes for snapshots: a fixed past, a fixed clock, and something that happens live."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.demo.application import seed_history
from monitor.fit.choices import TerminalFit
from monitor.screens.dashboard import DashboardScreen
from monitor.screens.reading_screen import ReadingScreen
from monitor.widgets.histogram import Histogram
from store.event import Event
from store.events import EventStore
from store.memory_bus import MemoryBus
from tests.events import make_event
from tests.waiting import until

NOW = datetime(2026, 11, 21, 14, 5, 12, tzinfo=UTC)

Size = tuple[int, int]
"""Columns and rows of a terminal."""
Act = Callable[["Scene", Pilot[None]], Coroutine[Any, Any, None]]


class Scene:
    """A console over a past, and what happens on it before its picture is taken."""

    def __init__(self, url: str, *, with_bus: bool = True, fit: TerminalFit | None = None) -> None:
        self._url = url
        self.bus = MemoryBus() if with_bus else None
        self.store: EventStore | None = None
        self.app = EvtopApp(
            self._connect,
            name="production",
            places=[("store", "sqlite:///events.db"), ("bus", "bus.sock")],
            now=lambda: NOW,
            tick=lambda: 0.0,
            fit=fit,
        )

    async def _connect(self) -> Backend:
        self.store = await EventStore.open(self._url, self.bus)
        return Backend(self.store, self.bus, now=lambda: NOW)

    async def happens(self, pilot: Pilot[None], *events: Event) -> None:
        """Record events and wait until they are on the screen."""
        assert self.store is not None
        before = self.app.model.tally.received
        await self.store.create_many(events)
        await until(lambda: self.app.model.tally.received == before + len(events))
        await pilot.pause()

    async def types(self, pilot: Pilot[None], key: str, text: str) -> None:
        """Press the key that asks for a line, and put `text` in it at once: a key at a time takes a second."""
        await pilot.press(key)
        line = self.app.screen.query_one(Input)
        line.cursor_blink = False
        line.value = text
        line.cursor_position = len(text)
        await pilot.pause()

    def drawn(self) -> str:
        """What is on the screen, as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def settled(self, pilot: Pilot[None]) -> None:
        """Wait until nothing is read from the store any more, and everything is drawn."""
        await pilot.pause()
        screens = [screen for screen in self.app.screen_stack if isinstance(screen, ReadingScreen)]
        await until(lambda: not any(screen.is_reading or screen.timeline.searched for screen in screens))
        boards = [screen for screen in self.app.screen_stack if isinstance(screen, DashboardScreen)]
        await until(lambda: not any(screen.is_reading for screen in boards))
        histogram = self.app.screen_stack[0].query_one(Histogram)
        await until(lambda: "reading" not in str(histogram.border_subtitle))
        await pilot.pause()
        await pilot.wait_for_scheduled_animations()

    async def pictures(
        self, sizes: tuple[Size, ...], keys: tuple[str, ...], act: Act | None
    ) -> dict[Size, str]:
        """Open, `act`, press `keys`, and take a picture at each size: it costs a tenth of opening anew."""
        async with self.app.run_test(size=sizes[0], notifications=True) as pilot:
            await until(lambda: self.app.model.opened and not self.app.model.alerts.wants_past)
            await until(lambda: self.app.work_done)
            await pilot.pause()
            if act is not None:
                await act(self, pilot)
            await pilot.press(*keys)
            taken: dict[Size, str] = {}
            for size in sizes:
                await pilot.resize_terminal(*size)
                await self.settled(pilot)
                taken[size] = self.app.export_screenshot(title=self.app.title, simplify=True)
            return taken


def busy_past() -> list[Event]:
    """Six hours of the simulated application, and trouble at the end of it."""
    return [*seed_history(6.0, seed=1, end=NOW - timedelta(seconds=100)), *trouble()]


def trouble() -> list[Event]:
    """An indexer degrades and goes down, its downloads fail, a job fails."""
    started = NOW - timedelta(seconds=95)
    indexer = {"event_type": "indexer.health_changed", "resource_type": "indexer", "resource_id": "tidepool"}
    events = [
        make_event(1, **indexer, status="degraded", severity="warning", metadata={"reason": "slow answers"}),
        make_event(2, **indexer, status="down", severity="error", metadata={"reason": "no answer for 60 s"}),
    ]
    events += [
        make_event(
            10 + number,
            event_type="download.failed",
            resource_type="download",
            resource_id=f"9f3{number}",
            secondary_resource_type="series",
            secondary_resource_id="station-umbra",
            status="failed",
            metadata={"error": "tracker timed out", "title": "Station Umbra"},
        )
        for number in range(6)
    ]
    events.append(
        make_event(
            20,
            event_type="job.failed",
            actor_type="job",
            actor_id="rss-sync",
            resource_type="job",
            resource_id="rss-sync",
            status="failed",
            metadata={"error": "tidepool: connection timed out after 30 s", "duration_ms": 30012},
        )
    )
    return [
        event.model_copy(update={"inserted_at": started + timedelta(seconds=9 * number)})
        for number, event in enumerate(events)
    ]


def just_now(number: int, seconds: float = 0.0, **fields: Any) -> Event:
    """An event `seconds` before the clock that stands still."""
    return make_event(number, inserted_at=NOW - timedelta(seconds=seconds), **fields)


def nothing() -> list[Event]:
    """An application that has not begun yet."""
    return []


def one_event() -> list[Event]:
    """A single one, half a minute ago."""
    return [just_now(1, 30)]


async def fill(url: str, events: list[Event]) -> None:
    """Store `events`, and leave the store closed."""
    async with await EventStore.open(url) as store:
        await store.create_many(events)
