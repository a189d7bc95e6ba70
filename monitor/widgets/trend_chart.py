"""Events and errors over a period as lines, with the times at both ends and the highest number."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from monitor.text import cell_width
from monitor.widgets.braille import line_chart
from monitor.widgets.lines import Lines, Part

_SCALE = 9
"""Cells for the numbers at the left."""


class TrendChart(Lines):
    """Two charts, one over the other, each against its own highest number, and a line of times."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._series: Sequence[tuple[str, str, Sequence[int]]] = ()
        self._ends = ("", "")

    def show(self, series: Sequence[tuple[str, str, Sequence[int]]], ends: tuple[str, str]) -> None:
        """Show `series`: the name, style and numbers of each; `ends` are the times at both ends."""
        if (series, ends) != (self._series, self._ends):
            self._series, self._ends = series, ends
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width, height = self.size.width, self.size.height - 1
        chart = max(0, width - _SCALE)
        if y >= height:
            first, last = self._ends
            gap = max(1, chart - cell_width(first) - cell_width(last))
            return self.strip([(" " * _SCALE, ""), (f"{first}{' ' * gap}{last}", "dim")], width)
        each = max(1, height // max(1, len(self._series)))
        place, line = divmod(y, each)
        if place >= len(self._series):
            return self.strip([], width)
        name, style, counts = self._series[place]
        parts: list[Part] = [(f"{_scale(name, counts, line, each):<{_SCALE}}", "dim")]
        parts.append((line_chart(counts, chart, each)[line], style))
        return self.strip(parts, width)


def _scale(name: str, counts: Sequence[int], line: int, height: int) -> str:
    """The name beside the first line, the highest number beside the second, 0 beside the last."""
    if line == 0:
        return name
    if line == 1 and height > 2:
        return f"{max(counts, default=0):,}"[: _SCALE - 1]
    return "0" if line == height - 1 else ""
