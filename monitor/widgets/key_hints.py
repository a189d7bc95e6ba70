"""The bottom line: the keys one needs most. All of them are in the help."""

from __future__ import annotations

from textual.dom import DOMNode
from textual.strip import Strip
from textual.widget import Widget

from monitor.bindings import keys_now
from monitor.widgets.lines import Lines, Part


class KeyHints(Lines):
    """Keys and what they do, as many as fit."""

    def __init__(self, hints: list[tuple[str, str]], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._hints = hints

    def render_line(self, y: int) -> Strip:
        """Draw the hints that fit as a whole."""
        width = self.size.width
        parts: list[Part] = []
        used = 0
        nodes: list[DOMNode] = [self.screen, *self.screen.query(Widget), self.app]  # pyright: ignore[reportUnknownMemberType]
        for keys, action in self._hints:
            key = keys_now(nodes, keys)
            cost = len(key) + len(action) + 4
            if used + cost > width:
                break
            used += cost
            parts.extend([(f" {key} ", "strong"), (f"{action} ", "dim")])
        return self.strip(parts, width)
