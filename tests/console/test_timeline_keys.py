"""Keys that go to places of the timeline, loaded or not, that mark rows, and that take text along."""

from __future__ import annotations

import base64
import json
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.cli.console import start_place
from monitor.model.cells import Cell
from monitor.model.start import Start
from store.errors import StoreUnavailableError
from store.event import Event
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event

COUNT = 1500
STEP = 10
"""Seconds from one event to the next: the whole lasts 4 h 10 min."""


def long_past() -> list[Event]:
    """Events up to now, oldest first, of which the console loads a third. Few are errors, or about `job/odd`."""
    return [
        make_event(
            number + 1,
            event_type="job.odd" if number in {20, 700, 1490} else "job.executed",
            resource_type="job",
            resource_id="odd" if number in {20, 700, 1490} else f"{number % 5}",
            severity="error" if number in {100, 1450} else "info",
            metadata={"title": f"Title {number}"},
            inserted_at=at(3600) - timedelta(seconds=STEP * (COUNT - number)),
        )
        for number in range(COUNT)
    ]


def number_of(operator: Operator) -> int:
    """Which event of `long_past` has the cursor; -1 for none."""
    event = operator.timeline.selected_event
    return -1 if event is None else event.id.int - make_event(1).id.int


async def goes_to(operator: Operator, number: int) -> None:
    await operator.sees(lambda: number_of(operator) == number)


def window_is_whole(operator: Operator) -> bool:
    """Whether the rows follow each other without a hole."""
    numbers = [row.id.int for row in operator.app.model.timeline.rows if isinstance(row, Event)]
    return numbers == list(range(numbers[0], numbers[-1] + 1))


async def test_a_time_of_day_is_gone_to_wherever_it_is_and_read_on_from_in_both_directions(
    opened: Opened,
) -> None:
    past = long_past()
    async with opened(stored=past) as operator:
        rows = operator.app.model.timeline
        await operator.press("at", *"-3h", "enter")
        # 3 h before now are 1,080 steps.
        await goes_to(operator, COUNT - 1080)
        assert not operator.timeline.viewport.following
        assert rows.has_older
        assert rows.has_newer
        assert "of the past, more below" in operator.text()
        assert window_is_whole(operator)
        before = len(rows.rows)
        presses = 0
        while rows.has_newer:
            await operator.press("pagedown")
            await operator.sees(lambda: not operator.live.is_reading)
            presses += 1
            assert presses < COUNT
        assert len(rows.rows) > before
        assert window_is_whole(operator)
        assert rows.attached
        assert "of the past" not in operator.text()
        await operator.store.create(make_event(9000, inserted_at=at(3600)))
        await operator.sees(lambda: rows.pending == 1)
        await operator.press("G")
        event = operator.timeline.selected_event
        assert event is not None
        assert event.id == make_event(9000).id


async def test_a_time_that_is_none_is_said_and_the_prompt_stays(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        cursor = operator.cursor
        await operator.press("at", *"noon", "enter")
        await operator.sees(lambda: "no moment; write it like 14:05" in operator.text())
        await operator.press("escape")
        assert operator.cursor == cursor
        assert operator.timeline.viewport.following


async def test_minutes_back_and_on(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        for keys, expected in (
            (["left_parenthesis"], COUNT - 1 - 6),
            (["left_square_bracket"], COUNT - 1 - 66),
            (["right_parenthesis"], COUNT - 1 - 60),
            (["right_square_bracket"], COUNT - 1),
        ):
            await operator.press(*keys)
            await goes_to(operator, expected)
        # 500 rows are loaded: further back are only those that are read for it.
        for turn in range(1, 10):
            await operator.press("left_square_bracket")
            await goes_to(operator, COUNT - 1 - 60 * turn)
        assert window_is_whole(operator)


async def test_errors_and_the_same_resource_are_found_beyond_the_loaded_rows(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        await operator.press("E")
        await goes_to(operator, 1450)
        await operator.press("E")
        await goes_to(operator, 100)
        assert window_is_whole(operator)
        await operator.press("E")
        await operator.sees(lambda: "no error further up" in operator.text())
        await operator.press("e")
        await goes_to(operator, 1450)
        await operator.press("G", "k", "k", "k", "k", "k", "k", "k", "k", "k")
        await goes_to(operator, 1490)
        for key, expected in (("O", 700), ("O", 20), ("o", 700), ("o", 1490)):
            await operator.press(key)
            await goes_to(operator, expected)
        await operator.press("o")
        await operator.sees(lambda: "no event of job/odd further down" in operator.text())


async def test_finding_hides_nothing(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        shown = len(operator.app.model.timeline.rows)
        await operator.press("n")
        await operator.sees(lambda: "nothing is looked for" in operator.text())
        await operator.press("ampersand", *"type:job.odd", "enter")
        await goes_to(operator, 1490)
        assert len(operator.app.model.timeline.rows) == shown
        await operator.press("N")
        await goes_to(operator, 700)
        await operator.press("n")
        await goes_to(operator, 1490)
        await operator.press("ampersand", "enter")
        await operator.sees(lambda: "no event with type:job.odd further down" in operator.text())


async def test_a_broken_find_is_said(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        await operator.press("ampersand", *"typ:x", "enter")
        await operator.sees(lambda: "did you mean 'type'" in operator.text())


async def test_bookmarks_are_met_again_from_anywhere(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        await operator.press("m")
        assert "◆" in operator.text("#timeline")
        await operator.press("at", *"-4h", "enter")
        await goes_to(operator, COUNT - 1440)
        await operator.press("m", "u")
        await goes_to(operator, COUNT - 1)
        await operator.press("u")
        await operator.sees(lambda: "no bookmark further down" in operator.text())
        await operator.press("U")
        await goes_to(operator, COUNT - 1440)
        await operator.press("m")
        assert "◆" not in operator.text("#timeline")


async def test_times_are_counted_from_where_the_incident_began(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        await operator.press("left_square_bracket", "0")
        await goes_to(operator, COUNT - 61)
        text = operator.text("#timeline")
        assert "T+00:00" in text
        assert "T+00:10" in text
        assert "T-00:10" in text
        await operator.press("G")
        assert "T+10:00" in operator.text("#timeline")
        await operator.press("left_square_bracket", "0")
        assert "T+" not in operator.text("#timeline")


async def test_the_value_of_any_cell_is_hidden_or_shown_alone(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        await operator.press("k", "right", "right")
        assert operator.timeline.cell is Cell.RESOURCE
        event = operator.timeline.selected_event
        assert event is not None
        await operator.press("X")
        await operator.sees(
            lambda: (
                {row.resource for row in operator.app.model.timeline.rows if isinstance(row, Event)}
                == {event.resource}
            )
        )
        assert operator.timeline.selected_event == event
        await operator.press("X", "x")
        await operator.sees(
            lambda: (
                event.resource
                not in {row.resource for row in operator.app.model.timeline.rows if isinstance(row, Event)}
            )
        )
        await operator.press("left", "left", "left", "left", "x")
        assert operator.timeline.cell is Cell.TIME
        await operator.sees(lambda: "time is nothing to filter by" in operator.text())


async def test_the_cell_that_is_pointed_at_stands_out_under_the_cursor(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        await operator.press("right")
        view = operator.timeline
        line = view.render_line(view.viewport.cursor - view.viewport.top)
        [style] = [segment.style for segment in line if segment.text.startswith("job.executed")]
        theme = operator.app.current_theme
        assert style is not None
        assert style.color is not None
        assert style.bgcolor is not None
        assert theme.background is not None
        # The contrast of these two is computed for every theme.
        assert style.color.get_truecolor().hex == theme.background
        assert style.bgcolor.get_truecolor().hex == theme.primary


async def test_the_row_stays_under_the_eyes_when_filters_go_and_come(opened: Opened) -> None:
    async with opened(stored=long_past()) as operator:
        await operator.press("O", "f")
        await operator.sees(lambda: "there is no filter" in operator.text())
        await operator.press("slash", *"type:job.odd", "enter")
        await operator.sees(lambda: operator.types == ["job.odd"] * 3)
        await operator.press("g")
        await goes_to(operator, 20)
        await operator.press("f")
        await goes_to(operator, 20)
        assert window_is_whole(operator)
        assert len(operator.app.model.timeline.rows) > 100
        await operator.press("f")
        await operator.sees(lambda: operator.types == ["job.odd"] * 3)
        await goes_to(operator, 20)


def copied(operator: Operator, written: list[str]) -> str:
    [sequence] = written
    head, _, rest = sequence.partition(";c;")
    assert head == "\x1b]52"
    return base64.b64decode(rest.removesuffix("\x07")).decode()


def listen(operator: Operator, written: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put what goes to the terminal into `written` instead."""
    driver = operator.app._driver
    assert driver is not None
    monkeypatch.setattr(driver, "write", written.append)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The data folder of this test, on no multiplexer."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("TMUX", raising=False)
    return tmp_path / "data"


@pytest.mark.usefixtures("data")
async def test_a_cell_or_a_row_is_copied_through_the_terminal(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    async with opened(stored=long_past()) as operator:
        listen(operator, written, monkeypatch)
        await operator.press("c")
        assert copied(operator, written) == "job.executed"
        written.clear()
        await operator.press("y")
        event = operator.timeline.selected_event
        assert event is not None
        assert json.loads(copied(operator, written))["id"] == str(event.id)
        await operator.sees(lambda: "copied the row" in operator.text())


async def test_what_is_too_long_for_a_terminal_goes_to_a_file(opened: Opened, data: Path) -> None:
    long = make_event(1, metadata={"text": "x" * 60_000})
    async with opened(stored=[long]) as operator:
        await operator.press("y")
        await operator.sees(lambda: list(data.glob("evtop/copied/*.txt")))
        [file] = data.glob("evtop/copied/*.txt")
        assert json.loads(file.read_text())["metadata"] == long.metadata
        assert file.stat().st_mode & 0o077 == 0
        await operator.sees(lambda: "is too long for a terminal" in operator.text())


async def test_the_incident_note_tells_the_bookmarks_in_a_file_and_on_the_clipboard(
    opened: Opened, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    async with opened(stored=long_past()) as operator:
        await operator.press("m", "O", "m", "0")
        listen(operator, written, monkeypatch)
        await operator.press("ctrl+s")
        await operator.sees(lambda: list(data.glob("evtop/notes/*.md")) and written)
        [file] = data.glob("evtop/notes/*.md")
        text = file.read_text()
        assert copied(operator, written) == text
        assert "Incident note: test" in text
        lines = [line for line in text.splitlines() if line.startswith("| 2026")]
        assert ["T+00:00" in line for line in lines] == [True, False]
        assert all("job.executed" in line for line in lines)
        # From event 1494 to event 1499.
        assert "In the store, 6 events match: 6 info." in text
        assert "Most frequent: job.executed 6." in text
        await operator.sees(lambda: "the note is in" in operator.text())


def note_of(data: Path) -> str:
    return next(file.read_text() for file in data.glob("evtop/notes/*.md"))


async def test_without_bookmarks_the_note_counts_what_the_filter_shows_and_says_what_it_cannot_know(
    opened: Opened, data: Path
) -> None:
    async with opened(stored=long_past()) as operator:
        bare = make_event(9000, event_type="job.odd", severity="error", inserted_at=at(3600))
        await operator.bus.announce([bare])
        await operator.press("slash", *"type:job.odd", "enter")
        await operator.sees(lambda: operator.types == ["job.odd"] * 4)
        await operator.press("ctrl+s")
        await operator.sees(lambda: list(data.glob("evtop/notes/*.md")))
        text = note_of(data)
        assert r"Filter: type:job.odd" in text
        assert "In the store, 3 events match: 3 info." in text
        assert "Not counted: 1 on the timeline that the store" in text
        assert "(what is loaded on the timeline)" in text


async def test_on_a_resource_page_the_note_counts_that_resource(opened: Opened, data: Path) -> None:
    async with opened(stored=long_past()) as operator:
        await operator.press("O", "E", "r")
        await operator.sees(lambda: len(operator.app.screen_stack) == 2 and "Its timeline" in operator.text())
        await operator.sees(lambda: "reading the store" not in operator.text())
        await operator.press("ctrl+s")
        await operator.sees(lambda: list(data.glob("evtop/notes/*.md")))
        text = note_of(data)
        assert "Only of the resource job/" in text
        assert "In the store, 200 events match" in text


async def test_a_store_that_cannot_tell_costs_the_counts_and_not_the_note(
    opened: Opened, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(stored=long_past()) as operator:

        async def away(*_: object) -> None:
            raise StoreUnavailableError("the store is away")

        monkeypatch.setattr(operator.app.reader, "combinations", away)
        await operator.press("m", "ctrl+s")
        await operator.sees(lambda: list(data.glob("evtop/notes/*.md")))
        assert "Not counted: the store is away." in note_of(data)
        assert "job.executed" in note_of(data)


@pytest.mark.usefixtures("data")
async def test_the_command_line_of_what_is_shown_shows_it_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    async with opened(stored=long_past()) as operator:
        listen(operator, written, monkeypatch)
        await operator.press("Y")
        assert copied(operator, written) == "evtop"
        written.clear()
        await operator.press("slash", *"type:job.odd OR severity:error", "enter", "g")
        await goes_to(operator, 20)
        await operator.press("Y")
        words = shlex.split(copied(operator, written))
    start = start_place(words[words.index("--query") + 1], words[words.index("--at") + 1])
    async with opened(stored=[], start=Start(start)) as operator:
        await goes_to(operator, 20)
        assert not operator.timeline.viewport.following
        assert operator.types == ["job.odd", "job.executed", "job.odd", "job.executed", "job.odd"]
