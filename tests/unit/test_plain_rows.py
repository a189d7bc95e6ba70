"""A page of the timeline as plain text."""

from __future__ import annotations

from monitor.model.context import ContextRow
from monitor.model.folding import Run
from monitor.model.gaps import Gap, GapState
from monitor.text import ROW_MAX, cell_width
from monitor.widgets.plain_rows import plain_rows
from monitor.zone import Zone
from tests.events import at, make_event

FAILED = make_event(
    10,
    event_type="download.failed",
    severity="error",
    resource_type="download",
    resource_id="9f3a",
    actor_type="user",
    actor_id="42",
    metadata={"error": "tracker timed out " * 20},
)
DONE = make_event(11)


def test_rows_are_lines_in_columns_that_are_not_cut() -> None:
    assert plain_rows([(FAILED, " ◆"), (DONE, "  ")], Zone.UTC) == [
        "2026-11-21 12:00:10.000000 UTC error ◆ download.failed download/9f3a user:42 "
        + ("tracker timed out " * 20).strip(),
        "2026-11-21 12:00:11.000000 UTC info    job.executed    -             system",
    ]


def test_times_are_told_from_the_beginning_too_and_ages_as_moments() -> None:
    [line] = plain_rows([(DONE, "  ")], Zone.RELATIVE, at(10))
    assert line.startswith("2026-11-21 12:00:11.000000 UTC T+00:01 info")


def test_runs_context_and_gaps_are_lines_as_well() -> None:
    gap = Gap(1, "connection lost", at(0), at(5), GapState.REPAIRED, recovered=3)
    rows = [(Run(make_event(1), DONE, 1200), "  "), (ContextRow(FAILED), "┊ "), (gap, "  ")]
    run, context, missed = plain_rows(rows, Zone.UTC)
    assert "×1,200 job.executed" in run
    assert run.endswith("from 2026-11-21 12:00:01.000000 UTC")
    assert " ┊ download.failed" in context
    assert missed == "--- gap 12:00:00 – 12:00:05 · 3 events recovered · connection lost ---"
    assert plain_rows(rows[2:], Zone.UTC) == [missed]
    assert plain_rows([], Zone.UTC) == []


def test_text_is_clean_and_bounded_and_long_values_spoil_no_columns() -> None:
    hostile = make_event(
        1, resource_type="file", resource_id="\x1b[2J\n" + "y" * 200, metadata={"error": "z" * 60_000}
    )
    wild, tame = plain_rows([(hostile, "  "), (DONE, "  ")], Zone.UTC)
    assert "\x1b" not in wild
    assert "\n" not in wild
    assert "file/␛[2J↵yyy" in wild
    assert cell_width(wild) == ROW_MAX
    assert tame.endswith("-" + " " * 59 + " system")
