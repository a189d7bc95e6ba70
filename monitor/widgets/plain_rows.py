"""A page of the timeline as plain text, one line a row: for the mouse of the terminal, and for pasting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.model.context import ContextRow
from monitor.model.folding import Run
from monitor.model.gaps import Gap
from monitor.model.shown_rows import ShownRow
from monitor.model.summary import summarise
from monitor.text import ROW_MAX, cell_width, clean, clean_row, fit
from monitor.widgets.row_format import CONTEXT, gap_text
from monitor.zone import Zone, since_zero
from store.event import Event

WIDEST = 60
"""Cells up to which a column is as wide as its widest text."""
_NONE = "-"


def plain_rows(rows: Sequence[tuple[ShownRow, str]], zone: Zone, zero: datetime | None = None) -> list[str]:
    """Each of `rows`, given with its marks, in columns as wide as they need: nothing is cut, save what is endless.

    Times are full ones in `zone`, or in UTC where that shows ages, which would mean nothing later; `zero` is the moment
    from which they are counted besides.
    """
    zone = zone.absolute
    table = [_cells(row, marks, zone, zero) for row, marks in rows]
    widths = [
        max(map(len, column)) for column in zip(*(cells for cells in table if len(cells) > 1), strict=True)
    ]
    return [_line(cells, widths) for cells in table]


def _cells(row: ShownRow, marks: str, zone: Zone, zero: datetime | None) -> list[str]:
    match row:
        case Gap():
            return [f"--- {gap_text(row, zone)} ---"]
        case Run():
            first = f"from {zone.full(row.first.inserted_at)}"
            return _event_cells(row.last, f"×{row.count:,} ", first, marks, zone, zero)
        case ContextRow():
            return _event_cells(row.event, "", "", CONTEXT, zone, zero)
        case Event():
            return _event_cells(row, "", "", marks, zone, zero)


def _event_cells(
    event: Event, count: str, first: str, marks: str, zone: Zone, zero: datetime | None
) -> list[str]:
    said = [text for text in (first, summarise(event)[:ROW_MAX]) if text]
    return [
        zone.full(event.inserted_at),
        *([] if zero is None else [since_zero(event.inserted_at, zero)]),
        event.severity or _NONE,
        marks.strip() or " ",
        count + clean(event.event_type),
        clean(event.resource or _NONE),
        clean(event.actor),
        clean(" · ".join(said)),
    ]


def _line(cells: list[str], widths: list[int]) -> str:
    """Columns padded to their widths, the last one as it is; what is wider than a column may be goes on past it."""
    padded = [
        text if cell_width(text) > WIDEST else fit(text, min(width, WIDEST))
        for text, width in zip(cells[:-1], widths, strict=False)
    ]
    return clean_row(" ".join([*padded, cells[-1]]).rstrip())
