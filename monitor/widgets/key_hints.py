"""The bottom line: the keys one needs most. All of them are in the help."""

from __future__ import annotations

from textual.strip import Strip

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
        for key, action in self._hints:
            cost = len(key) + len(action) + 4
            if used + cost > width:
                break
            used += cost
            parts.extend([(f" {key} ", "strong"), (f"{action} ", "dim")])
        return self.strip(parts, width)
