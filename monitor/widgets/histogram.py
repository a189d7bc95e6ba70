"""Events a minute over the window, as bars; minutes with errors and warnings stand out."""

from __future__ import annotations

from textual.content import Content
from textual.strip import Strip

from monitor.model.counts import MinuteBar
from monitor.text import clean
from monitor.widgets.lines import Lines, Part
from monitor.widgets.spark import BLOCKS

_LEVELS = len(BLOCKS)


class Histogram(Lines):
    """Bars over the lines it has, the newest minute at the right, with the peak beside them."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._bars: tuple[MinuteBar, ...] = ()
        self._titles = ("", "")

    def show(self, bars: tuple[MinuteBar, ...], title: str, span: str) -> None:
        """Show `bars`, oldest first, with `title` over and `span` under them."""
        if (title, span) != self._titles:
            self._titles = (title, span)
            self.border_title = Content(clean(title))
            self.border_subtitle = Content(clean(span))
        if bars != self._bars:
            self._bars = bars
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the bars."""
        width, height = self.size.width, self.size.height
        if not self._bars:
            return self.strip([], width)
        bars = self._bars[-width:]
        scale = 2 if 2 * len(bars) + 26 <= width else 1
        peak = max((bar.total for bar in bars), default=0)
        parts: list[Part] = []
        for bar in bars:
            glyph, style = _cell(bar, peak, height, height - 1 - y)
            parts.append((glyph * scale, style))
        legend = f"  peak {peak:,}/min"
        if y == 0 and len(legend) + scale * len(bars) <= width:
            parts.append((legend, "dim"))
        return self.strip(parts, width)


def _cell(bar: MinuteBar, peak: int, height: int, line: int) -> Part:
    """The cell of `bar` in `line`, counted from below. Errors, else warnings, stand at the foot of the bar."""

    def level(count: int) -> int:
        return -(-count * height * _LEVELS // peak) if peak else 0

    floor = line * _LEVELS
    filled = min(_LEVELS, level(bar.total) - floor)
    if filled <= 0:
        return (" ", "")
    bad, style = (bar.errors, "error") if bar.errors else (bar.warnings, "warning")
    bad_filled = min(filled, level(bad) - floor)
    if bad_filled <= 0:
        return (BLOCKS[filled - 1], "accent")
    if filled == _LEVELS and bad_filled < _LEVELS:
        return (BLOCKS[bad_filled - 1], f"{style}-on-accent")
    # A cell has two colours only: of a low bar, one error is worth more than all the rest.
    return (BLOCKS[filled - 1], style)
