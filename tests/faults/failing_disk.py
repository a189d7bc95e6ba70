"""A disk that cannot be written, for the spools of one process."""

from __future__ import annotations

import os
from typing import Any

from store.spool import files


class _FailingOs:
    """The module `os`, as the spool sees it, with a disk that cannot be written."""

    def __init__(self, error: int) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def pwrite(self, _descriptor: int, _data: memoryview, _offset: int) -> int:
        raise OSError(self._error, os.strerror(self._error))


def fail_writes(error: int) -> None:
    """Have every write to a spool of this process fail with this errno; 0 ends it."""
    files.os = _FailingOs(error) if error else os  # pyright: ignore[reportPrivateImportUsage]
