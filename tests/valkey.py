"""A real Valkey for tests, that can be killed, frozen and brought back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from redis import Redis

from store.embedded import dying_with_parent, server_program
from tests.database_server import HOST, free_port

START_TIMEOUT = 5.0


class ValkeyServer:
    """A server on a unix socket in a short temporary folder. `options` are words of its command line.

    With `tcp`, it listens on `127.0.0.1:port` as well. It dies with the test process even when that is killed.
    """

    def __init__(self, *options: str, tcp: bool = False) -> None:
        # Not pytest's tmp_path: the path of a socket has 107 bytes at most.
        self.directory = Path(tempfile.mkdtemp(prefix="vk-", dir="/tmp"))
        self.socket = self.directory / "s"
        self.url = f"unix://{self.socket}"
        self.port = free_port() if tcp else 0
        """0 without `tcp`."""
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.directory)

    @property
    def tcp_url(self) -> str:
        """What a `tests.tcp_proxy` can lead through itself."""
        assert self.port, "the server has no port"
        return f"redis://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start, and return when it answers."""
        assert self._process is None, "the server is running"
        self._process = subprocess.Popen(
            [
                *(str(server_program()), "--port", str(self.port), "--bind", HOST),
                *("--unixsocket", str(self.socket), *self._options),
            ],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=dying_with_parent() if os.uname().sysname == "Linux" else None,
        )
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            assert self._process.poll() is None, f"valkey ended with status {self._process.returncode}"
            assert time.monotonic() < deadline, f"valkey does not answer after {START_TIMEOUT} s"
            time.sleep(0.002)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def answers(self) -> bool:
        """True when it replies, if only to say that it wants a password."""
        try:
            return self._command("PING")[:1] in (b"+", b"-")
        except OSError:
            return False

    def publish(self, channel: str, payload: bytes) -> int:
        """Publish raw bytes, as any program could. Returns the number of subscribers that got them."""
        reply = self._command("PUBLISH", channel, payload)
        assert reply.startswith(b":"), reply
        return int(reply[1:])

    def subscribers(self, channel: str) -> int:
        """How many connections are subscribed to `channel`."""
        with Redis(unix_socket_path=str(self.socket)) as client:
            return client.pubsub_numsub(channel)[0][1]  # pyright: ignore[reportUnknownMemberType, reportIndexIssue]

    def _command(self, *words: str | bytes) -> bytes:
        encoded = [word.encode() if isinstance(word, str) else word for word in words]
        request = b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in encoded)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(self.socket))
            connection.sendall(request)
            return connection.makefile("rb").readline()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_TIMEOUT)
            self._process = None
