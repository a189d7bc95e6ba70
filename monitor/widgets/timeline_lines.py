"""How a timeline is drawn: just the lines in sight, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual.content import Content
from textual.events import Resize
from textual.strip import Strip

from monitor.model.cells import Cell
from monitor.model.context import ContextRow
from monitor.model.folding import Run
from monitor.model.gaps import Gap
from monitor.model.marks import Marks
from monitor.model.shown_rows import ShownRow, ShownRows
from monitor.model.timeline import Timeline
from monitor.model.viewport import Viewport, lines_in_sight
from monitor.text import clean
from monitor.widgets.event_detail import wrap
from monitor.widgets.lines import Lines
from monitor.widgets.plain_rows import plain_rows
from monitor.widgets.row_format import (
    BOOKMARK,
    CONTEXT,
    NOT_STORED,
    PLAIN,
    UNCONFIRMED,
    ZERO,
    Columns,
    Look,
    cut_cells,
    cut_gap,
    event_parts,
    gap_parts,
)
from monitor.widgets.timeline_titles import searched_back, timeline_state, timeline_title
from monitor.zone import Zone
from store.event import Event


class TimelineLines(Lines):
    """Draws what a viewport shows of a timeline, with a scroll bar and titles."""

    def __init__(
        self,
        timeline: Timeline,
        marks: Marks,
        now: Callable[[], datetime],
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.timeline = timeline
        self.marks = marks
        self.cell = Cell.TYPE
        """The cell of the row under the cursor that keys for one value act on."""
        self.points = False
        """Whether that cell is set off."""
        self.wrapped = False
        """Whether the row under the cursor is shown whole, on as many lines as it takes."""
        self.viewport = Viewport(timeline, ShownRows(timeline, marks))
        self.zone = Zone.UTC
        self.caption = "Timeline"
        """Raw text before the filter in the title."""
        self.empty_text = "no events yet"
        self._now = now
        self._columns = Columns.for_width(80)
        self._wrapped: tuple[object, list[str]] = (None, [])
        """The last text that was wrapped: wrapping is too slow to be done for each of its lines."""

    @property
    def selected_event(self) -> Event | None:
        """The event under the cursor, of a run the last one; None on a gap or when there are no rows."""
        row = self.viewport.row
        return None if row is None or isinstance(row, Gap) else event_of(row)

    def advance(self) -> None:
        """Draw what changed in the timeline, if any of it is in sight."""
        now = self._now()
        zero = self.marks.zero
        if (zero is not None) != (self._columns.elapsed > 0):
            self._columns = Columns.for_width(self.size.width - 1, elapsed=zero is not None)
        self.read_on()
        shown, cursor, whole = self.viewport.shown, self.viewport.cursor, self._whole()
        lines: list[object] = []
        for y, (line, part) in enumerate(self._in_sight(len(whole))):
            row = shown[line] if line < len(shown) else None
            look = self._look(row, line)
            text = whole[part - 1] if part else self._if_empty()
            lines.append((row, look, self._times(row, now), line == cursor, self._scrollbar(y), part, text))
        self.draw_changes(lines)
        self._show_titles()

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        width = self.size.width - 1
        whole = self._whole()
        line, part = self._in_sight(len(whole))[y] if whole else (self.viewport.top + y, 0)
        shown = self.viewport.shown
        if line >= len(shown):
            message = self._if_empty() if y == 0 and not shown else ""
            return self.strip([(message, "dim")], width + 1)
        row = shown[line]
        if part:
            parts = [(" " * _indent(width) + whole[part - 1], "dim" if isinstance(row, ContextRow) else "")]
        elif isinstance(row, Gap):
            parts = gap_parts(row, width, self.zone)
        else:
            look = self._look(row, line)
            parts = event_parts(event_of(row), self._columns, self.zone, self._now(), look)
        drawn = self.strip(parts, width, selected=line == self.viewport.cursor)
        return Strip([*drawn, *self.strip([self._scrollbar(y)], 1)])

    @property
    def searched(self) -> str:
        """How far back the search for rows that fill the page has come; nothing when it is over."""
        # Where the rows above fill a page, no one waits for more.
        if self.viewport.top >= self.size.height:
            return ""
        return searched_back(self.timeline, self.zone, self._now())

    def _if_empty(self) -> str:
        searched = self.searched
        return f"nothing yet, {searched}" if searched else self.empty_text

    def plain_page(self) -> list[str]:
        """What is in sight as plain text, one line a row, under a line that says of what."""
        shown = self.viewport.shown
        lines = [line for line, part in self._in_sight(len(self._whole())) if not part and line < len(shown)]
        rows = [(row := shown[line], self._look(row, line).marks) for line in lines]
        zero = None if self.marks.zero is None else self.marks.zero.inserted_at
        title = timeline_title(self.timeline, self.caption, self.zone)
        state = timeline_state(self.timeline, self.viewport, self.searched)
        return [f"{title} · {state}", *plain_rows(rows, self.zone, zero)]

    def on_resize(self, event: Resize) -> None:
        """Fit columns and viewport to the new size."""
        self.viewport.resize(self.size.height)
        self._columns = Columns.for_width(self.size.width - 1, elapsed=self.marks.zero is not None)
        self._drawn = []
        self.advance()

    def on_focus(self) -> None:
        """Show the cursor as active."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor as inactive."""
        self.refresh()

    def read_on(self, *, moved: bool = False) -> None:
        """Ask for what comes before or after the rows, before someone who moves on would meet the end."""

    def line_at(self, y: int) -> int:
        """Which line of the viewport stands on a line of the screen."""
        return self._in_sight(len(self._whole()))[y][0] - self.viewport.top

    def _in_sight(self, more: int) -> list[tuple[int, int]]:
        return lines_in_sight(self.viewport.top, self.viewport.cursor, self.size.height, more)

    def _whole(self) -> list[str]:
        """What the row under the cursor has no room for, in lines, where it is shown whole."""
        row = self.viewport.row if self.wrapped else None
        if row is None:
            return []
        run = row if isinstance(row, Run) else None
        told = (row.sort_key, row if isinstance(row, Gap) else run, self._columns, self.size, self.zone)
        if told != self._wrapped[0]:
            width = self.size.width - 1
            is_gap = isinstance(row, Gap)
            text = cut_gap(row, width, self.zone) if is_gap else cut_cells(event_of(row), self._columns, run)
            lines, room = wrap(text, max(1, width - _indent(width))), self.size.height - 1
            self._wrapped = (told, lines if len(lines) <= room else [*lines[: room - 1], "… enter shows all"])
        return self._wrapped[1]

    def _times(self, row: ShownRow | None, now: datetime) -> tuple[object, ...]:
        """The times that a line tells."""
        match row:
            case Event() | ContextRow():
                return (self.zone.stamp(event_of(row).inserted_at, now),)
            case Run():
                return tuple(self.zone.stamp(event.inserted_at, now) for event in (row.first, row.last))
            case _:
                return (self.zone,)

    def _look(self, row: ShownRow | None, line: int) -> Look:
        if row is None or isinstance(row, Gap):
            return PLAIN
        event = event_of(row)
        zero = self.marks.zero
        is_context = isinstance(row, ContextRow)
        mark = CONTEXT if is_context else self._doubt(row, line)
        if zero is not None and zero.id == event.id:
            mark += ZERO
        else:
            mark += BOOKMARK if self.marks.has(event) else " "
        cell = self.cell if self.points and line == self.viewport.cursor else None
        return Look(
            mark,
            None if zero is None else zero.inserted_at,
            cell,
            run=row if isinstance(row, Run) else None,
            dimmed=is_context,
        )

    def _doubt(self, row: Event | Run, line: int) -> str:
        """Whether the store has the event; of a run, the worst that holds for one of its events."""
        unconfirmed, not_stored = self.timeline.unconfirmed, self.timeline.not_stored
        if not (unconfirmed or not_stored):
            return " "
        rows = self.viewport.shown.members(line) if isinstance(row, Run) else [row]
        ids = {event.id for event in rows if isinstance(event, Event)}
        if not ids.isdisjoint(not_stored):
            return NOT_STORED
        return " " if ids.isdisjoint(unconfirmed) else UNCONFIRMED

    def _scrollbar(self, y: int) -> tuple[str, str]:
        rows, height = len(self.viewport.shown), self.size.height
        if rows <= height:
            return (" ", "")
        size = max(1, height * height // rows)
        start = round(self.viewport.top / (rows - height) * (height - size))
        return ("█", "dim") if start <= y < start + size else ("│", "dim")

    def _show_titles(self) -> None:
        title = timeline_title(self.timeline, self.caption, self.zone)
        state = timeline_state(self.timeline, self.viewport, self.searched)
        # Setting a title lays the border out again, which a title that stays the same need not cost.
        if title != getattr(self, "_title_shown", None):
            self._title_shown = title
            self.border_title = Content(clean(title))
        if state != getattr(self, "_state_shown", None):
            self._state_shown = state
            self.border_subtitle = Content(clean(state))


def _indent(width: int) -> int:
    """Cells before what is shown below a row: its texts begin there, unless that leaves little room."""
    return min(18, width // 5)


def event_of(row: Event | Run | ContextRow) -> Event:
    """What keys for one event act on: of a run, its last one."""
    match row:
        case Run():
            return row.last
        case ContextRow():
            return row.event
        case Event():
            return row
