"""The resource page: the life of one resource, in both its roles, from the store and live."""

from __future__ import annotations

from datetime import datetime

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from monitor.messages import StoreReadFailed
from monitor.model.arrivals import Arrivals
from monitor.model.resource import is_about, resource_facts
from monitor.model.timeline import Timeline
from monitor.screens.console_screen import ConsoleScreen
from monitor.screens.detail import DetailScreen
from monitor.screens.help import HelpScreen
from monitor.text import clean
from monitor.widgets.key_hints import KeyHints
from monitor.widgets.resource_header import ResourceHeader
from monitor.widgets.status_line import StatusLine
from monitor.widgets.timeline_view import TimelineView
from store.errors import StoreError
from store.event import Event, Severity

PAGE = 200
RETRY_AFTER = 5.0
"""Seconds until the store is asked again after it could not be read."""
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


class ResourceScreen(ConsoleScreen):
    """Present status and since when, how it changed, who touched it, and its own timeline."""

    collects = True
    BINDINGS = [
        Binding("escape,q", "app.pop_screen", "Back"),
        Binding("e", "find(1, 'error')", "Next error"),
        Binding("E", "find(-1, 'error')", "Previous error"),
        Binding("w", "find(1, 'warning')", "Next warning"),
        Binding("W", "find(-1, 'warning')", "Previous warning"),
        Binding("p", "freeze", "Freeze / resume"),
        Binding("F", "follow", "Follow on / off"),
        Binding("r", "resource", "Resource of the row"),
        Binding("t", "zone", "UTC / local / ago"),
        Binding("question_mark,f1", "help", "Help"),
    ]

    def __init__(self, resource_type: str, resource_id: str) -> None:
        super().__init__()
        self._resource = (resource_type, resource_id)
        self._timeline = Timeline()
        self._count = 0
        self._first: datetime | None = None
        self._waiting: list[Event] = []
        self._opened = False
        self._loading = False
        self._retry_at = 0.0
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
        view = TimelineView(self._timeline, self.console.now, id="resource-timeline")
        view.caption = "Its timeline"
        view.empty_text = "reading the store…"
        view.zone = self.console.zone
        view.add_class("pane")
        yield view
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        """Read its life from the store while live events wait."""
        self.query_one(TimelineView).focus()
        # Whether the store has an event is known in one place.
        model = self.console.model.timeline
        self._timeline.unconfirmed, self._timeline.not_stored = model.unconfirmed, model.not_stored
        self._load(self._open())

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Take in what is about this resource."""
        if arrivals is not None:
            new = [event for event in arrivals.events if is_about(event, *self._resource)]
            if self._opened:
                self._add(new)
            else:
                self._waiting.extend(new)
        self.show_vitals()
        if not self._opened and self._may_load:
            self._load(self._open())
        view = self.query_one(TimelineView)
        view.advance()
        if self._facts_stale and self.console.tick() >= self._facts_due:
            self._facts_stale = False
            self._facts_due = self.console.tick() + FACTS_EVERY
            events = [row for row in self._timeline.rows if isinstance(row, Event)]
            self._facts = resource_facts(events, *self._resource)
        self.query_one(ResourceHeader).show(self._facts, self._count, self._first, self.console.zone)

    def action_find(self, step: int, severity: str) -> None:
        """Go to the next or previous event of a severity."""
        if not self.query_one(TimelineView).find(step, Severity(severity)):
            self.notify(f"no {clean(severity)} there", markup=False, timeout=2)

    def action_freeze(self) -> None:
        """Freeze its timeline, or let it go on."""
        if self._timeline.frozen:
            self._timeline.attach()
        else:
            self._timeline.freeze()
        self.advance()

    def action_follow(self) -> None:
        """Follow the newest row, or stop where it is."""
        viewport = self.query_one(TimelineView).viewport
        if viewport.following:
            viewport.detach()
        else:
            viewport.follow()
        self.advance()

    def action_resource(self) -> None:
        """Open the page of the other resource of the row under the cursor."""
        event = self.query_one(TimelineView).selected_event
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

    def action_zone(self) -> None:
        """Show times in the next zone."""
        self.console.zone = self.console.zone.next()
        self.query_one(TimelineView).zone = self.console.zone
        self.advance()

    def action_help(self) -> None:
        """Show all keys."""
        self.console.open_screen(HelpScreen(self.focused, self, self.console.places))

    def on_timeline_view_event_opened(self, message: TimelineView.EventOpened) -> None:
        """Show the event in full."""

        def answered(resource: tuple[str, str] | None) -> None:
            if resource is not None and resource != self._resource:
                self.console.open_screen(ResourceScreen(*resource))

        self.console.open_screen(DetailScreen(message.event, self.console.zone), answered)

    def on_timeline_view_facet_chosen(self, message: TimelineView.FacetChosen) -> None:
        """Mute or solo the type under the cursor, on this page."""
        shown = self._timeline.filter
        self._timeline.apply(shown.soloed(message.facet) if message.solo else shown.toggled(message.facet))
        self.advance()

    def on_timeline_view_older_wanted(self) -> None:
        """Read further back."""
        timeline = self._timeline
        if self._opened and self._may_load and timeline.has_older and not timeline.is_full:
            self._load(self._older())

    def on_store_read_failed(self, message: StoreReadFailed) -> None:
        """Say so, and leave the store in peace for a moment."""
        self._loading = False
        self._retry_at = self.console.tick() + RETRY_AFTER
        # The next try reads the store again, and with it what has waited.
        self._waiting.clear()
        self.notify(clean(message.reason), severity="error", markup=False)

    @property
    def _may_load(self) -> bool:
        return not self._loading and self.console.tick() >= self._retry_at

    def _load(self, reading: object) -> None:
        self._loading = True
        self.run_worker(reading, group="resource", exit_on_error=False)  # pyright: ignore[reportArgumentType]

    async def _open(self) -> None:
        reader = self.console.reader
        if reader is None:
            self.post_message(StoreReadFailed("the store is not open yet"))
            return
        try:
            page = await reader.resource_events(*self._resource, None, PAGE)
            self._count, self._first = await reader.resource_span(*self._resource)
        except Exception as error:
            self._failed(error)
            return
        self._timeline.open_with(page, has_older=len(page) >= PAGE)
        self._facts_stale = True
        self._opened, self._loading = True, False
        known = {event.id for event in page}
        self._add([event for event in self._waiting if event.id not in known])
        self._waiting.clear()
        self.query_one(TimelineView).empty_text = "no events"
        self.advance()

    async def _older(self) -> None:
        reader, floor = self.console.reader, self._timeline.floor
        if reader is None or floor is None:
            self._loading = False
            return
        try:
            page = await reader.resource_events(*self._resource, floor, PAGE)
        except Exception as error:
            self._failed(error)
            return
        self._loading = False
        if floor == self._timeline.floor:
            self._timeline.add_older(page, has_older=len(page) >= PAGE)
            self._facts_stale = True
        self.advance()

    def _failed(self, error: Exception) -> None:
        """Whatever it was, the store must be asked again."""
        known = isinstance(error, StoreError)
        self.post_message(StoreReadFailed(str(error) if known else f"reading failed: {type(error).__name__}"))

    def _add(self, events: list[Event]) -> None:
        if events:
            self._timeline.add(events)
            self._facts_stale = True
            self._count += len(events)
            oldest = min(event.inserted_at for event in events)
            self._first = min(oldest, self._first) if self._first else oldest
