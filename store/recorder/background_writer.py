"""The recorder's other half: takes events from the queue, and sees them into the database or onto the disk."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import NamedTuple

# Not stamina, which tells hooks of the whole process of each retry, and stops trying where the host says so.
from tenacity import AsyncRetrying, retry_if_exception, wait_exponential, wait_random

from store.errors import StoreError
from store.recorder.batch import ATTEMPTS_MAX, MAX_BYTES, Batch
from store.recorder.bell import Bell
from store.recorder.delivery import Delivery
from store.recorder.disk import Disk
from store.recorder.event_loop import WriterLoop
from store.recorder.flushes import Flush, Flushes
from store.recorder.fork_pause import ForkPause
from store.recorder.ledger import CLOSED, Ledger
from store.recorder.options import WriterOptions
from store.recorder.safe_logging import log_safely

logger = logging.getLogger(__name__)

RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS, RETRY_JITTER_SECONDS = 0.1, 4.5, 0.5
INTERNAL_ERROR = "internal error"
_LOOK_EVERY = 1.0
"""Seconds after which what could not be done, or may have been, is looked at again without being asked."""
_PATIENCE = 0.5
"""Seconds that a flush waits for a commit before what it waits for goes to the disk."""
_CANCEL_SECONDS = 0.1
"""How long a commit may take to be given up: its connection may be dead."""


class _Commit(NamedTuple):
    batch: Batch
    task: asyncio.Task[None]
    began: float


class BackgroundWriter:
    """Runs in a thread and an event loop of its own, from `run` to `stop`.

    Events leave in the order in which they came: what is on disk goes before what is in memory.
    """

    def __init__(
        self, ledger: Ledger, delivery: Delivery, options: WriterOptions, producer: str, disk: Disk
    ) -> None:
        self.bell = Bell()
        self.ended = threading.Event()
        """Is set when nothing is in memory any more, and nothing more will come of it."""
        self.fork_pause = ForkPause(self.bell, delivery)
        self._ledger = ledger
        self._delivery = delivery
        self._options = options
        self._producer = producer
        self._loop = WriterLoop()
        self._disk = disk
        self._flushes = Flushes()
        self._commit: _Commit | None = None
        self._oldest = 0.0
        self._stopping = self._warned = self._failed = False

    def flush(self, timeout: float, *, drains: bool = False) -> bool:
        """Wait until everything queued until now has left the memory. From any thread.

        With `drains`, also for what is on the disk to be stored, as long as the database is not known to be away.

        Returns:
            False when that was not reached in `timeout` seconds.
        """
        return self._flushes.wait(
            Flush(self._ledger.goal, drains, threading.Event()), timeout, self.bell.ring
        )

    def stop(self) -> None:
        """End `run`: what is in memory then goes to the disk, or is dropped and counted. From any thread."""
        self._stopping = True
        self.bell.ring()

    def abandon_after_fork(self) -> None:
        """In a forked process: let go of the parent's files and connections."""
        self._disk.abandon_after_fork()
        self._loop.abandon_after_fork()

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def run(self) -> None:
        """Work until stopped.

        Raises:
            OSError: the process has no descriptors left.
        """
        try:
            self._loop.run(self._work())
        finally:
            self.fork_pause.give_up()
            self.ended.set()

    async def _work(self) -> None:
        self.bell.attach()
        try:
            while not self._stopping:
                seconds = self._turn_safely()
                # What came in before the threshold was lowered would ring no bell.
                await self.bell.wait(seconds if self._ledger.places < self.bell.threshold else 0)
        finally:
            await self._shut_down()

    def _turn_safely(self) -> float | None:
        try:
            seconds = self._turn()
        except Exception as error:
            if not self._failed:
                self._failed = True
                log_safely(logger.error, "the recorder's writer failed, and goes on", error=error)
            return _LOOK_EVERY
        self._failed = False
        return seconds

    def _turn(self) -> float | None:
        """Do what is due. Returns after how many seconds to look again, None for when the bell rings."""
        self._disk.open_if_due()
        if self._commit is not None and self._commit.task.done():
            self._finish(self._commit)
        if self._commit is None:
            self._begin()
        elif self._should_spill(self._commit):
            self._spill(self._commit.batch)
        self._answer()
        return self._next_look()

    def _next_look(self) -> float | None:
        if self._commit is None:
            waits = len(self._ledger) > 0
            self.bell.threshold = self._options.batch_events if waits else 1
            if waits or self._flushes:
                return self._options.linger
        if not self._disk.is_there or self._commit is None:
            return _LOOK_EVERY if self._disk.needs_a_look else None
        if self._ledger.away is not None or self._flushes:
            return self._options.linger
        if self._ledger.places < self._ledger.half:
            self.bell.threshold = self._ledger.half
        return _PATIENCE

    def _begin(self) -> None:
        """Begin to commit the next batch, if there is one whose time has come."""
        payloads = self._disk.oldest(self._options.batch_events) or self._from_memory()
        if not payloads:
            return
        try:
            if self._options.write_ahead and self._disk.is_empty:
                self._disk.keep(payloads)
            batch = Batch(payloads, self._producer)
            task = asyncio.create_task(self._deliver(batch))
        except BaseException:
            # Nobody else knows of them.
            self._ledger.put_back(payloads[self._disk.in_flight :])
            self._disk.let_go()
            raise
        self._commit = _Commit(batch, task, self._now())
        task.add_done_callback(lambda _: self.bell.ring())

    async def _deliver(self, batch: Batch) -> None:
        """Store what is left of a batch, however long the database is away."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: self._may_retry(batch, error)),
            wait=wait_exponential(RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS)
            + wait_random(0, RETRY_JITTER_SECONDS),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                await self._delivery.deliver(batch)

    def _from_memory(self) -> list[bytes]:
        if not len(self._ledger):
            self._oldest = 0.0
            return []
        self._oldest = self._oldest or self._now()
        lingered = self._now() - self._oldest >= self._options.linger
        if self._ledger.places < self._options.batch_events and not lingered and not self._flushes:
            return []
        self._oldest = 0.0
        return self._ledger.take(self._options.batch_events, MAX_BYTES)

    def _may_retry(self, batch: Batch, error: BaseException) -> bool:
        if isinstance(error, StoreError):
            reason, internal = str(error), None
        elif isinstance(error, Exception) or _is_stray(error):
            reason, internal = type(error).__name__, error
            batch.internal_errors += 1
            if batch.internal_errors >= ATTEMPTS_MAX and not isinstance(error, MemoryError):
                return False
        else:
            return False
        self._ledger.note_away(reason)
        self.bell.ring()
        if not self._warned:
            self._warned = True
            place = "kept on disk" if self._disk.is_there else "kept in memory while there is room"
            log_safely(
                logger.warning, "events cannot be stored, and are %s: %s", place, reason, error=internal
            )
        return True

    def _finish(self, commit: _Commit) -> None:
        """Account for a batch whose commit has ended."""
        task, batch = commit.task, commit.batch
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._settle(batch, batch.left, INTERNAL_ERROR)
        self._commit = None
        self._ledger.note_away(None)
        self._disk.acknowledge()
        if error is not None:
            log_safely(logger.error, "a batch of events could not be stored", error=error)
        elif self._warned:
            self._warned = False
            log_safely(logger.warning, "events can be stored again")

    def _settle(self, batch: Batch, dropped: int, reason: str) -> None:
        self._ledger.settle(
            stored=batch.stored,
            duplicates=batch.duplicates,
            dead_lettered=batch.dead_lettered,
            dropped=dropped,
            reason=reason,
            spooled=self._disk.in_flight,
            freed=sum(map(len, batch.payloads[self._disk.in_flight :])),
        )

    def _is_on_disk(self, batch: Batch) -> bool:
        return self._disk.in_flight == len(batch.payloads)

    def _should_spill(self, commit: _Commit) -> bool:
        """Whether what waits behind the commit under way had better go to the disk."""
        if not self._disk.is_there:
            return False
        if self._flushes and (self._is_on_disk(commit.batch) or self._now() - commit.began > _PATIENCE):
            return True
        return self._ledger.away is not None or self._ledger.places >= self._ledger.half

    def _spill(self, batch: Batch) -> None:
        """Put what is in memory on the disk, as much as has room: the batch that is being committed goes first."""
        self._disk.keep(batch.payloads)
        if self._is_on_disk(batch):
            self._spill_queue()

    def _spill_queue(self) -> None:
        while len(self._ledger):
            payloads = self._ledger.take(self._options.batch_events, MAX_BYTES)
            written = 0
            try:
                written = self._disk.append(payloads)
            finally:
                self._ledger.put_back(payloads[written:])
            if written < len(payloads):
                return

    def _answer(self) -> None:
        """Tell those who wait for a flush that it is done, if what is on disk will stay there."""
        left = self._ledger.left
        drained = self._ledger.away is not None or (self._commit is None and not len(self._ledger))
        reached = self._flushes.reached(left, drained=drained)
        if self._disk.sync(now=bool(reached)):
            self._flushes.answer(reached)

    async def _shut_down(self) -> None:
        try:
            # First what is quick and matters most: a server that hangs may hang for longer than the process lasts.
            if self._commit is not None:
                self._spill(self._commit.batch)
            else:
                self._spill_queue()
            self._disk.sync(now=True)
            if self._commit is not None:
                await self._give_up(self._commit)
            # What had to wait behind a batch that was not on the disk.
            self._spill_queue()
        finally:
            self._end()
        await self._delivery.close()

    def _end(self) -> None:
        if self._commit is not None:
            # Something went wrong on the way here.
            self._ledger.put_back(self._commit.batch.payloads[self._disk.in_flight :])
        if self._stopping:
            self._ledger.drop_queue()
        self._answer()
        if self._stopping:
            self._disk.close()
        else:
            self._disk.let_go()
        self.ended.set()

    async def _give_up(self, commit: _Commit) -> None:
        """Put a batch on the disk, if there is one, that is still being committed; what was stored comes again."""
        commit.task.cancel()
        await asyncio.wait([commit.task], timeout=_CANCEL_SECONDS)
        batch = commit.batch
        if commit.task.done() and not commit.task.cancelled():
            self._finish(commit)
            return
        self._disk.keep(batch.payloads)
        self._commit = None
        rest = batch.payloads[self._disk.in_flight :]
        reason = CLOSED if self._stopping else INTERNAL_ERROR
        if not self._disk.in_flight:
            self._settle(batch, batch.left, reason)
        elif rest:
            # Of what was stored, nobody knows here whether it is in this part: too much is counted as dropped, if any.
            dropped = min(batch.left, len(rest))
            stored = len(rest) - dropped
            self._ledger.settle(stored=stored, dropped=dropped, reason=reason, freed=sum(map(len, rest)))
        self._disk.let_go()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _is_stray(error: BaseException) -> bool:
    """Whether `error` is a cancellation that nobody asked this task for: a driver has let one of its own escape."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and not task.cancelling()
