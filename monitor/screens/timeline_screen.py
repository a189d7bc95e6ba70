"""The keys that screens with a timeline share: moving on it, looking for events, marks."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from textual.binding import Binding

from monitor.model.rows import SortKey
from monitor.screens.context_screen import ContextScreen
from monitor.screens.help import HelpScreen
from monitor.screens.line_prompt import LinePrompt
from monitor.screens.taking_along import TakingAlongScreen
from monitor.zone import Zone
from monitor.zone_names import zone_named, zones_like
from store.event import LAST_ID, Event
from store.query.moments import parse_moment
from store.query.predicate import compile_predicate
from store.query.syntax import Compare, Field, Node, Op


class TimelineScreen(ContextScreen, TakingAlongScreen):
    """A screen with one timeline and the keys that all of these have."""

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
        Binding(
            "plus",
            "context(1)",
            "Show rows around this one that the filter hides; again: more",
            id="timeline.more-context",
        ),
        Binding("minus", "context(-1)", "Fewer of the rows around it, or none", id="timeline.less-context"),
        Binding("m", "mark", "Bookmark on / off"),
        Binding("u", "mark_step(1)", "Next bookmark"),
        Binding("U", "mark_step(-1)", "Previous bookmark"),
        Binding("0", "zero", "The incident begins here: count times from it"),
        Binding("c", "copy_cell", "Copy the cell"),
        Binding("y", "copy_row", "Copy the row as JSON"),
        Binding("L", "dump", "Print the page as plain text, for the mouse; enter comes back"),
        Binding("ctrl+s", "note", "Incident note: bookmarks and counts (Markdown)"),
        Binding("t", "zone", "UTC / local / ago / chosen zone"),
        Binding("T", "choose_zone", "Choose a zone: Europe/Berlin, +02:00"),
        Binding("question_mark,f1", "help", "Help"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._sought: tuple[str, Node] | None = None

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
        # Until another key is pressed.
        found = await self.next_event(place, step, both, lambda: self._wished is None)
        if found is not None:
            if await self._open_at(found.sort_key):
                self.timeline.reveal(found.sort_key, compile_predicate(query))
        elif self._wished is None:
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
            self.go_to((moment, 0 if minutes > 0 else LAST_ID.int), 1 if minutes > 0 else -1)

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

    # How it is shown

    def action_zone(self) -> None:
        """Show times in the next zone."""
        self.console.show_in(self.console.zone.next(self.console.named_zone))

    def action_choose_zone(self) -> None:
        """Ask for a zone by its name."""

        def chosen(zone: Zone | None) -> None:
            if zone is not None:
                self.console.show_in(zone)

        prompt = LinePrompt(
            "times in", "Europe/Berlin, +02:00, UTC, local, ago", zone_named, suggest=zones_like
        )
        self.console.open_screen(prompt, chosen)

    def zone_changed(self) -> None:
        """Times are to be shown in another zone."""
        self.timeline.zone = self.console.zone

    def action_help(self) -> None:
        """Show all keys and what the counts mean."""
        self.console.open_screen(HelpScreen(self.focused, self, self.console.places))
