"""Every key of the detail of an event does what the help says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path as File
from typing import Any

import pytest

from monitor.bindings import keys_of
from monitor.screens.actor import ActorScreen
from monitor.screens.detail import DetailScreen
from monitor.screens.help import HelpScreen
from monitor.screens.resource import ResourceScreen
from monitor.widgets.event_detail import EventDetail
from monitor.zone import Zone
from store.event import Event
from store.query.syntax import Path
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event

FAILED = make_event(
    2,
    event_type="download.failed",
    resource_type="download",
    resource_id="9f3a",
    actor_type="user",
    actor_id="42",
    metadata={"error": {"code": 500, "exit code": "in use"}, "tags": ["a", "b"], "title": "\x1b[31mThe Wire"},
    inserted_at=at(3400),
)
STORED = [
    make_event(1, event_type="job.executed", metadata={"error": {"code": 404}}, inserted_at=at(3300)),
    FAILED,
    make_event(3, event_type="job.failed", metadata={"error": {"code": 500}}, inserted_at=at(3500)),
]


def detail(operator: Operator) -> EventDetail:
    assert isinstance(operator.app.screen, DetailScreen)
    return operator.app.screen.query_one(EventDetail)


async def go_to(operator: Operator, *place: str | int) -> None:
    """Put the cursor on a value, with keys."""
    await operator.press("g")
    for _ in range(detail(operator).line_count()):
        item = detail(operator).selected
        if item is not None and item.place == place:
            return
        await operator.press("j")
    raise AssertionError(place)


async def opened_detail(operator: Operator) -> None:
    await operator.press("k", "enter")
    assert "download.failed" in operator.text()


def title(operator: Operator) -> str:
    return str(detail(operator).border_title)


async def test_branches_fold_and_unfold(opened: Opened) -> None:
    async with opened(stored=STORED) as operator:
        await opened_detail(operator)
        await go_to(operator, "metadata", "error", "code")
        await operator.press("h")
        assert detail(operator).selected == next(
            item for _, item in detail(operator)._lines if item and item.place == ("metadata", "error")
        )
        await operator.press("left")
        assert "▸ error  2 values" in operator.text()
        assert "500" not in operator.text()
        await operator.press("right")
        assert "code: 500" in operator.text()
        await operator.press("l")
        item = detail(operator).selected
        assert item is not None
        assert item.place == ("metadata", "error", "code")
        await operator.press("space")
        assert "▸ error" in operator.text()
        await operator.press("space", "minus")
        for folded in ("▸ error", "▸ tags"):
            assert folded in operator.text()
        await operator.press("plus")
        assert "▸" not in operator.text("#detail")


async def test_values_and_the_event_are_copied(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[tuple[str, str]] = []
    async with opened(stored=STORED) as operator:
        monkeypatch.setattr(operator.app, "copy", lambda text, what: copied.append((text, what)))
        await opened_detail(operator)
        await go_to(operator, "actor")
        await operator.press("c")
        await go_to(operator, "metadata", "error", "exit code")
        await operator.press("c")
        await go_to(operator, "metadata", "error")
        await operator.press("c")
        await go_to(operator, "metadata", "title")
        await operator.press("c")
        await operator.press("y", "v", "c")
        assert copied[:4] == [
            ("user:42", "actor"),
            ("in use", "error.exit code"),
            ('{"code":500,"exit code":"in use"}', "error"),
            ("␛[31mThe Wire", "title"),
        ]
        assert copied[4] == copied[5]
        assert json.loads(copied[4][0])["id"] == str(FAILED.id)


async def test_x_hides_a_value_of_the_metadata_and_shows_it_again(opened: Opened) -> None:
    async with opened(stored=STORED) as operator:
        await opened_detail(operator)
        await go_to(operator, "metadata", "error", "code")
        await operator.press("x")
        await operator.sees(lambda: operator.types == ["job.executed"])
        assert "hidden: @error.code:500" in operator.text()
        await operator.press("x")
        await operator.sees(lambda: len(operator.types) == 3)
        await go_to(operator, "type")
        await operator.press("x", "escape")
        await operator.sees(lambda: operator.types == ["job.executed", "job.failed"])
        assert operator.app.screen is operator.live


async def test_capital_x_shows_a_value_alone(opened: Opened) -> None:
    async with opened(stored=STORED) as operator:
        await opened_detail(operator)
        await go_to(operator, "metadata", "error", "code")
        await operator.press("X")
        await operator.sees(lambda: operator.types == ["download.failed", "job.failed"])
        assert operator.live.shown.describe() == "only @error.code:500"
        await operator.press("X")
        await operator.sees(lambda: len(operator.types) == 3)


async def test_why_a_value_cannot_be_filtered_by_is_said(opened: Opened) -> None:
    async with opened(stored=STORED) as operator:
        await opened_detail(operator)
        for place, reason in (
            (("metadata", "tags", 1), "a place in a list"),
            (("metadata", "tags"), "have no value"),
            (("time",), "the time is nothing to filter by"),
        ):
            await go_to(operator, *place)
            await operator.press("x")
            await operator.sees(lambda reason=reason: reason in operator.text())
        await operator.press("v", "X")
        await operator.sees(lambda: "v shows the values" in operator.text())
        assert not operator.live.shown.hides_something


async def test_v_shows_the_json_and_the_tree_again(opened: Opened) -> None:
    async with opened(stored=STORED) as operator:
        await opened_detail(operator)
        await go_to(operator, "metadata", "tags", 0)
        assert " v JSON " in str(operator.app.screen.query_one("#detail").border_subtitle)
        await operator.press("v")
        assert " v tree " in str(operator.app.screen.query_one("#detail").border_subtitle)
        assert '"exit code": "in use"' in operator.text()
        assert "\\u001b[31mThe Wire" in operator.text()
        await operator.press("v")
        assert "▾ metadata" in operator.text()


async def test_j_and_k_go_on_to_the_events_beside_it_also_in_the_store(opened: Opened) -> None:
    stored = [*STORED, *(make_event(number, inserted_at=at(-number)) for number in range(10, 700))]
    async with opened(stored=stored) as operator:
        await opened_detail(operator)
        await operator.press("J")
        assert title(operator) == "job.failed"
        assert operator.timeline.selected_event == STORED[2].model_copy(update={"position": 3})
        await operator.press("J")
        await operator.sees(lambda: "no event further down" in operator.text())
        await operator.press("K", "K")
        assert title(operator) == "job.executed"
        # The first of the loaded rows, and on from there.
        rows = operator.timeline.timeline.rows
        first = rows[0]
        assert isinstance(first, Event)
        operator.app.screen._show(first)  # type: ignore[attr-defined]
        operator.timeline.timeline.floor = first.sort_key
        await operator.press("K")
        await operator.sees(lambda: detail(operator)._event.sort_key < first.sort_key)
        shown = detail(operator)._event
        await operator.sees(lambda: operator.timeline.selected_event == shown)


async def test_an_answer_that_comes_after_another_event_was_opened_is_dropped(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [*STORED, *(make_event(number, inserted_at=at(-number)) for number in range(10, 700))]
    async with opened(stored=stored) as operator:
        await opened_detail(operator)
        gate, asked = asyncio.Event(), asyncio.Event()
        look = operator.live._look

        async def slow(*args: Any) -> Any:
            asked.set()
            await gate.wait()
            return await look(*args)

        monkeypatch.setattr(operator.live, "_look", slow)
        first = operator.timeline.timeline.rows[0]
        assert isinstance(first, Event)
        screen = operator.app.screen
        assert isinstance(screen, DetailScreen)
        screen._show(first)
        operator.timeline.timeline.floor = first.sort_key
        await operator.press("K")
        await operator.sees(asked.is_set)
        await operator.press("J")
        shown = detail(operator)._event
        assert shown.sort_key > first.sort_key
        gate.set()
        await operator.sees(
            lambda: all(worker.is_finished for worker in screen.workers if worker.group == "beside")
        )
        assert detail(operator)._event == shown


async def test_a_opens_the_page_of_the_actor(opened: Opened) -> None:
    async with opened(stored=STORED) as operator:
        await operator.press("g", "j", "enter", "a")
        screen = operator.app.screen
        assert isinstance(screen, ActorScreen)
        await operator.sees(lambda: screen.timeline.timeline.rows)
        assert [row.event_type for row in screen.timeline.timeline.rows if isinstance(row, Event)] == [
            "download.failed"
        ]


async def test_t_changes_the_zone_everywhere(opened: Opened) -> None:
    async with opened(stored=STORED) as operator:
        await opened_detail(operator)
        assert "UTC" in operator.text("#detail")
        await operator.press("t")
        assert operator.app.zone is Zone.LOCAL
        assert operator.timeline.zone is Zone.LOCAL


async def test_help_tells_every_key(opened: Opened) -> None:
    async with opened(size=(120, 200), stored=STORED) as operator:
        await opened_detail(operator)
        expected = [*keys_of(detail(operator)), *keys_of(operator.app.screen)]
        await operator.press("question_mark")
        assert isinstance(operator.app.screen, HelpScreen)
        text = operator.text()
        assert all(f"{keys} " in text and description in text for keys, description in expected)


async def test_the_page_of_a_resource_is_filtered_from_there(opened: Opened) -> None:
    stored = [*STORED, FAILED.model_copy(update={"id": make_event(9).id, "metadata": {"error": {"code": 1}}})]
    async with opened(stored=stored) as operator:
        await operator.press("k", "r")
        assert isinstance(operator.app.screen, ResourceScreen)
        page = operator.app.screen
        await operator.sees(lambda: len(page.timeline.timeline.rows) == 2)
        await operator.press("G", "enter")
        await go_to(operator, "metadata", "error", "code")
        await operator.press("X")
        await operator.sees(lambda: len(page.timeline.timeline.rows) == 1)
        assert not operator.live.shown.hides_something
        (facet,) = page.timeline.timeline.filter.only
        assert facet.field == Path(("error", "code"))


async def test_keys_of_the_detail_can_be_others(opened: Opened, tmp_path: File) -> None:
    from monitor.fit.keymap import load_keymap

    file = tmp_path / "keys.toml"
    file.write_text('[detail]\nraw = "J"\nnext-event = "n"\n[event-detail]\nfold-all = "z"\n')
    keymap = load_keymap(file)
    async with opened(stored=STORED) as operator:
        operator.app.set_keymap(keymap)
        await opened_detail(operator)
        await operator.press("z")
        assert "▸ error" in operator.text()
        await operator.press("n", "J")
        assert '"event_type": "job.failed"' in operator.text()


async def test_the_filter_completes_a_place_in_the_metadata(opened: Opened) -> None:
    async with opened(stored=STORED) as operator:
        await operator.press("slash", "at", "e", "tab")
        await operator.sees(lambda: "@error.code:" in operator.text())
        await operator.press("5", "tab", "enter")
        await operator.sees(lambda: operator.types == ["download.failed", "job.failed"])
