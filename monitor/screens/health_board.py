"""All components: how they are, since when, and how they were over the last day and the last 30 days."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from monitor.errors import read_failure
from monitor.health.uptime import MONTH, HealthRecord, grouped
from monitor.health_history import HealthHistory
from monitor.model.arrivals import Arrivals
from monitor.model.subjects import ResourceName
from monitor.screens.console_screen import ConsoleScreen, Reader
from monitor.screens.help import HelpScreen
from monitor.screens.reading_screen import RETRY_AFTER
from monitor.text import clean
from monitor.widgets.component_list import ComponentList
from monitor.widgets.health_board import HealthBoard
from monitor.widgets.key_hints import KeyHints
from monitor.widgets.status_line import StatusLine
from monitor.zone import Zone

DRAW_EVERY = 1.0
"""Seconds between two sums over all that is known of all components."""
DRAWING_SHARE = 0.05
"""The share of the time that these sums may take."""
HINTS = [("esc", "back"), ("enter", "resource"), ("t", "zone"), ("?", "help")]


class HealthBoardScreen(ConsoleScreen):
    """Groups of components, worst first. What the console knows is shown at once, the past as it is read."""

    collects = True
    BINDINGS = [
        Binding("escape,q,H", "app.pop_screen", "Back"),
        Binding("t", "zone", "UTC / local / ago / chosen zone"),
        Binding("question_mark,f1", "help", "Help"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._record = HealthRecord()
        self._history: HealthHistory | None = None
        self._is_read = False
        self._cut = self._failure = self._shown_as_told = ""
        self._retry_at = self._due = self._due_when_changed = 0.0
        self._changed = False
        self._zone: Zone | None = None

    def compose(self) -> ComposeResult:
        """The board between status line and keys."""
        yield StatusLine(id="status")
        board = HealthBoard(self.console.now, id="health-board")
        board.add_class("pane")
        yield board
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        """Begin with what the console knows, and read the past."""
        self.query_one(HealthBoard).focus()
        for observation in self.console.model.board.observations():
            self._record.observe(*observation)
        self._read()
        self.call_after_refresh(self.advance)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Take in what reports health, and draw what is known."""
        self.show_vitals()
        if arrivals is not None:
            self._changed |= self._record.apply(arrivals.events)
            if arrivals.opening is not None:
                # The feed has begun anew: what it left to the store is read again.
                self._is_read = False
        if not self._is_read:
            self._read()
        self._draw_when_due()

    def action_zone(self) -> None:
        """Show times in the next zone."""
        self.console.show_in(self.console.zone.next(self.console.named_zone))

    def action_help(self) -> None:
        """Show all keys and what the signs mean."""
        self.console.open_screen(HelpScreen(self.focused, self, self.console.places))

    def on_component_list_component_opened(self, message: ComponentList.ComponentOpened) -> None:
        """Open the component's resource page."""
        self.console.open_page(ResourceName(message.resource_type, message.resource_id))

    def _draw_when_due(self) -> None:
        due = self._due_when_changed if self._changed else self._due
        if self.is_ready and (self.console.tick() >= due or self._zone != self.console.zone):
            self._draw()

    def _draw(self) -> None:
        console, board = self.console, self.query_one(HealthBoard)
        began, now = console.tick(), console.now()
        self._changed, self._zone = False, console.zone
        empty = "no component has reported its health yet" if self._is_read else "reading the store…"
        board.show(grouped(self._record.components(now)), console.zone, empty)
        if (told := self._told()) != self._shown_as_told:
            self._shown_as_told = told
            board.border_subtitle = Content(clean(told))
        ended = console.tick()
        self._due_when_changed = ended + (ended - began) / DRAWING_SHARE
        self._due = max(self._due_when_changed, ended + DRAW_EVERY)

    def _told(self) -> str:
        """How far the past is known, where that is not all of it."""
        if self._failure:
            return f"the past is not read: {self._failure}"
        if self._history is not None:
            return f"reading 30 days… {self._history.count:,} events"
        forgotten = self._record.forgotten
        return f"{forgotten:,} components too many are left out" if forgotten else self._cut

    # Reading

    def _read(self) -> None:
        reader = self.console.reader
        if reader is None or self._history is not None or self.console.tick() < self._retry_at:
            return
        self._history = HealthHistory(reader, self.console.now() - MONTH)
        # Called by the worker itself: one that is ended before it began leaves no coroutine that nobody waits for.
        work = partial(self._read_past, reader, self._history)
        self.run_worker(work, group="health", exit_on_error=False)

    async def _read_past(self, reader: Reader, history: HealthHistory) -> None:
        try:
            async for page in history.pages():
                self._changed |= self._record.apply(page)
                self._draw_when_due()
        except Exception as error:
            # Whatever it was, the past must be asked for again.
            self._failure = read_failure(error)
            self._retry_at = self.console.tick() + RETRY_AFTER
        else:
            self._failure = ""
            self._is_read = True
            self._cut = f"the newest {history.count:,} events of 30 days" if history.is_cut else ""
        self._history = None
        if self.is_ready:
            self._draw()
