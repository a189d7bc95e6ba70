"""A queue of records in files of one folder. One process has it, and one thread of that."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Self, TypedDict, Unpack

from store.bus import new_producer
from store.spool.backlog import Backlog
from store.spool.cursor import Cursor
from store.spool.files import Files
from store.spool.folder import SpoolFolder
from store.spool.recovery import recover
from store.spool.room import Room
from store.spool.segment import HEADER_BYTES, pack_records
from store.spool.warning import warn
from store.spool.writer import FsyncPolicy, SegmentWriter

MAX_BYTES = 256 * 1024 * 1024
SEGMENT_BYTES = 8 * 1024 * 1024
FSYNC_INTERVAL = 0.5
CURSOR_FILE = "cursor"


class SpoolError(Exception):
    """The spool cannot be opened, written or read. One line that says why. What is raised is not logged as well."""


class SpoolOptions(TypedDict, total=False):
    """How a spool behaves. Sizes in bytes on disk, with what a record takes besides its payload; times in seconds.

    `max_bytes` is for all spools of the root together, those that others left and those of living processes.
    """

    max_bytes: int
    segment_bytes: int
    fsync: FsyncPolicy
    fsync_interval: float
    clock: Callable[[], float]
    files: Files


class Spool:
    """Records in the order of their appending, each kept until it is acknowledged. Made by `open` and `orphans`.

    All methods belong to one thread; the properties may be read from any. Delivery is at least once: after a crash,
    records that were acknowledged last may come again. A segment is begun when the last one has reached
    `segment_bytes`, and deleted when all of it is acknowledged.

    Raises:
        OSError: the folder cannot be read or written.
    """

    def __init__(
        self,
        folder: SpoolFolder,
        *,
        max_bytes: int = MAX_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        fsync: FsyncPolicy = FsyncPolicy.INTERVAL,
        fsync_interval: float = FSYNC_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
        files: Files | None = None,
    ) -> None:
        self._folder = folder
        self._room = Room(folder, max_bytes, clock)
        self._fsync = fsync
        self._files = files or Files()
        self._process = os.getpid()
        self._closed = False
        self._warned: set[str] = set()
        # Sequence after the last record that may not survive a power failure, because it could not be synchronised.
        self._doubtful_until = 0

        self._cursor = Cursor(folder.path / CURSOR_FILE, self._files)
        try:
            found = recover(folder.path, self._cursor.position, self._files)
        except BaseException:
            self._cursor.close()
            raise
        self._writer = SegmentWriter(
            folder.path,
            found.next_number,
            segment_bytes,
            fsync,
            fsync_interval,
            clock,
            self._files,
            self._doubt,
        )
        self._backlog = Backlog(folder.path, found, self._files, self._writer.end, self._warn)

    @classmethod
    def open(cls, root: Path, producer: str | None = None, **options: Unpack[SpoolOptions]) -> Self:
        """The spool of this process, in a folder of `root` named after `producer`, which no other process may have.

        `root` is made with mode 0700 if there is none, and otherwise left as it is: it may hold what is not evtop's.
        A folder of that name which a dead process left is gone on with.

        Raises:
            SpoolError: it cannot be made, or others than this user and root could put a folder in its place.
        """
        try:
            folder = SpoolFolder.claim(root, producer or new_producer(), options.get("files") or Files())
            return cls._claimed(folder, options)
        except OSError as error:
            raise SpoolError(f"no spool can be kept in {root}: {_reason(error)}") from None

    @classmethod
    def orphans(cls, root: Path, **options: Unpack[SpoolOptions]) -> Generator[Self, None, None]:
        """The spools in `root` whose processes have ended, oldest first; each goes to one process only.

        Each is closed, and its folder removed when all of it is acknowledged, as soon as the next one is asked for
        or the iterator is closed. Those that cannot be opened are left where they are, with a warning.
        """
        for folder in SpoolFolder.unclaimed(root):
            try:
                spool = cls._claimed(folder, options)
            except OSError as error:
                warn("the spool %s cannot be opened: %s", folder.path, _reason(error))
                continue
            try:
                if spool.pending or spool.lost:
                    yield spool
            finally:
                spool.close()

    @classmethod
    def _claimed(cls, folder: SpoolFolder, options: SpoolOptions) -> Self:
        try:
            return cls(folder, **options)
        except BaseException:
            folder.release()
            raise

    @property
    def folder(self) -> Path:
        """Where the segments are."""
        return self._folder.path

    @property
    def pending(self) -> int:
        """Records that are not acknowledged yet, unreadable ones among them until reading comes to them."""
        return self._backlog.pending

    @property
    def pending_bytes(self) -> int:
        """Size on disk, in bytes, of the segments that hold pending records."""
        return self._backlog.size

    @property
    def lost(self) -> int:
        """Records found unreadable since opening. Of several at the very end, one is known of."""
        return self._backlog.lost

    @property
    def is_doubtful(self) -> bool:
        """Whether some of the pending records may not survive a power failure: the system could not write them."""
        return self._backlog.position < self._doubtful_until

    @property
    def set_aside(self) -> int:
        """Segments renamed to `.unreadable` since opening. They are never deleted."""
        return self._backlog.set_aside

    @property
    def is_empty(self) -> bool:
        """True when nothing is pending."""
        return self._backlog.pending == 0

    def is_gone(self) -> bool:
        """Whether the folder was removed: nothing can be appended to it any more."""
        return not self._closed and self._process == os.getpid() and not self._folder.hold()

    def append(self, records: Sequence[bytes]) -> int:
        """Add the first of `records`, as many as there is room for. Returns how many that were.

        Raises:
            SpoolError: they cannot be written. None of them is kept, unless the disk refuses to cut them off too:
                then some may be found when the spool is opened again.
            ValueError: a record is no UTF-8 text. None of them is kept.
        """
        self._check_usable()
        header = HEADER_BYTES if self._writer.begins_segment else 0
        payloads = self._room.fitting(records, self._backlog.size + header)
        if not payloads:
            return 0
        data = pack_records(payloads, self._backlog.next)
        try:
            segment = self._writer.write(data, self._backlog.next)
        except OSError as error:
            raise SpoolError(f"the spool {self.folder} cannot be written: {_reason(error)}") from None
        self._backlog.appended(segment, len(payloads), len(data))
        return len(payloads)

    def peek(self, count: int, max_bytes: int) -> list[bytes]:
        """The oldest pending records, in order: `count` at most, of `max_bytes` together, yet one in any case.

        They stay until they are acknowledged. Empty only when nothing is pending, or `count` is 0.

        Raises:
            SpoolError: the spool cannot be read now.
        """
        self._check_usable()
        try:
            payloads = self._backlog.peek(count, max_bytes)
        except OSError as error:
            raise SpoolError(f"the spool {self.folder} cannot be read: {_reason(error)}") from None
        if not payloads:
            self._forget()
        return payloads

    def acknowledge(self, count: int) -> None:
        """Forget the oldest `count` pending records, whether `peek` has returned them or not.

        Trouble with the disk is logged, not raised: the worst of it is that the records come again after a crash.

        Raises:
            ValueError: more than are pending.
            SpoolError: the spool is closed.
        """
        self._check_usable()
        if not 0 <= count <= self._backlog.pending:
            raise ValueError(f"{count} records acknowledged, {self._backlog.pending} pending")
        self._backlog.acknowledge(count)
        self._forget()

    def sync_if_due(self) -> None:
        """Under `INTERVAL`, synchronise what was appended `fsync_interval` seconds ago or earlier.

        Raises:
            SpoolError: the operating system could not write it. The records stay pending, but may not survive.
        """
        self._check_usable()
        try:
            self._writer.sync_if_due()
        except OSError as error:
            raise SpoolError(f"the spool {self.folder} cannot be synchronised: {_reason(error)}") from None

    def sync(self) -> None:
        """Have everything that was appended survive a power failure, but under `NEVER`, which asks for none of that.

        Raises:
            SpoolError: as for `sync_if_due`.
        """
        self._check_usable()
        try:
            if self._fsync is not FsyncPolicy.NEVER:
                self._writer.sync()
        except OSError as error:
            raise SpoolError(f"the spool {self.folder} cannot be synchronised: {_reason(error)}") from None

    def close(self) -> None:
        """Synchronise, and give the folder up: removed when nothing is pending. May be called again. Never raises."""
        if self._closed:
            return
        if self._process != os.getpid():
            self.abandon_after_fork()
            return
        try:
            self._writer.sync()
            self._cursor.sync()
        except OSError as error:
            warn("the spool %s may not survive a power failure: %s", self.folder, _reason(error))
        self._close_files()
        if not self._backlog.has_segments:
            try:
                self._files.remove(self.folder / CURSOR_FILE)
                self._folder.remove()
            except OSError as error:
                warn("the spool %s cannot be removed: %s", self.folder, _reason(error))
        self._folder.release()

    def abandon_after_fork(self) -> None:
        """In a child process: close its copies of the files. The parent's spool, lock and position stay as they are."""
        if not self._closed:
            self._close_files()
            self._folder.abandon()

    def _doubt(self) -> None:
        self._doubtful_until = self._backlog.next

    def _forget(self) -> None:
        """Move the cursor to the oldest pending record, and delete the segments before it."""
        position = self._backlog.position
        if position != self._cursor.position:
            try:
                self._cursor.move(position)
                if self._fsync is FsyncPolicy.ALWAYS:
                    self._cursor.sync()
                self._warned.discard("cursor")
            except OSError as error:
                self._warn("cursor", f"the cursor of the spool {self.folder} is not kept: {_reason(error)}")
        try:
            self._backlog.remove_acknowledged()
            self._warned.discard("remove")
        except OSError as error:
            self._warn("remove", f"segments of the spool {self.folder} stay: {_reason(error)}")

    def _check_usable(self) -> None:
        if self._closed:
            raise SpoolError(f"the spool {self.folder} is closed")
        if self._process != os.getpid():
            raise SpoolError(f"the spool {self.folder} belongs to process {self._process}")

    def _close_files(self) -> None:
        self._closed = True
        self._writer.end()
        self._backlog.close()
        self._cursor.close()

    def _warn(self, trouble: str, message: str) -> None:
        """Log a message, once until that trouble is over."""
        if trouble not in self._warned:
            self._warned.add(trouble)
            warn("%s", message)


def _reason(error: OSError) -> str:
    """An error in a few words, without the path that the message has named already."""
    return error.strerror or str(error)
