"""A row of the timeline as columns. Columns drop from the right as the width shrinks; nothing wraps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from monitor.model.cells import Cell
from monitor.model.folding import Run
from monitor.model.gaps import Gap, GapState
from monitor.model.summary import summarise
from monitor.text import ROW_MAX, cell_width, clean, clean_row, fit
from monitor.widgets.lines import Part
from monitor.zone import Zone, since_zero
from store.event import Event, Severity

SEVERITY_MARK: dict[Severity | None, Part] = {
    Severity.ERROR: ("✖ E", "error"),
    Severity.WARNING: ("▲ W", "warning"),
    Severity.INFO: ("· I", "dim"),
    None: ("   ", ""),
}
"""Severity as glyph, letter and colour: none of the three is the only cue."""
SUMMARY_MAX = 500
"""Characters of a summary that are looked at; cleaning 64 KiB for forty cells would cost milliseconds a row."""
UNCONFIRMED = "?"
NOT_STORED = "∅"
CONTEXT = "┊"
"""A row that the filter hides, shown around one that it does not."""
BOOKMARK = "◆"
ZERO = "0"
"""The row at which the incident began."""
ELAPSED = 10
RUN_BEGIN = 19
"""Cells that `from 11-20 14:05 · ` takes."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the columns that fit; 0 leaves one out."""

    event_type: int
    resource: int
    actor: int
    summary: int
    elapsed: int = 0

    @classmethod
    def for_width(cls, width: int, *, elapsed: bool = False) -> Columns:
        """What fits into `width` cells beside time (12), severity (3), two marks and the spaces between.

        With `elapsed`, there is a column for the time since the incident began.
        """
        if elapsed:
            return replace(cls.for_width(width - ELAPSED - 1), elapsed=ELAPSED)
        room = width - 12 - 1 - 3 - 1 - 1
        event_type = max(8, min(30, room * 31 // 100))
        rest = room - event_type - 1
        if rest < 12:
            return cls(event_type + max(0, rest), 0, 0, 0)
        resource = max(10, min(28, room * 26 // 100))
        rest -= resource + 1
        if rest < 10:
            return cls(event_type, resource + max(0, rest), 0, 0)
        actor = 14 if room >= 100 else 10 if room >= 60 else 0
        rest -= actor + 1 if actor else 0
        return cls(event_type, resource, actor, rest)

    @property
    def cells(self) -> frozenset[Cell]:
        """The cells that there is room for."""
        optional = {Cell.RESOURCE: self.resource, Cell.ACTOR: self.actor, Cell.SUMMARY: self.summary}
        return frozenset(Cell) - {cell for cell, width in optional.items() if not width}


@dataclass(frozen=True, slots=True)
class Look:
    """How a row is drawn: its marks (one cell each), from when times are counted, the cell that has the cursor,
    the run that it stands for, and whether it is to step back."""

    marks: str = "  "
    zero: datetime | None = None
    cell: Cell | None = None
    run: Run | None = None
    dimmed: bool = False


PLAIN = Look()


def event_parts(event: Event, columns: Columns, zone: Zone, now: datetime, look: Look = PLAIN) -> list[Part]:
    """An event in columns: time, time since T0, severity, marks, type, resource, actor, what it says.

    Of a run, how many there are stands before the type, and the time of the first one before what the last one says.
    """
    severity, name = SEVERITY_MARK[event.severity]
    emphasis = name if event.severity in {Severity.ERROR, Severity.WARNING} else ""

    def cell(which: Cell, text: str, style: str, before: str = "", after: str = "") -> list[Part]:
        # One part where it can be: each change of style costs bytes on the wire.
        if which is not look.cell:
            return [(before + text + after, style)]
        return [(before, style), (text, "cell"), (after, style)]

    parts = cell(Cell.TIME, zone.stamp(event.inserted_at, now), "dim", after=" ")
    if columns.elapsed:
        elapsed = "" if look.zero is None else since_zero(event.inserted_at, look.zero)
        parts.append((fit(elapsed, columns.elapsed) + " ", "strong"))
    parts += cell(Cell.SEVERITY, severity, name)
    parts.append((look.marks, "warning"))
    times = "" if look.run is None else _count(look.run)
    parts += cell(Cell.TYPE, fit(times + clean(event.event_type), columns.event_type), emphasis)
    if columns.resource:
        resource = fit(clean(event.resource or ""), columns.resource)
        parts += cell(Cell.RESOURCE, resource, "accent", before=" ")
    if columns.actor:
        parts += cell(Cell.ACTOR, fit(clean(event.actor), columns.actor), "dim", before=" ")
    if columns.summary:
        summary = clean(summarise(event)[:SUMMARY_MAX])
        if look.run is not None:
            # Without the fraction of the second: on a narrow terminal there is room for no more.
            first = f"from {zone.stamp(look.run.first.inserted_at, now).strip().partition('.')[0]}"
            summary = f"{first} · {summary}" if summary else first
        parts += cell(Cell.SUMMARY, fit(summary, columns.summary), "", before=" ")
    if look.dimmed:
        return [(text, style if style == "cell" else "dim") for text, style in parts]
    return parts


def gap_parts(gap: Gap, width: int, zone: Zone) -> list[Part]:
    """A gap as a ruled line: its span, its cause, what became of it."""
    style = {GapState.LOST: "error", GapState.REPAIRED: "dim"}.get(gap.state, "warning")
    text = f"······ {gap_text(gap, zone)}"
    ruled = f"{text} " + "·" * (width - cell_width(text) - 1)
    return [(fit(ruled if cell_width(text) < width else text, width), style)]


def gap_text(gap: Gap, zone: Zone) -> str:
    """A gap in one line: its span, what became of it, its cause."""
    span = zone.second(gap.since)
    if gap.until is not None and zone.second(gap.until) != span:
        span += f" – {zone.second(gap.until)}"
    # What became of it comes first: of a narrow row, the end is cut off.
    return f"gap {span} · {_outcome(gap)} · {clean(gap.cause)}"


def cut_gap(gap: Gap, width: int, zone: Zone) -> str:
    """The whole text of a gap whose row has no room for it; empty when it has."""
    text = gap_text(gap, zone)
    return text if cell_width(text) + 8 > width else ""


def cut_cells(event: Event, columns: Columns, run: Run | None = None) -> str:
    """The whole text of those cells that the row of an event has no room for; empty when it has room for all."""
    first = "" if run is None else _count(run)
    # The time of a run's first event stands before what the last one says.
    beside = 0 if run is None else RUN_BEGIN
    cells = (
        (first, event.event_type, columns.event_type),
        ("", event.resource or "", columns.resource),
        ("", event.actor, columns.actor),
        ("", summarise(event)[:ROW_MAX], max(0, columns.summary - beside)),
    )
    texts = [(before + clean(text), room) for before, text, room in cells]
    return clean_row(" · ".join(text for text, room in texts if text and cell_width(text) > room))


def _count(run: Run) -> str:
    return f"×{run.count:,} "


def _outcome(gap: Gap) -> str:
    """What became of what may be missing. Where it is known how much that is, the numbers are of that."""
    match gap.state:
        case GapState.OPEN | GapState.REPAIRING:
            missed = f"{gap.missed:,} missed" if gap.missed else "events may be missing here"
            return missed if gap.state is GapState.OPEN else f"reading the store, {gap.recovered:,} recovered"
        case GapState.REPAIRED:
            return f"{_counted(gap.recovered, 'event')} recovered" if gap.recovered else "nothing was missed"
        case GapState.LOST:
            return f"{gap.lost:,} of {gap.missed:,} lost: the store does not have them"
        case GapState.NOT_LOADED:
            return f"{_counted(gap.left_out, 'event')} in the store, not loaded"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
