"""Runs a program on a real pseudo-terminal, and sees what an operator would see on it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pyte

from store.embedded import dying_with_parent

COLUMNS, ROWS = 120, 40
EVTOP = str(Path(sys.executable).with_name("evtop"))
"""The program as it was installed beside the running Python."""
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "backspace": "\x7f",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    **{f"ctrl+{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"},
}
"""What a terminal sends for the keys that have a name; any other text is typed as it is."""
STOP_TIMEOUT = 5.0
_READ_SIZE = 65536
# pyte takes these for other sequences, or draws their last letter: keyboard modes and requests for a mode.
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<=>][0-9;]*[A-Za-z]|\x1b\[\??[0-9;]*\$[a-z]")
_UNFINISHED = re.compile(rb"\x1b(?:\[[<=>?]?[0-9;]*\$?)?\Z")


class PtyConsole:
    """A program on a pseudo-terminal of its own, as a context manager.

    A thread drains the terminal all the time and notes when each piece came, so that the program never waits
    for the reader. The screen belongs to the caller's thread: it moves on only in `wait_for`, `take_in` and
    what calls them, piece by piece, so that no state that stood on the screen is skipped.

    `environment` replaces the whole environment; TERM is set when it has none. Moments are `time.monotonic()`
    in seconds, which is the same clock in all processes of the machine.

    The program dies with the thread that made it (Linux), and at the latest when the context is left.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = COLUMNS,
        rows: int = ROWS,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        """The terminal, with the attributes of each cell; what pyte knows not, such as a second screen, is left out."""
        self.output = bytearray()
        """All that the program has written, as far as it was taken in."""
        self.status: int | None = None
        """Exit status, negative for a signal; None while the program runs."""
        self._stream = pyte.ByteStream(self.screen)
        self._unfinished = b""
        self._lines = [""] * rows
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._news = threading.Condition()
        self._ended = False
        self._reads = threading.Event()
        self._reads.set()
        self._let_go, self._hand = socket.socketpair()
        """Readable when the reader is to leave the terminal alone."""
        self._master, slave = os.openpty()
        try:
            _set_size(slave, columns, rows)
            self.attributes_before = termios.tcgetattr(slave)
            """What `attributes` tells of a terminal that nobody has touched."""
            self.started_at = self.last_output_at = time.monotonic()
            self._process = subprocess.Popen(
                list(command),
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=directory,
                env={"TERM": "xterm-256color", **(os.environ if environment is None else environment)},
                start_new_session=True,
                preexec_fn=_owning_the_terminal(),
            )
        except BaseException:
            os.close(self._master)
            self._let_go.close()
            self._hand.close()
            raise
        finally:
            os.close(slave)
        self._reader = threading.Thread(target=self._drain, name="pty reader", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._process.pid

    @property
    def lines(self) -> list[str]:
        """The rows of the screen, top first, without blanks at their ends."""
        # The screen keeps the numbers of rows that it lost when it was made smaller.
        for y in self.screen.dirty.intersection(range(self.screen.lines)):
            row = self.screen.buffer[y]
            # The second cell of a wide character holds no text.
            self._lines[y] = "".join([row[x].data for x in range(self.screen.columns)]).rstrip()
        self.screen.dirty.clear()
        return list(self._lines)

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    def press(self, *keys: str) -> float:
        """Press keys, by their name in `KEYS`, or type text. Returns the moment right before.

        All of one call reaches the program in one piece, as pasted text does.
        """
        moment = time.monotonic()
        os.write(self._master, "".join(KEYS.get(key, key) for key in keys).encode())
        return moment

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size and tell the program, as dragging its corner does."""
        self.take_in()
        self.screen.resize(rows, columns)
        self._lines = [""] * rows
        self.screen.dirty.update(range(rows))
        _set_size(self._master, columns, rows)

    def wait_for(self, condition: Callable[[Self], object], within: float) -> float:
        """Wait until `condition` holds for this console; returns the moment when it first did.

        That is when the piece of output came that made it true: drawing the screen and looking at it do not
        count. If it was true at the call, it is when the last piece came that had been taken in. `within` is
        in seconds.

        Raises:
            TimeoutError: it did not come true; the message shows the screen.
            RuntimeError: the program ended first; the message shows the screen.
        """
        deadline = time.monotonic() + within
        while not condition(self):
            if not self._take_in_one(deadline):
                raise (self._too_late(within) if self.status is None else self._over())
        return self.last_output_at

    def wait_for_text(self, text: str, within: float) -> float:
        """Wait until `text` stands in one row; see `wait_for`."""
        return self.wait_for(lambda console: any(text in line for line in console.lines), within)

    def wait_for_end(self, within: float) -> int:
        """Wait until the program has ended and return its exit status.

        Raises:
            TimeoutError: it still runs; the message shows the screen.
        """
        deadline = time.monotonic() + within
        while self._take_in_one(deadline):
            pass
        if self.status is None:
            raise self._too_late(within)
        return self.status

    def take_in(self) -> None:
        """Draw all that has come so far, without waiting."""
        while self._take_in_one(0.0):
            pass

    def start_over(self, columns: int | None = None, rows: int | None = None) -> None:
        """Go on with a blank screen, and let what came so far undrawn; with another size, when one is given."""
        with self._news:
            for _, piece in self._pieces:
                self.output += piece
            self._pieces.clear()
        self._unfinished = b""
        self.screen.reset()
        if columns is not None and rows is not None:
            self.screen.resize(rows, columns)
        self._lines = [""] * self.screen.lines
        self._stream = pyte.ByteStream(self.screen)
        if columns is not None and rows is not None:
            _set_size(self._master, columns, rows)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program, unless it has ended."""
        self._process.send_signal(number)

    def attributes(self) -> list[Any]:
        """How the terminal treats input and output, as `termios.tcgetattr` tells (Linux)."""
        return termios.tcgetattr(self._master)

    def stop_reading(self) -> None:
        """Take no more output, as a terminal behind a connection that stalls: soon the program cannot write."""
        self._reads.clear()

    def read_on(self) -> None:
        """Take output again."""
        self._reads.set()

    def hang_up(self) -> float:
        """Take the terminal away, as a connection that is lost does. Returns the moment right before."""
        # While a read waits for it, closing would not reach it.
        self._end_reader()
        moment = time.monotonic()
        self._close_terminal()
        return moment

    def cpu_seconds(self) -> float:
        """Processor time of the program up to now, all threads, user and system (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End the program if it runs, in order or else by force, and close the terminal."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.status = self._process.returncode
        self._reads.set()
        # Bounded, as whoever inherited the terminal would keep it open.
        self._reader.join(STOP_TIMEOUT)
        self._end_reader()
        self._close_terminal()

    def _end_reader(self) -> None:
        if self._reader.is_alive():
            self._hand.send(b"\0")
            self._reads.set()
            self._reader.join()

    def _close_terminal(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
            self._let_go.close()
            self._hand.close()

    def _drain(self) -> None:
        piece = b"-"
        while piece:
            self._reads.wait()
            ready, _, _ = select.select([self._master, self._let_go], [], [])
            try:
                piece = b"" if self._let_go in ready else os.read(self._master, _READ_SIZE)
            except OSError:  # the program has closed the terminal
                piece = b""
            now = time.monotonic()
            with self._news:
                if piece:
                    self._pieces.append((now, piece))
                else:
                    self._ended = True
                self._news.notify_all()

    def _take_in_one(self, deadline: float) -> bool:
        """Draw the next piece of output; False when none came before `deadline`, or none will come."""
        with self._news:
            self._news.wait_for(lambda: self._pieces or self._ended, max(0.0, deadline - time.monotonic()))
            piece = self._pieces.popleft() if self._pieces else None
        if piece is None:
            if self._ended:
                # A program may close its terminal and go on for a moment, or for good.
                with suppress(subprocess.TimeoutExpired):
                    self.status = self._process.wait(max(0.1, deadline - time.monotonic()))
            return False
        self.last_output_at, written = piece
        self.output += written
        written = _UNKNOWN_TO_PYTE.sub(b"", self._unfinished + written)
        unfinished = _UNFINISHED.search(written)
        self._unfinished = unfinished[0] if unfinished else b""
        self._stream.feed(written[: len(written) - len(self._unfinished)])
        return True

    def _too_late(self, within: float) -> TimeoutError:
        return TimeoutError(f"not within {within:g} s; the screen:\n{self.text.rstrip()}")

    def _over(self) -> RuntimeError:
        return RuntimeError(f"the program ended with status {self.status}; the screen:\n{self.text.rstrip()}")


class PrivateHome:
    """Folders and an environment in which evtop meets no one else's store, bus or settings.

    `environment` is this process's own, without what would change evtop, and with XDG folders in a temporary
    directory whose path is short enough for a unix socket. `variables` are added to it.
    """

    def __init__(self, **variables: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ev-", dir="/tmp"))
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EVTOP_", "TEXTUAL", "XDG_", "LC_"))
            and name not in {"NO_COLOR", "TZ", "COLUMNS", "LINES"}
        }
        folders = {
            f"XDG_{name}": str(self.directory / name[0].lower())
            for name in ("DATA_HOME", "RUNTIME_DIR", "CONFIG_HOME", "STATE_HOME")
        }
        self.environment = {
            **kept,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            # Tests count what they recorded themselves.
            "EVTOP_RECORD_ALERTS": "0",
            **folders,
            **variables,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.directory)

    @property
    def store_url(self) -> str:
        """The store that evtop uses here when nothing else is set."""
        return f"sqlite:///{self.environment['XDG_DATA_HOME']}/evtop/events.db"

    @property
    def bus_socket(self) -> Path:
        """Where the private bus of a console listens here."""
        return Path(self.environment["XDG_RUNTIME_DIR"]) / "evtop" / "bus.sock"


def _set_size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _owning_the_terminal() -> Callable[[], None]:
    """A `preexec_fn`: the terminal's resizes and ^C go to the program, which dies with this thread (Linux)."""
    set_death_signal = dying_with_parent() if sys.platform == "linux" else None

    def prepare() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        if set_death_signal is not None:
            set_death_signal()

    return prepare
