"""Commands that need not import the program first: a process that has done so forks one for each.

Importing takes most of the time of a short command. What is forked is a process like any other: environment,
standard streams and exit status are its own.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from store.embedded import dying_with_parent

ROOT = Path(__file__).parents[2]
_REQUEST_MAX = 1_000_000
_IMPORTED = (
    *(f"monitor.cli.{path.stem}" for path in (ROOT / "monitor" / "cli").glob("[a-z]*.py")),
    "monitor.backend",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "aiosqlite",
    "wcwidth",
)


def run_forked(
    words: Sequence[str], environment: Mapping[str, str], timeout: float, enter: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `evtop` with `words`, without a terminal, as `subprocess.run` does.

    `enter` is a command that runs another one, such as `setpriv … --`: the one that forks is run by it.

    Raises:
        TimeoutExpired: it has not ended in `timeout` seconds, and was killed.
    """
    return _forker(tuple(enter)).run(words, environment, timeout)


@cache
def _forker(enter: tuple[str, ...]) -> _Forker:
    return _Forker(enter)


class _Forker:
    """The process that forks, as seen by the tests. It ends with them."""

    def __init__(self, enter: tuple[str, ...]) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [*enter, sys.executable, "-m", __name__, str(other.fileno())],
                cwd=ROOT,
                env={**os.environ, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                preexec_fn=dying_with_parent() if sys.platform == "linux" else None,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """See `run_forked`."""
        # Files, not pipes: nothing that is written can make the command wait.
        with TemporaryFile() as out, TemporaryFile() as errors:
            request = json.dumps([list(words), dict(environment)]).encode()
            socket.send_fds(self._socket, [request], [out.fileno(), errors.fileno()])
            pid = self._hear(None)
            status = self._hear(timeout)
            if status is None:
                os.kill(pid, signal.SIGKILL)
                self._hear(None)
                raise subprocess.TimeoutExpired(list(words), timeout)
            return subprocess.CompletedProcess(["evtop", *words], status, _text(out), _text(errors))

    def _hear(self, timeout: float | None) -> Any:
        self._socket.settimeout(timeout)
        with suppress(TimeoutError):
            return json.loads(self._socket.recv(_REQUEST_MAX))
        return None


def _text(file: Any) -> str:
    file.seek(0)
    return file.read().decode()


def _serve(connection: socket.socket) -> None:
    """Fork for each request; returns in the forked process, with everything in place."""
    while True:
        request, descriptors, *_ = socket.recv_fds(connection, _REQUEST_MAX, 2)
        if not request:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            connection.close()
            words, environment = json.loads(request)
            _become(words, environment, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(json.dumps(pid).encode())
        connection.send(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _become(words: list[str], environment: dict[str, str], descriptors: list[int]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[1:] = words
    for number, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)


if __name__ == "__main__":
    for module in _IMPORTED:
        import_module(module)
    # The forked ones need not look through all that at their end.
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    import_module("monitor.cli.entry").run()
