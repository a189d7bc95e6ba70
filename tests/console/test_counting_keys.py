"""Facets and histogram from the keyboard: what is counted, hidden, searched, zoomed and selected."""

from __future__ import annotations

from datetime import timedelta

import pytest
from textual.events import Key

from monitor.model.filter import Facet, Span
from store.errors import StoreUnavailableError
from store.event import Event
from store.query.syntax import Field
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event

NOW = at(3600)


def shown_events(operator: Operator) -> list[Event]:
    return [row for row in operator.app.model.timeline.rows if isinstance(row, Event)]


async def test_category_keys(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("2")
        pane = operator.facets
        assert pane.line_count() > 3
        await operator.press("space")
        assert "download.completed" not in operator.types
        await operator.press("enter")
        assert "download.completed" in operator.types
        await operator.press("j", "x")
        muted = next(iter(operator.live.shown.muted))
        assert muted.field is Field.TYPE
        assert muted.value not in operator.types
        await operator.press("x", "X")
        assert set(operator.types) == {muted.value}
        await operator.press("X")
        assert operator.live.shown.only == frozenset()


async def test_categories_fold(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("2")
        lines = operator.facets.line_count()
        await operator.press("j", "h")
        assert operator.facets.line_count() < lines
        assert operator.facets.cursor == 0
        await operator.press("l")
        assert operator.facets.line_count() == lines


async def test_a_type_that_is_hidden_with_its_category_comes_back_with_it(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("2", "x", "j", "x")
        assert operator.live.shown.muted == frozenset()


async def test_any_value_of_any_field_can_be_hidden_or_alone_several_at_once(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("2", "right")
        assert "Severities ─ 1 h" in operator.text()
        await operator.press("x")
        assert {event.severity for event in shown_events(operator)} == {"info", "warning"}
        assert "○ ✖ E error" in operator.text("#facets")
        await operator.press("right")
        assert "Actors ─ 1 h" in operator.text()
        await operator.press("X")
        (first,) = operator.live.shown.alone(Field.ACTOR)
        await operator.press("j", "space")
        assert len(operator.live.shown.alone(Field.ACTOR)) == 2
        assert first in operator.live.shown.only
        actors = {facet.value for facet in operator.live.shown.alone(Field.ACTOR)}
        assert {event.actor for event in shown_events(operator)} == actors
        assert all(event.severity != "error" for event in shown_events(operator))
        await operator.press("left", "left", "left")
        assert "Statuses" in operator.text()


async def test_keys_that_are_typed_ahead_reach_the_pane_they_are_meant_for(opened: Opened) -> None:
    async with opened() as operator:
        for key in ("2", "right", "i", "Z"):
            operator.app.post_message(Key(key, key if len(key) == 1 else None))
        await operator.sees(lambda: "Severities" in operator.text())
        await operator.sees(lambda: "/5 min" in operator.text("#histogram"))


async def test_live_events_count_at_once_and_what_changed_is_told(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("2", "left")
        burst = [
            make_event(5000 + number, status="stalled", inserted_at=NOW - timedelta(seconds=number))
            for number in range(7)
        ]
        await operator.store.create_many(burst)
        await operator.sees(lambda: "stalled" in operator.text("#facets"))
        await operator.sees(lambda: "new 7" in operator.text("#facets"))


async def test_searching_lists_what_has_the_text_and_types_are_no_commands(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("2", "slash", *"FAIx", "backspace")
        assert "/FAI▏" in operator.text()
        assert "download.failed" in operator.text("#facets")
        assert "download.compl" not in operator.text("#facets")
        await operator.press("enter", "down", "X")
        assert set(operator.types) == {"download.failed"}
        await operator.press("slash", *"zq")
        assert "no such value" in operator.text("#facets")
        assert operator.app.is_running
        await operator.press("escape")
        assert "download.compl" in operator.text("#facets")
        assert operator.live.focused is operator.facets
        await operator.press("escape")
        assert operator.live.focused is operator.timeline


async def test_the_histogram_zooms_out_over_what_the_store_tells(opened: Opened) -> None:
    stored = [
        make_event(n, severity="error", inserted_at=NOW - timedelta(minutes=7 * n, seconds=1))
        for n in range(600)
    ]
    async with opened(stored=stored) as operator:
        await operator.press("i")
        assert "12:59" not in operator.text("#histogram")
        assert "13:00 · 0 events" in operator.text()
        await operator.press("Z", "Z")
        await operator.sees(lambda: "reading" not in operator.text())
        # 9 of them in the hour that ends now, 8 or 9 in each one before.
        await operator.press("h", "h")
        assert "11:00 · 9 events · E 9" in operator.text()
        await operator.press("Z")
        await operator.sees(lambda: "2026-11-21 · " in operator.text())
        await operator.press("h")
        await operator.sees(lambda: "2026-11-20 · 206 events · E 206" in operator.text())
        await operator.press("z", "z", "z", "z")
        await operator.sees(lambda: "no finer bars" in operator.text())


async def test_going_left_of_the_first_bar_reads_further_back(opened: Opened) -> None:
    stored = [make_event(1, inserted_at=NOW - timedelta(hours=3)), make_event(2, inserted_at=NOW)]
    async with opened(stored=stored) as operator:
        await operator.press("i", "g", "g", "g")
        await operator.sees(lambda: "10:00 · 1 events" in operator.text())
        await operator.press("G")
        assert "13:00 · 1 events" in operator.text()


async def test_a_span_becomes_the_filter_of_rows_and_counts_and_escape_gives_it_up(opened: Opened) -> None:
    async with opened() as operator:
        everything = len(operator.types)
        await operator.press("i", "h", "h", "space", "h", "h", "h")
        assert "12:55 – 12:59" in operator.text()
        await operator.press("enter")
        span = Span(at(3300), at(3540))
        assert operator.live.shown.span == span
        assert "11-21 12:55–12:59 UTC" in operator.text("#timeline") + operator.text()
        rows = shown_events(operator)
        assert rows
        assert all(span.since <= event.inserted_at < span.until for event in rows)
        assert operator.text("#histogram").rstrip().endswith("WE]")
        await operator.press("space", "escape")
        assert operator.live.shown.span == span
        await operator.press("escape")
        assert operator.live.shown.span is None
        assert len(operator.types) == everything
        await operator.press("escape")
        assert operator.live.focused is operator.timeline


async def test_a_span_before_what_is_loaded_is_read_from_the_store(opened: Opened) -> None:
    old = [
        make_event(
            n,
            event_type="a.old",
            actor_type="user",
            actor_id="eve",
            inserted_at=NOW - timedelta(minutes=90, seconds=n),
        )
        for n in range(3)
    ]
    new = [make_event(100 + n, inserted_at=NOW - timedelta(seconds=n)) for n in range(900)]
    async with opened(stored=[*old, *new]) as operator:
        assert "a.old" not in operator.types
        await operator.press("i", "Z", "Z", "h", "h", "enter")
        await operator.sees(lambda: len(operator.types) == 3)
        assert set(operator.types) == {"a.old"}
        await operator.sees(lambda: "Categories ─ of the span" in operator.text())
        assert "a.old             3" in operator.text("#facets")
        await operator.press("2", "right", "right")
        await operator.sees(lambda: "Actors ─ of the span" in operator.text())
        assert "user:eve" in operator.text("#facets")
        assert "system" not in operator.text("#facets")
        await operator.press("X")
        assert operator.live.shown.only == {Facet(Field.ACTOR, "user:eve")}
        await operator.sees(lambda: len(operator.types) == 3)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_heatmap_tells_severities_by_row(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(size=size) as operator:
        await operator.press("i", "v")
        lines = operator.text("#histogram").splitlines()
        assert [line[:1] for line in lines[:4]] == ["E", "W", "I", "-"]
        assert set(lines[0][2:62]) & set("·░▒▓█")
        await operator.press("escape")
        lines = operator.text("#histogram").splitlines()
        assert len(lines) == 5
        assert lines[0].startswith("E")


async def test_a_free_query_is_counted_in_both(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("slash", *"actor:user:u1 title", "enter")
        count = len(operator.types)
        assert count > 10
        await operator.press("2", "right", "right")
        assert operator.facets.line_count() == 1
        assert f" {count} " in operator.text("#facets")
        assert operator.live.shown.toggled(Facet(Field.ACTOR, "user:u1")).muted


async def test_a_store_that_cannot_tell_is_said_and_asked_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = [1000.0]

    async def away(*_: object) -> list[object]:
        raise StoreUnavailableError("the store is \x1b[31maway")

    async with opened(stored=[make_event(1, inserted_at=NOW - timedelta(hours=3))]) as operator:
        operator.app.tick = lambda: ticks[0]
        with monkeypatch.context() as broken:
            broken.setattr(operator.app.reader, "histogram", away)
            broken.setattr(operator.app.reader, "combinations", away)
            await operator.press("i", "Z", "Z")
            await operator.sees(lambda: "older: the store is ␛[31maway" in operator.text())
            await operator.press("h", "h", "enter")
            await operator.sees(lambda: "Categories ─ store away" in operator.text())
            await operator.sees(lambda: operator.text().count("the store is ␛[31maway") > 1)
        ticks[0] += 5.0
        await operator.sees(lambda: "Categories ─ of the span" in operator.text())
        await operator.sees(lambda: "older" not in operator.text())
