"""The base of everything drawn line by line: named styles, strips of an exact width, a list with a cursor."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from monitor.text import MEASURED_MAX, cell_width, clean, split_substitutes

Part = tuple[str, str]
"""Cleaned text and the name of its style: `error`, `warning`, `info`, `good`, `dim`, `accent`, `strong`, `cell` (what
keys for one value act on), or empty."""


class Lines(Widget):
    """A widget that draws its lines itself, as parts of cleaned text with a named style."""

    COMPONENT_CLASSES = {
        "lines--error",
        "lines--warning",
        "lines--info",
        "lines--good",
        "lines--dim",
        "lines--accent",
        "lines--strong",
        "lines--cell",
        "lines--error-on-accent",
        "lines--warning-on-accent",
        "lines--substitute",
        "lines--cursor",
        "lines--cursor-blurred",
    }
    """One class a named style; `lines--cursor` is laid under the line that has the cursor, `lines--substitute` over
    what stands for a character that is not drawn."""
    DEFAULT_CSS = "Lines > .lines--substitute { text-style: underline; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._drawn: list[object] = []
        self._styles: dict[str, Style] = {}

    def notify_style_update(self) -> None:
        """Forget styles that were looked up: the theme or a class has changed."""
        self._styles.clear()
        super().notify_style_update()

    def draw_changes(self, lines: list[object]) -> None:
        """Draw the lines that differ from the last time; `lines` tells, for each, all that its look depends on.

        What has not changed costs nothing on the wire.
        """
        drawn, self._drawn = self._drawn, lines
        if len(drawn) != len(lines):
            self.refresh()
            return
        changed = [y for y, (old, new) in enumerate(zip(drawn, lines, strict=True)) if old != new]
        if changed:
            width = self.size.width
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def named_style(self, name: str) -> Style:
        """The style called `name`, on the background of the widget."""
        style = self._styles.get(name)
        if style is None:
            # Asked for each part of each line; finding it walks all ancestors.
            style = self.rich_style
            if name:
                style += self.get_component_rich_style(f"lines--{name}", partial=True)
            self._styles[name] = style
        return style

    @property
    def _substitute(self) -> Style:
        return self.get_component_rich_style("lines--substitute", partial=True)

    def strip(self, parts: Iterable[Part], width: int, *, selected: bool = False) -> Strip:
        """Parts as a line of exactly `width` cells; what has no room is cut, with a mark.

        Whoever makes a part cleans it, to measure it as it will be drawn. What was forgotten is cleaned here.
        """
        segments: list[Segment] = []
        used = 0
        cursor = None
        if selected:
            name = "lines--cursor" if self.has_focus else "lines--cursor-blurred"
            cursor = self.get_component_rich_style(name, partial=True)
        for part, name in parts:
            text = clean(part)[:MEASURED_MAX]
            style = self.named_style(name)
            used += cell_width(text)
            for number, piece in enumerate(split_substitutes(text)):
                drawn = style + self._substitute if number % 2 else style
                if piece:
                    # The cell that is pointed at has colours of its own, also under the cursor.
                    segments.append(Segment(piece, drawn + cursor if cursor and name != "cell" else drawn))
        if used < width:
            style = self.named_style("")
            segments.append(Segment(" " * (width - used), style + cursor if cursor else style))
        # Neighbours of one style are one segment: each change of style costs bytes on the wire.
        strip = Strip(segments, max(used, width)).simplify()
        if used <= width or not width:
            return strip.crop(0, width)
        last = next(iter(strip.crop(width - 1, width)), None)
        return Strip([*strip.crop(0, width - 1), Segment("…", last.style if last else None)], width)


class LineList(Lines, can_focus=True):
    """A list of lines with a cursor, scrolled so that the cursor is in sight. Subclasses give the lines.

    The cursor shows while the list has the focus: a mark in each pane would draw the eye to nothing.
    """

    BINDINGS = [
        Binding("j,down", "move(1)", "Down", show=False),
        Binding("k,up", "move(-1)", "Up", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+u,b", "page(-1)", "Page up", show=False),
        Binding("g,home", "move(-100000)", "First", show=False),
        Binding("G,end", "move(100000)", "Last", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.cursor = 0
        self._top = 0

    def line_count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def line_parts(self, index: int, width: int) -> list[Part]:
        """The line `index`, at most `width` cells."""
        raise NotImplementedError

    def empty_text(self) -> str:
        """What to show in place of no lines."""
        return ""

    def lines_changed(self) -> None:
        """Draw again, with the cursor on a line that exists."""
        self._place(self.cursor)

    def keep_cursor_on(self, item: str | None, items: list[str]) -> None:
        """Keep the cursor on `item` while the list is sorted anew, as long as it is focused and among `items`."""
        if self.has_focus and item in items:
            self.cursor = items.index(item)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.size.width
        index = self._top + y
        if index >= self.line_count():
            return self.strip([(self.empty_text()[:width], "dim")] if y == 0 == index else [], width)
        selected = index == self.cursor and self.has_focus
        return self.strip(self.line_parts(index, width), width, selected=selected)

    def action_move(self, lines: int) -> None:
        """Move the cursor, negative up."""
        self._place(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by the height of the list."""
        self._place(self.cursor + pages * max(1, self.size.height - 1))

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._drawn = []
        self._place(self.cursor)

    def on_focus(self) -> None:
        """Show the cursor as active."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor as inactive."""
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Put the cursor on the line that was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self._place(self._top + offset.y)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move down."""
        self._place(self.cursor + 3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move up."""
        self._place(self.cursor - 3)

    def _place(self, cursor: int) -> None:
        count = self.line_count()
        height = max(1, self.size.height)
        self.cursor = max(0, min(cursor, count - 1))
        self._top = max(0, min(self._top, count - height))
        if self.cursor < self._top:
            self._top = self.cursor
        elif self.cursor >= self._top + height:
            self._top = self.cursor - height + 1
        width = self.size.width
        self.draw_changes(
            [
                (self.line_parts(index, width), index == self.cursor) if index < count else self.empty_text()
                for index in range(self._top, self._top + height)
            ]
        )
