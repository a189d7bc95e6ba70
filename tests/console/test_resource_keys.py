"""The resource page: its facts, its keys, and live events on it. Also the keys of the detail and the help."""

from __future__ import annotations

import pytest

from monitor.bindings import keys_of
from monitor.model.subjects import ResourceName
from monitor.screens.detail import DetailScreen
from monitor.screens.help import HelpScreen
from monitor.screens.resource import ResourceScreen
from monitor.widgets.help_lines import HelpLines
from monitor.widgets.lines import LineList
from monitor.widgets.timeline_view import TimelineView
from monitor.zone import Zone
from store.event import Event
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event, make_events


async def page(operator: Operator) -> TimelineView:
    """Open the resource page of the newest event, and wait for what the store knows."""
    await operator.press("r")
    screen = operator.app.screen
    assert isinstance(screen, ResourceScreen)
    view = screen.query_one(TimelineView)
    await operator.sees(lambda: view.timeline.rows)
    return view


def life() -> list[Event]:
    """A download from its start to a failure and back, some of it in its secondary role."""
    download = {"resource_type": "download", "resource_id": "9f3a"}
    return [
        make_event(
            1,
            event_type="download.initiated",
            status="downloading",
            actor_type="user",
            actor_id="ana",
            **download,
        ),
        make_event(
            2,
            event_type="job.executed",
            resource_type="job",
            resource_id="monitor",
            secondary_resource_type="download",
            secondary_resource_id="9f3a",
        ),
        make_event(3, event_type="download.failed", status="failed", **download),
        make_event(4, event_type="download.paused", status="paused", severity="warning", **download),
        make_event(
            5,
            event_type="download.resumed",
            status="downloading",
            actor_type="user",
            actor_id="ana",
            **download,
        ),
        make_event(6, event_type="job.executed", resource_type="job", resource_id="other"),
        make_event(7, event_type="download.completed", status="completed", **download),
    ]


async def test_the_page_tells_the_life_in_both_roles(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        view = await page(operator)
        kinds = [row.event_type for row in view.timeline.rows if isinstance(row, Event)]
        assert kinds == [event.event_type for event in life() if event.resource_id != "other"]
        text = operator.text()
        assert "completed  for" in text
        assert "6 events" in text
        assert "1 error " in text
        assert "1 of the loaded in its secondary role" in text
        assert "completed 12:00 ← downloading 12:00 ← paused 12:00 ← failed 12:00" in text
        assert "user:ana 2" in text
        assert "● live" in text


async def test_live_events_join_the_page(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        view = await page(operator)
        await operator.store.create_many(
            [
                make_event(50, event_type="download.cancelled", resource_type="download", resource_id="9f3a"),
                make_event(51, event_type="download.cancelled", resource_type="download", resource_id="else"),
            ]
        )
        await operator.sees(lambda: operator.app.model.tally.received == 2)
        await operator.sees(lambda: len(view.timeline.rows) == 7)
        assert "7 events" in operator.text("#subject-header")


async def test_events_that_arrive_under_a_dialog_are_on_the_page_afterwards(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        view = await page(operator)
        await operator.press("enter")
        assert isinstance(operator.app.screen, DetailScreen)
        await operator.store.create(make_event(50, resource_type="download", resource_id="9f3a"))
        await operator.sees(lambda: len(view.timeline.rows) == 7)
        assert "1 received" in operator.text()


async def test_r_goes_on_to_the_other_resource_and_escape_comes_back(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        view = await page(operator)
        await operator.press("g", "j", "r")
        await operator.sees(lambda: "job/monitor" in operator.text())
        await operator.press("escape")
        assert operator.app.screen.query_one(TimelineView) is view
        await operator.press("q")
        assert operator.app.screen is operator.live


async def test_a_row_without_another_resource_says_so(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        await page(operator)
        await operator.press("r")
        await operator.sees(lambda: "no other resource" in operator.text())


async def test_older_pages_are_read(opened: Opened) -> None:
    stored = make_events(700, start=1, resource_type="job", resource_id="sync")
    async with opened(stored=stored) as operator:
        view = await page(operator)
        assert len(view.timeline.rows) == 200
        while view.timeline.has_older:
            before = len(view.timeline.rows)
            await operator.press("k", "g")
            await operator.sees(
                lambda before=before: len(view.timeline.rows) > before or not view.timeline.has_older
            )
        assert [row.id for row in view.timeline.rows if isinstance(row, Event)] == [
            event.id for event in stored
        ]
        assert "700 events" in operator.text("#subject-header")


async def test_errors_and_warnings(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        view = await page(operator)
        for key, kind in (("E", "download.failed"), ("w", "download.paused")):
            await operator.press(key)
            assert view.selected_event is not None
            assert view.selected_event.event_type == kind
        await operator.press("W")
        await operator.sees(lambda: "no warning further up" in operator.text())
        await operator.press("G", "e")
        await operator.sees(lambda: "no error further down" in operator.text())


async def test_freeze_follow_zone_mute_and_solo(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        view = await page(operator)
        await operator.press("p")
        assert view.timeline.frozen
        await operator.press("p")
        assert not view.timeline.frozen
        await operator.press("F")
        assert not view.viewport.following
        await operator.press("F")
        assert view.viewport.following
        await operator.press("t")
        assert operator.app.zone is Zone.LOCAL
        await operator.press("x")
        assert len(view.timeline.rows) == 5
        await operator.press("X")
        assert {row.event_type for row in view.timeline.rows if isinstance(row, Event)} == {
            "download.resumed"
        }
        assert len(operator.app.model.timeline.rows) == 7


async def test_detail_shows_every_field_and_the_metadata_as_a_tree(opened: Opened) -> None:
    event = make_event(
        1,
        event_type="download.failed",
        status="failed",
        resource_type="download",
        resource_id="9f3a",
        secondary_resource_type="episode",
        secondary_resource_id="s1e2",
        actor_type="user",
        actor_id="42",
        metadata={"error": "first\nsecond", "nested": {"list": [1, None, True, {}]}, "long": "word " * 60},
        inserted_at=at(0.25),
    )
    async with opened(stored=[event]) as operator:
        await operator.press("enter")
        text = operator.text()
        for shown in (
            "2026-11-21 12:00:00.250000 UTC",
            "✖ E error",
            "downloads",
            "user:42",
            "download/9f3a",
            "episode/s1e2",
            str(event.id),
            "error: first",
            "second",
            "[1]: null",
            "[2]: true",
        ):
            assert shown in text
        lines = operator.app.screen.query_one("#detail", LineList)
        await operator.press("G")
        assert lines.cursor == lines.line_count() - 1
        await operator.press("R")
        assert isinstance(operator.app.screen, ResourceScreen)
        assert "episode/s1e2" in operator.text()


async def test_detail_without_a_resource_says_so(opened: Opened) -> None:
    async with opened(stored=[make_event(1)]) as operator:
        for key in ("r", "R"):
            await operator.press("enter", key)
            assert isinstance(operator.app.screen, DetailScreen)
            await operator.sees(lambda: "no such resource" in operator.text())
            await operator.press("escape")


@pytest.mark.parametrize("pane", ["1", "2", "3", "4"])
async def test_help_lists_every_key_of_the_pane_the_screen_and_the_application(
    opened: Opened, pane: str
) -> None:
    async with opened(size=(120, 200)) as operator:
        await operator.press(pane)
        focused = operator.live.focused
        assert focused is not None
        expected = [*keys_of(focused), *keys_of(operator.live), *keys_of(operator.app)]
        await operator.press("question_mark")
        assert isinstance(operator.app.screen, HelpScreen)
        text = operator.text()
        for keys, description in expected:
            assert f"{keys} " in text
            assert description in text
        assert "store" in text
        assert "here" in text


async def test_help_scrolls(opened: Opened) -> None:
    async with opened(size=(80, 24)) as operator:
        await operator.press("question_mark")
        lines = operator.app.screen.query_one(HelpLines)
        for key, moved in (("j", True), ("pagedown", True), ("ctrl+d", True), ("G", True), ("g", False)):
            await operator.press(key)
            assert (lines.cursor > 0) is moved
        await operator.press("question_mark")
        assert operator.app.screen is operator.live


async def test_help_of_the_resource_page(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        await page(operator)
        await operator.press("question_mark")
        assert isinstance(operator.app.screen, HelpScreen)
        assert "keys of the resource timeline" in operator.text()


async def test_a_frame_that_comes_while_a_page_opens_or_closes_breaks_nothing(opened: Opened) -> None:
    async with opened(stored=life()) as operator:
        for _ in range(5):
            operator.app.open_screen(ResourceScreen(ResourceName("download", "9f3a")))
            operator.app.second()
            await operator.pilot.pause()
            operator.app.pop_screen()
            operator.app.second()
        await operator.pilot.pause()
        assert operator.app.screen is operator.live


async def test_the_page_tells_title_counters_and_how_long_work_took(opened: Opened) -> None:
    def step(number: int, verb: str, second: float, name: str, **fields: object) -> Event:
        about = {"resource_type": "download", "resource_id": name, "inserted_at": at(second)}
        return make_event(number, event_type=f"download.{verb}", **about, **fields)

    stored = [
        event
        for place in range(6)
        for event in (
            step(100 + 2 * place, "initiated", place, f"o{place}"),
            step(101 + 2 * place, "completed", place + 30, f"o{place}"),
        )
    ]
    viewed = {"resource_type": "download", "resource_id": "mine", "event_type": "movie.viewed"}
    stored += [
        step(
            1, "initiated", 100, "mine", metadata={"title": "Dune\x1b[2J", "year": 1984, "path": "/\x1b]0;"}
        ),
        *(make_event(number, inserted_at=at(101), **viewed) for number in range(2, 5)),
        step(6, "completed", 300, "mine", status="completed"),
    ]
    async with opened(stored=stored) as operator:
        await page(operator)
        await operator.sees(lambda: "usually 30.0 s, of 6" in operator.text("#subject-header"))
        text = operator.text("#subject-header")
        for said in ("Dune␛[2J", "year 1984   path /␛]0;", "3 min 20 s initiated → completed", "views 3"):
            assert said in text, said
        # What comes live counts, too.
        await operator.store.create(make_event(7, inserted_at=at(302), **viewed))
        later = operator.app.tick() + 10
        operator.app.tick = lambda: later
        await operator.sees(lambda: operator.app.second() or "views 4" in operator.text("#subject-header"))


async def test_the_neighbours_of_its_type_are_one_key_away(opened: Opened) -> None:
    kinds = ["a", "b", "a", "c"]
    stored = [
        make_event(number, resource_type="download", resource_id=name) for number, name in enumerate(kinds, 1)
    ]
    stored.append(make_event(9, resource_type="job", resource_id="other"))
    async with opened(stored=stored) as operator:
        await operator.press("j", "k", "k")
        operator.app.open_page(ResourceName("download", "c"))

        async def shows(name: str) -> None:
            """Until its page stands there with its rows."""

            def is_shown() -> bool:
                screen = operator.app.screen
                is_its = getattr(screen, "subject", None) == ("download", name)
                return is_its and any(view.timeline.rows for view in screen.query(TimelineView))

            await operator.sees(is_shown)

        async def goes(key: str, name: str) -> None:
            await operator.press(key)
            await shows(name)

        await shows("c")
        await goes(">", "a")
        await goes(">", "b")
        await operator.press(">")
        await operator.sees(lambda: "no other download right before" in operator.text())
        await goes("<", "a")
        await goes("<", "c")
        await operator.press("<")
        await operator.sees(lambda: "no other download right after" in operator.text())
        # Neighbours take the place of the page: one key leads back.
        await operator.press("escape")
        assert operator.app.screen is operator.live
