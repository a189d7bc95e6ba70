"""`record()`: the call with which an application tells what it does, and which never gets in its way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, Unpack
from uuid import UUID

from pydantic import SecretStr
from uuid_utils import uuid7

from store.bus import Bus, new_producer
from store.bus_url import producer_bus
from store.event import Event
from store.recorder import lifecycle
from store.recorder.background_writer import BackgroundWriter
from store.recorder.delivery import Delivery
from store.recorder.disk import Disk
from store.recorder.encoding import UnfitEventError, encoded
from store.recorder.event_loop import THREAD_NAME
from store.recorder.ledger import CLOSED, QUEUE_FULL, Ledger
from store.recorder.listeners import Callback, Listener
from store.recorder.options import RecorderOptions
from store.recorder.safe_logging import log_safely
from store.recorder.stats import RecorderStats
from store.recording import EventFields
from store.sampling import KEPT_SHARE, Sampling

logger = logging.getLogger(__name__)

UNUSABLE = "unusable arguments"
_START_EVERY = 1.0
"""Seconds after which a writer that could not be started is tried again."""


class Recorder:
    """Records events from any thread, inside and outside of event loops, after a fork, and until the process ends.

    `record()` costs microseconds, waits for nothing and raises nothing. A thread of the recorder's own stores what
    it is given, announces it, and tells listeners; `stats()` says what became of every event.

    >>> recorder = Recorder("sqlite:///events.db")
    >>> recorder.record("download.failed", resource_type="download", resource_id="9f3a")
    True

    Args:
        store: Where the events go, as an SQLAlchemy URL.
        bus: Where they are announced: `redis://…`, `rediss://…`, `unix://…`, `embedded`, `none`, or what gives a bus.
        options: Queue, batches, spool, sampling.

    Raises:
        ValueError: the bus or a share to sample by cannot be used.
    """

    def __init__(
        self,
        store: str | SecretStr,
        bus: str | SecretStr | Callable[[], Bus | None] = "none",
        options: RecorderOptions | None = None,
    ) -> None:
        # Rebound, so that a traceback with local variables has nothing to show.
        self._store = store = store if isinstance(store, SecretStr) else SecretStr(store)
        bus = SecretStr(bus) if isinstance(bus, str) else bus
        self._options = options or RecorderOptions()
        self._callbacks: list[Callback] = []
        self._begin_anew()
        self._sampling = Sampling(self._options.sampling)
        self._open_bus = _bus_at(bus, self._options.signing_key) if isinstance(bus, SecretStr) else bus
        lifecycle.register(self)

    def _begin_anew(self) -> None:
        """As at the start: also in a forked process, which has nothing of its parent but the settings."""
        self._ledger = Ledger(self._options.queue_events, self._options.queue_bytes)
        self._disk = Disk(self._options.spool, self._ledger)
        self._listeners = [Listener(callback, self._count_failure) for callback in self._callbacks]
        self._starting: dict[str, threading.Event] = {}
        self._start_at = 0.0
        self._thread: threading.Thread | None = None
        self._writer: BackgroundWriter | None = None
        self._warned: set[str] = set()
        self._exit_seconds = self._options.exit_timeout

    def record(self, event_type: str, /, **fields: Unpack[EventFields]) -> bool:
        """Record that something happened. Never raises and never blocks.

        What a signal handler of the application's raises in the few microseconds that this takes comes through only
        when it is no `Exception`, like `KeyboardInterrupt`; it cannot be told from what an argument raises.

        Fields that are left out are filled in: id, time (now), category and severity (by the taxonomy), the actor
        (`system`). What is no valid event is refused by the writer, and kept in the dead letters with the reason.

        Returns:
            False when the event was dropped, and counted: the queue is full, the recorder closed, or the event too
            large or not to be expressed in JSON. True when it is on its way, or was left out by sampling.
        """
        try:
            event: dict[str, Any] = {"event_type": event_type, **fields}
            if event.get("id") is None:
                # As text at once: a `uuid.UUID` costs three times as much to make.
                event["id"] = str(uuid7())
            if event.get("inserted_at") is None:
                event["inserted_at"] = datetime.now(UTC)
            if self._sampling.shares and not self._keep(event):
                return True
            places = self._ledger.offer(encoded(event))
        except UnfitEventError as error:
            return self._drop(str(error))
        except Exception:
            # Not even a broken argument may break the application that is only telling what it did.
            return self._drop(UNUSABLE)
        try:
            if not places:
                self._warn_of_drop(CLOSED if self._ledger.closed else QUEUE_FULL)
            elif self._writer is None:
                if time.monotonic() >= self._start_at:
                    self.start()
            elif places >= self._writer.bell.threshold:
                self._writer.bell.ring()
        except Exception:  # noqa: S110 - the event is queued or counted, and whoever records next wakes the writer
            pass
        return bool(places)

    def _keep(self, event: dict[str, Any]) -> bool:
        """Whether sampling keeps the event, which is told what share of its kind is kept."""
        name, identifier, metadata = event["event_type"], event["id"], event.get("metadata")
        share = self._sampling.shares.get(name) if isinstance(name, str) else None
        if share is None or not isinstance(metadata, Mapping | None):
            return True
        try:
            identifier = identifier if isinstance(identifier, UUID) else UUID(str(identifier))
        except ValueError:
            # It will be refused for that.
            return True
        if not self._sampling.keeps(name, identifier):
            self._ledger.sample_out()
            return False
        event["metadata"] = {**(metadata or {}), KEPT_SHARE: share}
        return True

    def _drop(self, reason: str) -> bool:
        try:
            self._ledger.refuse(reason)
            self._warn_of_drop(reason)
        except Exception:  # noqa: S110 - a stack that is used up
            pass
        return False

    def _warn_of_drop(self, reason: str) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            log_safely(logger.warning, "an event was dropped: %s; further ones are only counted", reason)

    def on_recorded(self, callback: Callback) -> None:
        """Call `callback` with the events of each commit, on a thread of its own. What it raises is counted.

        It is told of what this process stored, after the commit, once; not of what was spooled until it is stored.
        """
        self._callbacks.append(callback)
        self._listeners.append(Listener(callback, self._count_failure))

    def start(self) -> None:
        """Start the writer, which the first event does otherwise: to bring in what an earlier process spooled."""
        mine = threading.Event()
        try:
            # One at a time. Not by a lock: a signal handler that raises as soon as it is taken would leave it taken.
            is_mine = self._starting.setdefault("writer", mine) is mine
            if is_mine and self._writer is None and not self._ledger.closed:
                self._start()
        except Exception as error:
            if self._writer is None:
                # What waits goes on waiting, and is counted as dropped when the recorder is closed.
                self._start_at = time.monotonic() + _START_EVERY
                self._warn_once("start", "the recorder's writer cannot be started: %s", error)
        finally:
            # Nothing is called before it is done: after a call, a signal handler may raise.
            if self._starting == {"writer": mine}:
                del self._starting["writer"]
                mine.set()

    def _start(self) -> None:
        producer = new_producer()
        delivery = Delivery(self._store, self._open_bus, self._recorded)
        writer = BackgroundWriter(self._ledger, delivery, self._options, producer, self._disk)
        # Is taken by the thread, or by whoever gives the writer up: a thread that was not waited for may come yet.
        turn = threading.Lock()
        thread = threading.Thread(target=self._run, args=(writer, turn), name=THREAD_NAME, daemon=True)
        try:
            # First, so that whoever records meanwhile rings the bell of a writer that may be about to wait for it.
            self._writer, self._thread = writer, thread
            thread.start()
        except BaseException:
            if turn.acquire(blocking=False):
                self._writer = self._thread = None
            raise
        lifecycle.close_with_worker(self)

    def _run(self, writer: BackgroundWriter, turn: threading.Lock) -> None:
        if not turn.acquire(blocking=False):
            # Given up by who was interrupted while waiting for this thread; what was recorded waits for another one.
            self._await_start(time.monotonic() + _START_EVERY)
            self.start()
            return
        try:
            writer.run()
        except BaseException as error:
            self._warn_once("run", "the recorder's writer ended, and is started again: %s", error)
        if not writer.is_stopping and self._writer is writer:
            self._start_at = time.monotonic() + _START_EVERY
            self._writer = None
            # By this thread, for the application may have nothing to record for long.
            time.sleep(_START_EVERY)
            self.start()

    def _warn_once(self, trouble: str, message: str, error: BaseException) -> None:
        if trouble not in self._warned:
            self._warned.add(trouble)
            log_safely(logger.warning, message, error)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until nothing that was recorded before waits in memory: it is stored, or spooled and synchronised.

        Returns:
            False when that was not reached in `timeout` seconds.
        """
        return self._flush(timeout, drains=False)

    def _flush(self, timeout: float, *, drains: bool) -> bool:
        goal = self._ledger.goal
        if self._writer is None and goal > self._ledger.left:
            self.start()
        writer = self._writer
        if writer is None or writer.ended.is_set():
            return self._ledger.left >= goal
        return writer.flush(min(timeout, threading.TIMEOUT_MAX), drains=drains)

    def close(self, timeout: float | None = None) -> bool:
        """Flush, and end the writer. What is then still in memory is spooled, or dropped and counted.

        Takes `timeout` seconds at most, `exit_timeout` by default. May be called again. Events that are recorded
        later are dropped and counted.

        Returns:
            Whether everything that waited in memory is stored, spooled or kept as a dead letter. When it is not,
            how much was lost is logged.
        """
        lost = self._ledger.lost
        is_kept = self._close(time.monotonic() + (self._options.exit_timeout if timeout is None else timeout))
        if not is_kept:
            missing = self._ledger.lost - lost + self._ledger.stats().queued
            log_safely(logger.warning, "the recorder was closed, and %d events could not be kept", missing)
        return is_kept

    def _close(self, deadline: float) -> bool:
        if not self._ledger.closed and len(self._ledger):
            self.start()
        # Whoever is starting the writer must be done with it, also who began to meanwhile.
        self._await_start(deadline)
        self._ledger.close()
        starts = self._await_start(deadline)
        writer, thread = self._writer, self._thread
        lost = self._ledger.lost
        if writer is None or thread is None:
            self._ledger.drop_queue()
            if starts:
                # The writer that it was opened by has died.
                self._disk.close()
            return self._ledger.lost == lost
        if not writer.ended.is_set():
            # A third of the time is kept for ending in order.
            writer.flush(_left(deadline) * 2 / 3, drains=True)
        writer.stop()
        writer.ended.wait(_left(deadline))
        if thread is not threading.current_thread():
            thread.join(_left(deadline))
        missed = sum(listener.close(_left(deadline)) for listener in self._listeners)
        self._ledger.note(overflows=missed)
        return writer.ended.is_set() and self._ledger.lost == lost

    def _await_start(self, deadline: float) -> bool:
        """Wait until nobody is starting the writer. False when that was not reached."""
        starting = self._starting.get("writer")
        return starting is None or starting.wait(_left(deadline))

    def stats(self) -> RecorderStats:
        """What became of every event. Its `balance` is 0 at every moment."""
        return self._ledger.stats()

    def _recorded(self, events: Sequence[Event], announced: int, size: int) -> None:
        missed = sum(len(events) for listener in self._listeners if not listener.tell(events, size))
        self._ledger.note(announced=announced, overflows=missed)

    def _count_failure(self) -> None:
        self._ledger.note(failures=1)

    def flush_at_exit(self) -> None:
        """Flush, while other threads may still record. Together with `close_at_exit`, within `exit_timeout`."""
        began = time.monotonic()
        if not self._ledger.closed:
            # The rest is for closing, which must not find the memory full and no time left.
            self._flush(self._exit_seconds * 2 / 3, drains=True)
        self._exit_seconds = max(0.0, self._exit_seconds - (time.monotonic() - began))

    def close_at_exit(self) -> None:
        """Close, in what is left of `exit_timeout`."""
        self.close(self._exit_seconds)

    def pause_before_fork(self) -> None:
        """In the forking thread: let go of what a fork must not find in use."""
        if self._writer is not None and self._thread is not threading.current_thread():
            self._writer.fork_pause.begin()

    def resume_after_fork(self) -> None:
        """In the process that has forked: go on."""
        if self._writer is not None:
            self._writer.fork_pause.end()

    def begin_anew_after_fork(self) -> None:
        """In a forked process: leave everything to the parent that is the parent's, and begin with nothing."""
        disk, writer = self._disk, self._writer
        others = (self._ledger, self._thread, self._listeners)
        # First of all: whatever goes wrong below, the child must not go on with what is the parent's.
        self._begin_anew()
        lifecycle.leave_to_the_parent(disk, writer, *others)
        for inherited in (disk, writer):
            if inherited is not None:
                with suppress(OSError):
                    inherited.abandon_after_fork()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Recorder {'closed' if self._ledger.closed else 'open'}>"


def _bus_at(address: SecretStr, signing_key: SecretStr | None) -> Callable[[], Bus | None]:
    # A folder that is no place for a socket costs the announcements, not the application its start.
    with suppress(OSError):
        producer_bus(address, signing_key=signing_key)
    return lambda: producer_bus(address, signing_key=signing_key)


def _left(deadline: float) -> float:
    return min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)
