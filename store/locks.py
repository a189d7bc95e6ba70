"""Locks between processes: files that one of them at a time has locked, and that its end lets go, whatever ended it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def try_lock(path: Path, *, create: bool = True) -> int | None:
    """A descriptor that locks `path` until it is closed; None when another process has it, or has just removed it.

    Mode 0600. A symbolic link is not followed.

    Raises:
        OSError: it cannot be opened; `FileNotFoundError` also where it is not there and not to be made (`create`).
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    lock = os.open(path, flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Without a name, it was removed between opening and locking.
        if os.fstat(lock).st_nlink:
            return lock
    except BlockingIOError:
        pass
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return None
