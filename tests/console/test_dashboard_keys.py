"""The dashboard: figures of periods from the store, as they are read, and where they lead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from monitor.backend import Backend
from monitor.model.dashboard import Period
from monitor.screens.actor import ActorScreen
from monitor.screens.dashboard import REFRESH_AFTER, DashboardScreen
from monitor.screens.resource import ResourceScreen
from monitor.widgets.ranked_list import RankedList
from store.errors import StoreUnavailableError
from store.event import Event
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event

HOUR = 3600


def stored() -> list[Event]:
    """An hour, a day and a month before 13:00."""
    download: dict[str, Any] = {"category": "downloads", "resource_type": "download"}
    user: dict[str, Any] = {"actor_type": "user", "actor_id": "ana"}
    return [
        make_event(
            1,
            event_type="download.failed",
            severity="error",
            resource_id="a",
            inserted_at=at(3000),
            **download,
        ),
        make_event(
            2,
            event_type="download.failed",
            severity="error",
            resource_id="a",
            inserted_at=at(3100),
            **download,
        ),
        make_event(
            3,
            event_type="download.completed",
            severity="info",
            resource_id="b",
            inserted_at=at(3200),
            **download,
        ),
        make_event(
            4,
            event_type="search.performed",
            category="interaction",
            status="no_results",
            metadata={"query": "the heron"},
            inserted_at=at(3300),
            **user,
        ),
        make_event(5, event_type="job.executed", category="jobs", inserted_at=at(-5 * HOUR)),
        make_event(6, event_type="job.executed", category="jobs", inserted_at=at(-20 * 24 * HOUR)),
    ]


async def dashboard(operator: Operator) -> DashboardScreen:
    """Open it, and wait until all is read."""
    await operator.press("5")
    screen = operator.app.screen
    assert isinstance(screen, DashboardScreen)
    await whole(operator, screen)
    return screen


async def whole(operator: Operator, screen: DashboardScreen) -> None:
    await operator.sees(lambda: screen._figures and screen._figures.resources is not None)


def listed(operator: Operator, name: str) -> list[tuple[str, int]]:
    ranked = operator.app.screen.query_one(f"#ranked-{name}", RankedList)
    return [(entry.name, entry.number) for entry in ranked._entries]


async def test_the_last_hour_is_told(opened: Opened) -> None:
    async with opened(stored=stored()) as operator:
        await dashboard(operator)
        assert listed(operator, "categories") == [("downloads", 3), ("interaction", 1)]
        assert listed(operator, "failing") == [("download/a", 2)]
        assert listed(operator, "resources") == [("download/a", 2), ("download/b", 1)]
        assert listed(operator, "actors") == [("system", 3), ("user:ana", 1)]
        assert listed(operator, "searches") == listed(operator, "fruitless") == [("the heron", 1)]
        text = operator.text()
        for said in ("The last hour", "2 errors  50.0 %", "read 0 s ago", "67 %", "Errors by resource"):
            assert said in text, said


async def test_longer_and_shorter_periods(opened: Opened) -> None:
    async with opened(stored=stored()) as operator:
        screen = await dashboard(operator)
        for key, period, jobs in (("Z", Period.DAY, 1), ("Z", Period.WEEK, 1), ("Z", Period.MONTH, 2)):
            await operator.press(key)
            await whole(operator, screen)
            assert screen._period is period
            assert dict(listed(operator, "categories"))["jobs"] == jobs
            assert f"The last {period.label}" in operator.text()
        await operator.press("Z")
        assert screen._period is Period.MONTH
        await operator.press("z")
        assert screen._period is Period.WEEK


async def test_each_entry_leads_to_its_page_or_its_events(opened: Opened) -> None:
    async with opened(stored=stored()) as operator:
        screen = await dashboard(operator)
        await operator.press("enter")
        page = operator.app.screen
        assert isinstance(page, ResourceScreen)
        assert page.subject.text == "download/a"
        await operator.press("escape")
        assert operator.app.screen is screen
        await operator.press("tab", "tab", "j", "r")
        page = operator.app.screen
        assert isinstance(page, ActorScreen)
        assert page.subject.text == "user:ana"
        await operator.press("escape", "tab", "enter")
        assert operator.app.screen is operator.live
        await operator.sees(lambda: operator.types == ["search.performed"])
        assert operator.live.shown.text == 'type:search.performed @query~"the heron"'
        await dashboard(operator)
        await operator.press("shift+tab", "enter")
        await operator.sees(lambda: set(operator.types) == {"download.failed", "download.completed"})


async def test_it_is_read_again_each_minute_and_at_will(opened: Opened) -> None:
    async with opened(stored=stored()) as operator:
        await dashboard(operator)
        more = make_event(9, event_type="job.failed", category="jobs", severity="error", inserted_at=at(3400))
        await operator.store.create(more)
        operator.app.second()
        assert "jobs" not in dict(listed(operator, "categories"))
        await operator.press("ctrl+r")
        await operator.sees(lambda: dict(listed(operator, "categories")).get("jobs") == 1)
        await operator.store.create(more.model_copy(update={"id": make_event(10).id}))
        later = operator.app.tick() + REFRESH_AFTER + 1
        operator.app.tick = lambda: later
        operator.app.second()
        await operator.sees(lambda: dict(listed(operator, "categories")).get("jobs") == 2)


async def test_what_is_read_stands_there_while_the_rest_is_read(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    before = Backend.before

    async def slow(self: Backend, *arguments: Any) -> list[Event]:
        await gate.wait()
        return await before(self, *arguments)

    async with opened(stored=stored()) as operator:
        monkeypatch.setattr(Backend, "before", slow)
        await operator.press("5")
        screen = operator.app.screen
        assert isinstance(screen, DashboardScreen)
        await operator.sees(lambda: screen._figures and screen._figures.failing)
        assert listed(operator, "failing") == [("download/a", 2)]
        assert "reading…" in operator.text("#ranked-actors")
        # Another period takes its place at once.
        await operator.press("Z")
        await operator.sees(lambda: screen._figures and screen._figures.failing)
        assert dict(listed(operator, "categories")) == {"downloads": 3, "interaction": 1, "jobs": 1}
        gate.set()
        await whole(operator, screen)
        assert "none" not in operator.text("#ranked-actors")


async def test_a_store_that_is_away_is_said_and_asked_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise StoreUnavailableError("the database is away")

    async with opened(stored=stored()) as operator:
        with monkeypatch.context() as patched:
            patched.setattr(Backend, "histogram", gone)
            await operator.press("5")
            await operator.sees(lambda: "not read: the database is away" in operator.text())
        later = operator.app.tick() + 60
        operator.app.tick = lambda: later
        operator.app.second()
        screen = operator.app.screen
        assert isinstance(screen, DashboardScreen)
        await whole(operator, screen)
        assert "not read" not in operator.text()


async def test_a_small_terminal_shows_all_lists(opened: Opened) -> None:
    async with opened(size=(80, 24), stored=stored()) as operator:
        await dashboard(operator)
        text = operator.text()
        for said in ("download/a", "user:ana", "the heron", "interaction"):
            assert said in text


async def test_an_empty_store_has_no_figures(opened: Opened) -> None:
    async with opened(stored=[]) as operator:
        await dashboard(operator)
        assert "none" in operator.text("#ranked-failing")
        await operator.press("enter", "j", "tab", "enter")
        assert isinstance(operator.app.screen, DashboardScreen)
        await operator.press("5")
        assert operator.app.screen is operator.live
