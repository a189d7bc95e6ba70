"""What a row of the timeline has room for, and what of it is told below it."""

from __future__ import annotations

from monitor.model.folding import Run
from monitor.model.gaps import Gap, GapState
from monitor.text import ROW_MAX, cell_width
from monitor.widgets.row_format import Columns, Look, cut_cells, cut_gap, event_parts, gap_parts
from monitor.zone import Zone
from tests.events import at, make_event

COLUMNS = Columns.for_width(100)
SHORT = make_event(1, resource_type="job", resource_id="1", metadata={"error": "no"})


def drawn(columns: Columns, **fields: object) -> str:
    look = Look(run=fields.pop("run", None))  # type: ignore[arg-type]
    return "".join(text for text, _ in event_parts(make_event(1, **fields), columns, Zone.UTC, at(60), look))


def test_a_row_with_room_for_all_has_nothing_below_it() -> None:
    assert cut_cells(SHORT, COLUMNS) == ""


def test_just_what_was_cut_is_told_whole() -> None:
    said = "the tracker timed out " * 8
    fields = {"resource_type": "download", "resource_id": "9" * 60, "metadata": {"error": said}}
    assert "…" in drawn(COLUMNS, **fields)
    assert cut_cells(make_event(1, **fields), COLUMNS) == f"download/{'9' * 60} · {said}"


def test_columns_that_were_dropped_are_told() -> None:
    narrow = Columns.for_width(30)
    assert (narrow.resource, narrow.summary) == (0, 0)
    assert cut_cells(SHORT, narrow) == "job.executed · job/1 · system · no"


def test_text_is_clean_and_bounded() -> None:
    told = cut_cells(make_event(1, metadata={"error": "\x1b[2J" + "x" * 60_000}), COLUMNS)
    assert told.startswith("␛[2J")
    assert cell_width(told) == ROW_MAX


def test_a_run_has_less_room() -> None:
    said = "x" * (COLUMNS.summary - 2)
    event = make_event(1, metadata={"error": said})
    assert cut_cells(event, COLUMNS) == ""
    assert cut_cells(event, COLUMNS, Run(make_event(0), event, 1200)) == said
    row = drawn(COLUMNS, metadata={"error": said}, run=Run(make_event(0), event, 1200))
    assert "×1,200 job.executed" in row
    assert "from 12:00:00 · xxx" in row


def test_what_steps_back_has_one_colour_and_the_cell_that_is_pointed_at_its_own() -> None:
    error = make_event(1, severity="error", resource_type="job", resource_id="1")
    parts = event_parts(error, COLUMNS, Zone.UTC, at(60), Look(dimmed=True))
    assert {style for _, style in parts} == {"dim"}
    assert any("✖ E" in text for text, _ in parts)


def test_the_text_of_a_gap_is_told_where_its_row_is_too_short() -> None:
    gap = Gap(1, "connection lost: " + "refused " * 9, at(0), at(30), GapState.REPAIRED, recovered=12)
    assert cut_gap(gap, 200, Zone.UTC) == ""
    told = cut_gap(gap, 60, Zone.UTC)
    assert told.startswith("gap 12:00:00 – 12:00:30 · 12 events recovered · connection lost: refused")
    [(row, _)] = gap_parts(gap, 60, Zone.UTC)
    assert cell_width(row) == 60
    assert row.startswith("······ gap 12:00:00")
    assert row.endswith("…")
    [(row, _)] = gap_parts(gap, 200, Zone.UTC)
    assert cell_width(row) == 200
    assert row.endswith(" " + "·" * (200 - cell_width(cut_gap(gap, 100, Zone.UTC)) - 8))
