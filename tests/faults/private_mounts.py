"""File systems of a test's own, that can be small and read-only: in a mount namespace that ends with the test."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from store.embedded import dying_with_parent

_TIMEOUT = 10.0
_ENDED = "ok"
# Each line is a command; what it says, and whether it succeeded, is the answer.
_SHELL = f'echo {_ENDED}; while read -r line; do eval "$line" 2>&1 && echo {_ENDED} || echo failed; done'


class PrivateMounts:
    """A process in a mount namespace, and a file system of 16 MB that only those see who `enter` it.

    Root needs nothing more; who is not root gets a user namespace too, where the system permits it.
    """

    def __init__(self, folder: Path) -> None:
        self.inside = folder / "mounted"
        """The root of the file system, for a process that has entered the namespace."""
        self.inside.mkdir()
        words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
        self._process = subprocess.Popen(
            [*words, "--propagation", "private", "/bin/sh", "-c", _SHELL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=dying_with_parent() if sys.platform == "linux" else None,
        )

    @classmethod
    def open_or_skip(cls, folder: Path) -> Self:
        """A namespace with a 16 MB file system in it, or a skipped test."""
        if shutil.which("unshare") is None:
            pytest.skip("there is no unshare, which gives a test file systems of its own (Linux)")
        mounts = cls(folder)
        reason = mounts._answer()
        reason = (
            reason if reason != _ENDED else mounts._run(f"mount -t tmpfs -o size=16m evtop {mounts.inside}")
        )
        if reason == _ENDED:
            return mounts
        mounts.close()
        pytest.skip(f"no file system of its own can be mounted for this test: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def enter(self) -> list[str]:
        """The words that start a command inside of the namespace."""
        words = ["nsenter", "--mount", "--target", str(self._process.pid)]
        return words if os.geteuid() == 0 else [*words, "--user", "--preserve-credentials"]

    @property
    def outside(self) -> Path:
        """The same root as other processes see it. Not for SQLite, which takes the path apart."""
        return Path(f"/proc/{self._process.pid}/root{self.inside}")

    def make_read_only(self) -> None:
        """Refuse every write from now on."""
        self._must(f"mount -o remount,ro {self.inside}")

    def make_writable(self) -> None:
        """Undo `make_read_only`."""
        self._must(f"mount -o remount,rw {self.inside}")

    def fill(self, *, left: int) -> None:
        """Take the space but for `left` bytes; `free` gives it back."""
        self.free()
        status = os.statvfs(self.outside)
        with (self.outside / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, max(1, status.f_bavail * status.f_frsize - left))

    def free(self) -> None:
        """Undo `fill`."""
        (self.outside / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        """End the process, and with it the file systems."""
        self._process.kill()
        self._process.wait(_TIMEOUT)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _must(self, command: str) -> None:
        answer = self._run(command)
        assert answer == _ENDED, answer

    def _run(self, command: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        """`_ENDED`, or what went wrong."""
        pipe = self._process.stdout
        assert pipe is not None
        said: list[str] = []
        while True:
            assert select.select([pipe], [], [], _TIMEOUT)[0], "no answer from the mount namespace"
            line = os.read(pipe.fileno(), 4096).decode(errors="replace")
            said += line.split("\n")
            if _ENDED in said:
                return _ENDED
            if not line or "failed" in said:
                return " ".join(word for word in said if word and word != "failed") or "no reason given"
