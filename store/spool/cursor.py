"""How far a spool is acknowledged, kept in a file of its own."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from struct import Struct
from zlib import crc32

from store.spool.files import Files


class Cursor:
    """The file that holds how far a spool is acknowledged: the sequence of the next record.

    There are two slots, written in turn, each with a checksum: a torn write spoils the newer one, and the older one
    then repeats some records rather than lose any.

    Raises:
        OSError: the file cannot be opened or created.
    """

    _SLOT = Struct("<QI")
    # In sectors of their own, which are what a disk writes whole.
    _OFFSETS = (0, 512)

    def __init__(self, path: Path, files: Files) -> None:
        self._files = files
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            self._descriptor = files.create(path)
        try:
            values = [self._load(offset) for offset in self._OFFSETS]
            missing = 2 * self._OFFSETS[1] - os.fstat(self._descriptor).st_size
            if missing > 0:
                # Its space is taken now, so that the cursor can move on a full disk.
                files.write(self._descriptor, bytes(missing), 2 * self._OFFSETS[1] - missing)
        except BaseException:
            self.close()
            raise
        self.position = max(values)
        self._turn = values.index(min(values))

    def move(self, position: int) -> None:
        """Write a new position.

        Raises:
            OSError: it could not be written; the file keeps the position before it.
        """
        checked = position.to_bytes(8, "little")
        self._files.write(
            self._descriptor, checked + crc32(checked).to_bytes(4, "little"), self._OFFSETS[self._turn]
        )
        self._turn = 1 - self._turn
        self.position = position

    def sync(self) -> None:
        """Have the position survive a power failure.

        Raises:
            OSError: it may not.
        """
        self._files.sync(self._descriptor)

    def close(self) -> None:
        """Close the file. May be called again."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

    def _load(self, offset: int) -> int:
        """The position in a slot; 0 when it is damaged or was never written."""
        slot = os.pread(self._descriptor, self._SLOT.size, offset)
        if len(slot) == self._SLOT.size:
            position, checksum = self._SLOT.unpack(slot)
            if crc32(slot[:8]) == checksum:
                return position
        return 0
