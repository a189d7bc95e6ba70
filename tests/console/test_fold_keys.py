"""The keys that fold runs of alike rows, and what the other keys do with a fold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.model.folding import Run
from store.event import Event
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event


def polling() -> list[Event]:
    """A job that runs each second for a minute, with an error after the first 20 s."""
    return [
        make_event(
            number + 1,
            event_type="job.executed",
            resource_type="job",
            resource_id="sync",
            severity="error" if number == 20 else "info",
            metadata={"title": f"Title {number}"},
            inserted_at=at(3540) + timedelta(seconds=number),
        )
        for number in range(60)
    ]


def number_of(operator: Operator) -> int:
    """Which event of `polling` keys act on; -1 for none."""
    event = operator.timeline.selected_event
    return -1 if event is None else event.id.int - 1


async def test_all_runs_are_folded_and_unfolded_and_an_error_stays_in_sight(opened: Opened) -> None:
    async with opened(stored=polling()) as operator:
        await operator.press("Z")
        lines = [line for line in operator.text("#timeline").splitlines() if "job.executed" in line]
        assert [("×" in line, "✖ E" in line) for line in lines] == [
            (True, False),
            (False, True),
            (True, False),
        ]
        assert ["×20 job.executed" in lines[0], "×39 job.executed" in lines[2]] == [True, True]
        # The first and the last of them.
        assert "from 12:59:21" in lines[2]
        assert lines[2].startswith("12:59:59.000")
        assert "folded · following" in operator.text()
        await operator.press("Z")
        assert "×" not in operator.text("#timeline")


async def test_a_run_grows_live_under_the_cursor(opened: Opened) -> None:
    async with opened(stored=polling()) as operator:
        await operator.press("Z", "k", "j")
        assert not operator.timeline.viewport.following
        fields = polling()[0].model_dump(exclude={"id", "inserted_at"})
        await operator.store.create(make_event(100, inserted_at=at(3600), **fields))
        await operator.sees(lambda: "×40 job.executed" in operator.text("#timeline"))
        assert operator.cursor == 2


async def test_one_run_is_folded_under_the_cursor_and_its_row_is_bookmarked_by_itself(opened: Opened) -> None:
    async with opened(stored=polling()) as operator:
        await operator.press("k", "z")
        assert len(operator.timeline.viewport.shown) == 22
        assert isinstance(operator.timeline.viewport.row, Run)
        await operator.press("m")
        assert number_of(operator) == 59
        assert len(operator.timeline.viewport.shown) == 23
        await operator.press("m", "z")
        assert len(operator.timeline.viewport.shown) == 60
        await operator.press("E", "z")
        await operator.sees(lambda: "no alike row" in operator.text())


async def test_what_is_found_in_a_fold_unfolds_it(opened: Opened) -> None:
    async with opened(stored=polling()) as operator:
        await operator.press("Z", "ampersand", *'"Title 7"', "enter")
        assert number_of(operator) == 7
        assert len(operator.timeline.viewport.shown) == 22
        await operator.press("e")
        assert number_of(operator) == 20


async def test_a_fold_is_filtered_by_and_opened_by_its_last_event(opened: Opened) -> None:
    async with opened(stored=polling()) as operator:
        await operator.press("Z", "k", "j", "left", "left", "x")
        await operator.sees(lambda: len(operator.app.model.timeline.rows) == 1)
        await operator.press("f", "G", "enter")
        await operator.sees(lambda: "Title 59" in operator.text())


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_count_and_times_of_a_run_are_told_at_every_width(
    opened: Opened, size: tuple[int, int]
) -> None:
    async with opened(size, stored=polling()) as operator:
        await operator.press("Z")
        text = operator.text("#timeline")
        assert "×39" in text
        assert "from 12:59:21" in text


async def test_what_is_folded_to_a_line_does_not_have_the_whole_store_read(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.widgets.timeline_view.READ_WHILE_FOLDED", 600)
    alike = [
        make_event(number + 1, inserted_at=at(3600) - timedelta(seconds=1500 - number))
        for number in range(1500)
    ]
    async with opened(stored=alike) as operator:
        rows = operator.app.model.timeline
        await operator.press("Z")
        for _ in range(5):
            operator.live.advance()
            await operator.sees(lambda: not operator.live.is_reading)
        assert len(operator.timeline.viewport.shown) == 1
        assert len(rows.rows) == 700
        assert "×700 job.executed" in operator.text("#timeline")
        await operator.press("g")
        await operator.sees(lambda: len(rows.rows) == 900)
