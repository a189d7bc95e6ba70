"""A page about one subject: what is known of it over its own timeline, from the store and live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen

from monitor.model.arrivals import Arrivals
from monitor.model.rows import SortKey
from monitor.model.subjects import ActorName, PageSubject, resources_of
from monitor.model.timeline import Timeline
from monitor.screens.console_screen import Selection
from monitor.screens.detail import DetailScreen
from monitor.screens.exporting import ExportingScreen
from monitor.screens.reading_screen import PAGE
from monitor.text import clean
from monitor.widgets.key_hints import KeyHints
from monitor.widgets.lines import Part
from monitor.widgets.progress_line import ProgressLine
from monitor.widgets.status_line import StatusLine
from monitor.widgets.subject_header import SubjectHeader
from monitor.widgets.timeline_view import TimelineView
from store.event import Event
from store.event_filter import EventFilter
from store.query.syntax import EVERYTHING

FACTS_EVERY = 0.5
"""Seconds between two sums over the loaded events."""
WAY_MAX = 3
"""Pages that are named in the title, the last one."""
HINTS = [
    ("esc", "back"),
    ("enter", "detail"),
    ("r", "resource of the row"),
    ("a", "its actor"),
    ("e E", "error"),
    ("t", "zone"),
    ("?", "help"),
]


class SubjectPage(ExportingScreen):
    """Subclasses read the events of their subject, and say what is known of it."""

    collects = True
    kind: ClassVar[str]
    """What its subjects are called."""
    BINDINGS = [
        Binding("escape,q", "app.pop_screen", "Back"),
        Binding("r", "resource", "Resource of the row"),
        Binding("a", "actor", "Actor of the row"),
    ]

    def __init__(self, subject: PageSubject) -> None:
        super().__init__()
        self.subject: PageSubject = subject
        self.count = 0
        self.first: datetime | None = None
        """How many events there are, loaded or not, and when the first of them was."""
        self._summed_up = 0
        self._events = Timeline()
        self._waiting: list[Event] = []
        self._opened = False
        self._facts_stale = False
        self._facts_due = 0.0

    def sum_up(self, events: list[Event]) -> None:
        """Find out what the loaded events tell."""
        raise NotImplementedError

    def known(self) -> list[list[Part]]:
        """What is known, in lines, as of now."""
        raise NotImplementedError

    async def read_known(self) -> tuple[int, datetime | None]:
        """Read what is known of all events: how many there are, and the time of the first.

        Raises:
            StoreError: the store cannot be read.
        """
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """What is known of it, over its timeline."""
        yield StatusLine(id="status")
        header = SubjectHeader(id="subject-header")
        header.add_class("pane")
        header.border_title = Content(clean(self._way()))
        yield header
        view = TimelineView(
            self._events, self.console.model.marks, self.console.now, id=f"{self.kind}-timeline"
        )
        view.caption = "Its timeline"
        view.empty_text = "reading the store…"
        view.zone = self.console.zone
        view.add_class("pane")
        yield view
        yield ProgressLine(id="progress")
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        """Read its life from the store while live events wait."""
        self.timeline.focus()
        # Whether the store has an event is known in one place.
        model = self.console.model.timeline
        self._events.unconfirmed, self._events.not_stored = model.unconfirmed, model.not_stored
        self.sum_up([])
        self.read(self._open)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Take in what is about the subject."""
        if arrivals is not None:
            new = [event for event in arrivals.events if self.subject.concerns(event)]
            if self._opened:
                self._add(new)
            else:
                self._waiting.extend(new)
        self.show_vitals()
        if not self._opened:
            self.read(self._open)
        self.timeline.advance()
        if self._facts_stale and self.console.tick() >= self._facts_due:
            self._facts_stale = False
            self._facts_due = self.console.tick() + FACTS_EVERY
            events = self.loaded
            self._summed_up = len(events)
            self.sum_up(events)
        self._show_known()

    def on_resize(self) -> None:
        """What is known fits the width."""
        if self.is_ready:
            self._show_known()

    def _show_known(self) -> None:
        header = self.query_one(SubjectHeader)
        header.show(self.known())
        told = f"summed up: the newest {self._summed_up:,}" if self._opened and self._events.has_older else ""
        if str(header.border_subtitle or "") != told:
            header.border_subtitle = Content(clean(told))

    def action_resource(self) -> None:
        """Open the page of the resource of the row under the cursor; of the one that this page is not about."""
        event = self.timeline.selected_event
        if event is None:
            return
        for name in resources_of(event):
            if name != self.subject:
                self.console.open_page(name)
                return
        self.notify("this row is about no other resource", markup=False, timeout=2)

    def action_actor(self) -> None:
        """Open the page of the actor of the row under the cursor."""
        event = self.timeline.selected_event
        if event is None:
            return
        if self.subject == (actor := ActorName(event.actor)):
            self.notify("this page is about who did that", markup=False, timeout=2)
        else:
            self.console.open_page(actor)

    def on_timeline_view_event_opened(self, message: TimelineView.EventOpened) -> None:
        """Show the event in full."""

        def answered(subject: PageSubject | None) -> None:
            if subject is not None and subject != self.subject:
                self.console.open_page(subject)

        self.console.open_screen(DetailScreen(message.event, self), answered)

    def on_timeline_view_facet_chosen(self, message: TimelineView.FacetChosen) -> None:
        """Mute or solo the type under the cursor, on this page."""
        shown = self._events.filter
        self.filter_rows(shown.soloed(message.facet) if message.solo else shown.toggled(message.facet))
        self.advance()

    def read_failed(self, reason: str) -> None:
        """The next try reads the store again, and with it what has waited."""
        self._waiting.clear()
        super().read_failed(reason)

    @property
    def timeline(self) -> TimelineView:
        """The timeline of the subject."""
        return self.query_one(TimelineView)

    @property
    def loaded(self) -> list[Event]:
        """Its events as far as they are loaded."""
        return [row for row in self._events.rows if isinstance(row, Event)]

    @property
    def all_about(self) -> PageSubject:
        """The subject."""
        return self.subject

    def is_shown(self, event: Event) -> bool:
        """Whether an event is about the subject."""
        return self.subject.concerns(event)

    def exported(self) -> EventFilter:
        """What the filter shows of the subject's events."""
        return self._events.filter.selection(self.subject.query)

    def older_read(self) -> None:
        """Sum up again."""
        self._facts_stale = True

    async def _open(self) -> None:
        page = await self.read_before(None, PAGE, EVERYTHING)
        self.count, self.first = await self.read_known()
        self._events.open_with(page, has_older=len(page) >= PAGE)
        self._facts_stale = True
        self._opened = True
        known = {event.id for event in page}
        self._add([event for event in self._waiting if event.id not in known])
        self._waiting.clear()
        self.timeline.empty_text = "no events"

    def _add(self, events: list[Event]) -> None:
        if events:
            self._events.add(events)
            self._facts_stale = True
            self.count += len(events)
            oldest = min(event.inserted_at for event in events)
            self.first = min(oldest, self.first) if self.first else oldest

    def _way(self) -> str:
        """The pages that led here, the latest of them, and this one."""
        stack: Sequence[Screen[object]] = self.app.screen_stack  # pyright: ignore[reportUnknownMemberType]
        pages = [screen.subject.text for screen in stack if isinstance(screen, SubjectPage)]
        return " › ".join(["…", *pages[-WAY_MAX:]] if len(pages) > WAY_MAX else pages)

    # Reading

    async def read_before(self, place: SortKey | None, limit: int, chosen: Selection) -> list[Event]:
        """Its newest events of `chosen` before `place`."""
        raise NotImplementedError

    async def read_after(self, place: SortKey, limit: int, chosen: Selection) -> list[Event]:
        """Its events of `chosen` right after `place`."""
        raise NotImplementedError
