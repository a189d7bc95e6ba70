"""Sections of terms and their meaning, scrolled."""

from __future__ import annotations

from collections.abc import Iterable

from textual.events import Resize

from monitor.text import cell_width, clean, fit
from monitor.widgets.event_detail import wrap
from monitor.widgets.lines import LineList, Part

Section = tuple[str, Iterable[tuple[str, str]]]
"""A title and (term, meaning) pairs."""
_TERM_MIN, _TERM_MAX = 12, 24
"""Cells for the terms of a section, and the blanks after them."""


class HelpLines(LineList):
    """Titles, terms at the left, meanings wrapped beside them."""

    def __init__(self, sections: list[Section], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._sections = [(title, tuple(pairs)) for title, pairs in sections]
        self._lines: list[list[Part]] = []

    def on_mount(self) -> None:
        """Be ready for keys."""
        self.focus()

    def on_resize(self, event: Resize) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Wrap to the new width."""
        width = self.size.width
        self._lines = []
        for number, (title, pairs) in enumerate(self._sections):
            if title:
                self._lines.extend([*([[]] if number else []), [(title, "strong")]])
            longest = max((cell_width(clean(term)) for term, _ in pairs), default=0)
            room = max(_TERM_MIN, min(longest + 2, _TERM_MAX))
            for term, meaning in pairs:
                texts = wrap(clean(meaning), max(10, width - room - 2)) or [""]
                for index, text in enumerate(texts):
                    label = fit(clean(term), room) if index == 0 else " " * room
                    self._lines.append([(f"  {label}", "accent"), (text, "")])
        self.lines_changed()

    def line_count(self) -> int:
        """Lines after wrapping."""
        return len(self._lines)

    def line_parts(self, index: int, width: int) -> list[Part]:
        """One line."""
        return self._lines[index]
