"""One event in full: its values to copy and to filter by, its resources and its actor, the events beside it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen

from monitor.bindings import keys_now
from monitor.errors import read_failure
from monitor.masking import shown_event
from monitor.model.filter import Facet
from monitor.model.subjects import ActorName, PageSubject, ResourceName
from monitor.screens.help import HelpScreen
from monitor.screens.timeline_screen import TimelineScreen
from monitor.text import clean
from monitor.widgets.event_detail import EventDetail
from monitor.widgets.timeline_view import TimelineView
from store.event import Event
from store.wire import encode

HINTS = (
    ("c", "copy"),
    ("x X", "filter"),
    ("v", "JSON"),
    ("J K", "next"),
    ("r a", "links"),
    ("?", "help"),
    ("esc", "back"),
)


class DetailScreen(ModalScreen[PageSubject | None]):
    """Every field and the metadata as a tree. Answers with what is to be opened: a resource, an actor, or None.

    `opener` is the screen whose timeline the event stands on: what is filtered there is filtered by the values here.
    """

    BINDINGS = [
        Binding("escape,q,enter", "close", "Back"),
        Binding("c", "copy_value", "Copy the value"),
        Binding("y", "copy_event", "Copy the event as JSON"),
        Binding("x", "mute", "Hide what has this value, show it again"),
        Binding("X", "solo", "Only what has this value, everything again"),
        Binding("v", "raw", "Tree / JSON"),
        Binding("J", "beside(1)", "Next event"),
        Binding("K", "beside(-1)", "Previous event"),
        Binding("r", "resource", "Resource page"),
        Binding("R", "secondary", "Page of the secondary resource"),
        Binding("a", "actor", "Actor page"),
        Binding("t", "zone", "UTC / local / ago"),
        Binding("question_mark,f1", "help", "Help"),
    ]

    def __init__(self, event: Event, opener: TimelineScreen) -> None:
        super().__init__()
        self._event = event
        self._opener = opener

    def compose(self) -> ComposeResult:
        """The event."""
        detail = EventDetail(self._event, self._opener.console.zone, id="detail")
        detail.add_class("dialog")
        detail.border_title = Content(clean(self._event.event_type))
        yield detail

    def on_mount(self) -> None:
        """Say which keys there are, as they are set."""
        self._show_hints()

    def _show_hints(self) -> None:
        named = {"v": "tree"} if self._detail.raw else {}
        hints = "  ".join(f"{keys_now([self], keys)} {named.get(keys, what)}" for keys, what in HINTS)
        self._detail.border_subtitle = Content(clean(hints))

    @property
    def _detail(self) -> EventDetail:
        return self.query_one(EventDetail)

    def action_close(self) -> None:
        """Back to where the event was opened."""
        self.dismiss(None)

    def action_help(self) -> None:
        """Show all keys and what the counts mean."""
        console = self._opener.console
        console.open_screen(HelpScreen(self.focused, self, console.places))

    def action_zone(self) -> None:
        """Show times in the next zone, here and on the timeline."""
        self._opener.action_zone()
        self._detail.show(self._event, self._opener.console.zone)

    def action_raw(self) -> None:
        """Show the event as JSON, or its values again."""
        self._detail.action_raw()
        self._show_hints()

    # Taking along

    def action_copy_value(self) -> None:
        """Copy the value under the cursor, whole; of JSON, all of it."""
        item = self._detail.selected
        if item is not None:
            name = item.label if item.is_field else ".".join(map(str, item.place[1:])) or item.label
            self._opener.console.copy(clean(item.text), clean(name[:80]))
        elif self._detail.raw:
            self.action_copy_event()

    def action_copy_event(self) -> None:
        """Copy the event as one line of JSON in ASCII."""
        self._opener.console.copy(clean(encode(shown_event(self._event)).decode()), "the event")

    # Filtering by a value

    def action_mute(self) -> None:
        """Hide what has the value under the cursor, or show it again."""
        facet = self._asked()
        if facet is not None:
            is_hidden = facet in self._opener.timeline.timeline.filter.toggled(facet).muted
            self._choose(facet, solo=False)
            self._tell(f"{'hidden' if is_hidden else 'shown again'}: {facet.label}")

    def action_solo(self) -> None:
        """Show only what has the value under the cursor, or everything again."""
        facet = self._asked()
        if facet is not None:
            is_alone = facet in self._opener.timeline.timeline.filter.soloed(facet).only
            self._choose(facet, solo=True)
            self._tell(f"{'only' if is_alone else 'no longer only'}: {facet.label}")

    def _asked(self) -> Facet | None:
        item = self._detail.selected
        if item is None:
            self._tell("v shows the values to filter by" if self._detail.raw else "there is no value here")
            return None
        asked = item.asked
        if isinstance(asked, str):
            self._tell(asked)
            return None
        return asked

    def _choose(self, facet: Facet, *, solo: bool) -> None:
        view = self._opener.timeline
        view.post_message(TimelineView.FacetChosen(facet, solo))

    # The events beside it

    def action_beside(self, step: int) -> None:
        """Show the next or previous event of the timeline, which goes along."""
        timeline, key = self._opener.timeline.timeline, self._event.sort_key
        rows = timeline.rows
        index = rows.index(key)
        if step < 0 or (index < len(rows) and rows[index].sort_key == key):
            index += step
        while 0 <= index < len(rows):
            row = rows[index]
            if isinstance(row, Event):
                self._show(row)
                return
            index += step
        if timeline.has_older if step < 0 else timeline.has_newer:
            self.run_worker(self._read_beside(step), group="beside", exclusive=True, exit_on_error=False)
        else:
            self._tell(f"no event further {'up' if step < 0 else 'down'}")

    async def _read_beside(self, step: int) -> None:
        opener, key = self._opener, self._event.sort_key
        chosen = opener.timeline.timeline.filter.selection()
        try:
            found = await opener.next_event(key, step, chosen, lambda: self._event.sort_key == key)
        except Exception as error:
            self.notify(clean(read_failure(error)), severity="error", markup=False)
            return
        if self._event.sort_key != key:
            # Another event is looked at by now.
            return
        if found is not None:
            self._show(found)
        else:
            self._tell(f"no event further {'up' if step < 0 else 'down'}")

    def _show(self, event: Event) -> None:
        self._event = event
        self._detail.border_title = Content(clean(event.event_type))
        self._detail.show(event, self._opener.console.zone)
        self._opener.go_to(event.sort_key)

    # Its resources and its actor

    def action_actor(self) -> None:
        """Open the page of the event's actor."""
        self.dismiss(ActorName(self._event.actor))

    def action_resource(self) -> None:
        """Open the page of the event's resource."""
        self._open(self._event.resource_type, self._event.resource_id)

    def action_secondary(self) -> None:
        """Open the page of the event's secondary resource."""
        self._open(self._event.secondary_resource_type, self._event.secondary_resource_id)

    def _open(self, resource_type: str | None, resource_id: str | None) -> None:
        if resource_type is None or resource_id is None:
            self._tell("this event has no such resource")
        else:
            self.dismiss(ResourceName(resource_type, resource_id))

    def _tell(self, text: str) -> None:
        self.notify(clean(text), markup=False, timeout=2)
