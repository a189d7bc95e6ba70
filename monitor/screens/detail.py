"""One event in full."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen

from monitor.text import clean
from monitor.widgets.event_detail import EventDetail
from monitor.zone import Zone
from store.event import Event


class DetailScreen(ModalScreen[tuple[str, str] | None]):
    """Every field and the metadata as a tree. Answers with a resource (type, id) to open, or None."""

    BINDINGS = [
        Binding("escape,q,enter", "close", "Back"),
        Binding("r", "resource", "Resource page"),
        Binding("R", "secondary", "Page of the secondary resource"),
    ]

    def __init__(self, event: Event, zone: Zone) -> None:
        super().__init__()
        self._event = event
        self._zone = zone

    def compose(self) -> ComposeResult:
        """The event."""
        detail = EventDetail(self._event, self._zone, id="detail")
        detail.add_class("dialog")
        detail.border_title = Content(clean(self._event.event_type))
        detail.border_subtitle = Content("r resource · R secondary · esc back")
        yield detail

    def action_close(self) -> None:
        """Back to where the event was opened."""
        self.dismiss(None)

    def action_resource(self) -> None:
        """Open the page of the event's resource."""
        self._open(self._event.resource_type, self._event.resource_id)

    def action_secondary(self) -> None:
        """Open the page of the event's secondary resource."""
        self._open(self._event.secondary_resource_type, self._event.secondary_resource_id)

    def _open(self, resource_type: str | None, resource_id: str | None) -> None:
        if resource_type is None or resource_id is None:
            self.notify("this event has no such resource", markup=False, timeout=2)
        else:
            self.dismiss((resource_type, resource_id))
