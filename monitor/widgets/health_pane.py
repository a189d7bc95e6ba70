"""The components and how they are, worst first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual.content import Content

from monitor.bindings import keys_now
from monitor.health.components import Component, State, Subject
from monitor.text import clean, fit
from monitor.widgets.component_list import ComponentList
from monitor.widgets.lines import Part
from monitor.zone import short_age

STATE_MARK: dict[State, Part] = {
    State.UP: ("● ", "good"),
    State.DEGRADED: ("▲ ", "warning"),
    State.DOWN: ("✖ ", "error"),
    State.UNKNOWN: ("? ", "dim"),
}


class HealthPane(ComponentList):
    """One line a component: state, name, since when."""

    def __init__(self, now: Callable[[], datetime], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._now = now
        self._components: tuple[Component, ...] = ()

    def on_mount(self) -> None:
        """Say by which key there is more."""
        self.border_title = Content(clean(f"Health ─ {keys_now([self.screen], 'H')} uptime"))

    def show(self, components: tuple[Component, ...]) -> None:
        """Show these components, and the present ages."""
        under_cursor = self._components[self.cursor].name if self._components else None
        self._components = components
        self.keep_cursor_on(under_cursor, [component.name for component in components])
        self.lines_changed()

    def line_count(self) -> int:
        """One a component."""
        return len(self._components)

    def empty_text(self) -> str:
        """Shown while no component has reported."""
        return "no component reported yet"

    def line_parts(self, index: int, width: int) -> list[Part]:
        """State glyph, name, state in a word, age."""
        component = self._components[index]
        mark, style = STATE_MARK[component.state]
        since = short_age(component.since, self._now())
        word = f" {component.state.value} {since}"
        return [
            (mark, style),
            (
                fit(clean(component.name), max(1, width - len(mark) - len(word))),
                style if style != "good" else "",
            ),
            (word, style if style != "good" else "dim"),
        ]

    @property
    def chosen(self) -> Subject | None:
        """What the component under the cursor is; None when there is none."""
        if not self._components:
            return None
        component = self._components[self.cursor]
        return component.kind, component.identifier
