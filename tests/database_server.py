"""A real database server for tests, that can be killed, frozen and brought back."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict
from urllib.parse import quote, urlsplit

import psutil

from store.embedded import dying_with_parent

HOST = "127.0.0.1"
USER = "evtop"
PASSWORD = "s3cret@:/%+"
"""Has what must be escaped in a URL, and in nothing else."""
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0
_ANSWER_TIMEOUT = 1.0
_BELOW_EPHEMERAL = (20000, 32768)

# The kernel ends a server with the *thread* that started it, so that thread has to last as long as the process.
_starter = ThreadPoolExecutor(1, thread_name_prefix="server-starter")


class Account(TypedDict, total=False):
    """Whom a program runs as, in the words of `subprocess.Popen`."""

    user: int
    group: int
    extra_groups: list[int]


class DatabaseServer(ABC):
    """A server on a loopback port of its own, with a temporary data folder and one empty database.

    `options` are words of its command line. It dies with the test process even when that is killed (Linux).
    Its methods block; they may be called from any thread, also from one that runs an event loop.
    """

    scheme: ClassVar[str]
    refusals: ClassVar[tuple[type[Exception], ...]]
    """What the driver raises when the server does not take a login."""

    def __init__(self, *options: str) -> None:
        # Not pytest's tmp_path: the path of a socket has 107 bytes at most, and others than root may not go there.
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.scheme}-", dir="/tmp"))
        self.data = self.directory / "data"
        self.port = free_port()
        self.url = self._url_of("evtop")
        """The database that the server has from the start, as `scheme://user:password@127.0.0.1:port/name`."""
        self._options = options
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.kill()
            self._forget()
            shutil.rmtree(self.directory)

    @property
    def pid(self) -> int:
        """Process id of the server; of PostgreSQL's first process, the postmaster."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def processes(self) -> list[psutil.Process]:
        """The server and its own children."""
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]

    def start(self) -> None:
        """Start, and return when it takes a login. The data of an earlier start are still there."""
        assert self._process is None, "the server is running"
        fresh = not self.data.exists()
        if fresh:
            self._initialise()
        with self._log.open("ab") as log:
            self._process = _starter.submit(self._launch, log.fileno()).result()
        _until(self._started, START_TIMEOUT, "takes a login", self.log_tail)
        if fresh:
            self.execute(f"CREATE DATABASE {_name_in(self.url)}")

    def stop(self) -> None:
        """End it in order, when it runs."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self._process.send_signal(self._stop_signal)
            self._process.wait(STOP_TIMEOUT)
        self._process = None

    def kill(self) -> None:
        """End it and its children at once, as kill -9 does, when it runs."""
        if self._process is not None and self._process.poll() is None:
            frozen = self._freeze()
            for process in frozen:
                _signal(process, signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT)
            _until(lambda: not any(map(alive, frozen)), STOP_TIMEOUT, "is gone")
        self._process = None

    def pause(self) -> None:
        """Freeze it and its children: connections stay and nothing is answered."""
        self._freeze()

    def resume(self) -> None:
        """Undo `pause`."""
        for process in self.processes:
            _signal(process, signal.SIGCONT)

    def create_database(self) -> str:
        """Make a new empty database with the server's own defaults. Returns its URL."""
        name = f"evtop_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self._url_of(name)

    def drop(self, url: str) -> None:
        """Remove the database of `url`, and end what is still connected to it."""
        self._drop(_name_in(url))

    def execute(self, *statements: str) -> None:
        """Run SQL as the administrator, each statement on its own."""
        _run(self._execute(*statements))

    def answers(self) -> bool:
        """True when it takes a login."""
        try:
            _run(asyncio.wait_for(self._execute(), _ANSWER_TIMEOUT))
        except (OSError, *self.refusals):
            return False
        return True

    def log_tail(self) -> str:
        """The last 2,000 characters that the server wrote."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    _stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    @abstractmethod
    def _initialise(self) -> None:
        """Make the data folder."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The words that start the server in the foreground."""

    @abstractmethod
    async def _execute(self, *statements: str) -> None:
        """Log in as the administrator and run `statements`."""

    @abstractmethod
    def _drop(self, name: str) -> None: ...

    def _forget(self) -> None:
        """Release what a killed server leaves outside of its folder."""
        return

    def _account(self) -> Account:
        """Whose rights the server's programs have; the caller's unless said otherwise."""
        return {}

    def _tool(self, *command: str) -> None:
        """Run a program that comes with the server, to its end."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT,
            **self._account(),
        )
        assert done.returncode == 0, (
            f"{command[0]} ended with status {done.returncode}: {done.stderr[-2000:]}"
        )

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def _url_of(self, name: str) -> str:
        return f"{self.scheme}://{USER}:{quote(PASSWORD, safe='')}@{HOST}:{self.port}/{name}"

    def _launch(self, log: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._command(), *self._options],
            cwd=self.directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=dying_with_parent() if sys.platform == "linux" else None,
            **self._account(),
        )

    def _started(self) -> bool:
        assert self._process is not None
        status = self._process.poll()
        assert status is None, f"the server ended with status {status}: {self.log_tail()}"
        return self.answers()

    def _freeze(self) -> list[psutil.Process]:
        """Stop the first process before looking for the others: no more of them can come then."""
        first = psutil.Process(self.pid)
        _signal(first, signal.SIGSTOP)
        _until(lambda: not _executing(first), STOP_TIMEOUT, "stands still")
        children = first.children(recursive=True)
        for child in children:
            _signal(child, signal.SIGSTOP)
        _until(lambda: not any(map(_executing, children)), STOP_TIMEOUT, "stands still")
        return [first, *children]


def free_port() -> int:
    """A port that no one listens on, of those that no outgoing connection gets: it can be listened on again later."""
    for _ in range(100):
        port = secrets.choice(range(*_BELOW_EPHEMERAL))
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port on the loopback interface")


def alive(process: psutil.Process) -> bool:
    """False for a zombie too: nobody may be there to reap it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _executing(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, how: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(how)


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _name_in(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _run(work: Coroutine[Any, Any, None]) -> None:
    # In a thread of its own, as the caller may be inside an event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def _until(
    condition: Callable[[], bool], timeout: float, what: str, details: Callable[[], str] = lambda: ""
) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: the server {what}. {details()}"
        time.sleep(0.005)
