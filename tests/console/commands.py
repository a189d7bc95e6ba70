"""Runs evtop's commands as processes, and speaks to their bus as any other program could."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from store.bus import CHANNEL
from store.embedded import dying_with_parent
from store.event import Event
from store.events import EventStore
from tests.console.forked_commands import run_forked
from tests.pty_console import PrivateHome
from tests.waiting import wait_until

EVTOP = [sys.executable, "-m", "monitor"]
WITHIN = 30.0
"""Seconds that anything may take on a machine under load."""


def evtop(home: PrivateHome, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, on no terminal. `variables` are added to the environment of `home`."""
    environment = {**home.environment, **variables}
    if not any(name.startswith("PYTHON") for name in variables):
        return run_forked(words, environment, WITHIN)
    # What Python reads once, when it starts.
    return subprocess.run(
        [*EVTOP, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=WITHIN,
    )


def emitted(home: PrivateHome, *words: str, **variables: str) -> str:
    """Record an event; its id."""
    done = evtop(home, "emit", *words, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said; one line, and nothing on stdout."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("evtop: ")
    return lines[0].removeprefix("evtop: ")


def stored(home: PrivateHome, *events: Event) -> None:
    """Put events into the store of `home` without the cost of a process each."""

    async def store() -> None:
        async with await EventStore.open(home.store_url) as open_store:
            await open_store.create_many(events)

    asyncio.run(store())


class Running:
    """A command that goes on, as a context manager. It is killed when the context is left, or its test dies.

    `called` names the files that it writes to, where one of the same name runs beside it.
    """

    program: Sequence[str] = EVTOP

    def __init__(self, home: PrivateHome, *words: str, called: str = "", **variables: str) -> None:
        # Files, not pipes: nothing that is written can make the program wait.
        self._output = home.directory / f"{called or words[0]}-output"
        self._errors = home.directory / f"{called or words[0]}-errors"
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*self.program, *words],
                env={**home.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
                preexec_fn=dying_with_parent() if sys.platform == "linux" else None,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def output(self) -> str:
        """What was written to stdout so far."""
        return self._output.read_text("utf-8")

    @property
    def errors(self) -> str:
        """What was written to stderr so far."""
        return self._errors.read_text("utf-8")

    def wait_for(self, text: str, within: float = WITHIN) -> None:
        """Wait until `text` was written to stdout."""
        wait_until(lambda: text in self.output or self.process.poll() is not None, within)
        assert text in self.output, f"ended with status {self.process.returncode}: {self.errors}"

    def end(self, number: signal.Signals, within: float = WITHIN) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(within)


def publish(bus: Path, payload: bytes, channel: str = CHANNEL) -> int:
    """PUBLISH on a unix socket in RESP, by hand. Returns how many subscribers got it."""
    words = (b"PUBLISH", channel.encode(), payload)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(WITHIN)
        connection.connect(str(bus))
        connection.sendall(b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
        reply = connection.makefile("rb").readline()
    assert reply.startswith(b":"), reply
    return int(reply[1:])


def descendants(pid: int) -> dict[int, str]:
    """Processes below `pid`: process id and command line (Linux)."""
    found: dict[int, str] = {}
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            with suppress(FileNotFoundError, ProcessLookupError):
                found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
                found |= descendants(child)
    return found


def runs(pid: int) -> bool:
    """Whether a process exists and has not ended: one that waits for its parent to notice has (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
