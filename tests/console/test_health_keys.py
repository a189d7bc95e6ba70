"""The board of all components: what it shows, its keys, live changes, and a store that is slow or away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from monitor.app import EvtopApp
from monitor.screens.health_board import HealthBoardScreen
from monitor.screens.help import HelpScreen
from monitor.screens.resource import ResourceScreen
from monitor.widgets.health_board import Columns, HealthBoard, columns
from monitor.zone import Zone
from store.errors import StoreUnavailableError
from store.event import Event
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event

HOUR = 3600
NOW = HOUR
"""Seconds after noon of the clock of `opened`."""


def health(number: int, ago: float, component: str, status: str, **fields: Any) -> Event:
    """What `component`, written `type/id`, reported so many seconds before the clock."""
    kind, _, identifier = component.partition("/")
    return make_event(
        number,
        event_type=f"{kind}.health_changed",
        resource_type=kind,
        resource_id=identifier or None,
        status=status,
        inserted_at=at(NOW - ago),
        **fields,
    )


def a_month() -> list[Event]:
    """One indexer down for a quarter of the day, one up for 40 days; clients that are up; one degraded disk."""
    day = 24 * HOUR
    return [
        health(1, 40 * day, "indexer/gullnest", "up"),
        health(2, 40 * day, "indexer/tidepool", "up"),
        health(3, 6 * HOUR, "indexer/tidepool", "down", severity="error"),
        health(4, 6 * day, "client/attic", "up"),
        health(5, 12 * HOUR, "client/attic", "down"),
        health(6, 11 * HOUR, "client/attic", "up"),
        health(7, 600, "disk", "degraded"),
    ]


async def board(operator: Operator) -> HealthBoard:
    """Open it, and wait until the past is read."""
    await operator.press("H")
    screen = operator.app.screen
    assert isinstance(screen, HealthBoardScreen)
    await operator.sees(lambda: screen._is_read)
    return screen.query_one(HealthBoard)


def lines(operator: Operator) -> list[str]:
    return [line.strip("│ ") for line in operator.text("#health-board").splitlines() if line.strip()]


async def test_the_board_shows_all_components_worst_first(opened: Opened) -> None:
    async with opened(stored=a_month()) as operator:
        pane = operator.live.query_one("#health")
        assert str(pane.border_title) == "Health ─ H uptime"
        view = await board(operator)
        shown = lines(operator)
        assert [line.split()[0] for line in shown] == ["indexer", "✖", "●", "disk", "▲", "client", "●"]
        head, tidepool, gullnest, _disk_head, disk, client_head, attic = shown
        assert head.split("since")[0].split() == ["indexer", "✖", "1", "●", "1"]
        assert "up 24 h" in head
        assert "last change" in head
        assert client_head.split()[:3] == ["client", "●", "1"]
        for line, texts in {
            tidepool: ["✖ down", "tidepool", " 6h ", " 75.00 % ", " 99.16 % ", "▁▇", "07:00:00 from up"],
            gullnest: ["● up", "gullnest", "40d", " 100 %  ", "▁▁▁▁", " –"],
            disk: ["▲ degraded", "disk", "10m", "100 % of 10m"],
            attic: ["● up", "attic", "95.83 % ", "99.30 % of 6d", "▁▇▁", "02:00:00 from down"],
        }.items():
            for text in texts:
                assert text in line
        assert str(view.border_title) == "Health ─ 1 down, 1 degraded, 2 up"
        assert str(view.border_subtitle or "") == ""


@pytest.mark.parametrize("key", ["escape", "q", "H"])
async def test_each_way_back_leads_to_the_live_screen(opened: Opened, key: str) -> None:
    async with opened(stored=a_month()) as operator:
        await board(operator)
        await operator.press(key)
        assert operator.app.screen is operator.live


@pytest.mark.parametrize("key", ["enter", "r"])
async def test_a_component_opens_its_resource_page_and_that_leads_back(opened: Opened, key: str) -> None:
    async with opened(stored=a_month()) as operator:
        await board(operator)
        await operator.press("j", key)
        assert isinstance(operator.app.screen, ResourceScreen)
        assert operator.app.screen.subject == ("indexer", "gullnest")
        await operator.press("escape")
        assert isinstance(operator.app.screen, HealthBoardScreen)
        # What has no resource has no page.
        await operator.press("j", key)
        await operator.sees(lambda: "this component has no resource" in operator.text())
        assert isinstance(operator.app.screen, HealthBoardScreen)


async def test_the_cursor_passes_over_the_heads_of_groups(opened: Opened) -> None:
    async with opened(stored=a_month()) as operator:
        view = await board(operator)
        places = [view.cursor]
        for key in ("j", "j", "j", "j", "k", "k", "k", "k", "G", "g", "pagedown", "pageup"):
            await operator.press(key)
            places.append(view.cursor)
        assert places == [1, 2, 4, 6, 6, 4, 2, 1, 1, 6, 1, 6, 1]


async def test_scrolled_back_to_the_top_the_first_head_is_in_sight(opened: Opened) -> None:
    stored = [health(number, number, f"client/c{number:02}", "up") for number in range(1, 60)]
    async with opened(size=(80, 24), stored=stored) as operator:
        view = await board(operator)
        await operator.press("G")
        assert "c59" in operator.text()
        assert "since" not in operator.text()
        for _ in range(60):
            await operator.press("k")
        assert view.cursor == 1
        assert "since" in operator.text()


async def test_changes_are_shown_live_and_the_cursor_stays_with_its_component(opened: Opened) -> None:
    async with opened(stored=a_month()) as operator:
        view = await board(operator)
        await operator.press("G")
        await operator.store.create(health(50, 5, "client/attic", "down"))
        await operator.sees(lambda: "2 down" in str(view.border_title))
        assert lines(operator)[0].split()[:2] == ["client", "✖"]
        row = view._rows[view.cursor].component
        assert row is not None
        assert row.name == "client/attic"
        # Also while the page of a resource lies on top.
        await operator.press("enter")
        await operator.store.create(health(51, 4, "printer/p", "degraded"))
        await operator.sees(lambda: operator.app.model.tally.received == 2)
        await operator.press("escape")
        await operator.sees(lambda: "printer" in operator.text())


async def test_what_only_the_store_knows_is_read(opened: Opened) -> None:
    """The console keeps 64 reports of a component; that it was down before them, the store tells."""
    stored = [
        health(1, 20 * HOUR, "client/qbt", "down"),
        *(health(1 + number, HOUR * (10 - number / 20), "client/qbt", "up") for number in range(1, 150)),
    ]
    async with opened(stored=stored) as operator:
        await board(operator)
        assert "49.75 % of 20h" in lines(operator)[1]


class MoodyReader:
    """What reads the store of the console; it can be away, or wait."""

    def __init__(self, app: EvtopApp) -> None:
        self._reader: Any = app.reader
        self.error: Exception | None = None
        self.answers = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def known_types(self) -> list[str]:
        if self.error is not None:
            raise self.error
        return await self._reader.known_types()

    async def before(self, *arguments: Any) -> list[Event]:
        await self.answers.wait()
        return await self._reader.before(*arguments)


async def test_while_the_past_is_read_that_is_said_and_what_is_known_is_shown(opened: Opened) -> None:
    async with opened(stored=a_month()) as operator:
        operator.app.reader = reader = MoodyReader(operator.app)  # pyright: ignore[reportAttributeAccessIssue]
        await operator.press("H")
        await operator.sees(lambda: "reading 30 days… 0 events" in operator.text())
        assert "tidepool" in operator.text()
        await operator.store.create(health(50, 5, "client/attic", "down"))
        await operator.sees(lambda: "2 down" in operator.text())
        reader.answers.set()
        await operator.sees(lambda: "reading" not in operator.text())
        assert "2 down" in operator.text()


async def test_a_store_that_cannot_be_read_is_said_in_a_line_and_asked_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.screens.health_board.RETRY_AFTER", 0.05)
    async with opened(size=(80, 24), stored=a_month()) as operator:
        operator.app.reader = reader = MoodyReader(operator.app)  # pyright: ignore[reportAttributeAccessIssue]
        reader.answers.set()
        reader.error = StoreUnavailableError("the store \x1b[31mis away")
        await operator.press("H")
        await operator.sees(lambda: "the past is not read: the store ␛[31mis away" in operator.text())
        assert "tidepool" in operator.text()
        reader.error = None
        await operator.sees(lambda: "the past is not read" not in operator.text())
        screen = operator.app.screen
        assert isinstance(screen, HealthBoardScreen)
        assert screen._is_read


async def test_too_much_of_a_past_is_said(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.health_history.PAGE", 2)
    monkeypatch.setattr("monitor.health_history.EVENTS_MAX", 4)
    stored = [health(number, 60 * number, "client/qbt", "up") for number in range(1, 20)]
    async with opened(stored=stored) as operator:
        await board(operator)
        await operator.sees(lambda: "the newest 4 events of 30 days" in operator.text())


async def test_without_components_that_is_said(opened: Opened) -> None:
    async with opened(stored=[make_event(1)]) as operator:
        await board(operator)
        await operator.sees(lambda: "no component has reported its health yet" in operator.text())
        await operator.press("j", "k", "g", "G", "enter", "r")
        assert isinstance(operator.app.screen, HealthBoardScreen)


async def test_zone_and_help(opened: Opened) -> None:
    async with opened(stored=a_month()) as operator:
        await board(operator)
        for zone, told in ((Zone.LOCAL, ":00:00 from up"), (Zone.RELATIVE, "6 h ago from up")):
            await operator.press("t")
            assert operator.app.zone is zone
            assert told in operator.text()
        await operator.press("question_mark")
        assert isinstance(operator.app.screen, HelpScreen)
        assert "keys of the health board" in operator.text()


async def test_event_text_is_cleaned(opened: Opened) -> None:
    hostile = "\x1b[2J[red]x[/red]\u202e" + "very long " * 20
    down = health(1, 5, "client/qbt", "down").model_copy(
        update={"resource_type": hostile[:60], "resource_id": hostile}
    )
    async with opened(size=(80, 24), stored=[down]) as operator:
        await board(operator)
        text = operator.text()
        assert "\x1b" not in text
        assert text.count("␛[2J[red]x") == 2
        assert "down" in text


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (120, 40), (200, 50)])
async def test_columns_drop_from_the_right_and_nothing_wraps(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(size=size, stored=a_month()) as operator:
        await board(operator)
        head = lines(operator)[0]
        titles = ["since", "up 24 h", "up 30 d", "flaps", "last 24 h", "last change"]
        shown = [title for title in titles if title in head]
        assert shown == titles[: len(shown)]
        assert len(shown) == {60: 3, 80: 5, 120: 6, 200: 6}[size[0]]
        assert len(lines(operator)) == 7


@pytest.mark.parametrize("width", range(10, 240, 7))
def test_columns_never_need_more_than_there_is(width: int) -> None:
    needed = {"since": 5, "day": 13, "month": 13, "flaps": 5, "change": 22}
    found: Columns = columns(width, needed, 30)
    used = 10 + found.gap + found.name + sum(found.gap + cells for _column, cells in found.others)
    assert used <= width or not found.others
    if width > 150:
        assert dict(found.others)["strip"] in {24, 48, 96}
        assert found.name == 30
