"""One line that says how far something is that goes on beside everything else."""

from __future__ import annotations

from textual.strip import Strip

from monitor.text import cell_width, clean, fit
from monitor.widgets.lines import Lines, Part

BAR_MAX = 30
"""Cells of the bar at most."""
NAME_MIN, NAME_MAX = 10, 32
"""Cells of what is being done."""


class ProgressLine(Lines):
    """What is being done, a bar, how far it is, and a hint. It is there only while it has something to tell."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._told: tuple[str, float | None, str, str] | None = None
        self.display = False

    def show(self, what: str, share: float | None, told: str, hint: str) -> None:
        """Show how far `what` is: `share` from 0 to 1, or None while that is not known; `told` says it in numbers."""
        if (new := (what, share, told, hint)) != self._told:
            self._told = new
            # In this order: to refresh what has no place yet has Textual lay all out, and tell no one that has shrunk.
            self.refresh()
            self.display = True

    def hide(self) -> None:
        """There is nothing to tell any more."""
        self._told = None
        self.display = False

    def render_line(self, y: int) -> Strip:
        """Draw the line: where there is little room, without the bar."""
        width = self.size.width
        if self._told is None:
            return self.strip([], width)
        what, share, told, hint = self._told
        said: list[Part] = [(f" {clean(told)} ", ""), (f" {clean(hint)} ", "dim")]
        room = width - sum(cell_width(text) for text, _style in said) - 2
        name = fit(clean(what), max(NAME_MIN, min(room, NAME_MAX)), pad=False)
        bar = progress_bar(share, min(room - cell_width(name), BAR_MAX))
        return self.strip([(f" {name} ", "strong"), *bar, *said], width)


def progress_bar(share: float | None, width: int) -> list[Part]:
    """A bar of `width` cells, full for a share of 1 alone; none where it would say nothing."""
    if share is None or width < 5:
        return []
    done = int(width * max(0.0, min(share, 1.0)))
    return [("━" * done, "strong"), ("─" * (width - done), "dim")]
