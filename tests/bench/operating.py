"""An operator at the console: presses keys one after the other, and knows what each must do to the screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle

from tests.pty_console import PtyConsole

LOCAL_ZONE = ("Asia/Tokyo", "JST")
"""A zone whose abbreviation tells it from UTC, for the TZ of the console, and that abbreviation."""
_STAMP = re.compile(r"\d\d:\d\d:\d\d\.\d{3}")

Expected = Callable[[PtyConsole], bool]


class Keystrokes:
    """Keys that keep what they do in sight, in turn: the time zone while following, then up, down, and back.

    To be made when the console follows, its timeline is full, and its times are in UTC.
    """

    def __init__(self, console: PtyConsole) -> None:
        self._console = console
        lines = console.lines
        self._top = next(y for y, line in enumerate(lines) if "╭─ Timeline" in line)
        self._left = lines[self._top].index("╭─ Timeline")
        self._bottom = next(
            y for y in range(self._top + 1, len(lines)) if lines[y][self._left : self._left + 1] == "╰"
        )

    def __iter__(self) -> Iterator[tuple[str, Expected]]:
        """Each key with the condition that its effect is on the screen, which is false before it is pressed."""
        zones = cycle((self._shows_local, self._shows_age, self._shows_utc))
        while True:
            for _ in range(3):
                yield "t", next(zones)
            for key, step in (("k", -1), ("j", 1), ("k", -1), ("k", -1)):
                yield key, self._cursor_on(self._cursor_line() + step)
            yield "G", self._follows

    def _shows_local(self, console: PtyConsole) -> bool:
        return console.lines[0].endswith(LOCAL_ZONE[1]) and self._has_stamp(console)

    def _shows_age(self, console: PtyConsole) -> bool:
        return " ago" in self._newest_row(console)

    def _shows_utc(self, console: PtyConsole) -> bool:
        return console.lines[0].endswith("UTC") and self._has_stamp(console)

    def _has_stamp(self, console: PtyConsole) -> bool:
        return _STAMP.search(self._newest_row(console)) is not None

    def _follows(self, console: PtyConsole) -> bool:
        return "following" in console.lines[self._bottom][self._left :]

    def _cursor_on(self, line: int) -> Expected:
        return lambda _console: self._cursor_line() == line

    def _newest_row(self, console: PtyConsole) -> str:
        return console.lines[self._bottom - 1][self._left :]

    def _cursor_line(self) -> int:
        """The row whose background is like no other's."""
        column = self._left + 2
        buffer = self._console.screen.buffer
        backgrounds = {y: buffer[y][column].bg for y in range(self._top + 1, self._bottom)}
        seen = Counter(backgrounds.values())
        marked = [y for y, background in backgrounds.items() if seen[background] == 1]
        return marked[0] if len(marked) == 1 else -1
