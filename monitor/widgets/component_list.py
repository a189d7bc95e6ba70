"""A list of components, of which the pages of their resources are opened."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding
from textual.message import Message

from monitor.health.components import Subject
from monitor.widgets.lines import LineList


class ComponentList(LineList):
    """Subclasses say which component is under the cursor."""

    BINDINGS = [Binding("enter,r", "open", "Resource")]

    @dataclass
    class ComponentOpened(Message):
        """The operator wants the resource page of a component."""

        resource_type: str
        resource_id: str

    @property
    def chosen(self) -> Subject | None:
        """What the component under the cursor is: resource type and id; None when there is none."""
        raise NotImplementedError

    def action_open(self) -> None:
        """Open the resource page of the component under the cursor."""
        if self.chosen is None:
            return
        kind, identifier = self.chosen
        if identifier is None:
            self.notify("this component has no resource", markup=False, timeout=2)
        else:
            self.post_message(self.ComponentOpened(kind, identifier))
