"""The cells of a row: what each one says in full, and what it can be filtered by."""

from __future__ import annotations

from enum import StrEnum

from monitor.model.filter import Facet
from monitor.model.summary import summarise
from monitor.zone import Zone
from store.event import Event
from store.query.syntax import Field


class Cell(StrEnum):
    """A column of the timeline, from left to right."""

    TIME = "time"
    SEVERITY = "severity"
    TYPE = "type"
    RESOURCE = "resource"
    ACTOR = "actor"
    SUMMARY = "summary"

    def beside(self, step: int, shown: frozenset[Cell]) -> Cell:
        """The next (+1) or previous (-1) one among those that are `shown`; itself at either end."""
        cells = [cell for cell in Cell if cell in shown or cell is self]
        return cells[max(0, min(cells.index(self) + step, len(cells) - 1))]


_FIELDS = {
    Cell.SEVERITY: Field.SEVERITY,
    Cell.TYPE: Field.TYPE,
    Cell.RESOURCE: Field.RESOURCE,
    Cell.ACTOR: Field.ACTOR,
}


def cell_text(event: Event, cell: Cell, zone: Zone) -> str:
    """What the cell says, raw and whole; empty when there is nothing. Times are written in `zone`, with its name."""
    match cell:
        case Cell.TIME:
            return zone.full(event.inserted_at)
        case Cell.SEVERITY:
            return event.severity or ""
        case Cell.TYPE:
            return event.event_type
        case Cell.RESOURCE:
            return event.resource or ""
        case Cell.ACTOR:
            return event.actor
        case Cell.SUMMARY:
            return summarise(event)


def cell_facet(event: Event, cell: Cell) -> Facet | None:
    """The value that the cell can be filtered by; None for a time, a summary, or a value that is missing."""
    field = _FIELDS.get(cell)
    return None if field is None else Facet.of(event, field)
