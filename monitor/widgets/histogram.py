"""Events over time by severity, as bars or as a heatmap, with a cursor that tells numbers and selects a span."""

from __future__ import annotations

from dataclasses import dataclass

from textual.actions import SkipAction
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from monitor.model.histogram import BARS, Bar
from monitor.text import clean
from monitor.widgets.lines import Lines, Part
from monitor.widgets.severity_bars import bar_cell, heat_cell, heat_rows, severity_mark

_PAGE = BARS // 2
_HEAT_LABEL = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn: bars, oldest first, which of them are marked, and what is written around them.

    `cursor` and the ends of `selected` are numbers of bars; `unit` is what a bar stands for, as in `min`.
    """

    bars: tuple[Bar, ...] = ()
    cursor: int = 0
    selected: range | None = None
    unit: str = "min"
    title: str = ""
    subtitle: str = ""
    can_clear: bool = False


_FURTHER = "Half the width back / on, further back in time too"
_ZOOM = "Finer / coarser: minute, 5 min, hour, day"


class Histogram(Lines, can_focus=True):
    """The newest bar is at the right. Shows what it is given; moving, zooming and selecting are wishes."""

    BINDINGS = [
        Binding("left,h", "move(-1)", "A bar to the left / right", id="histogram.left"),
        Binding("right,l", "move(1)", "A bar to the left / right", id="histogram.right"),
        Binding("pageup,b", f"move(-{_PAGE})", _FURTHER, id="histogram.page-left"),
        Binding("pagedown", f"move({_PAGE})", _FURTHER, id="histogram.page-right"),
        Binding("home,g", f"move(-{BARS})", "A whole width back", show=False),
        Binding("end,G", "newest", "The newest bar", show=False),
        Binding("z", "zoom(-1)", _ZOOM, id="histogram.finer"),
        Binding("Z", "zoom(1)", _ZOOM, id="histogram.coarser"),
        Binding("space", "mark", "Begin a span here"),
        Binding("enter", "select", "Show only the span (or this bar)"),
        Binding("escape", "clear", "Give the span up", show=False),
        Binding("v", "view", "Bars / severity heatmap"),
    ]

    @dataclass
    class FocusChanged(Message):
        """The histogram got the focus, or lost it: its title is another one."""

    @dataclass
    class Moved(Message):
        """The cursor is to move by so many bars; None for the newest one."""

        bars: int | None

    @dataclass
    class Zoomed(Message):
        """Finer (-1) or coarser (+1) bars are wanted."""

        by: int

    @dataclass
    class Marked(Message):
        """A span is to begin under the cursor."""

    @dataclass
    class Selected(Message):
        """The span up to the cursor is to be the filter's."""

    @dataclass
    class Cleared(Message):
        """The span, begun or selected, is to be given up."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._picture = Picture()
        self._titles = ("", "")

    @property
    def is_heatmap(self) -> bool:
        """Whether severities stand in rows of their own."""
        return self.has_class("-heatmap")

    def show(self, picture: Picture) -> None:
        """Show this."""
        self._picture = picture
        if (titles := (picture.title, picture.subtitle)) != self._titles:
            self._titles = titles
            self.border_title = Content(clean(picture.title))
            self.border_subtitle = Content(clean(picture.subtitle))
        self.draw_changes([self._line(y) for y in range(self.size.height)])

    def render_line(self, y: int) -> Strip:
        """Draw one line: bars or rows of the heatmap, and under them the marks."""
        return self.strip(self._line(y), self.size.width)

    def action_move(self, bars: int) -> None:
        """Move the cursor, negative to the left."""
        self.post_message(self.Moved(bars))

    def action_newest(self) -> None:
        """Go to the newest bar."""
        self.post_message(self.Moved(None))

    def action_zoom(self, by: int) -> None:
        """Finer or coarser bars."""
        self.post_message(self.Zoomed(by))

    def action_mark(self) -> None:
        """Begin a span."""
        self.post_message(self.Marked())

    def action_select(self) -> None:
        """Make the span the filter's."""
        self.post_message(self.Selected())

    def action_clear(self) -> None:
        """Give up the span; without one, leave the pane."""
        if not self._picture.can_clear:
            raise SkipAction
        self.post_message(self.Cleared())

    def action_view(self) -> None:
        """Bars or heatmap."""
        self.show_heatmap(not self.is_heatmap)

    def show_heatmap(self, heatmap: bool) -> None:
        """Show severities in rows of their own, or stacked in bars."""
        self.set_class(heatmap, "-heatmap")
        self.refresh()

    def on_resize(self) -> None:
        """Draw anew."""
        self._drawn = []
        self.refresh()

    def on_focus(self) -> None:
        """Show the cursor."""
        self.post_message(self.FocusChanged())

    def on_blur(self) -> None:
        """Take the cursor away."""
        self.post_message(self.FocusChanged())

    def _line(self, y: int) -> list[Part]:
        width, height = self.size.width, self.size.height
        if not self._picture.bars or height < 1:
            return []
        label = _HEAT_LABEL if self.is_heatmap else 0
        bars = self._picture.bars[-max(1, width - label) :]
        scale = 2 if 2 * len(bars) + 26 <= width else 1
        # A single line is all for the bars.
        is_marks = height > 1 and y == height - 1
        if is_marks:
            return [(" " * label, ""), *self._marks(bars, scale, width - label)]
        rows = max(1, height - 1)
        return self._heat(bars, scale, rows, y) if self.is_heatmap else self._bars(bars, scale, rows, y)

    def _bars(self, bars: tuple[Bar, ...], scale: int, rows: int, y: int) -> list[Part]:
        peak = max(bar.total for bar in bars)
        parts: list[Part] = []
        for bar in bars:
            glyph, style = bar_cell(bar, peak, rows, rows - 1 - y)
            parts.append((glyph * scale, style))
        legend = f"  peak {peak:,}/{clean(self._picture.unit)}"
        if y == 0 and len(legend) + scale * len(bars) <= self.size.width:
            parts.append((legend, "dim"))
        return parts

    def _heat(self, bars: tuple[Bar, ...], scale: int, rows: int, y: int) -> list[Part]:
        drawn = heat_rows(bars, rows)
        if y >= len(drawn):
            return []
        letter, style, counts = drawn[y]
        peak = max(counts)
        cells = "".join(heat_cell(count, peak) * scale for count in counts)
        parts: list[Part] = [(letter.ljust(_HEAT_LABEL), style), (cells, style)]
        legend = f"  peak {peak:,}/{clean(self._picture.unit)}"
        if _HEAT_LABEL + len(cells) + len(legend) <= self.size.width:
            parts.append((legend, "dim"))
        return parts

    def _marks(self, bars: tuple[Bar, ...], scale: int, width: int) -> list[Part]:
        """Under each bar: the cursor, else an end of the span, else the letter of its worst severity."""
        picture = self._picture
        left = len(picture.bars) - len(bars)
        selected = picture.selected
        parts: list[Part] = []
        for index, bar in enumerate(bars, left):
            glyph, style = (" ", "") if self.is_heatmap else severity_mark(bar)
            if selected is not None and index in selected:
                ends = {selected[0]: "[", selected[-1]: "]"}
                if index in ends or glyph == " ":
                    glyph, style = ends.get(index, "─"), "strong"
            if self.has_focus and index == picture.cursor:
                glyph, style = "▲", "strong"
            parts.append((glyph.ljust(scale), style))
        hint = "" if scale * len(bars) + 34 > width else "  E W errors, warnings in a bar"
        parts.append((hint if not self.is_heatmap else "", "dim"))
        return parts
