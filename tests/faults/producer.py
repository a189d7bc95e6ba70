"""The process that is killed: an application that records events, and notes in its journal what it was promised.

Run by `tests.faults.child.Producer`, which has a method for each command.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from store.recorder import FsyncPolicy, Recorder, RecorderOptions
from store.recorder.disk import SpoolSettings
from tests.bench.pace import quantile
from tests.faults import failing_disk, wall_clock
from tests.faults.commands import serve
from tests.faults.oracle import Journal, Source
from tests.faults.oversize import OVERSIZE

_CLAIM = 100
_LATE_SECONDS = 0.02


class Application:
    """What the commands act upon. All but `set_up` come after it."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._taken: list[float] = []
        self._next = 0
        self._descriptors: list[int] = []
        self._failure: BaseException | None = None

    def set_up(
        self,
        *,
        url: str,
        seed: int,
        journal: str,
        bus: str = "none",
        spool: str | None = None,
        spool_bytes: int = 256 * 1024 * 1024,
        fsync: str = "interval",
        write_ahead: bool = False,
        repeats: int = 1,
        old_days: float = 0,
        since: int | None = None,
        padding: int = 0,
        **options: Any,
    ) -> dict[str, Any]:
        """Make the recorder.

        With `repeats`, `record()` is called so many times for each event; with `old_days`, every second event is said
        to have happened so long ago.
        """
        settings = SpoolSettings(
            folder=Path(spool) if spool else None, max_bytes=spool_bytes, fsync=FsyncPolicy(fsync)
        )
        self._recorder = Recorder(
            url, bus, options=RecorderOptions(spool=settings, write_ahead=write_ahead, **options)
        )
        self._source = Source(seed, since or time.time_ns() // 1_000_000, padding)
        self._journal = Journal(Path(journal), self._source)
        self._repeats = repeats
        self._age = timedelta(days=old_days)
        return {}

    def start(self) -> dict[str, Any]:
        """Have the recorder bring in what earlier processes spooled."""
        self._recorder.start()
        return {}

    def record(self, *, count: int, rate: float | None) -> dict[str, Any]:
        """Begin to record `count` events more, in a thread of its own."""
        self._begin(lambda: self._record(count, rate))
        return {}

    def record_until_killed(self, *, seed: int) -> dict[str, Any]:
        """Begin to record bursts, each followed by a flush."""
        self._begin(lambda: self._bursts(Random(seed)))
        return {}

    def recorded(self) -> dict[str, Any]:
        """Wait for `record` to end."""
        assert self._thread is not None
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        taken = self._taken or [0.0]
        return {"p50": quantile(taken, 0.5), "p99": quantile(taken, 0.99), "max": max(taken)}

    def stats(self) -> dict[str, Any]:
        """The account, with its balance."""
        stats = self._recorder.stats()
        return {**asdict(stats), "balance": stats.balance}

    def flush(self, *, timeout: float, jump: float | None = None) -> dict[str, Any]:
        """Flush, and note in the journal when that succeeded. With `jump`, the wall clock is set meanwhile."""
        if jump is not None:
            threading.Timer(timeout / 4, wall_clock.set_off, (jump,)).start()
        # What another thread records meanwhile is not covered.
        is_still = self._thread is None or not self._thread.is_alive()
        answer = _timed(lambda: self._recorder.flush(timeout))
        if answer["done"] and is_still:
            self._journal.flushed()
        return answer

    def close(self, *, timeout: float) -> dict[str, Any]:
        """Close the recorder."""
        return _timed(lambda: self._recorder.close(timeout))

    def set_clock(self, *, offset: float) -> dict[str, Any]:
        """Set the wall clock of this process `offset` seconds off the real one."""
        wall_clock.set_off(offset)
        return {}

    def fail_writes(self, *, error: int) -> dict[str, Any]:
        """Have every write to a spool fail with this errno; 0 ends it."""
        failing_disk.fail_writes(error)
        return {}

    def hold_descriptors(self, *, left: int) -> dict[str, Any]:
        """Open files until the process may have only `left` more."""
        with contextlib.suppress(OSError):
            while True:
                self._descriptors.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(left):
            os.close(self._descriptors.pop())
        return {"held": len(self._descriptors)}

    def release_descriptors(self) -> dict[str, Any]:
        """Close what `hold_descriptors` opened."""
        while self._descriptors:
            os.close(self._descriptors.pop())
        return {}

    def record_oversize(self, *, kind: str) -> dict[str, Any]:
        """Call `record()` with one of `OVERSIZE`, and say what that did to the memory, in bytes."""
        fields = OVERSIZE[kind]()
        before = _resident()
        began = time.perf_counter()
        accepted = self._recorder.record("probe.answered", **fields)
        took = time.perf_counter() - began
        flushed = self._recorder.flush(5.0)
        return {"accepted": accepted, "took": took, "flushed": flushed, "grown": _resident() - before}

    def _begin(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._failure = error

        assert self._thread is None or not self._thread.is_alive(), "it is recording"
        self._taken.clear()
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def _record(self, count: int, rate: float | None) -> None:
        began = time.perf_counter()
        for done in range(count):
            if done % _CLAIM == 0:
                self._journal.claim(self._next, min(_CLAIM, count - done))
            if rate is not None:
                wait = began + done / rate - time.perf_counter()
                # A machine that stood still is no reason to record at a higher rate afterwards.
                began += max(0.0, -wait - _LATE_SECONDS)
                time.sleep(max(0.0, wait))
            self._record_one()
        self._journal.sync()

    def _record_one(self) -> None:
        number = self._next
        self._next += 1
        fields = self._source.fields(number)
        arguments = {name: value for name, value in fields.items() if name != "event_type"}
        if self._age and number % 2:
            arguments["inserted_at"] = datetime.now(UTC) - self._age
        for repeat in range(self._repeats):
            before = time.perf_counter()
            accepted = self._recorder.record(fields["event_type"], **arguments)
            self._taken.append(time.perf_counter() - before)
            if repeat == 0:
                (self._journal.accepted if accepted else self._journal.refused)(number, fields)

    def _bursts(self, chance: Random) -> None:
        while True:
            self._record(chance.choice((1, 3, 20, 150)), None)
            if self._recorder.flush(5.0):
                self._journal.flushed()


def _timed(work: Callable[[], bool]) -> dict[str, Any]:
    began = time.monotonic()
    done = work()
    return {"done": done, "took": time.monotonic() - began}


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    application = Application()
    serve({name: getattr(application, name) for name in dir(application) if not name.startswith("_")})
