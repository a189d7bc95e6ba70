"""stdout and stderr of a command: whatever is written, also by libraries and by Python itself, is cleaned."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import IO, Any


class CleanStream:
    """A text stream that cleans the lines on their way to `stream`, and is that stream in all else.

    Commands clean what they write themselves. What quotes an argument or an error around them goes through here:
    usage errors, warnings, tracebacks, logging that nobody has set up. The screen of the console does not, for Textual
    writes to `sys.__stderr__`.
    """

    encoding = "utf-8"
    """Claimed always: for another one, a library would wrap the bytes below in a stream of its own."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, with only newlines left of its control characters."""
        if not (text.isascii() and text.replace("\n", "").isprintable()):
            # Imported here: most of what commands write needs no more than the look above.
            from monitor.text import clean

            text = "\n".join([clean(line) for line in text.split("\n")])
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write `lines`, each as `write` does."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write_over(text: str) -> None:
    """Write `text`, cleaned, over the line that stderr's terminal stands in; an empty text takes that line away."""
    from monitor.text import clean

    # Past a `CleanStream`: the two controls are meant.
    terminal = sys.__stderr__ or sys.stderr
    terminal.write(f"\r{clean(text)}\x1b[K")
    terminal.flush()
