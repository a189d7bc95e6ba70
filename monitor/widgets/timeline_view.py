"""The timeline: a viewport that draws just the rows in sight, whatever the timeline holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from textual.binding import Binding
from textual.content import Content
from textual.events import Click, Resize
from textual.message import Message
from textual.strip import Strip

from monitor.model.cells import Cell, cell_facet
from monitor.model.filter import Facet
from monitor.model.gaps import Gap
from monitor.model.marks import Marks
from monitor.model.rows import Row, SortKey
from monitor.model.timeline import Timeline
from monitor.model.viewport import Viewport
from monitor.text import clean
from monitor.widgets.lines import Lines
from monitor.widgets.row_format import (
    BOOKMARK,
    NOT_STORED,
    PLAIN,
    UNCONFIRMED,
    ZERO,
    Columns,
    Look,
    event_parts,
    gap_parts,
)
from monitor.zone import Zone
from store.event import Event
from store.query.predicate import Predicate


class TimelineView(Lines, can_focus=True):
    """Shows a `Timeline`. Follows the newest row until someone moves up; then nothing moves by itself."""

    BINDINGS = [
        Binding("j,down", "move(1)", "Down", show=False),
        Binding("k,up", "move(-1)", "Up", show=False),
        Binding("pagedown", "page(1.0)", "Page down", show=False),
        Binding("pageup,b", "page(-1.0)", "Page up", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("g,home", "home", "Oldest loaded; again: older", show=False),
        Binding("G,end", "follow", "Newest, and follow", show=False, id="timeline.newest"),
        Binding("space", "screen.freeze", "Freeze / resume", id="timeline.hold"),
        Binding("enter", "open", "Detail"),
        Binding("h,left", "cell(-1)", "Cell to the left"),
        Binding("l,right", "cell(1)", "Cell to the right"),
        Binding("x", "mute", "Hide what has the value of the cell", show=False),
        Binding("X", "solo", "Only what has the value of the cell", show=False),
    ]

    @dataclass
    class OlderWanted(Message):
        """The reader is near the first row; the store may hold older ones."""

    @dataclass
    class NewerWanted(Message):
        """The reader is near the end of a window in the past; the store holds newer ones."""

    @dataclass
    class Moved(Message):
        """The cursor was moved, or following changed."""

    @dataclass
    class EventOpened(Message):
        """The operator wants this event in full."""

        event: Event

    @dataclass
    class FacetChosen(Message):
        """The operator wants a value muted, or nothing but it (`solo`)."""

        facet: Facet
        solo: bool

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
        self._points = False
        self.viewport = Viewport(timeline)
        self.zone = Zone.UTC
        self.caption = "Timeline"
        """Raw text before the filter in the title."""
        self.empty_text = "no events yet"
        self._now = now
        self._columns = Columns.for_width(80)

    @property
    def selected_event(self) -> Event | None:
        """The event under the cursor; None on a gap or when there are no rows."""
        row = self.viewport.row
        return row if isinstance(row, Event) else None

    def advance(self) -> None:
        """Draw what changed in the timeline, if any of it is in sight."""
        timeline, now, height = self.timeline, self._now(), self.size.height
        zero = self.marks.zero
        if (zero is not None) != (self._columns.elapsed > 0):
            self._columns = Columns.for_width(self.size.width - 1, elapsed=zero is not None)
        self._read_on()
        top, cursor = self.viewport.top, self.viewport.cursor
        lines: list[object] = []
        for y in range(height):
            index = top + y
            row = timeline.rows[index] if index < len(timeline.rows) else None
            stamp = self.zone.stamp(row.inserted_at, now) if isinstance(row, Event) else self.zone
            look = self._look(row, index == cursor)
            lines.append((row, look, stamp, index == cursor, self._scrollbar(y), self.empty_text))
        self.draw_changes(lines)
        self._show_titles()

    def _read_on(self) -> None:
        """Ask for what comes before or after the rows, before someone who moves on would meet the end."""
        timeline, viewport, height = self.timeline, self.viewport, self.size.height
        if viewport.top < height and timeline.has_older:
            self.post_message(self.OlderWanted())
        if viewport.following or timeline.frozen or viewport.top + 2 * height < len(timeline.rows):
            return
        if timeline.has_newer:
            self.post_message(self.NewerWanted())
        elif not timeline.attached:
            timeline.join()

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        width = self.size.width - 1
        index = self.viewport.top + y
        rows = self.timeline.rows
        if index >= len(rows):
            message = self.empty_text if y == 0 and not rows else ""
            return self.strip([(message, "dim")], width + 1)
        row = rows[index]
        if isinstance(row, Gap):
            parts = gap_parts(row, width, self.zone)
        else:
            look = self._look(row, index == self.viewport.cursor)
            parts = event_parts(row, self._columns, self.zone, self._now(), look)
        line = self.strip(parts, width, selected=index == self.viewport.cursor)
        return Strip([*line, *self.strip([self._scrollbar(y)], 1)])

    def action_move(self, rows: int) -> None:
        """Move the cursor by rows, negative up."""
        self.viewport.move(rows)
        self._after_move()

    def action_page(self, pages: float) -> None:
        """Move by pages, negative up."""
        self.viewport.page(pages)
        self._after_move()

    def action_home(self) -> None:
        """Go to the oldest loaded row; older ones are loaded when there are any."""
        self.viewport.home()
        self._after_move()

    def action_follow(self) -> None:
        """Go to the newest row and follow."""
        self.viewport.follow()
        self._after_move()

    def action_open(self) -> None:
        """Open the event under the cursor."""
        if isinstance(row := self.viewport.row, Event):
            self.viewport.detach()
            self.post_message(self.EventOpened(row))

    def action_cell(self, step: int) -> None:
        """Point at the next cell of the row, negative to the left. The type comes first."""
        if self._points:
            self.cell = self.cell.beside(step, self._columns.cells)
        self._points = True
        self._after_move()

    def action_mute(self) -> None:
        """Hide what has the value of the cell under the cursor."""
        self._choose(solo=False)

    def action_solo(self) -> None:
        """Show only what has the value of the cell under the cursor, or everything again."""
        self._choose(solo=True)

    def find(self, step: int, matches: Predicate) -> bool:
        """Move to the next (+1) or previous (-1) event that matches; False when none is loaded there."""
        found = self.viewport.find(step, lambda row: isinstance(row, Event) and matches(row))
        self._after_move()
        return found

    def go(self, key: SortKey, step: int = 1) -> None:
        """Move to the loaded row at `key`, or to the next or previous one."""
        self.viewport.go(key, step)
        self._after_move()

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

    def on_click(self, event: Click) -> None:
        """Put the cursor on the row that was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self.viewport.select_line(offset.y)
            self._after_move()

    def on_mouse_scroll_down(self) -> None:
        """Move down."""
        self.action_move(3)

    def on_mouse_scroll_up(self) -> None:
        """Move up."""
        self.action_move(-3)

    def _choose(self, *, solo: bool) -> None:
        event = self.selected_event
        if event is None:
            return
        facet = cell_facet(event, self.cell)
        if facet is None:
            self.notify(clean(f"{self.cell} is nothing to filter by"), markup=False, timeout=2)
        else:
            self.post_message(self.FacetChosen(facet, solo))

    def _after_move(self) -> None:
        self.advance()
        self.post_message(self.Moved())

    def _look(self, row: Row | None, is_selected: bool) -> Look:
        if not isinstance(row, Event):
            return PLAIN
        zero = self.marks.zero
        mark = " "
        if row.id in self.timeline.unconfirmed:
            mark = UNCONFIRMED
        elif row.id in self.timeline.not_stored:
            mark = NOT_STORED
        if zero is not None and zero.id == row.id:
            mark += ZERO
        else:
            mark += BOOKMARK if self.marks.has(row) else " "
        cell = self.cell if is_selected and self._points else None
        return Look(mark, None if zero is None else zero.inserted_at, cell)

    def _scrollbar(self, y: int) -> tuple[str, str]:
        rows, height = len(self.timeline.rows), self.size.height
        if rows <= height:
            return (" ", "")
        size = max(1, height * height // rows)
        start = round(self.viewport.top / (rows - height) * (height - size))
        return ("█", "dim") if start <= y < start + size else ("│", "dim")

    def _show_titles(self) -> None:
        timeline = self.timeline
        shown = clean(timeline.filter.describe(self.zone))
        title = f"{clean(self.caption)} · {shown}" if shown else clean(self.caption)
        new = f"+{timeline.pending:,} new · " if timeline.pending else ""
        if timeline.frozen:
            state = f"{new}frozen · space resumes"
        elif self.viewport.following:
            state = "following"
        else:
            position = f"{self.viewport.cursor + 1:,}/{len(timeline.rows):,}"
            # A stretch of the past must not be taken for the present.
            more = " of the past, more below" if timeline.has_newer else ""
            state = f"{new}{position}{more} · G follows" if timeline.rows else "following"
        # Setting a title lays the border out again, which a title that stays the same need not cost.
        if title != getattr(self, "_title_shown", None):
            self._title_shown = title
            self.border_title = Content(title)
        if state != getattr(self, "_state_shown", None):
            self._state_shown = state
            self.border_subtitle = Content(state)
