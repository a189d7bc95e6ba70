"""Writes the segments of a spool, and sees that they survive a power failure as the policy has it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from store.spool.files import Files
from store.spool.segment import Segment, pack_header, segment_path


class FsyncPolicy(StrEnum):
    """When records are made to survive a power failure. The death of the process alone loses none in any case."""

    ALWAYS = "always"
    """Before `Spool.append` returns."""
    INTERVAL = "interval"
    """Within `fsync_interval` seconds, while the owner calls `Spool.sync_if_due`."""
    NEVER = "never"
    """When the operating system sees fit; the last segment when the spool is closed."""


class SegmentWriter:
    """Adds records to a segment, and begins another one, from `number` on, when it has reached `segment_bytes`.

    `sync_failed` is called when what was written before may not survive a power failure.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        segment_bytes: int,
        fsync: FsyncPolicy,
        fsync_interval: float,
        clock: Callable[[], float],
        files: Files,
        sync_failed: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._number = number
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        self._fsync_interval = fsync_interval
        self._clock = clock
        self._files = files
        self._sync_failed = sync_failed
        self._segment: Segment | None = None
        self._descriptor = -1
        self._unsynced_since: float | None = None
        self._folder_unsynced = False

    @property
    def begins_segment(self) -> bool:
        """True when what is written next goes to a new segment."""
        return self._segment is None or self._segment.size >= self._segment_bytes

    def write(self, data: bytes, sequence: int) -> Segment:
        """Write whole records, the first of which has this sequence. Returns the segment that they went to.

        Raises:
            OSError: they cannot be written, or not be synchronised, and none of them is kept.
        """
        if self.begins_segment:
            if self._fsync is FsyncPolicy.INTERVAL:
                self.sync()
            self.end()
            segment = self._begin(data, sequence)
        else:
            segment = self._extend(data)
        if self._fsync is FsyncPolicy.INTERVAL and self._unsynced_since is None:
            self._unsynced_since = self._clock()
        return segment

    def sync_if_due(self) -> None:
        """Synchronise when the oldest write that is not synchronised is `fsync_interval` seconds ago.

        Raises:
            OSError: as for `sync`.
        """
        if self._unsynced_since is not None and self._clock() - self._unsynced_since >= self._fsync_interval:
            self.sync()

    def sync(self) -> None:
        """Have what was written survive a power failure.

        Raises:
            OSError: it may not; what comes next goes to a new segment.
        """
        self._unsynced_since = None
        try:
            if self._descriptor >= 0:
                self._files.sync(self._descriptor)
            if self._folder_unsynced:
                self._files.sync_folder(self._folder)
                self._folder_unsynced = False
        except OSError:
            # After a failed fsync a second one may succeed without having written anything.
            self.end()
            self._sync_failed()
            raise

    def end(self) -> None:
        """Write no more to this segment. Without a segment, do nothing."""
        if self._segment is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._segment, self._descriptor, self._unsynced_since = None, -1, None

    def _begin(self, data: bytes, sequence: int) -> Segment:
        path = segment_path(self._folder, self._number)
        self._number += 1
        data = pack_header(sequence) + data
        descriptor = self._files.create(path)
        try:
            self._files.write(descriptor, data, 0)
            if self._fsync is FsyncPolicy.ALWAYS:
                self._files.sync(descriptor)
                self._files.sync_folder(self._folder)
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                self._files.remove(path)
            raise
        self._folder_unsynced = self._fsync is FsyncPolicy.INTERVAL
        self._descriptor = descriptor
        self._segment = Segment(path, sequence, len(data))
        return self._segment

    def _extend(self, data: bytes) -> Segment:
        segment = self._segment
        assert segment is not None  # noqa: S101 - the caller has looked
        if os.fstat(self._descriptor).st_nlink == 0:
            self.end()
            raise FileNotFoundError(errno.ENOENT, "its files were removed")
        try:
            self._files.write(self._descriptor, data, segment.size)
            if self._fsync is FsyncPolicy.ALWAYS:
                self._files.sync(self._descriptor)
        except BaseException:
            try:
                self._files.truncate(self._descriptor, segment.size)
            except OSError:
                if self._unsynced_since is not None:
                    with suppress(OSError):
                        self.sync()
                # What is left over repeats sequences of the next segment, by which a reader knows to skip it.
                self.end()
            raise
        segment.size += len(data)
        return segment
