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

from monitor.model.filter import Facet
from monitor.model.gaps import Gap
from monitor.model.rows import Row
from monitor.model.timeline import Timeline
from monitor.model.viewport import Viewport
from monitor.text import clean
from monitor.widgets.lines import Lines
from monitor.widgets.row_format import NOT_STORED, UNCONFIRMED, Columns, event_parts, gap_parts
from monitor.zone import Zone
from store.event import Event, Severity
from store.query.syntax import Field


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
        Binding("G,end", "follow", "Newest, and follow", show=False),
        Binding("space", "screen.freeze", "Freeze / resume"),
        Binding("enter", "open", "Detail"),
        Binding("x", "mute", "Mute this type", show=False),
        Binding("X", "solo", "Only this type", show=False),
    ]

    @dataclass
    class OlderWanted(Message):
        """The reader is near the first row; the store may hold older ones."""

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

    def __init__(self, timeline: Timeline, now: Callable[[], datetime], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.timeline = timeline
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
        timeline, now = self.timeline, self._now()
        top, cursor = self.viewport.top, self.viewport.cursor
        lines: list[object] = []
        for y in range(self.size.height):
            index = top + y
            row = timeline.rows[index] if index < len(timeline.rows) else None
            stamp = self.zone.stamp(row.inserted_at, now) if isinstance(row, Event) else self.zone
            lines.append((row, self._mark(row), stamp, index == cursor, self._scrollbar(y), self.empty_text))
        self.draw_changes(lines)
        self._show_titles()
        if self.viewport.top < self.size.height and timeline.has_older:
            self.post_message(self.OlderWanted())

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
            parts = event_parts(row, self._columns, self.zone, self._now(), self._mark(row))
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

    def action_mute(self) -> None:
        """Hide the type of the event under the cursor."""
        self._choose(solo=False)

    def action_solo(self) -> None:
        """Show only the type of the event under the cursor, or everything again."""
        self._choose(solo=True)

    def find(self, step: int, severity: Severity) -> bool:
        """Move to the next (+1) or previous (-1) event of a severity; False when none is loaded there."""
        found = self.viewport.find(step, lambda row: isinstance(row, Event) and row.severity is severity)
        self._after_move()
        return found

    def on_resize(self, event: Resize) -> None:
        """Fit columns and viewport to the new size."""
        self.viewport.resize(self.size.height)
        self._columns = Columns.for_width(self.size.width - 1)
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
        if isinstance(row := self.viewport.row, Event):
            self.post_message(self.FacetChosen(Facet(Field.TYPE, row.event_type), solo))

    def _after_move(self) -> None:
        self.advance()
        self.post_message(self.Moved())

    def _mark(self, row: Row | None) -> str:
        if isinstance(row, Event):
            if row.id in self.timeline.unconfirmed:
                return UNCONFIRMED
            if row.id in self.timeline.not_stored:
                return NOT_STORED
        return " "

    def _scrollbar(self, y: int) -> tuple[str, str]:
        rows, height = len(self.timeline.rows), self.size.height
        if rows <= height:
            return (" ", "")
        size = max(1, height * height // rows)
        start = round(self.viewport.top / (rows - height) * (height - size))
        return ("█", "dim") if start <= y < start + size else ("│", "dim")

    def _show_titles(self) -> None:
        timeline = self.timeline
        shown = clean(timeline.filter.describe())
        title = f"{clean(self.caption)} · {shown}" if shown else clean(self.caption)
        new = f"+{timeline.pending:,} new · " if timeline.pending else ""
        if timeline.frozen:
            state = f"{new}frozen · space resumes"
        elif self.viewport.following:
            state = "following"
        else:
            position = f"{self.viewport.cursor + 1:,}/{len(timeline.rows):,}"
            state = f"{new}{position} · G follows" if timeline.rows else "following"
        # Setting a title lays the border out again, which a title that stays the same need not cost.
        if title != getattr(self, "_title_shown", None):
            self._title_shown = title
            self.border_title = Content(title)
        if state != getattr(self, "_state_shown", None):
            self._state_shown = state
            self.border_subtitle = Content(state)
