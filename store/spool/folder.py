"""The folder of a spool: which process has it, and which ones nobody has any more."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from store.paths import private_dir
from store.spool.files import Files

LOCK_FILE = "lock"
_NAMESAKES_MAX = 100

_logger = logging.getLogger(__name__)


class SpoolFolder:
    """A folder that this process has to itself, by a lock that ends with the process."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, root: Path, name: str, files: Files) -> Self:
        """The folder called `name` in `root`, or `name.1`, `name.2`, ... when another process has it. Mode 0700.

        Raises:
            OSError: it cannot be made, or is not private.
        """
        name = re.sub(r"[^\w.:-]|^\.", "_", name, flags=re.ASCII)[:128]
        private_dir(root)
        for number in range(_NAMESAKES_MAX):
            path = root / (f"{name}.{number}" if number else name)
            # Taken by a namesake, or by a process that found our new folder empty and is removing it.
            try:
                path.mkdir(mode=0o700, exist_ok=True)
            except FileExistsError:
                continue
            lock = _lock(path)
            if lock is not None:
                folder = cls(path, lock)
                try:
                    files.sync_folder(root)
                except BaseException:
                    folder.release()
                    raise
                return folder
        raise OSError(errno.EBUSY, f"{name} is in use")

    @classmethod
    def unclaimed(cls, root: Path) -> Iterator[Self]:
        """Claims the folders in `root` whose processes have ended, one at a time, oldest first."""
        try:
            paths = [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]
        except FileNotFoundError:
            return
        except OSError as error:
            _logger.warning("the spools in %s cannot be listed: %s", root, error.strerror)
            return
        for path in sorted(paths, key=_age):
            try:
                lock = _lock(path)
            except OSError as error:
                _logger.warning("the spool %s cannot be locked: %s", path, error.strerror)
                continue
            if lock is not None:
                yield cls(path, lock)

    def remove(self) -> None:
        """Remove the folder, if nothing is in it but the lock; to be released next."""
        with suppress(OSError):
            if os.listdir(self.path) == [LOCK_FILE]:  # noqa: PTH208 - no paths are needed
                (self.path / LOCK_FILE).unlink()
                self.path.rmdir()

    def release(self) -> None:
        """Let other processes have the folder."""
        with suppress(OSError):
            # A child process may still have a copy of the descriptor, which would keep the lock.
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        os.close(self._lock)

    def abandon(self) -> None:
        """In a child process: close its copy of the lock, which goes on being the parent's."""
        os.close(self._lock)


def _lock(folder: Path) -> int | None:
    """A descriptor that locks `folder`; None when another process has it, or has just removed it."""
    try:
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Without a name, it was removed together with the folder between opening and locking.
        if os.fstat(lock).st_nlink:
            return lock
    except BlockingIOError:
        pass
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return None


def _age(folder: Path) -> tuple[int, str]:
    """Sorts folders by when they were made: the lock is never written to."""
    for path in (folder / LOCK_FILE, folder):
        with suppress(OSError):
            return path.stat().st_mtime_ns, folder.name
    return 0, folder.name
