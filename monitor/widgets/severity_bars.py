"""Bars stacked by severity, a row that names the severities by letter, and a heatmap of severity and time.

All is told by glyphs too: a letter under a bar, the density of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitor.model.histogram import Bar
from monitor.widgets.lines import Part
from monitor.widgets.spark import BLOCKS

_LEVELS = len(BLOCKS)
_HEAT = "·░▒▓█"
HEAT_ROWS = (("E", "error"), ("W", "warning"), ("I", "accent"), ("-", "dim"))
"""Letter and style of each row of the heatmap, in the order of `Bar`; `-` for events without a severity."""


def bar_cell(bar: Bar, peak: int, height: int, line: int) -> Part:
    """The cell of `bar` in `line`, counted from below, of `height` lines. Errors stand at the foot, then warnings.

    A cell full of errors or of warnings has a glyph of its own.
    """

    def level(count: int) -> int:
        return -(-count * height * _LEVELS // peak) if peak else 0

    floor = line * _LEVELS
    filled = min(_LEVELS, level(bar.total) - floor)
    if filled <= 0:
        return (" ", "")
    reach = 0
    for count, style, glyph in ((bar.errors, "error", "▓"), (bar.warnings, "warning", "▒")):
        if not count:
            continue
        reach += count
        bad = min(filled, level(reach) - floor)
        if bad <= 0:
            continue
        if bad == _LEVELS:
            return (glyph, style)
        if filled == _LEVELS:
            return (BLOCKS[bad - 1], f"{style}-on-accent")
        # A cell has two colours only: of a low bar, one error is worth more than all the rest.
        return (BLOCKS[filled - 1], style)
    return (BLOCKS[filled - 1], "accent")


def severity_mark(bar: Bar) -> Part:
    """The worst severity of a bar by its letter; a space for neither errors nor warnings."""
    if bar.errors:
        return ("E", "error")
    return ("W", "warning") if bar.warnings else (" ", "")


def heat_rows(bars: Sequence[Bar], rows: int) -> list[tuple[str, str, list[int]]]:
    """(Letter, style, a count for each bar) of the `rows` lines of the heatmap, the worst severity first.

    Where there is no line for each, those without a severity join the infos, and then the lesser ones are left out.
    """
    columns = [[bar[index] for bar in bars] for index in range(len(HEAT_ROWS))]
    if rows < len(HEAT_ROWS):
        columns[2] = [info + other for info, other in zip(columns[2], columns[3], strict=True)]
    return [(*HEAT_ROWS[index], columns[index]) for index in range(min(rows, len(HEAT_ROWS)))]


def heat_cell(count: int, peak: int) -> str:
    """The density of a cell against the peak of its row: a space for none, then `·░▒▓█`."""
    if count <= 0 or peak <= 0:
        return " "
    return _HEAT[min(len(_HEAT) - 1, count * len(_HEAT) // (peak + 1))]
