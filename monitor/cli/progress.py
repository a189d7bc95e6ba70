"""How far a command came: one line on stderr that is written over again and again, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from monitor.cli.clean_stream import write_over

EVERY_SECONDS = 0.1


class Progress:
    """The line. Nothing is written where stderr is no terminal."""

    def __init__(self) -> None:
        self.is_shown = sys.stderr.isatty()
        """Whether there is anyone to see it."""
        self._next = 0.0 if self.is_shown else float("inf")
        self._stands = False

    def show(self, tell: Callable[[], str]) -> None:
        """Write what `tell` gives, unless something was written just now."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        self._stands = True
        write_over(tell())

    def clear(self) -> None:
        """Take the line away."""
        if self._stands:
            self._stands = False
            write_over("")
