"""A store for one console, on disk as long as it runs: what is read from files may be more than memory holds."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from store.locks import try_lock

_PREFIX = "evtop-files-"
_LOCK = "lock"


class PrivateStoreError(Exception):
    """There is no room for a store. The message is one line."""


class PrivateStore:
    """A folder for its owner alone with an SQLite file, as a context manager; both are gone afterwards.

    A console that was killed leaves its folder behind. The next one takes away those whose lock nobody holds.
    """

    def __init__(self) -> None:
        self.folder = Path(os.devnull)
        self._lock: int | None = None

    @property
    def url(self) -> str:
        """For `EventStore.open`."""
        return f"sqlite:///{self.folder / 'events.db'}"

    def __enter__(self) -> Self:
        try:
            _sweep(Path(tempfile.gettempdir()))
            while self._lock is None:
                self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
                # Before the store, so that no one takes a folder that is in use for one that was left behind. Where
                # someone did so in the moment between, another one is made.
                with suppress(FileNotFoundError):
                    self._lock = try_lock(self.folder / _LOCK)
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise PrivateStoreError(
                f"the temporary folder: {error.strerror or error}; TMPDIR names another"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)


def _sweep(where: Path) -> None:
    """Take away what consoles of this user left behind. Their folder has the lock from the first moment on."""
    for folder in where.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            is_own = status.st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
            lock = try_lock(folder / _LOCK, create=False) if is_own else None
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
