"""The disk side of the recorder in trouble: flushes keep their word, and every event stays accounted for."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from store.recorder import Recorder
from store.recorder.bell import Bell
from store.recorder.disk import SPOOL_REMOVED, Disk
from store.recorder.ledger import CLOSED
from store.spool import Spool, SpoolError
from store.spool.files import Files
from tests.store.recorder_runs import NOWHERE, balanced, contents, run_script
from tests.store.test_recorder_spool import SPOOLER, locked, options, record, segments
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def drained(url: str, folder: Path) -> list[int]:
    """What the next process stores of what is in the spools."""
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        recorder.start()
        wait_until(lambda: recorder.stats().recovered and not recorder.stats().spooled, 30)
    return contents(url).numbers


# A disk that is too small for what waits


@pytest.mark.thorough
def test_no_flush_is_answered_past_what_is_only_in_memory(url: str, folder: Path) -> None:
    run = run_script(
        """
import json, os, sys, time
from pathlib import Path
from store.recorder import Recorder, RecorderOptions, SpoolSettings

spool = SpoolSettings(folder=Path(sys.argv[2]), max_bytes=400_000)
recorder = Recorder(sys.argv[1], options=RecorderOptions(spool=spool))
promised = 0
for n in range(500):
    assert recorder.record("job.executed", metadata={"n": n, "text": "x" * 1000})
if recorder.flush(3):
    promised = 500
for n in range(500, 1100):
    assert recorder.record("job.executed", metadata={"n": n})
if recorder.flush(3):
    promised = 1100
print(json.dumps([promised, recorder.stats().spooled, recorder.stats().balance]), flush=True)
os.kill(os.getpid(), 9)
""",
        NOWHERE,
        folder,
        code=-signal.SIGKILL,
    )
    promised, spooled, balance = run.said
    assert balance == 0
    assert spooled > 200
    numbers = drained(url, folder)
    # As much as was promised, and the oldest of it all, for nothing goes to the disk before what came earlier.
    assert len(numbers) >= promised
    assert numbers == list(range(spooled))


@pytest.mark.thorough
def test_a_flush_is_answered_when_a_batch_that_did_not_fit_is_stored(url: str, folder: Path) -> None:
    with Recorder(url, options=options(folder, max_bytes=20_000)) as recorder, balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        with locked(url):
            record(recorder, *range(1, 501))
            wait_until(lambda: recorder.stats().spooled > 50, 15)
            record(recorder, *range(501, 601))
            assert recorder.flush(1) is False
            assert recorder.stats().spooled < 200
        assert recorder.flush(20)
        wait_until(lambda: recorder.stats().stored == 601)
        stats = recorder.stats()
    assert (stats.queued, stats.spooled, stats.duplicates, stats.dropped) == (0, 0, 0, {})
    assert contents(url).numbers == list(range(601))


def test_what_a_batch_leaves_no_room_for_comes_after_it_at_the_end(url: str, folder: Path) -> None:
    recorder = Recorder(NOWHERE, options=options(folder, max_bytes=200_000))
    with balanced(recorder):
        record(recorder, *range(500), text="x" * 1000)
        wait_until(lambda: recorder.stats().spooled > 100, 15)
        record(recorder, *range(500, 520))
        assert recorder.close(2) is False
        stats = recorder.stats()
    assert stats.queued == 0
    assert stats.dropped == {CLOSED: 520 - stats.spooled}
    numbers = drained(url, folder)
    assert numbers == sorted(numbers)
    assert len(numbers) == stats.spooled


def test_what_is_only_half_on_a_full_disk_goes_there_when_there_is_room(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Spool.append
    room = [100]

    def narrow(spool: Spool, records: Sequence[bytes]) -> int:
        written = append(spool, records[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(Spool, "append", narrow)
    recorder = Recorder(NOWHERE, options=options(folder))
    with balanced(recorder):
        record(recorder, *range(700))
        wait_until(lambda: recorder.stats().spooled == 100, 15)
        assert recorder.flush(0.5) is False
        room[0] = 10_000
        assert recorder.flush(10)
        assert recorder.stats().spooled == 700
        assert recorder.close(5)
    assert drained(url, folder) == list(range(700))


# Nobody calls


def test_what_cannot_be_read_once_is_read_again_though_the_host_is_quiet(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Recorder(NOWHERE, options=options(folder)) as recorder:
        record(recorder, *range(10))
        assert recorder.flush(10)
    peek = Spool.peek
    failures = iter([True])

    def broken(spool: Spool, count: int, max_bytes: int) -> list[bytes]:
        if next(failures, False):
            raise SpoolError("the spool cannot be read: Too many open files")
        return peek(spool, count, max_bytes)

    monkeypatch.setattr(Spool, "peek", broken)
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        recorder.start()
        wait_until(lambda: recorder.stats().stored == 10, 5)


def test_a_spool_that_could_not_be_made_is_made_though_the_host_is_quiet(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.recorder.disk._OPEN_EVERY", 0.1)
    folder.write_text("in the way")
    recorder = Recorder(url, options=options(folder))
    with balanced(recorder), locked(url):
        record(recorder, 0)
        wait_until(lambda: recorder.stats().queued == 1)
        # While it waits for the lock of the file, and nobody has said yet that the database is away.
        time.sleep(0.3)
        folder.unlink()
        wait_until(folder.exists, 3)
    assert recorder.close(10)


def test_what_cannot_be_read_keeps_nothing_newer_from_the_disk(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its segments cannot be read while the database comes back, and goes away again."""
    peek = Spool.peek
    unreadable = [False]

    def broken(spool: Spool, count: int, max_bytes: int) -> list[bytes]:
        if unreadable[0]:
            raise SpoolError("the spool cannot be read: Too many open files")
        return peek(spool, count, max_bytes)

    monkeypatch.setattr(Spool, "peek", broken)
    with Recorder(url, options=options(folder, linger=0.5)) as recorder, balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        with locked(url):
            record(recorder, *range(1, 601))
            assert recorder.flush(10)
            unreadable[0] = True
        wait_until(lambda: recorder.stats().stored == 501, 20)
        with locked(url):
            record(recorder, *range(601, 701))
            assert recorder.flush(10)
            assert recorder.stats().spooled == 200
        wait_until(lambda: recorder.stats().stored == 601, 20)
        unreadable[0] = False
        wait_until(lambda: not recorder.stats().spooled, 10)
        stats = recorder.stats()
    # Those that were stored before their turn came again, and were known.
    assert (stats.stored, stats.duplicates, stats.recovered, stats.dropped) == (701, 100, 100, {})
    assert sorted(contents(url).numbers) == list(range(701))


# A folder that is removed


@pytest.mark.parametrize("what", ["the spool", "the root"])
def test_a_spool_that_is_removed_costs_what_was_in_it_and_is_begun_anew(
    url: str, folder: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    recorder = Recorder(NOWHERE, options=options(folder, linger=0.5))
    with balanced(recorder):
        record(recorder, *range(600))
        assert recorder.flush(10)
        assert recorder.stats().spooled == 600
        shutil.rmtree(folder if what == "the root" else segments(folder)[0].parent)
        record(recorder, *range(600, 700))
        assert recorder.flush(10)
        stats = recorder.stats()
        # The batch that is being committed is in memory besides.
        assert (stats.queued, stats.spooled, stats.dropped) == (0, 600, {SPOOL_REMOVED: 100})
        assert recorder.close(10)
    assert caplog.text.count("was removed, with 100 events in it") == 1
    assert drained(url, folder) == [*range(500), *range(600, 700)]


def test_a_spool_that_is_removed_while_it_is_drained_is_counted_exactly(url: str, folder: Path) -> None:
    with Recorder(url, options=options(folder, linger=0.5)) as recorder, balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        with locked(url):
            record(recorder, *range(1, 1201))
            assert recorder.flush(10)
            shutil.rmtree(folder)
        wait_until(lambda: not recorder.stats().spooled, 20)
        record(recorder, 1201)
        assert recorder.flush(10)
        stats = recorder.stats()
        assert stats.stored + sum(stats.dropped.values()) == 1202
        assert stats.stored >= 502
        assert (stats.queued, stats.recovered) == (0, 0)
        with locked(url):
            record(recorder, 1202)
            assert recorder.flush(10)
            assert recorder.stats().spooled == 1
    assert contents(url).numbers[-1] == 1202


# A writer that dies


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The writer that is at work dies, and another one is at work afterwards."""
    wait = Bell.wait
    failures = iter([True])

    async def broken(bell: Bell, seconds: float | None) -> None:
        if next(failures, False):
            raise MemoryError
        await wait(bell, seconds)

    with monkeypatch.context() as patch:
        patch.setattr("store.recorder.recorder._START_EVERY", 0.2)
        patch.setattr(Bell, "wait", broken)
        wait_until(lambda: "is started again" in caplog.text, 30)
        yield


def test_the_spool_of_a_writer_that_died_is_its_successors_and_counted_once(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for first in (0, 100):
        with Recorder(NOWHERE, options=options(folder)) as earlier:
            record(earlier, *range(first, first + 100))
            assert earlier.flush(10)
    recorder = Recorder(NOWHERE, options=options(folder))
    with balanced(recorder):
        recorder.start()
        wait_until(lambda: recorder.stats().recovered == 100)
        record(recorder, *range(200, 900))
        assert recorder.flush(10)
        with dying(monkeypatch, caplog):
            # Meanwhile nobody else takes the spools.
            assert list(Spool.orphans(folder)) == [] or recorder.stats().recovered == 100
            record(recorder, *range(900, 1000))
            tried = recorder.stats().retries
            wait_until(lambda: recorder.stats().retries > tried)
            assert recorder.flush(10)
        stats = recorder.stats()
        assert (stats.accepted, stats.recovered, stats.queued, stats.spooled) == (800, 100, 0, 900)
        assert stats.dropped == {}
        assert recorder.close(10)
        assert recorder.stats().spooled == 900
    assert sorted(drained(url, folder)) == list(range(1000))
    assert not list(folder.iterdir())


def test_what_a_writer_that_died_left_on_the_disk_is_stored_by_its_successor(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "later"
    place.write_text("in the way")
    url = f"sqlite:///{place}/events.db"
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        record(recorder, *range(700))
        assert recorder.flush(10)
        with dying(monkeypatch, caplog):
            assert recorder.stats().spooled == 700
        place.unlink()
        wait_until(lambda: recorder.stats().stored == 700, 20, recorder.stats)
        stats = recorder.stats()
    assert (stats.accepted, stats.recovered, stats.spooled, stats.duplicates) == (700, 0, 0, 0)
    assert contents(url).numbers == list(range(700))


def test_a_recorder_that_is_closed_between_two_writers_lets_go_of_its_spool(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(NOWHERE, options=options(folder))
    record(recorder, *range(10))
    assert recorder.flush(10)
    with monkeypatch.context() as patch:
        wait = Bell.wait

        async def broken(bell: Bell, seconds: float | None) -> None:
            raise MemoryError

        patch.setattr(Bell, "wait", broken)
        wait_until(lambda: "is started again" in caplog.text, 30)
        patch.setattr(Bell, "wait", wait)
        recorder.close(5)
    stats = recorder.stats()
    assert (stats.accepted, stats.recovered, stats.spooled, stats.dropped) == (10, 0, 10, {})
    assert drained(url, folder) == list(range(10))


def test_a_child_that_is_forked_between_two_writers_holds_nothing_of_them(folder: Path) -> None:
    run = run_script(
        SPOOLER
        + """
from store.recorder.bell import Bell
wait = Bell.wait
recorder = begin(NOWHERE, sys.argv[1])
record(recorder, *range(10))
assert recorder.flush(10)
async def broken(bell, seconds):
    Bell.wait = wait
    raise MemoryError
Bell.wait = broken
while recorder._writer is not None:
    time.sleep(0.01)
pid = os.fork()
if pid == 0:
    record(recorder, 10)
    assert recorder.flush(10)
    stats = recorder.stats()
    os._exit(0 if (stats.recovered, stats.spooled) == (0, 1) and recorder.close(5) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
record(recorder, 11)
assert recorder.flush(10)
print(json.dumps([recorder.stats().spooled, recorder.stats().recovered]))
""",
        folder,
    )
    # What the child left is one of those that its parent takes over.
    assert run.said in ([11, 0], [12, 1])


# What cannot be synchronised, and what raises


@pytest.mark.thorough
def test_a_flush_is_not_answered_when_a_full_segment_could_not_be_synchronised(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Spool.open

    def small(root: Path, *producer: str, **given: Any) -> Spool:
        return begin(root, *producer, **{**given, "segment_bytes": 2000, "fsync_interval": 60})

    monkeypatch.setattr(Spool, "open", small)
    sync = Files.sync
    broken = [False]
    failed: list[int] = []

    def fail(files: Files, descriptor: int) -> None:
        if broken[0]:
            failed.append(descriptor)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(files, descriptor)

    monkeypatch.setattr(Files, "sync", fail)
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        with locked(url):
            record(recorder, 1)
            wait_until(lambda: recorder.stats().away, 15)
            wait_until(lambda: recorder.stats().spooled == 1)
            broken[0] = True
            n = 1
            while not failed:
                n += 1
                record(recorder, n, text="x" * 200)
                time.sleep(0.01)
            broken[0] = False
            assert recorder.flush(1) is False
            assert recorder.stats().queued == 0
        assert recorder.flush(20)
    assert contents(url).numbers == list(range(n + 1))


def test_a_filter_of_the_host_that_raises_strands_no_event(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> bool:
        raise ZeroDivisionError

    write = Files.write
    broken = [False]

    def fail(files: Files, descriptor: int, data: bytes, offset: int) -> None:
        if broken[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(files, descriptor, data, offset)

    monkeypatch.setattr(Files, "write", fail)
    logger = logging.getLogger("store.recorder.disk")
    logger.addFilter(refuse)
    try:
        recorder = Recorder(NOWHERE, options=options(folder))
        with balanced(recorder):
            record(recorder, *range(600))
            assert recorder.flush(10)
            broken[0] = True
            record(recorder, *range(600, 1300))
            assert recorder.flush(0.5) is False
            broken[0] = False
            assert recorder.flush(10)
            assert (recorder.stats().queued, recorder.stats().spooled) == (0, 1300)
            assert recorder.close(5)
    finally:
        logger.removeFilter(refuse)
    assert drained(url, folder) == list(range(1300))


def test_whatever_the_disk_raises_strands_no_event(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Disk.append
    failures = iter([False, True, True])

    def broken(disk: Disk, payloads: Sequence[bytes], *more: Any) -> int:
        if next(failures, False):
            raise ZeroDivisionError
        return append(disk, payloads, *more)

    recorder = Recorder(NOWHERE, options=options(folder))
    with balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        monkeypatch.setattr(Disk, "append", broken)
        record(recorder, *range(1, 1300))
        assert recorder.flush(10)
        assert recorder.stats().spooled == 1300
        assert recorder.close(5)
    assert drained(url, folder) == list(range(1300))


def test_whatever_the_disk_raises_at_the_end_leaves_no_event_unaccounted_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    recorder = Recorder(NOWHERE, options=options(folder))
    with balanced(recorder):
        record(recorder, *range(100))
        assert recorder.flush(10)
        monkeypatch.setattr(Disk, "keep", broken)
        monkeypatch.setattr(Disk, "append", broken)
        record(recorder, *range(100, 700))
        assert recorder.close(2) is False
        stats = recorder.stats()
    assert (stats.queued, stats.spooled, stats.dropped) == (0, 100, {CLOSED: 600})
    assert len(list(Spool.orphans(folder))) == 1


def test_a_batch_that_is_lost_on_the_way_to_the_end_is_accounted_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(Disk, "keep", broken)
    recorder = Recorder(NOWHERE, options=options(folder))
    with balanced(recorder):
        record(recorder, *range(700))
        wait_until(lambda: recorder.stats().retries)
        assert recorder.close(2) is False
        stats = recorder.stats()
    assert (stats.queued, stats.spooled, stats.dropped) == (0, 0, {CLOSED: 700})
