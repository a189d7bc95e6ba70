"""What is known of a thing: a name and a text a line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from monitor.text import clean, fit
from monitor.widgets.lines import Lines

_NAME = 11
"""Cells for the names."""


class FactLines(Lines):
    """One line a fact; what has no room is cut, with a mark. It takes no keys."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._facts: Sequence[tuple[str, str]] = ()

    def show(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these; the texts are raw."""
        self._facts = facts
        height = self.size.height
        self.draw_changes([facts[y] if y < len(facts) else None for y in range(height)])

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.size.width
        if y >= len(self._facts):
            return self.strip([], width)
        name, text = self._facts[y]
        return self.strip([(fit(clean(name), _NAME), "accent"), (clean(text), "")], width)
