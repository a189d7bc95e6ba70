"""What screens with a timeline share: moving on it, reading on in the store, marks, copying."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from textual.binding import Binding
from textual.worker import Worker

from monitor.messages import StoreReadFailed
from monitor.model.cells import cell_text
from monitor.model.filter import Filter
from monitor.model.note import incident_note
from monitor.model.rows import SortKey
from monitor.model.timeline import Timeline
from monitor.screens.console_screen import ConsoleScreen, Reader, Selection
from monitor.screens.help import HelpScreen
from monitor.screens.line_prompt import LinePrompt
from monitor.text import clean
from monitor.widgets.timeline_view import TimelineView
from store.errors import StoreError, StoreUnavailableError
from store.event import Event
from store.query.moments import parse_moment
from store.query.predicate import compile_predicate
from store.query.syntax import Compare, Field, Node, Op
from store.wire import encode

PAGE = 200
RETRY_AFTER = 5.0
"""Seconds until the store is asked again after it could not be read."""
_LAST_ID = 2**128 - 1


class TimelineScreen(ConsoleScreen):
    """A screen with one timeline. Subclasses give the view and read pages of it from the store."""

    BINDINGS = [
        Binding("p", "freeze", "Freeze / resume"),
        Binding("F", "follow", "Follow on / off"),
        Binding("e", "severity_step(1, 'error')", "Next error"),
        Binding("E", "severity_step(-1, 'error')", "Previous error"),
        Binding("w", "severity_step(1, 'warning')", "Next warning"),
        Binding("W", "severity_step(-1, 'warning')", "Previous warning"),
        Binding("o", "same_resource(1)", "Next event of the same resource"),
        Binding("O", "same_resource(-1)", "Previous event of the same resource"),
        Binding("ampersand", "find", "Find without hiding the rest"),
        Binding("n", "find_step(1)", "Next find"),
        Binding("N", "find_step(-1)", "Previous find"),
        Binding("at", "go_to_time", "Go to a time: 14:05, -2h"),
        Binding("left_parenthesis", "minutes(-1)", "A minute back"),
        Binding("right_parenthesis", "minutes(1)", "A minute on"),
        Binding("left_square_bracket", "minutes(-10)", "Ten minutes back"),
        Binding("right_square_bracket", "minutes(10)", "Ten minutes on"),
        Binding("m", "mark", "Bookmark on / off"),
        Binding("u", "mark_step(1)", "Next bookmark"),
        Binding("U", "mark_step(-1)", "Previous bookmark"),
        Binding("0", "zero", "The incident begins here: count times from it"),
        Binding("c", "copy_cell", "Copy the cell"),
        Binding("y", "copy_row", "Copy the row as JSON"),
        Binding("ctrl+s", "note", "Incident note of the bookmarks (Markdown)"),
        Binding("t", "zone", "UTC / local / ago"),
        Binding("question_mark,f1", "help", "Help"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._reading = False
        self._worker: Worker[None] | None = None
        self._retry_at = 0.0
        self._wished: Callable[[], Awaitable[None]] | None = None
        self._sought: tuple[str, Node] | None = None

    @property
    def timeline(self) -> TimelineView:
        """The view of the timeline."""
        raise NotImplementedError

    async def read_before(self, place: SortKey | None, limit: int, chosen: Selection) -> list[Event]:
        """The newest events of this timeline of `chosen` that come before `place`.

        Raises:
            StoreError: the store cannot be read.
        """
        raise NotImplementedError

    async def read_after(self, place: SortKey, limit: int, chosen: Selection) -> list[Event]:
        """The events of this timeline of `chosen` that come right after `place`, newest first.

        Raises:
            StoreError: the store cannot be read.
        """
        raise NotImplementedError

    @property
    def reader(self) -> Reader:
        """What reads the store; a reading is started only when there is one."""
        reader = self.console.reader
        if reader is None:
            raise StoreUnavailableError("the store is not open yet")
        return reader

    @property
    def _rows(self) -> Timeline:
        return self.timeline.timeline

    # Following and freezing

    def action_freeze(self) -> None:
        """Freeze the list, or let it go on. What arrives meanwhile is counted."""
        if self._rows.frozen:
            self._rows.attach()
        else:
            self._rows.freeze()
        self.advance()

    def action_follow(self) -> None:
        """Follow the newest row, or stop where it is."""
        viewport = self.timeline.viewport
        if viewport.following:
            viewport.detach()
        else:
            viewport.follow()
        self.advance()

    # Looking for events, loaded or not

    def action_severity_step(self, step: int, severity: str) -> None:
        """Go to the next or previous event of a severity."""
        self._seek(step, Compare(Field.SEVERITY, Op.EQ, severity), severity)

    def action_same_resource(self, step: int) -> None:
        """Go to the next or previous event of the resource of the row."""
        event = self.timeline.selected_event
        if event is None or event.resource_type is None or event.resource is None:
            self.tell("this row is about no resource")
        else:
            self._seek(step, Compare(Field.RESOURCE, Op.EQ, event.resource), f"event of {event.resource}")

    def action_find(self) -> None:
        """Ask for what to find; the rest stays in sight."""

        console = self.console

        def read(text: str) -> tuple[str, Node]:
            # Lark costs more to import than the first paint may wait for.
            from store.query.parser import parse

            if not text:
                raise ValueError("type what to find")
            return text, parse(text, console.now(), console.zone.tzinfo)

        def found(sought: tuple[str, Node] | None) -> None:
            if sought is not None:
                self._sought = sought
                self.action_find_step(-1 if self.timeline.viewport.following else 1)

        text = "" if self._sought is None else self._sought[0]
        console.open_screen(LinePrompt("find", "words, field:value", read, text), found)

    def action_find_step(self, step: int) -> None:
        """Go to the next or previous event that is looked for."""
        if self._sought is None:
            self.tell("nothing is looked for; & asks what")
        else:
            self._seek(step, self._sought[1], f"event with {self._sought[0]}")

    def _seek(self, step: int, query: Node, what: str) -> None:
        """Go to the next event that matches, among the rows or else in the store."""
        if self.timeline.find(step, compile_predicate(query)):
            return
        rows = self._rows
        place = rows.floor if step < 0 else rows.ceiling
        where = "further up" if step < 0 else "further down"
        if place is None:
            self.tell(f"no {what} {where}")
        else:
            self._read_at_wish(partial(self._seek_in_store, step, place, query, f"no {what} {where}"))

    async def _seek_in_store(self, step: int, place: SortKey, query: Node, nothing: str) -> None:
        both = self._rows.filter.selection(query)
        found = await (self.read_before if step < 0 else self.read_after)(place, 1, both)
        if found:
            await self._open_at(found[0].sort_key)
            self.timeline.reveal(found[0].sort_key, compile_predicate(query))
        else:
            self.tell(nothing)

    # Going to a place

    def action_go_to_time(self) -> None:
        """Ask for a time, and go to the first event from then on."""
        console = self.console

        def read(text: str) -> datetime:
            return parse_moment(text, console.now(), console.zone.tzinfo)

        def chosen(moment: datetime | None) -> None:
            if moment is not None:
                self.go_to((moment, 0))

        prompt = LinePrompt(f"go to ({console.zone.clock(console.now())})", "14:05, -2h, 2026-11-21", read)
        console.open_screen(prompt, chosen)

    def action_minutes(self, minutes: int) -> None:
        """Go back or on by minutes, from the row under the cursor."""
        row = self.timeline.viewport.row
        if row is not None:
            moment = row.sort_key[0] + timedelta(minutes=minutes)
            self.go_to((moment, 0 if minutes > 0 else _LAST_ID), 1 if minutes > 0 else -1)

    def go_to(self, key: SortKey, step: int = 1) -> None:
        """Go to the row at `key`, or to the next or previous one, wherever it is."""
        if self._rows.covers(key):
            self.timeline.go(key, step)
        else:
            self._read_at_wish(partial(self._open_at, key, step))

    async def _open_at(self, key: SortKey, step: int = 1) -> None:
        """Read the stretch of the timeline around `key`, and go there."""
        rows = self._rows
        shown, chosen = rows.filter, rows.filter.selection()
        moment, number = key
        # With the row itself among the newer ones.
        place = (moment, number - 1) if number else (moment - timedelta(microseconds=1), _LAST_ID)
        newer = await self.read_after(place, PAGE, chosen)
        oldest = newer[-1].sort_key if newer else (moment, min(number + 1, _LAST_ID))
        older = await self.read_before(oldest, PAGE, chosen)
        if rows.filter != shown:
            return
        rows.open_at([*newer, *older], has_older=len(older) >= PAGE, has_newer=len(newer) >= PAGE)
        self.timeline.go(key, step)

    # Reading on

    def on_timeline_view_older_wanted(self) -> None:
        """Read a page of older events."""
        if self._rows.has_older:
            self.read(self._read_older)

    def on_timeline_view_newer_wanted(self) -> None:
        """Read a page of newer events, after a window in the past."""
        if self._rows.has_newer:
            self.read(self._read_newer)

    async def _read_older(self) -> None:
        rows = self._rows
        shown, floor = rows.filter, rows.floor
        page = await self.read_before(floor, PAGE, shown.selection())
        # Another page may belong there by now.
        if (shown, floor) == (rows.filter, rows.floor):
            rows.add_older(page, has_older=len(page) >= PAGE)
            self.older_read()

    async def _read_newer(self) -> None:
        rows = self._rows
        shown, ceiling = rows.filter, rows.ceiling
        if ceiling is None:
            return
        page = await self.read_after(ceiling, PAGE, shown.selection())
        if (shown, ceiling) == (rows.filter, rows.ceiling):
            rows.add_newer(page, has_newer=len(page) >= PAGE)

    def older_read(self) -> None:
        """More of the past is among the rows."""

    @property
    def is_reading(self) -> bool:
        """Whether an answer of the store is awaited."""
        return self._reading

    def read(self, step: Callable[[], Awaitable[None]]) -> None:
        """Read from the store beside everything else, unless something is being read, or could not be right before."""
        if not self._reading and self.console.tick() >= self._retry_at and self.console.reader is not None:
            self._reading = True
            self._worker = self.run_worker(self._attempted(step), group="reading", exit_on_error=False)

    def _read_at_wish(self, step: Callable[[], Awaitable[None]]) -> None:
        """Read what a key asked for, as soon as what is being read now has come; a later key takes its place."""
        if self.console.reader is None:
            self.tell("the store is not open yet")
        elif self._reading:
            self._wished = step
        else:
            self._retry_at = 0.0
            self.read(step)

    async def _attempted(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except Exception as error:
            # Whatever it was, the next page must be asked for again.
            known = isinstance(error, StoreError)
            reason = str(error) if known else f"reading failed: {type(error).__name__}"
            self._wished = None
            self.post_message(StoreReadFailed(reason))
            return
        self._reading = False
        wished, self._wished = self._wished, None
        if wished is not None:
            self.read(wished)
        self.advance()

    def on_store_read_failed(self, message: StoreReadFailed) -> None:
        """Say so, and leave the store in peace for a moment."""
        self._reading = False
        self._retry_at = self.console.tick() + RETRY_AFTER
        self.notify(clean(message.reason), severity="error", markup=False)

    # Marks

    def action_mark(self) -> None:
        """Bookmark the row under the cursor, or forget its bookmark."""
        event = self.timeline.selected_event
        if event is not None:
            self.console.model.marks.toggle(event)
            if not self.timeline.viewport.following:
                # Of a run, the last event; marked, it stands by itself.
                self.timeline.go(event.sort_key)
            self.advance()

    def action_mark_step(self, step: int) -> None:
        """Go to the next or previous bookmark that the filter shows."""
        row = self.timeline.viewport.row
        marks, matches = self.console.model.marks, self._rows.filter.predicate()
        marked = marks.beside(None if row is None else row.sort_key, step)
        while marked is not None and not (matches(marked) and self.is_shown(marked)):
            marked = marks.beside(marked.sort_key, step)
        if marked is None:
            self.tell(f"no bookmark further {'down' if step > 0 else 'up'}")
        else:
            self.go_to(marked.sort_key)

    def is_shown(self, event: Event) -> bool:
        """Whether an event is one of this timeline's, whatever the filter."""
        return True

    def action_zero(self) -> None:
        """Count times from the row under the cursor, or no longer when they are."""
        event = self.timeline.selected_event
        if event is None:
            self.tell("times are counted from an event")
            return
        self.console.model.marks.toggle_zero(event)
        self.advance()

    # Taking along

    def action_copy_cell(self) -> None:
        """Copy what the cell under the cursor says in full."""
        event = self.timeline.selected_event
        if event is not None:
            cell = self.timeline.cell
            text = clean(cell_text(event, cell, self.console.zone))
            self.console.copy(text, f"the {cell.value}")

    def action_copy_row(self) -> None:
        """Copy the event as one line of JSON in ASCII."""
        event = self.timeline.selected_event
        if event is not None:
            self.console.copy(clean(encode(event).decode()), "the row")

    def action_note(self) -> None:
        """Write the incident note: a file, and the clipboard."""
        console = self.console
        marks, shown = console.model.marks, self._rows.filter
        if not marks.events:
            self.tell("m bookmarks the rows that the note is to tell")
            return
        console.save_note(
            incident_note(
                console.system_name,
                marks.events,
                marks.zero,
                console.model.gaps,
                query=shown.describe(),
                zone=console.zone,
                now=console.now(),
            )
        )

    def action_zone(self) -> None:
        """Show times in the next zone."""
        self.console.zone = self.console.zone.next()
        self.timeline.zone = self.console.zone
        self.advance()

    def action_help(self) -> None:
        """Show all keys and what the counts mean."""
        self.console.open_screen(HelpScreen(self.focused, self, self.console.places))

    def filter_rows(self, shown: Filter) -> None:
        """Show what matches `shown`; whoever reads stays at the row, or at the one after it."""
        # A search through the whole store for the old filter must not hold up the new one.
        if self._worker is not None:
            self._worker.cancel()
        self._reading, self._wished = False, None
        rows, viewport = self._rows, self.timeline.viewport
        row = None if viewport.following else viewport.row
        rows.apply(shown)
        if row is not None:
            key = (row.sort_key[0], min(row.sort_key[1], _LAST_ID))
            self.go_to(key)

    def tell(self, text: str) -> None:
        """A word on why a key did nothing."""
        self.notify(clean(text), markup=False, timeout=2)
