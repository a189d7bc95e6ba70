"""The folder of a spool: which process has it, and which ones nobody has any more."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from store.locks import try_lock
from store.spool.files import Files
from store.spool.segment import SEGMENT_SUFFIX
from store.spool.warning import warn

LOCK_FILE = "evtop.lock"
"""Also tells a folder of ours: in one that has none, nothing is made, changed or removed, for it is the host's."""
_NAMESAKES_MAX = 100
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class SpoolFolder:
    """A folder that this process has to itself, by a lock that ends with the process."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, root: Path, name: str, files: Files) -> Self:
        """The folder called `name` in `root`, or `name.1`, `name.2`, ... when that is not to be had. Mode 0700.

        Raises:
            OSError: it cannot be made, or someone else could put another one in its place.
        """
        name = re.sub(r"[^\w.:-]|^\.", "_", name, flags=re.ASCII)[:128]
        root.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            root.mkdir(mode=0o700)
        _check_root(root)
        for number in range(_NAMESAKES_MAX):
            path = root / (f"{name}.{number}" if number else name)
            lock = _lock_new(path)
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
            _check_root(root)
            paths = spools_in(root)
        except FileNotFoundError:
            return
        except OSError as error:
            warn("the spools in %s cannot be looked for: %s", root, error.strerror)
            return
        for path in sorted(paths, key=_age):
            try:
                lock = _lock(path)
            except OSError as error:
                warn("the spool %s cannot be locked: %s", path, error.strerror)
                continue
            if lock is not None:
                yield cls(path, lock)

    def hold(self) -> bool:
        """Whether the folder is still there, and this process's.

        A lock that was removed is made anew: it is the oldest file, which a cleaner of temporary files takes first,
        and without it nobody would take the folder over one day.
        """
        try:
            if os.fstat(self._lock).st_nlink == 0:
                lock = _lock(self.path, create=True)
                if lock is not None:
                    os.close(self._lock)
                    self._lock = lock
            return os.path.samestat((self.path / LOCK_FILE).lstat(), os.fstat(self._lock))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            # It cannot be seen now, which says nothing.
            return True

    def bytes_beside(self) -> int:
        """What the segments of the other spools in the root take, as far as they can be seen."""
        total = 0
        with suppress(OSError):
            for path in self.path.parent.iterdir():
                if path != self.path and _is_spool(path):
                    total += _segment_bytes(path)
        return total

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


def spools_in(root: Path) -> list[Path]:
    """The folders of spools in `root`, whoever has them; what else is in it is the host's.

    Raises:
        OSError: it cannot be looked into.
    """
    return [path for path in root.iterdir() if _is_spool(path)]


def _check_root(root: Path) -> None:
    """See that nobody else can put something in the place of a folder in `root`, which may be the host's own.

    Raises:
        OSError: somebody could, or there is no such folder.
    """
    status = root.lstat()
    if stat.S_ISLNK(status.st_mode):
        reason = "it is a symbolic link"
    elif not stat.S_ISDIR(status.st_mode):
        reason = "it is no folder"
    elif status.st_uid not in (os.geteuid(), 0):
        reason = f"it belongs to user {status.st_uid}"
    elif status.st_mode & _OTHERS_MAY_WRITE and not status.st_mode & stat.S_ISVTX:
        reason = f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o}), so name a folder in it"
    else:
        return
    raise OSError(errno.EPERM, reason)


def _is_private(folder: Path) -> bool:
    """Whether `folder` is a real one, of this user, to which nobody else may write."""
    status = folder.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & _OTHERS_MAY_WRITE
    )


def _is_spool(folder: Path) -> bool:
    with suppress(OSError):
        return _is_private(folder) and stat.S_ISREG((folder / LOCK_FILE).lstat().st_mode)
    return False


def _segment_bytes(folder: Path) -> int:
    total = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SEGMENT_SUFFIX):
                # It may just have been drained.
                with suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def _lock_new(folder: Path) -> int | None:
    """A descriptor that locks `folder`, which is made if there is none. None when it is in use, or no spool."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        try:
            # Without a lock, it is one that a namesake has just made, or is just removing.
            if not _is_private(folder) or (any(folder.iterdir()) and not _is_spool(folder)):
                return None
        except FileNotFoundError:
            return None
    return _lock(folder, create=True)


def _lock(folder: Path, *, create: bool = False) -> int | None:
    """A descriptor that locks `folder`; None when another process has it, or has just removed it."""
    try:
        return try_lock(folder / LOCK_FILE, create=create)
    except FileNotFoundError:
        return None


def _age(folder: Path) -> tuple[int, str]:
    """Sorts folders by when they were made: the lock is never written to."""
    for path in (folder / LOCK_FILE, folder):
        with suppress(OSError):
            return path.stat().st_mtime_ns, folder.name
    return 0, folder.name
