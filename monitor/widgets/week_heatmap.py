"""How busy each hour of the week was: a row a weekday, a column an hour."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from monitor.widgets.lines import Lines, Part
from monitor.widgets.severity_bars import heat_cell

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LABEL = 5
_HOURS = 24
WIDE_FROM = _LABEL + 2 * _HOURS
"""Cells from which on an hour has two."""


class WeekHeatmap(Lines):
    """The density of a cell is the number against that of the busiest hour."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._week: Sequence[Sequence[int]] = ()
        self._empty = ""

    def show(self, week: Sequence[Sequence[int]], empty: str) -> None:
        """Show these numbers by weekday, Monday first, and hour; or `empty` where there are none."""
        if (week, empty) != (self._week, self._empty):
            self._week, self._empty = week, empty
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.size.width
        peak = max((number for day in self._week for number in day), default=0)
        if not peak:
            return self.strip([(self._empty, "dim")] if y == 0 else [], width)
        cells = 2 if width >= WIDE_FROM else 1
        if y == 0:
            marks = "".join(f"{hour:<{6 * cells}}" for hour in range(0, _HOURS, 6))
            return self.strip([(" " * _LABEL, ""), (marks, "dim")], width)
        if y > len(_DAYS):
            return self.strip([], width)
        parts: list[Part] = [(f"{_DAYS[y - 1]:<{_LABEL}}", "dim")]
        parts += [(cells * heat_cell(number, peak), "accent") for number in self._week[y - 1]]
        total = sum(self._week[y - 1])
        return self.strip([*parts, (f" {total:>9,}", "")], width)
