"""The saved views, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.model.view import View
from monitor.text import cell_width, clean, fit
from monitor.widgets.lines import LineList, Part

_NAME_MAX = 28


class ViewList(LineList):
    """Names, with what each view shows. The cursor stays on its name."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._views: dict[str, View] = {}

    def show(self, views: Mapping[str, View]) -> None:
        """Show these, in their order."""
        name = self.chosen
        self._views = dict(views)
        self.keep_cursor_on(name, list(self._views))
        self.lines_changed()

    @property
    def chosen(self) -> str | None:
        """The name under the cursor; None when there is no view."""
        names = list(self._views)
        return names[min(self.cursor, len(names) - 1)] if names else None

    def line_count(self) -> int:
        """One a view."""
        return len(self._views)

    def empty_text(self) -> str:
        """Shown while nothing was saved."""
        return "no saved views yet"

    def line_parts(self, index: int, width: int) -> list[Part]:
        """Name, filter, zone."""
        name, view = list(self._views.items())[index]
        room = min(_NAME_MAX, max(cell_width(clean(name)) for name in self._views))
        least = f"severity>={view.minimum.value} " if view.minimum else ""
        zone: list[Part] = [(f"  {clean(view.zone)}", "dim")] if view.zone else []
        shows = clean(f"{least}{view.query}") or "everything"
        used = room + 2 + sum(cell_width(text) for text, _style in zone)
        return [(fit(clean(name), room), "strong"), ("  ", ""), (fit(shows, max(1, width - used)), ""), *zone]
