"""The timeline: its keys, and what it asks of whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding
from textual.events import Click
from textual.message import Message

from monitor.model.cells import cell_facet
from monitor.model.filter import Facet
from monitor.model.rows import SortKey
from monitor.text import clean
from monitor.widgets.timeline_lines import TimelineLines
from store.event import Event
from store.query.predicate import Predicate

READ_WHILE_FOLDED = 5_000
"""Rows beside the cursor up to which the store is read by itself while runs are folded."""


class TimelineView(TimelineLines, can_focus=True):
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
        Binding("z", "fold", "Fold / unfold the run of alike rows"),
        Binding("Z", "fold_all", "Fold / unfold all runs"),
        Binding("full_stop", "wrap", "The row under the cursor whole / on one line"),
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

    def read_on(self, *, moved: bool = False) -> None:
        """Ask for what comes before or after the rows, before someone who moves on would meet the end.

        Folded, a whole day may fit on the screen: then only so much is read by itself, lest it be all of the store.
        """
        timeline, viewport, height = self.timeline, self.viewport, self.size.height
        shown, rows = viewport.shown, len(timeline.rows)
        before = after = 0
        if rows and not (moved or shown.is_plain):
            before = shown.last_row(viewport.cursor)
            after = rows - before
        if viewport.top < height and timeline.has_older and before < READ_WHILE_FOLDED:
            self.post_message(self.OlderWanted())
        if viewport.following or timeline.frozen or viewport.top + 2 * height < len(shown):
            return
        if timeline.has_newer:
            if after < READ_WHILE_FOLDED:
                self.post_message(self.NewerWanted())
        elif not timeline.attached:
            timeline.join()

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
        if (event := self.selected_event) is not None:
            self.viewport.detach()
            self.post_message(self.EventOpened(event))

    def action_cell(self, step: int) -> None:
        """Point at the next cell of the row, negative to the left. The type comes first."""
        if self.points:
            self.cell = self.cell.beside(step, self._columns.cells)
        self.points = True
        self._after_move()

    def action_mute(self) -> None:
        """Hide what has the value of the cell under the cursor."""
        self._choose(solo=False)

    def action_solo(self) -> None:
        """Show only what has the value of the cell under the cursor, or everything again."""
        self._choose(solo=True)

    def action_fold(self) -> None:
        """Show the run of alike rows under the cursor as one row, or as all of its rows again."""
        if self.viewport.turn():
            self._after_move()
        else:
            self.notify("no alike row stands beside this one", markup=False, timeout=2)

    def action_fold_all(self) -> None:
        """Show each run of alike rows as one row, or all rows again."""
        self.viewport.shown.fold_all()
        self._after_move()

    def action_wrap(self) -> None:
        """Show the row under the cursor whole, wherever the cursor goes, or on one line again."""
        self.wrapped = not self.wrapped
        if self.wrapped:
            # To be read, it has to stay.
            self.viewport.detach()
        self._after_move()

    def find(self, step: int, matches: Predicate) -> bool:
        """Move to the next (+1) or previous (-1) event that matches; False when none is loaded there."""
        found = self.viewport.find(step, matches)
        self._after_move()
        return found

    def go(self, key: SortKey, step: int = 1) -> None:
        """Move to the loaded row at `key`, or to the next or previous one."""
        self.viewport.go(key, step)
        self._after_move()

    def reveal(self, key: SortKey, matches: Predicate) -> None:
        """Unfold the run in which the event at `key` is, unless each of it matches, and go there."""
        self.viewport.shown.reveal(key, matches)
        self.go(key)

    def on_click(self, event: Click) -> None:
        """Put the cursor on the row that was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self.viewport.select_line(self.line_at(offset.y))
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
        if not self.viewport.shown.is_plain:
            self.read_on(moved=True)
        self.advance()
        self.post_message(self.Moved())
