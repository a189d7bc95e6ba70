"""A list of names with their numbers, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.binding import Binding
from textual.message import Message

from monitor.model.dashboard import Ranked, Target
from monitor.text import clean, fit
from monitor.widgets.lines import LineList, Part

BAR = "▇"
BAR_FROM = 34
"""Cells from which on there is room for a bar."""


class RankedList(LineList):
    """A line an entry: name, bar, share of errors where that is known, number."""

    BINDINGS = [Binding("enter,r", "open", "Its page, or its events")]

    @dataclass
    class Chosen(Message):
        """The operator wants to see what an entry is about."""

        target: Target

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._entries: Sequence[Ranked] = ()
        self._empty = ""

    def show(self, entries: Sequence[Ranked], empty: str) -> None:
        """Show these, or `empty` where there are none. The cursor stays on its entry."""
        chosen = self._entries[self.cursor].name if self.cursor < len(self._entries) else None
        self._entries, self._empty = entries, empty
        self.keep_cursor_on(chosen, [entry.name for entry in entries])
        self.lines_changed()

    def line_count(self) -> int:
        """One an entry."""
        return len(self._entries)

    def empty_text(self) -> str:
        """What was said of no entries."""
        return self._empty

    def line_parts(self, index: int, width: int) -> list[Part]:
        """What the entry is, in one line."""
        entry = self._entries[index]
        number = f" {entry.told or f'{entry.number:,}'}"
        parts: list[Part] = []
        if entry.errors is not None:
            share = 100 * entry.errors / entry.number if entry.number else 0.0
            told = f"{share:.0f} %" if share >= 1 or not entry.errors else "<1 %"
            parts.append((f" {told:>5}", "error" if entry.errors else "dim"))
        parts.append((f"{number:>8}", ""))
        room = width - sum(len(text) for text, _ in parts)
        bar_room = room // 3 if width >= BAR_FROM else 0
        longest = max(1, *(each.number for each in self._entries))
        bar = BAR * max(1, bar_room * entry.number // longest) if bar_room and entry.number else ""
        return [
            (fit(clean(entry.name), max(1, room - bar_room - 1)), ""),
            (" ", ""),
            (f"{bar:<{bar_room}}", "accent"),
            *parts,
        ]

    def action_open(self) -> None:
        """Go to what the entry under the cursor is about."""
        if self.cursor < len(self._entries):
            self.post_message(self.Chosen(self._entries[self.cursor].target))
