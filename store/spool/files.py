"""The changes that a spool makes on disk: one place to have them fail in, or be lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class Files:
    """The changes that a spool makes on disk. Every method raises `OSError`."""

    def create(self, path: Path) -> int:
        """A descriptor of a new file of mode 0600."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`. After an error, any part of it may have been written."""
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            if written == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            offset += written
            view = view[written:]

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Have the content of the file survive a power failure."""
        os.fsync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Have the names of the files in `folder` survive a power failure."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file, or do nothing when there is none."""
        path.unlink(missing_ok=True)

    def rename(self, path: Path, target: Path) -> None:
        """Give a file another name."""
        path.rename(target)
