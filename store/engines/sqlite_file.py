"""SQLite files that this process may read and not write: opened so that nothing is made beside them.

In write-ahead mode, readers share a log (`-wal`) and an index (`-shm`) with the writers, and SQLite makes what of
them is missing, even for who opens the file to read it. They would belong to the reader then, and a writer of
another user could not open them (sqlite.org/wal.html#readonly).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_READ_VERSION = 19
"""Where in the file its read version stands, which is 2 in write-ahead mode (sqlite.org/fileformat2.html)."""


class UnreadableFileError(OSError):
    """The file cannot be read as it is. The message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Look:
    """How to open the file at this moment. `settled` is what must not change while it is read without locks."""

    uri: str
    settled: tuple[int, int, int] | None = None


class ReadOnlyFile:
    """A file that this process may not write."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._log = Path(f"{self.path}-wal")
        self._index = Path(f"{self.path}-shm")
        self._is_logged: bool | None = None

    @classmethod
    def at(cls, path: Path) -> ReadOnlyFile | None:
        """The file at `path`; None when there is none, or when it may be written.

        To write, SQLite makes a log and an index beside the file, unless someone else has made them.
        """
        file = cls(path)
        if not os.access(path, os.F_OK):
            return None
        can_share = os.access(file.path.parent, os.W_OK) or (_there(file._log) and _there(file._index))
        return None if can_share and os.access(path, os.W_OK) else file

    def look(self) -> Look:
        """How to open it now.

        Raises:
            UnreadableFileError: what was committed last is in a log that cannot be read.
            OSError: the file cannot be read.
        """
        place = f"file:{quote(str(self.path))}"
        size = self._log.stat().st_size if _there(self._log) else None
        if self._is_logged is None:
            # Once: to close the file takes the locks away that other connections of this process have on it.
            with self.path.open("rb") as file:
                self._is_logged = file.read(_READ_VERSION + 1)[_READ_VERSION:] == b"\x02"
        if not self._is_logged and size is None:
            return Look(f"{place}?mode=ro")
        self._is_logged = True
        if size is not None and _there(self._index):
            return Look(f"{place}?mode=ro&readonly_shm=1")
        if size:
            raise UnreadableFileError(
                f"its last commits are in {self._log.name}, which cannot be read until a program that may write"
                " has opened the store"
            )
        # No one has it open for writing: it is complete, and nobody can be asked for a lock.
        status = self.path.stat()
        return Look(f"{place}?mode=ro&immutable=1", (status.st_ino, status.st_size, status.st_mtime_ns))

    def check(self, seen: Look) -> None:
        """Make sure that what was read since `seen` was of one moment.

        Raises:
            UnreadableFileError: a program has begun to write meanwhile.
        """
        if seen.settled is not None and self.look() != seen:
            raise UnreadableFileError("a program has begun to write to it while it was read; try again")


def _there(path: Path) -> bool:
    return os.access(path, os.F_OK)
