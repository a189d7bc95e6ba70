"""The dashboard: figures of periods from the store, as they are read, and where they lead."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from monitor.screens.actor import ActorScreen
from monitor.screens.dashboard import REFRESH_AFTER, DashboardScreen
from monitor.screens.resource import ResourceScreen
from monitor.widgets.ranked_list import RankedList
from store import rollups
from store.errors import StoreUnavailableError
from store.event import Event
from store.figures.period import Period
from store.figures.walk import Slice, SliceWalk
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
    await operator.sees(lambda: screen._figures and screen._figures.lists is not None)


def listed(operator: Operator, title: str) -> list[tuple[str, int]]:
    """The entries of the list with this title."""
    [ranked] = [one for one in operator.app.screen.query(RankedList) if str(one.border_title) == title]
    return [(entry.name, entry.number) for entry in ranked._entries]


async def test_the_last_hour_is_told(opened: Opened) -> None:
    async with opened(stored=stored()) as operator:
        await dashboard(operator)
        assert listed(operator, "Categories") == [("downloads", 3), ("interaction", 1)]
        assert listed(operator, "Errors by resource") == [("download/a", 2)]
        assert listed(operator, "Busiest resources") == [("download/a", 2), ("download/b", 1)]
        assert listed(operator, "Busiest actors") == [("system", 3), ("user:ana", 1)]
        assert listed(operator, "Searches that found nothing") == [("the heron", 1)]
        text = operator.text()
        for said in ("The last hour", "2 errors  50.0 %", "worked out 0 s ago", "67 %", "Errors by resource"):
            assert said in text, said


async def test_longer_and_shorter_periods(opened: Opened) -> None:
    async with opened(stored=stored()) as operator:
        screen = await dashboard(operator)
        for key, period, jobs in (("Z", Period.DAY, 1), ("Z", Period.WEEK, 1), ("Z", Period.MONTH, 2)):
            await operator.press(key)
            await whole(operator, screen)
            assert screen._period is period
            assert dict(listed(operator, "Categories"))["jobs"] == jobs
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
        await operator.press("escape", "tab", "tab", "enter")
        assert operator.app.screen is operator.live
        await operator.sees(lambda: operator.types == ["search.performed"])
        assert '@query~"the heron"' in operator.live.shown.text
        await dashboard(operator)
        await operator.press("shift+tab", "enter")
        await operator.sees(lambda: set(operator.types) == {"download.failed", "download.completed"})


async def test_it_is_read_again_each_minute_and_at_will(opened: Opened) -> None:
    async with opened(stored=stored()) as operator:
        await dashboard(operator)
        more = make_event(9, event_type="job.failed", category="jobs", severity="error", inserted_at=at(3400))
        await operator.store.create(more)
        operator.app.second()
        assert "jobs" not in dict(listed(operator, "Categories"))
        await operator.press("ctrl+r")
        await operator.sees(lambda: dict(listed(operator, "Categories")).get("jobs") == 1)
        await operator.store.create(more.model_copy(update={"id": make_event(10).id}))
        later = operator.app.tick() + REFRESH_AFTER + 1
        operator.app.tick = lambda: later
        operator.app.second()
        await operator.sees(lambda: dict(listed(operator, "Categories")).get("jobs") == 2)


async def test_what_is_known_stands_there_while_the_rest_is_read(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    read = SliceWalk.read

    async def slow(*arguments: Any) -> Slice:
        await gate.wait()
        return await read(*arguments)

    async with opened(stored=stored()) as operator:
        monkeypatch.setattr(SliceWalk, "read", staticmethod(slow))
        await operator.press("5")
        screen = operator.app.screen
        assert isinstance(screen, DashboardScreen)
        await operator.sees(lambda: listed(operator, "Categories") == [("downloads", 3), ("interaction", 1)])
        assert "reading…" in operator.text("#ranked-1")
        assert "lists are to come" in operator.text()
        # Another period takes its place at once.
        await operator.press("Z")
        await operator.sees(lambda: dict(listed(operator, "Categories")).get("jobs"))
        gate.set()
        await whole(operator, screen)
        assert "none" not in operator.text("#ranked-1")


async def test_what_a_worker_stored_lately_is_shown_with_its_age_and_worked_out_anew_at_will(
    opened: Opened,
) -> None:
    async with opened(stored=stored()) as operator:
        now = operator.app.now()
        await operator.store.snapshots.compute(now - timedelta(minutes=20))
        more = make_event(9, event_type="job.failed", category="jobs", severity="error", inserted_at=at(3400))
        await operator.store.create(more)
        screen = await dashboard(operator)
        # The last hour is another one than twenty minutes ago.
        assert dict(listed(operator, "Categories"))["jobs"] == 1
        await operator.press("Z")
        await whole(operator, screen)
        assert dict(listed(operator, "Categories"))["jobs"] == 1
        assert "worked out 20 min ago" in operator.text()
        await operator.press("ctrl+r")
        await operator.sees(lambda: dict(listed(operator, "Categories"))["jobs"] == 2)
        assert "worked out 0 s ago" in operator.text()
        # Older ones than a worker lets them get are of no use.
        await operator.store.snapshots.compute(now - timedelta(minutes=40))
        await operator.press("Z")
        await whole(operator, screen)
        await operator.sees(lambda: "worked out 0 s ago" in operator.text())


async def test_the_catalogue_is_told_and_leads_on(opened: Opened) -> None:
    movie: dict[str, Any] = {"resource_type": "movie", "resource_id": "dune", "category": "interaction"}
    about = {"metadata": {"place": "home", "count": 8}, "category": "interaction"}
    shelf: dict[str, Any] = {"resource_type": "featured_item", "resource_id": "hero", "category": "admin"}
    told = [
        *(make_event(n, event_type="movie.viewed", inserted_at=at(3000 + n), **movie) for n in range(31, 36)),
        make_event(20, event_type="movie.liked", inserted_at=at(3020), **movie),
        make_event(21, event_type="recommendation.shown", inserted_at=at(3021), **about),
        make_event(22, event_type="recommendation.clicked", inserted_at=at(3022), **about),
        make_event(
            23,
            event_type="featured.item.created",
            inserted_at=at(3023 - 86_400),
            secondary_resource_type="movie",
            secondary_resource_id="dune",
            metadata={"title": "Dune"},
            **shelf,
        ),
    ]
    async with opened(stored=[*stored(), *told]) as operator:
        screen = await dashboard(operator)
        await operator.press("v")
        await operator.sees(lambda: screen._featured is not None)
        assert listed(operator, "Most views") == [("movie/dune", 5)]
        assert listed(operator, "Most likes") == [("movie/dune", 1)]
        assert listed(operator, "Most downloads") == []
        assert listed(operator, "Searches") == [("the heron", 1)]
        assert listed(operator, "Recommendations clicked") == [("home", 1)]
        assert listed(operator, "Featured now, since") == [("hero: Dune", 0)]
        assert "24 h" in operator.text("#ranked-5")
        assert "1 of 8 shown, 12.5 %" in operator.text()
        await operator.press("shift+tab", "enter")
        page = operator.app.screen
        assert isinstance(page, ResourceScreen)
        assert page.subject.text == "movie/dune"
        await operator.press("escape", "tab", "tab", "tab", "tab", "enter")
        await operator.sees(lambda: operator.types == ["recommendation.clicked"])


async def test_times_are_a_line_and_the_hours_of_the_week(opened: Opened) -> None:
    async with opened(stored=stored()) as operator:
        screen = await dashboard(operator)
        await operator.press("v", "v")
        assert "a day or longer (Z) tells the hours" in operator.text()
        await operator.press("Z", "Z")
        await whole(operator, screen)
        text = operator.text()
        for said in ("The last week", "Mon", "Sun", "errors", "11-1"):
            assert said in text, said
        assert any("⠁" <= sign <= "⣿" for sign in text)
        await operator.press("v")
        assert listed(operator, "Errors by resource") == [("download/a", 2)]


async def test_a_store_that_is_away_is_said_and_asked_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise StoreUnavailableError("the database is away")

    async with opened(stored=stored()) as operator:
        with monkeypatch.context() as patched:
            patched.setattr(rollups, "stored_by", gone)
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
        assert "none" in operator.text("#ranked-1")
        await operator.press("enter", "j", "tab", "enter")
        assert isinstance(operator.app.screen, DashboardScreen)
        await operator.press("5")
        assert operator.app.screen is operator.live
