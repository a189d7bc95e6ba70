"""The top of a page: what is known of its subject, a line a fact."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from monitor.widgets.lines import Lines, Part

Line = Sequence[Part]
BORDERS = 2


class SubjectHeader(Lines):
    """As many lines as there are facts."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Show these."""
        if len(lines) != len(self._lines):
            self.styles.height = len(lines) + BORDERS
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        return self.strip(list(self._lines[y]) if y < len(self._lines) else [], self.size.width)
