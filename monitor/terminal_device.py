"""The terminal as a file: its size, output that never fails, and giving it back by force."""

from __future__ import annotations

import os
import shutil
import signal
import termios
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import IO, Any

GIVE_BACK_WITHIN = 0.25
"""Seconds that a terminal which takes no output is tried to be left in order."""
# CAN cuts short whatever sequence was being written. Then in the order of `LinuxDriver.stop_application_mode`:
# synchronised output, paste brackets, wrapping, reports of size, mouse and focus, keyboard protocol, colours,
# screen, cursor.
_GIVE_BACK = (
    b"\x18\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"
    b"\x1b[?1004l\x1b[<u\x1b[0m\x1b[?1049l\x1b[?25h"
)


def terminal_size() -> tuple[int, int] | None:
    """Columns and rows of the terminal, as far as they are known. What is set in COLUMNS and LINES comes second.

    Those do not change with the terminal, and would have the console drawn in one size for ever.
    """
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        columns = rows = 0
    if not (columns and rows):
        columns, rows = shutil.get_terminal_size(fallback=(columns, rows))
    return (columns, rows) if columns and rows else None


def give_back_at_once(keyboard: int, attributes: list[Any] | None, writer: threading.Thread | None) -> None:
    """Leave the terminal as it was, whatever other threads are doing with it. The program can only end after that.

    `attributes` are those that the terminal of the file number `keyboard` had, and `writer` the thread that draws
    on stdout.
    """
    screen, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    # There goes what the writer still has to draw. A signal takes it out of a write that waits for room.
    os.dup2(nowhere, 1)
    if writer is not None and writer.ident is not None and writer.is_alive():
        signal.pthread_kill(writer.ident, signal.SIGCONT)
    os.set_blocking(screen, False)
    until = time.monotonic() + GIVE_BACK_WITHIN
    rest = _GIVE_BACK
    while rest and time.monotonic() < until:
        try:
            rest = rest[os.write(screen, rest) :]
        except BlockingIOError:
            # A terminal that takes no more makes room by forgetting what it was sent.
            with suppress(termios.error):
                termios.tcflush(screen, termios.TCOFLUSH)
            rest = _GIVE_BACK
            time.sleep(0.005)
        except OSError:
            break
    os.set_blocking(screen, True)
    if attributes is not None:
        with suppress(termios.error):
            termios.tcsetattr(keyboard, termios.TCSANOW, attributes)


class TerminalOutput:
    """A file to draw on that never fails, or whoever draws would wait for a dead writer thread for ever.

    `hang_up` is called when there is no terminal any more.
    """

    def __init__(self, file: IO[str], hang_up: Callable[[], None]) -> None:
        self._file = file
        self._hang_up = hang_up
        self.fileno = file.fileno
        self.written = 0
        """Bytes that were written so far."""

    def write(self, text: str) -> None:
        """Write `text`, as long as there is a terminal."""
        self.written += len(text) if text.isascii() else len(text.encode(errors="replace"))
        with self._noting_loss():
            self._file.write(text)

    def flush(self) -> None:
        """Send what was written."""
        with self._noting_loss():
            self._file.flush()

    @contextmanager
    def _noting_loss(self) -> Generator[None]:
        try:
            yield
        except BlockingIOError:
            # Another program on this terminal has set it so. The rest of what did not fit goes out with what is next.
            os.set_blocking(self.fileno(), True)
        except OSError:
            self._hang_up()
