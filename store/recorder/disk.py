"""The disk side of the writer: its own spool, and those of processes that have ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence

from store.recorder.batch import MAX_BYTES
from store.recorder.ledger import Ledger
from store.recorder.options import SpoolSettings
from store.spool import Spool, SpoolError, SpoolOptions

logger = logging.getLogger(__name__)

SPOOL_UNREADABLE = "unreadable in the spool"
_OPEN_EVERY = 5.0
"""Seconds after which a spool that could not be opened is tried again."""
_ORPHANS_EVERY = 60.0
"""Seconds after which the spools of other processes are looked at again, while there is work."""
_TROUBLES = (SpoolError, OSError, ValueError)


class Disk:
    """What waits on the disk, with its account. Trouble of one kind is logged once until it is over, never raised."""

    def __init__(self, settings: SpoolSettings, ledger: Ledger, producer: str) -> None:
        self._settings = settings
        self._ledger = ledger
        self._producer = producer
        self._spool: Spool | None = None
        self._orphans: Generator[Spool, None, None] | None = None
        self._adopted: Spool | None = None
        self._source: Spool | None = None
        self._next_open = self._next_look = 0.0
        # How many of the oldest in the own spool may not survive a power failure: the system could not write them.
        self._doubtful = 0
        self._warned: set[str] = set()

    def open_if_due(self) -> None:
        """Begin a spool, unless there is one, or it was tried a moment ago."""
        if self._spool is not None or self._settings.folder is None or time.monotonic() < self._next_open:
            return
        self._next_open = time.monotonic() + _OPEN_EVERY
        try:
            self._spool = Spool.open(self._settings.folder, self._producer, **self._options)
        except _TROUBLES as error:
            self._warn("open", error)
        else:
            self._warned.discard("open")
            self._count_found(self._spool)

    @property
    def is_there(self) -> bool:
        """Whether there is a spool to write to."""
        return self._spool is not None

    @property
    def is_empty(self) -> bool:
        """Whether nothing of this process waits on the disk."""
        return self._spool is None or self._spool.is_empty

    def oldest(self, count: int) -> list[bytes]:
        """The oldest `count` events at most, those of ended processes first. `acknowledge` removes them."""
        for spool in (self._next_orphan(), self._spool):
            if spool is None or spool.is_empty:
                continue
            lost = spool.lost
            try:
                payloads = spool.peek(count, MAX_BYTES)
            except _TROUBLES as error:
                self._warn("read", error)
                continue
            self._warned.discard("read")
            self._settle_lost(spool.lost - lost)
            if payloads:
                self._source = spool
                return payloads
        return []

    def append(self, payloads: Sequence[bytes], freed: int | None = None) -> int:
        """Move `payloads` to the disk. Returns how many of them, from the first on, had room and are there.

        `freed` are the bytes that they had in memory, if those are not their own.
        """
        written = self._written(payloads)
        if written:
            self._ledger.spool(written, sum(map(len, payloads[:written])) if freed is None else freed)
        return written

    def keep(self, payloads: Sequence[bytes]) -> bool:
        """Move `payloads` to the disk, on which nothing else waits: all of them, or none."""
        written = self._written(payloads)
        if written == len(payloads):
            self._ledger.spool(written, sum(map(len, payloads)))
            return True
        self._forget(self._spool, written)
        return False

    def acknowledge(self, count: int) -> None:
        """Forget the `count` oldest of where `oldest` read last; or of this process, if they were kept meanwhile."""
        spool, self._source = self._source or self._spool, None
        left = self._forget(spool, count)
        if left > 0:
            # They come again, and are known then.
            self._ledger.recover(left)
        elif left < 0:
            self._settle_lost(-left)

    def _written(self, payloads: Sequence[bytes]) -> int:
        if self._spool is None:
            return 0
        try:
            written = self._spool.append(payloads)
        except _TROUBLES as error:
            self._warn("write", error)
            return 0
        self._warned.discard("write")
        return written

    def _forget(self, spool: Spool | None, count: int) -> int:
        """Forget the `count` oldest of `spool`. Returns how many are still there; below 0, how many more are lost."""
        if spool is None:
            return 0
        try:
            while count > 0 and not spool.is_empty:
                lost = spool.lost
                read = len(spool.peek(count, MAX_BYTES))
                spool.acknowledge(read)
                gone = read + spool.lost - lost
                count -= gone
                if spool is self._spool:
                    self._doubtful = max(0, self._doubtful - gone)
        except _TROUBLES as error:
            self._warn("read", error)
        return count

    def sync(self, *, now: bool) -> bool:
        """See to it that the disk has what it should have by now; with `now`, everything. False when it cannot."""
        if self._spool is None:
            return True
        try:
            if now:
                self._spool.sync()
            else:
                self._spool.sync_if_due()
        except _TROUBLES as error:
            self._doubtful = self._spool.pending
            self._warn("sync", error)
        if not self._doubtful:
            self._warned.discard("sync")
        return not self._doubtful

    def close(self) -> None:
        """Synchronise and let go of everything; what waits is there for the next process."""
        if self._orphans is not None:
            self._orphans.close()
        if self._spool is not None:
            self._spool.close()

    def abandon_after_fork(self) -> None:
        """In a forked process: let go of the parent's files, without a change to them."""
        for spool in (self._spool, self._adopted):
            if spool is not None:
                spool.abandon_after_fork()

    @property
    def _options(self) -> SpoolOptions:
        return {"max_bytes": self._settings.max_bytes, "fsync": self._settings.fsync}

    def _next_orphan(self) -> Spool | None:
        if self._adopted is not None and not self._adopted.is_empty:
            return self._adopted
        if self._orphans is None and self._spool is not None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _ORPHANS_EVERY
            self._orphans = Spool.orphans(self._spool.folder.parent, **self._options)
        self._adopted = next(self._orphans, None) if self._orphans is not None else None
        if self._adopted is None:
            self._orphans = None
        else:
            self._count_found(self._adopted)
        return self._adopted

    def _count_found(self, spool: Spool) -> None:
        """Take over what an earlier process left."""
        self._ledger.recover(spool.pending + spool.lost)
        self._settle_lost(spool.lost)

    def _settle_lost(self, count: int) -> None:
        self._ledger.settle(dropped=count, reason=SPOOL_UNREADABLE, spooled=count)

    def _warn(self, trouble: str, error: Exception) -> None:
        if trouble not in self._warned:
            self._warned.add(trouble)
            logger.warning("%s", error)
