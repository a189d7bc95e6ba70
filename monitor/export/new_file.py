"""A file that is there whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path, *, replaces: bool = True) -> Generator[BinaryIO]:
    """Write a file that is at `path` once the context is left, in place of one that is there already.

    Unless it `replaces`, one that is there by then stays, and `FileExistsError` is raised.

    Until then it is beside it, under a name that begins with a dot, and it is gone when the context is left by an
    exception. It is for its owner alone; one that takes another's place takes its mode. What is no file but stands for
    one (a device, a pipe) is written to.

    Raises:
        OSError: it could not be created, written or given its name; the message names `path`.
    """
    # What a symbolic link points at is meant, not the link.
    target = Path(os.path.realpath(path))
    try:
        status = target.stat() if target.exists() else None
        if status is not None and not replaces:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        if status is not None and not stat.S_ISREG(status.st_mode):
            with target.open("wb") as file:
                yield file
            return
        with _beside(target, status, replaces) as file:
            yield file
    except OSError as error:
        kind = FileExistsError if isinstance(error, FileExistsError) else OSError
        raise kind(f"cannot write {path}: {error.strerror or error}") from None


@contextmanager
def _beside(target: Path, replaced: os.stat_result | None, replaces: bool) -> Generator[BinaryIO]:
    part = target.with_name(f".evtop-{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if replaced is not None:
                os.fchmod(descriptor, stat.S_IMODE(replaced.st_mode))
            # Else the name could survive a power cut, and what it names not.
            os.fsync(descriptor)
        if replaces:
            part.replace(target)
        else:
            _name(part, target)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise


def _name(part: Path, target: Path) -> None:
    """Give `part` the name `target`, which must be free."""
    try:
        target.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:
        # There are file systems without links: the look and the new name are two steps there.
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        part.replace(target)
    else:
        part.unlink()
