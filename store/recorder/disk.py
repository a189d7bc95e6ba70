"""The disk side of the writer: the spool of this process, and those of processes that have ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence

from store.recorder.batch import MAX_BYTES
from store.recorder.ledger import Ledger
from store.recorder.options import SpoolSettings
from store.recorder.safe_logging import log_safely
from store.spool import Spool, SpoolError, SpoolOptions

logger = logging.getLogger(__name__)

SPOOL_UNREADABLE = "unreadable in the spool"
SPOOL_REMOVED = "removed with the spool"
_OPEN_EVERY = 5.0
"""Seconds after which a spool that could not be opened is tried again."""
_ORPHANS_EVERY = 60.0
"""Seconds after which the spools of other processes are looked at again, while there is work."""
_TROUBLES = (SpoolError, OSError, ValueError)


class Disk:
    """What waits on the disk, with its account. Trouble of one kind is logged once until it is over, never raised.

    It outlives a writer that dies: the next one goes on with it.
    """

    def __init__(self, settings: SpoolSettings, ledger: Ledger) -> None:
        self.in_flight = 0
        """How many events of the batch under way, from its first on, are on the disk."""
        self._in_flight_bytes = 0
        # Where they are, and whether others wait before them there, so that they cannot be forgotten.
        self._source: Spool | None = None
        self._repeats = False
        self._settings = settings
        self._ledger = ledger
        self._spool: Spool | None = None
        self._orphans: Generator[Spool, None, None] | None = None
        self._adopted: Spool | None = None
        self._next_open = self._next_look = 0.0
        self._warned: set[str] = set()

    def open_if_due(self) -> None:
        """Begin a spool, unless there is one, or it was tried a moment ago."""
        if self._spool is not None or self._settings.folder is None or time.monotonic() < self._next_open:
            return
        self._next_open = time.monotonic() + _OPEN_EVERY
        try:
            self._spool = Spool.open(self._settings.folder, **self._options)
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

    @property
    def needs_a_look(self) -> bool:
        """Whether something waits on the disk, or the spool that there should be is yet to be begun."""
        if self._settings.folder is None:
            return False
        adopts = self._adopted is not None and not self._adopted.is_empty
        return self._spool is None or not self._spool.is_empty or adopts

    def oldest(self, count: int) -> list[bytes]:
        """The oldest `count` events at most, those of ended processes first: the batch under way from now on."""
        self.let_go()
        for spool in (self._next_orphan(), self._spool):
            payloads = [] if spool is None or spool.is_empty else self._read(spool, count)
            if payloads:
                self._source = spool
                self.in_flight, self._in_flight_bytes = len(payloads), _size(payloads)
                return payloads
        return []

    def append(self, payloads: Sequence[bytes]) -> int:
        """Move `payloads` to the disk. Returns how many of them, from the first on, had room and are there."""
        if self._spool is None:
            return 0
        try:
            written = self._spool.append(payloads)
        except _TROUBLES as error:
            if self._spool.is_gone():
                self._replace(self._spool)
            else:
                self._warn("write", error)
            return 0
        self._warned.discard("write")
        self._ledger.spool(written, _size(payloads[:written]))
        return written

    def keep(self, payloads: Sequence[bytes]) -> None:
        """Move `payloads`, the batch under way, to the disk: what of it is not there yet, as far as there is room."""
        rest = payloads[self.in_flight :]
        if self._spool is None or not rest:
            return
        if not self.in_flight:
            self._source, self._repeats = self._spool, not self._spool.is_empty
        written = self.append(rest)
        self.in_flight += written
        self._in_flight_bytes += _size(rest[:written])

    def acknowledge(self) -> None:
        """Forget what is in flight: the database has it."""
        spool, count, repeats = self._source, self.in_flight, self._repeats
        self.let_go()
        if spool is None or not count:
            return
        if repeats:
            # They come again, and are known then.
            self._ledger.recover(count)
        else:
            spool.acknowledge(count)

    def let_go(self) -> None:
        """Leave what is in flight on the disk, to come again."""
        self._source, self._repeats = None, False
        self.in_flight = self._in_flight_bytes = 0

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
            self._warn("sync", error)
        if not self._spool.is_doubtful:
            self._warned.discard("sync")
        return not self._spool.is_doubtful

    def close(self) -> None:
        """Synchronise and let go of everything; what waits is there for the next process. May be called again."""
        if self._orphans is not None:
            self._orphans.close()
        if self._spool is not None:
            self._spool.close()
        self._orphans = self._adopted = self._spool = None

    def abandon_after_fork(self) -> None:
        """In a forked process: let go of the parent's files, without a change to them."""
        for spool in (self._spool, self._adopted):
            if spool is not None:
                spool.abandon_after_fork()

    @property
    def _options(self) -> SpoolOptions:
        return {"max_bytes": self._settings.max_bytes, "fsync": self._settings.fsync}

    def _read(self, spool: Spool, count: int) -> list[bytes]:
        lost, trouble = spool.lost, f"read {spool.folder}"
        payloads: list[bytes] = []
        try:
            payloads = spool.peek(count, MAX_BYTES)
            self._warned.discard(trouble)
        except _TROUBLES as error:
            self._warn(trouble, error)
        finally:
            self._settle_lost(spool.lost - lost, SPOOL_UNREADABLE)
        return payloads

    def _replace(self, spool: Spool) -> None:
        """Begin another spool instead of `spool`, whose folder was removed. What is in flight is in memory still."""
        lost = spool.pending
        if spool is self._source:
            lost -= self.in_flight
            self._ledger.unspool(self.in_flight, self._in_flight_bytes)
            self.let_go()
        self._settle_lost(lost, SPOOL_REMOVED)
        self._spool, self._next_open = None, 0.0
        spool.close()
        self.open_if_due()
        log_safely(logger.warning, "the spool %s was removed, with %d events in it", spool.folder, lost)

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
        """Take over what another process left."""
        self._ledger.recover(spool.pending + spool.lost)
        self._settle_lost(spool.lost, SPOOL_UNREADABLE)

    def _settle_lost(self, count: int, reason: str) -> None:
        self._ledger.settle(dropped=count, reason=reason, spooled=count)

    def _warn(self, trouble: str, error: Exception) -> None:
        if trouble not in self._warned:
            self._warned.add(trouble)
            log_safely(logger.warning, "%s", error)


def _size(payloads: Sequence[bytes]) -> int:
    return sum(map(len, payloads))
