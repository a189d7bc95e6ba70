"""The resource page: the life of one resource, in both its roles, from the store and live."""

from __future__ import annotations

from datetime import datetime

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from monitor.model.arrivals import Arrivals
from monitor.model.resource import is_about, resource_facts
from monitor.model.rows import SortKey
from monitor.model.timeline import Timeline
from monitor.screens.console_screen import Selection
from monitor.screens.detail import DetailScreen
from monitor.screens.exporting import ExportingScreen
from monitor.screens.reading_screen import PAGE
from monitor.text import clean
from monitor.widgets.key_hints import KeyHints
from monitor.widgets.progress_line import ProgressLine
from monitor.widgets.resource_header import ResourceHeader
from monitor.widgets.status_line import StatusLine
from monitor.widgets.timeline_view import TimelineView
from store.event import Event
from store.event_filter import EventFilter
from store.query.syntax import EVERYTHING, Compare, Field, Op

FACTS_EVERY = 0.5
"""Seconds between two sums over the loaded events."""
HINTS = [
    ("esc", "back"),
    ("enter", "detail"),
    ("r", "resource of the row"),
    ("e E", "error"),
    ("t", "zone"),
    ("?", "help"),
]


class ResourceScreen(ExportingScreen):
    """Present status and since when, how it changed, who touched it, and its own timeline."""

    collects = True
    BINDINGS = [
        Binding("escape,q", "app.pop_screen", "Back"),
        Binding("r", "resource", "Resource of the row"),
    ]

    def __init__(self, resource_type: str, resource_id: str) -> None:
        super().__init__()
        self._resource = (resource_type, resource_id)
        self._events = Timeline()
        self._count = 0
        self._first: datetime | None = None
        self._waiting: list[Event] = []
        self._opened = False
        self._facts = resource_facts((), resource_type, resource_id)
        self._facts_stale = False
        self._facts_due = 0.0

    def compose(self) -> ComposeResult:
        """What is known of it, over its timeline."""
        yield StatusLine(id="status")
        header = ResourceHeader(self.console.now, id="resource-header")
        header.add_class("pane")
        header.border_title = Content(clean("/".join(self._resource)))
        yield header
        view = TimelineView(self._events, self.console.model.marks, self.console.now, id="resource-timeline")
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
        self.read(self._open)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Take in what is about this resource."""
        if arrivals is not None:
            new = [event for event in arrivals.events if is_about(event, *self._resource)]
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
            events = [row for row in self._events.rows if isinstance(row, Event)]
            self._facts = resource_facts(events, *self._resource)
        self.query_one(ResourceHeader).show(self._facts, self._count, self._first, self.console.zone)

    def action_resource(self) -> None:
        """Open the page of the other resource of the row under the cursor."""
        event = self.timeline.selected_event
        if event is None:
            return
        roles = (
            (event.resource_type, event.resource_id),
            (event.secondary_resource_type, event.secondary_resource_id),
        )
        for kind, identifier in roles:
            if kind is not None and identifier is not None and (kind, identifier) != self._resource:
                self.console.open_screen(ResourceScreen(kind, identifier))
                return
        self.notify("this row is about no other resource", markup=False, timeout=2)

    def on_timeline_view_event_opened(self, message: TimelineView.EventOpened) -> None:
        """Show the event in full."""

        def answered(resource: tuple[str, str] | None) -> None:
            if resource is not None and resource != self._resource:
                self.console.open_screen(ResourceScreen(*resource))

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
        """The timeline of the resource."""
        return self.query_one("#resource-timeline", TimelineView)

    @property
    def resource(self) -> str:
        """The resource of this page."""
        return "/".join(self._resource)

    def is_shown(self, event: Event) -> bool:
        """Whether an event is about this resource."""
        return is_about(event, *self._resource)

    async def read_before(self, place: SortKey | None, limit: int, chosen: Selection) -> list[Event]:
        """Events of this resource, in both roles."""
        return await self.reader.resource_events(*self._resource, limit, chosen, before=place)

    async def read_after(self, place: SortKey, limit: int, chosen: Selection) -> list[Event]:
        """Events of this resource, in both roles."""
        return await self.reader.resource_events(*self._resource, limit, chosen, after=place)

    def exported(self) -> EventFilter:
        """Events of this resource, in both roles."""
        return self._events.filter.selection(Compare(Field.RESOURCE, Op.EQ, "/".join(self._resource)))

    def older_read(self) -> None:
        """Sum up again."""
        self._facts_stale = True

    async def _open(self) -> None:
        page = await self.read_before(None, PAGE, EVERYTHING)
        self._count, self._first = await self.reader.resource_span(*self._resource)
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
            self._count += len(events)
            oldest = min(event.inserted_at for event in events)
            self._first = min(oldest, self._first) if self._first else oldest
