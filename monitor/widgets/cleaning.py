"""The last door: what any widget, title or toast draws is looked at once more on its way to the terminal."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from monitor.text import clean, fit


class CleaningFilter(LineFilter):
    """Cleans the lines that were left unclean, so that nothing after them moves.

    Textual keeps what it answers with the line, so that each line costs once, when it is drawn anew. Whoever makes
    the text cleans it, too: only there it can be measured as it will be drawn.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return `segments`, cleaned."""
        # A line is looked at as one: a cursor may stand within an emoji.
        line = "".join([segment.text for segment in segments])
        return segments if clean(line) is line else [_cleaned(segment) for segment in segments]


def _cleaned(segment: Segment) -> Segment:
    text, style, control = segment
    shown = clean(text)
    if control or shown is text:
        return segment
    return Segment(fit(shown, segment.cell_length, ellipsis=""), style)
