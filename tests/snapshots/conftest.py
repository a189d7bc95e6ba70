"""Scenes for snapshots: a fixed past, a fixed clock, and something that happens live."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.demo.application import seed_history
from monitor.fit.choices import TerminalFit
from monitor.screens.reading_screen import ReadingScreen
from store.event import Event
from store.events import EventStore
from store.memory_bus import MemoryBus
from tests.events import make_event
from tests.waiting import until

NOW = datetime(2026, 11, 21, 14, 5, 12, tzinfo=UTC)
BASELINE = (3, 11)
"""The Python whose pictures are kept: another one may draw them differently."""

Act = Callable[["Scene", Pilot[None]], Coroutine[Any, Any, None]]


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "update_snapshots", False) and sys.version_info[:2] != BASELINE:
        raise pytest.UsageError(f"snapshots are drawn with Python {'.'.join(map(str, BASELINE))}")


class Scene:
    """A console over a past, and what happens on it before its picture is taken."""

    def __init__(
        self, folder: Path, past: list[Event], *, with_bus: bool = True, fit: TerminalFit | None = None
    ) -> None:
        self._url = f"sqlite:///{folder / 'events.db'}"
        self._past = past
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
        async with await EventStore.open(self._url) as past:
            await past.create_many(self._past)
        self.store = await EventStore.open(self._url, self.bus)
        return Backend(self.store, self.bus, now=lambda: NOW)

    async def opened(self, pilot: Pilot[None]) -> None:
        """Wait until the store was read and drawn."""
        await until(lambda: self.app.model.opened)
        await pilot.pause()

    async def happens(self, pilot: Pilot[None], *events: Event) -> None:
        """Record events and wait until they are on the screen."""
        assert self.store is not None
        before = self.app.model.tally.received
        await self.store.create_many(events)
        await until(lambda: self.app.model.tally.received == before + len(events))
        await pilot.pause()

    def before(
        self, *keys: str, act: Act | None = None
    ) -> Callable[[Pilot[None]], Coroutine[Any, Any, None]]:
        """What to do before the picture: open, `act`, press `keys`."""

        async def run(pilot: Pilot[None]) -> None:
            await self.opened(pilot)
            if act is not None:
                await act(self, pilot)
            await pilot.press(*keys)
            await pilot.pause()
            screen = self.app.screen
            if isinstance(screen, ReadingScreen):
                await until(lambda: not (screen.is_reading or screen.timeline.searched))
                await pilot.pause()

        return run


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


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """The console over a busy past."""
    return Scene(tmp_path, busy_past())
