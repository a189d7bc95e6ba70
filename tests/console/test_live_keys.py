"""Every key of the live screen does what the help says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import Input

from monitor.backend import Backend
from monitor.model.shown_rows import ShownRow
from monitor.screens.detail import DetailScreen
from monitor.screens.help import HelpScreen
from monitor.screens.resource import ResourceScreen
from monitor.screens.severity import SeverityPrompt
from monitor.widgets.filter_bar import FilterBar
from monitor.zone import Zone
from store.event import Event, Severity
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event, make_events


@pytest.mark.parametrize(("key", "moved"), [("k", -1), ("up", -1)])
async def test_a_move_up_detaches_and_moves_by_one(opened: Opened, key: str, moved: int) -> None:
    async with opened() as operator:
        last = len(operator.app.model.timeline.rows) - 1
        assert operator.timeline.viewport.following
        assert operator.cursor == last
        await operator.press(key)
        assert operator.cursor == last + moved
        assert not operator.timeline.viewport.following
        await operator.press("k", "j")
        assert operator.cursor == last + moved
        await operator.press("down")
        assert operator.cursor == last


@pytest.mark.parametrize(
    ("up", "down", "share"),
    [("pageup", "pagedown", 1.0), ("b", "pagedown", 1.0), ("ctrl+u", "ctrl+d", 0.5)],
)
async def test_pages(opened: Opened, up: str, down: str, share: float) -> None:
    async with opened() as operator:
        start = operator.cursor
        distance = int(share * (operator.timeline.size.height - 1))
        await operator.press(up)
        assert operator.cursor == start - distance
        await operator.press(up, down)
        assert operator.cursor == start - distance


@pytest.mark.parametrize(("first", "last"), [("g", "G"), ("home", "end")])
async def test_first_and_last_row(opened: Opened, first: str, last: str) -> None:
    async with opened() as operator:
        await operator.press(first)
        assert operator.cursor == 0
        assert not operator.timeline.viewport.following
        await operator.press(last)
        assert operator.timeline.viewport.following
        assert operator.cursor == len(operator.app.model.timeline.rows) - 1


async def test_the_oldest_row_loads_older_pages_until_there_are_none(opened: Opened) -> None:
    stored = make_events(1200, start=1)
    async with opened(stored=stored) as operator:
        rows = operator.app.model.timeline.rows
        assert len(rows) == 500
        while operator.app.model.timeline.has_older:
            before = len(operator.app.model.timeline.rows)
            await operator.press("k", "g")
            await operator.sees(
                lambda before=before: (
                    len(operator.app.model.timeline.rows) > before
                    or not operator.app.model.timeline.has_older
                )
            )
        ids = [row.id for row in operator.app.model.timeline.rows if isinstance(row, Event)]
        assert ids == [event.id for event in stored]


async def test_loading_older_pages_keeps_the_row_under_the_cursor(opened: Opened) -> None:
    async with opened(stored=make_events(1200, start=1)) as operator:
        await operator.press("g")
        row = operator.timeline.viewport.row
        await operator.sees(lambda: len(operator.app.model.timeline.rows) > 500)
        assert operator.timeline.viewport.row is row


@pytest.mark.parametrize("key", ["space", "p"])
async def test_freeze_counts_what_arrives_and_resumes(opened: Opened, key: str) -> None:
    async with opened() as operator:
        shown = len(operator.app.model.timeline.rows)
        await operator.press(key)
        await operator.store.create_many(make_events(3, start=5000))
        await operator.sees(lambda: operator.app.model.timeline.pending == 3)
        assert len(operator.app.model.timeline.rows) == shown
        assert "+3 new" in operator.text()
        assert "3 received" in operator.text("#status")
        await operator.press(key)
        assert len(operator.app.model.timeline.rows) == shown + 3
        assert operator.timeline.viewport.following


async def test_follow_key_stops_and_follows_again(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("F")
        assert not operator.timeline.viewport.following
        await operator.store.create(make_event(5000))
        await operator.sees(lambda: operator.app.model.timeline.pending == 1)
        assert "+1 new" in operator.text()
        await operator.press("F")
        assert operator.timeline.viewport.following
        assert operator.app.model.timeline.pending == 0


@pytest.mark.parametrize(("keys", "severity"), [(("E", "e"), Severity.ERROR), (("W", "w"), Severity.WARNING)])
async def test_next_and_previous_of_a_severity(
    opened: Opened, keys: tuple[str, str], severity: Severity
) -> None:
    async with opened() as operator:
        previous, following = keys
        await operator.press(previous)
        first = operator.timeline.selected_event
        assert first is not None
        assert first.severity is severity
        await operator.press(previous)
        second = operator.timeline.selected_event
        assert second is not None
        assert second.severity is severity
        assert second.inserted_at < first.inserted_at
        await operator.press(following)
        assert operator.timeline.selected_event is first


@pytest.mark.parametrize(("key", "word"), [("e", "error"), ("w", "warning")])
async def test_no_further_severity_is_said(opened: Opened, key: str, word: str) -> None:
    async with opened() as operator:
        await operator.press("G", key)
        await operator.sees(lambda: f"no {word} further down" in operator.text())


@pytest.mark.parametrize(
    ("key", "minimum"), [("1", Severity.INFO), ("2", Severity.WARNING), ("3", Severity.ERROR)]
)
async def test_minimum_severity(opened: Opened, key: str, minimum: Severity) -> None:
    async with opened() as operator:
        await operator.press("exclamation_mark")
        assert isinstance(operator.app.screen, SeverityPrompt)
        await operator.press(key)
        assert operator.live.shown.minimum is minimum
        events = [row for row in operator.app.model.timeline.rows if isinstance(row, Event)]
        assert events
        assert all(event.severity is not None and event.severity.rank >= minimum.rank for event in events)
        await operator.press("exclamation_mark", "0")
        assert operator.live.shown.minimum is None


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_minimum_severity_can_be_left_as_it_is(opened: Opened, key: str) -> None:
    async with opened() as operator:
        await operator.press("exclamation_mark", key)
        assert operator.live.shown.minimum is None
        assert operator.app.screen is operator.live


async def test_mute_and_solo_the_type_under_the_cursor(opened: Opened) -> None:
    async with opened() as operator:
        event = operator.timeline.selected_event
        assert event is not None
        await operator.press("x")
        assert event.event_type not in operator.types
        assert operator.types
        await operator.press("C")
        assert event.event_type in operator.types
        await operator.press("X")
        kind = operator.timeline.selected_event
        assert kind is not None
        assert set(operator.types) == {kind.event_type}
        await operator.press("X")
        assert len(set(operator.types)) > 1


async def test_filter_previews_applies_and_shows_itself(opened: Opened) -> None:
    async with opened() as operator:
        everything = len(operator.types)
        await operator.press("slash", *"type:download.failed")
        await operator.sees(lambda: set(operator.types) == {"download.failed"})
        assert operator.live.query_one(FilterBar).display
        await operator.press("enter")
        assert not operator.live.query_one(FilterBar).display
        assert operator.live.focused is operator.timeline
        assert "type:download.failed" in operator.text()
        assert f"{everything - len(operator.types):,} hidden by the filter" in operator.text()


async def test_filter_escape_puts_back_the_old_one(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("slash", *"-type:download.*", "enter")
        await operator.press("slash", *" added")
        await operator.sees(lambda: "added" in operator.live.shown.text)
        await operator.press("escape")
        assert operator.live.shown.text == "-type:download.*"
        assert not operator.live.query_one(FilterBar).display


async def test_a_broken_filter_says_where_and_keeps_the_last_good_one(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("slash", *"severity>=warning")
        await operator.sees(lambda: operator.live.shown.text == "severity>=warning")
        await operator.press(*" typ:x")
        await operator.sees(lambda: "no field 'typ'" in operator.text())
        assert "column 19" in operator.text()
        assert operator.live.shown.text == "severity>=warning"
        await operator.press("enter")
        assert operator.live.query_one(FilterBar).display


async def test_filter_reads_history_that_is_not_loaded(opened: Opened) -> None:
    stored = [*make_events(3, start=1, event_type="settings.changed"), *make_events(900, start=100)]
    async with opened(stored=stored) as operator:
        assert "settings.changed" not in operator.types
        await operator.press("slash", *"type:settings.changed", "enter")
        await operator.sees(lambda: operator.types == ["settings.changed"] * 3)


async def test_times_in_a_filter_are_those_on_the_screen_and_last_moves_on(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [make_event(number, event_type=f"at.s{number}") for number in (1, 1000, 2000, 3599)]
    async with opened(stored=stored) as operator:
        await operator.press("slash", *"since:12:15 until:12:40", "enter")
        assert operator.types == ["at.s1000", "at.s2000"]
        await operator.press("C", "slash", *"last:45m", "enter")
        assert operator.types == ["at.s1000", "at.s2000", "at.s3599"]
        monkeypatch.setattr(operator.app, "now", lambda: at(3600 + 15 * 60))
        monkeypatch.setattr("monitor.screens.filtering_screen.SLIDE_EVERY", 0)
        operator.live._slide_due = 0
        operator.timeline.viewport.detach()
        operator.live.advance()
        assert "at.s1000" in operator.types
        operator.timeline.viewport.follow()
        operator.live._counts_due = 0
        operator.live.advance()
        assert operator.types == ["at.s2000", "at.s3599"]
        assert operator.live.shown.text == "last:45m"


async def test_a_new_filter_gives_up_the_search_for_the_old_one(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [*make_events(3, start=1, event_type="settings.changed"), *make_events(900, start=100)]
    async with opened(stored=stored) as operator:
        given_up: list[str] = []
        before = Backend.before

        async def slow_for_one(*asked: Any) -> list[Event]:
            if "nowhere" not in str(asked):
                return await before(*asked)
            try:
                await asyncio.Event().wait()
            finally:
                given_up.append("nowhere")
            return []

        monkeypatch.setattr(Backend, "before", slow_for_one)
        await operator.press("slash", *"nowhere", "enter")
        await operator.press("C", "slash", *"type:settings.changed", "enter")
        await operator.sees(lambda: operator.types == ["settings.changed"] * 3)
        assert given_up == ["nowhere"]


async def test_live_events_pass_the_same_filter(opened: Opened) -> None:
    async with opened(stored=[]) as operator:
        await operator.press("slash", *"tracker -severity:info", "enter")
        await operator.store.create_many(
            [
                make_event(1, event_type="download.failed", metadata={"error": "TRACKER timed out"}),
                make_event(2, event_type="download.failed", metadata={"error": "disk full"}),
                make_event(3, event_type="download.completed", metadata={"note": "tracker"}),
            ]
        )
        await operator.sees(lambda: operator.app.model.tally.received == 3)
        await operator.sees(lambda: operator.types == ["download.failed"])


async def test_enter_opens_the_event_and_escape_closes_it(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("k", "enter")
        assert isinstance(operator.app.screen, DetailScreen)
        event = operator.timeline.selected_event
        assert event is not None
        assert str(event.id) in operator.text()
        for key in ("escape", "q", "enter"):
            if not isinstance(operator.app.screen, DetailScreen):
                await operator.press("enter")
            await operator.press(key)
            assert operator.app.screen is operator.live


@pytest.mark.parametrize(("key", "title"), [("r", "download/d"), ("R", "series/s1")])
async def test_resource_pages_from_the_detail(opened: Opened, key: str, title: str) -> None:
    async with opened() as operator:
        await operator.press("k", "k", "enter", key)
        assert isinstance(operator.app.screen, ResourceScreen)
        assert title in operator.text()


async def test_r_opens_the_resource_of_the_row(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("k", "k")
        event = operator.timeline.selected_event
        assert event is not None
        await operator.press("r")
        assert isinstance(operator.app.screen, ResourceScreen)
        assert f"download/{event.resource_id}" in operator.text()
        await operator.press("escape")
        assert operator.app.screen is operator.live


async def test_r_without_a_resource_says_so(opened: Opened) -> None:
    async with opened(stored=[make_event(1)]) as operator:
        await operator.press("r")
        await operator.sees(lambda: "this row is about no resource" in operator.text())


@pytest.mark.parametrize(
    ("key", "pane"),
    [("1", "timeline"), ("2", "facets"), ("3", "health"), ("4", "alerts"), ("a", "alerts")],
)
async def test_keys_go_to_panes(opened: Opened, key: str, pane: str) -> None:
    async with opened() as operator:
        await operator.press(key)
        assert operator.live.focused is not None
        assert operator.live.focused.id == pane
        await operator.press("escape")
        assert operator.live.focused is operator.timeline


async def test_tab_cycles_through_the_panes(opened: Opened) -> None:
    async with opened() as operator:
        seen: list[str | None] = []
        for _ in range(5):
            await operator.press("tab")
            assert operator.live.focused is not None
            seen.append(operator.live.focused.id)
        assert sorted(filter(None, seen)) == ["alerts", "facets", "health", "histogram", "timeline"]
        await operator.press("shift+tab")
        assert operator.live.focused is not None
        assert operator.live.focused.id == seen[3]


async def test_side_panes_fold_away_when_wide_and_come_over_when_narrow(opened: Opened) -> None:
    async with opened(size=(120, 40)) as operator:
        side = operator.live.query_one("#side")
        width = operator.timeline.size.width
        await operator.press("s")
        assert not side.display
        assert operator.timeline.size.width > width
        await operator.press("s")
        assert side.display


async def test_side_panes_at_80_columns(opened: Opened) -> None:
    async with opened(size=(80, 24)) as operator:
        side = operator.live.query_one("#side")
        width = operator.timeline.size.width
        assert not side.display
        await operator.press("s")
        assert side.display
        assert operator.live.focused is operator.facets
        assert operator.timeline.size.width == width
        await operator.press("escape")
        assert not side.display
        await operator.press("4")
        assert side.display


async def test_t_goes_through_the_zones(opened: Opened) -> None:
    async with opened() as operator:
        assert "12:59:45" in operator.text("#timeline")
        assert "13:00 UTC" in operator.text("#status")
        await operator.press("t")
        assert operator.app.zone is Zone.LOCAL
        await operator.press("t")
        assert operator.app.zone is Zone.RELATIVE
        assert "10 s ago" in operator.text("#timeline")
        await operator.press("t")
        assert operator.app.zone is Zone.UTC


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_opens_and_closes(opened: Opened, key: str) -> None:
    async with opened() as operator:
        await operator.press(key)
        assert isinstance(operator.app.screen, HelpScreen)
        assert "keys of the timeline" in operator.text()
        await operator.press(key)
        assert operator.app.screen is operator.live
        for leave in ("escape", "q"):
            await operator.press(key, leave)
            assert operator.app.screen is operator.live


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_runs_what_keys_do(opened: Opened, key: str) -> None:
    async with opened() as operator:
        await operator.press(key)
        assert operator.app.screen is not operator.live
        await operator.press(*"Next error")
        await operator.sees(lambda: "Next error" in operator.text())
        await operator.press("escape")
        assert operator.app.screen is operator.live


async def test_ctrl_l_draws_the_same_screen_again(opened: Opened) -> None:
    async with opened() as operator:
        before = operator.text()
        await operator.press("ctrl+l")
        assert operator.text() == before


async def test_one_interrupt_does_not_quit_and_two_do(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("ctrl+c")
        assert operator.app.is_running
        await operator.sees(lambda: "press ^C again to quit" in operator.text())
        await operator.press("ctrl+c")
        await operator.sees(lambda: operator.app._exit)


async def test_q_quits(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("q")
        await operator.sees(lambda: operator.app._exit)


async def test_nothing_moves_under_the_eyes_while_events_arrive(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press(*["k"] * 5)
        row, line = _place(operator)
        await operator.store.create_many(make_events(3000, start=5000))
        await operator.sees(lambda: operator.app.model.tally.received == 3000)
        assert _place(operator) == (row, line)
        assert operator.app.model.timeline.pending == 3000


def _place(operator: Operator) -> tuple[ShownRow | None, int]:
    viewport = operator.timeline.viewport
    return viewport.row, viewport.cursor - viewport.top


@pytest.mark.parametrize(
    "keys", [("j", "k"), ("down", "up"), ("pagedown", "pageup"), ("G", "g"), ("end", "home")]
)
async def test_lists_move(opened: Opened, keys: tuple[str, str]) -> None:
    async with opened() as operator:
        await operator.press("2", keys[0])
        assert operator.facets.cursor > 0
        await operator.press(keys[1])
        assert operator.facets.cursor == 0


@pytest.mark.parametrize("pane", ["3", "4"])
@pytest.mark.parametrize("key", ["enter", "r"])
async def test_health_and_alerts_open_the_resource(opened: Opened, pane: str, key: str) -> None:
    async with opened() as operator:
        await operator.sees(lambda: "down" in operator.text("#health"))
        await operator.sees(lambda: "indexer/tidepool is down" in operator.text("#alerts"))
        await operator.press(pane, key)
        assert isinstance(operator.app.screen, ResourceScreen)
        assert "indexer/tidepool" in operator.text()


async def test_a_move_is_never_answered_late(opened: Opened) -> None:
    """While 2,000 events arrive, keys go on being answered and the counts stay right."""
    async with opened() as operator:
        moved: Callable[[], bool] = lambda: not operator.timeline.viewport.following  # noqa: E731
        await operator.store.create_many(make_events(2000, start=5000))
        await operator.press("k")
        await operator.sees(moved)
        await operator.sees(lambda: operator.app.model.tally.received == 2000)


async def test_tab_stays_in_the_filter_and_escape_closes_it_from_anywhere(opened: Opened) -> None:
    async with opened() as operator:
        bar = operator.live.query_one(FilterBar)
        await operator.press("slash", *"((", "tab")
        assert operator.live.focused is not None
        assert operator.live.focused.id == "filter-input"
        operator.timeline.focus()
        await operator.press("escape")
        assert not bar.display
        assert operator.live.shown.text == ""


async def test_tab_goes_through_what_could_be_typed_next(opened: Opened) -> None:
    stored = [make_event(1, event_type="download.failed", status="\x1b[31mred [b]bold[/b]")]
    async with opened(stored=[*stored, *make_events(3, start=5, event_type="job.failed")]) as operator:
        field = operator.live.query_one("#filter-input", Input)
        candidates = lambda: operator.text("#filter-candidates")  # noqa: E731
        height = lambda: operator.live.query_one(FilterBar).size.height  # noqa: E731
        await operator.press("slash")
        before = height()
        assert "type: as in" in candidates()
        await operator.press(*"-ty", "tab")
        assert field.value == "-type:"
        assert "job.failed 3" in candidates()
        await operator.press("tab")
        assert field.value == "-type:job.failed"
        await operator.press("tab")
        assert field.value == "-type:download.failed"
        await operator.sees(lambda: set(operator.types) == {"job.failed"})
        await operator.press("tab", "shift+tab")
        assert field.value == "-type:download.failed"
        assert height() == before
        await operator.press("escape", "slash", *"status:")
        assert "[31mred [b]bold[/b]" in candidates()
        assert "\x1b" not in candidates()
        await operator.press("tab", "enter")
        assert operator.types == ["download.failed"]


async def test_the_prompt_for_a_severity_leaves_the_timeline_in_sight(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("exclamation_mark")
        assert "least severity" in operator.text()
        assert "download.completed" in operator.text()


async def test_an_event_from_the_future_does_not_make_a_dead_stream_look_alive(opened: Opened) -> None:
    async with opened(stored=[make_event(1)]) as operator:
        await operator.store.create(make_event(2, inserted_at=at(400 * 86_400)))
        await operator.sees(lambda: operator.app.model.tally.received == 1)
        assert operator.app.model.newest_at == at(3600)


async def test_a_store_that_was_emptied_is_said_and_read_anew(opened: Opened) -> None:
    async with opened() as operator:
        await operator.store.repository.clear()
        await operator.sees(lambda: "the store was replaced" in operator.text())
        assert operator.types == []
        await operator.store.create(make_event(7000, event_type="settings.changed"))
        await operator.sees(lambda: operator.types == ["settings.changed"])


async def test_the_cursor_stays_on_its_component_while_the_list_is_sorted_anew(opened: Opened) -> None:
    health = {"event_type": "indexer.health_changed", "resource_type": "indexer", "severity": "info"}
    stored = [make_event(n, **health, resource_id=name, status="up") for n, name in enumerate("abc", start=1)]
    async with opened(stored=stored) as operator:
        await operator.press("3", "G")
        await operator.store.create(make_event(50, **health, resource_id="b", status="down"))
        await operator.sees(lambda: "down" in operator.text("#health"))
        await operator.press("enter")
        assert "indexer/c" in operator.text()


async def test_while_a_filter_is_typed_nothing_is_said_of_keys_that_are_letters(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("slash", *"type:dow")
        await operator.sees(lambda: "nothing matches the filter" in operator.text("#timeline"))
        assert "C clears it" not in operator.text("#timeline")
        await operator.press("enter")
        assert "nothing matches the filter · C clears it" in operator.text("#timeline")


async def test_a_long_delay_is_told_in_one_unit(opened: Opened) -> None:
    async with opened(stored=[make_event(1, inserted_at=at(3599))]) as operator:
        await operator.store.create(make_event(2, inserted_at=at(10)))
        await operator.sees(lambda: "lag 59 min " in operator.text("#status"))
