"""Events that wait on the disk: none is lost while the database is away, nor when the process is killed meanwhile."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from store.recorder import FsyncPolicy, Recorder, RecorderOptions, SpoolSettings
from store.recorder.disk import SPOOL_UNREADABLE
from store.recorder.ledger import CLOSED, QUEUE_FULL
from store.spool.files import Files
from tests.database_server import DatabaseServer
from tests.store.recorder_runs import (
    NOWHERE,
    PASSWORD,
    ROOT,
    balanced,
    contents,
    prepare,
    run_script,
)
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def options(folder: Path, **more: Any) -> RecorderOptions:
    settings = {name: more.pop(name) for name in ("max_bytes", "fsync") if name in more}
    return RecorderOptions(spool=SpoolSettings(folder=folder, **settings), **more)


def record(recorder: Recorder, *numbers: int, text: str = "") -> list[bool]:
    return [recorder.record("job.executed", metadata={"n": n, "text": text}) for n in numbers]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.spool"))


@contextmanager
def locked(url: str) -> Iterator[sqlite3.Connection]:
    """Nobody else can write to the store."""
    with closing(
        sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.rollback()


@pytest.fixture(params=["postgres_server", "mariadb_server"])
def database_server(request: pytest.FixtureRequest) -> DatabaseServer:
    return request.getfixturevalue(request.param)


@pytest.mark.thorough
def test_events_wait_on_the_disk_and_are_stored_in_order_when_the_server_is_back(
    database_server: DatabaseServer, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prepare(database_server.url)
    recorder = Recorder(database_server.url, options=options(folder))
    with recorder, balanced(recorder):
        record(recorder, *range(100))
        assert recorder.flush(20)
        database_server.kill()
        record(recorder, *range(100, 6000))
        assert recorder.flush(10)
        stats = recorder.stats()
        assert (stats.queued, stats.spooled) == (0, 5900)
        wait_until(lambda: recorder.stats().away)
        record(recorder, *range(6000, 7000))
        database_server.start()
        wait_until(lambda: recorder.stats().spooled == 0, 40, recorder.stats)
        record(recorder, *range(7000, 7100))
        assert recorder.flush(20)
        stats = recorder.stats()
    assert stats.stored + stats.duplicates == 7100
    assert (stats.dropped, stats.recovered) == ({}, 0)
    assert contents(database_server.url).numbers == list(range(7100))
    said = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert len(said) == 2, said
    assert "kept on disk" in said[0]
    assert "s3cret" not in caplog.text
    assert not list(folder.iterdir())


SPOOLER = f"""
import json, os, sys, time
from pathlib import Path
from store.recorder import Recorder, RecorderOptions, SpoolSettings
from store.recorder import SpoolSettings
def begin(url, folder, **more):
    return Recorder(url, options=RecorderOptions(spool=SpoolSettings(folder=Path(folder)), **more))
def record(recorder, *numbers):
    for n in numbers:
        assert recorder.record("job.executed", metadata={{"n": n}})
NOWHERE = {NOWHERE!r}
"""


def test_what_a_killed_process_had_flushed_is_stored_by_the_next_one(url: str, folder: Path) -> None:
    for first in (0, 100):
        run_script(
            SPOOLER
            + f"""
recorder = begin(NOWHERE, sys.argv[1])
record(recorder, *range({first}, {first} + 100))
assert recorder.flush(10)
os.kill(os.getpid(), 9)
""",
            folder,
            code=-signal.SIGKILL,
        )
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        record(recorder, 200)
        wait_until(lambda: recorder.stats().stored == 201)
        stats = recorder.stats()
    assert (stats.accepted, stats.recovered, stats.spooled, stats.duplicates) == (1, 200, 0, 0)
    assert contents(url).numbers == list(range(201))
    assert not list(folder.iterdir())


def test_what_is_adopted_while_the_database_is_away_waits_on(url: str, folder: Path) -> None:
    for place, number in ((NOWHERE, 0), (NOWHERE, 1), (url, 2)):
        with Recorder(place, options=options(folder)) as recorder, balanced(recorder):
            record(recorder, number)
            if place == url:
                wait_until(lambda recorder=recorder: recorder.stats().stored == 3)
            assert recorder.close(10)
            assert recorder.stats().balance == 0
    assert contents(url).numbers == [0, 1, 2]


def test_the_spool_of_a_process_that_lives_is_left_alone(url: str, folder: Path) -> None:
    with Recorder(NOWHERE, options=options(folder)) as living:
        record(living, 0)
        assert living.flush(10)
        with Recorder(url, options=options(folder)) as other:
            record(other, 1)
            assert other.flush(10)
            assert other.stats().recovered == 0
        assert living.stats().spooled == 1
    assert contents(url).numbers == [1]


def test_a_forked_worker_has_a_spool_of_its_own(url: str, folder: Path) -> None:
    run = run_script(
        SPOOLER
        + """
recorder = begin(NOWHERE, sys.argv[1])
record(recorder, 0)
assert recorder.flush(10)
pid = os.fork()
if pid == 0:
    assert recorder.stats().accepted == 0
    record(recorder, 1)
    assert recorder.flush(10) and recorder.stats().spooled == 1
    os._exit(0 if recorder.close(5) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
record(recorder, 2)
assert recorder.flush(10)
print(json.dumps([recorder.stats().spooled, recorder.stats().balance]))
""",
        folder,
    )
    assert run.said == [2, 0]
    with Recorder(url, options=options(folder)) as recorder:
        record(recorder, 3)
        wait_until(lambda: recorder.stats().stored == 4)
    assert sorted(contents(url).numbers) == [0, 1, 2, 3]


def test_written_ahead_what_was_flushed_survives_though_the_commit_never_ends(url: str, folder: Path) -> None:
    with locked(url):
        run_script(
            SPOOLER
            + """
recorder = begin(sys.argv[1], sys.argv[2], write_ahead=True)
record(recorder, *range(700))
assert recorder.flush(10)
os.kill(os.getpid(), 9)
""",
            url,
            folder,
            code=-signal.SIGKILL,
        )
    with Recorder(url, options=options(folder, write_ahead=True)) as recorder, balanced(recorder):
        record(recorder, *range(700, 1300))
        wait_until(lambda: recorder.stats().stored == 1300)
        assert recorder.flush(10)
    assert contents(url).numbers == list(range(1300))
    assert not list(folder.iterdir())


def test_a_full_spool_leaves_the_rest_to_the_queue_and_a_full_queue_drops(url: str, folder: Path) -> None:
    recorder = Recorder(
        NOWHERE, options=options(folder, max_bytes=200_000, queue_events=600, batch_events=100)
    )
    with balanced(recorder):
        answers: list[bool] = []
        for n in range(2000):
            answers += record(recorder, n, text="x" * 500)
            if n % 50 == 0:
                wait_until(lambda: recorder.stats().queued < 200 or recorder.stats().spooled > 250)
        stats = recorder.stats()
        assert 100 <= stats.spooled <= 400
        assert stats.queued == 600
        assert stats.dropped == {QUEUE_FULL: 2000 - 600 - stats.spooled}
        kept = [n for n, answer in enumerate(answers) if answer]
        assert recorder.close(1) is False
        stats = recorder.stats()
        assert stats.queued == 0
        assert stats.dropped[CLOSED] >= 600 - 200_000 // 500
    with Recorder(url, options=options(folder)) as recorder:
        record(recorder, 2000)
        wait_until(lambda: recorder.stats().stored == stats.spooled + 1)
    assert contents(url).numbers == [*kept[: stats.spooled], 2000]


@pytest.mark.thorough
def test_a_spool_smaller_than_a_batch_is_used_all_the_same(url: str, folder: Path) -> None:
    with Recorder(url, options=options(folder, max_bytes=20_000)) as recorder, balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        with locked(url):
            record(recorder, *range(1, 501))
            wait_until(lambda: recorder.stats().queued == 500)
            record(recorder, *range(501, 1001))
            wait_until(lambda: recorder.stats().spooled > 50, 15)
        assert recorder.flush(20)
        wait_until(lambda: recorder.stats().stored == 1001)
    assert contents(url).numbers == list(range(1001))


def test_what_is_given_up_at_the_end_goes_to_the_disk_as_far_as_it_fits(url: str, folder: Path) -> None:
    recorder = Recorder(NOWHERE, options=options(folder, max_bytes=20_000))
    with balanced(recorder):
        record(recorder, *range(500))
        assert recorder.close(1) is False
        stats = recorder.stats()
    assert stats.spooled > 50
    assert stats.dropped == {CLOSED: 500 - stats.spooled}
    with Recorder(url, options=options(folder)) as recorder:
        record(recorder, 500)
        wait_until(lambda: recorder.stats().stored == stats.spooled + 1)
    assert contents(url).numbers == [*range(stats.spooled), 500]


def test_a_torn_or_damaged_spool_costs_what_is_damaged_and_is_counted(url: str, folder: Path) -> None:
    with Recorder(NOWHERE, options=options(folder)) as recorder:
        record(recorder, *range(100))
        assert recorder.flush(10)
    path = segments(folder)[0]
    data = bytearray(path.read_bytes())
    # A bit within the 50th record, and the end of the last one.
    data[data.index(b'"n":50') + 4] ^= 1
    path.write_bytes(data[:-10])
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        record(recorder, 100)
        wait_until(lambda: recorder.stats().stored == 99)
        stats = recorder.stats()
    assert (stats.recovered, stats.spooled, stats.dropped) == (100, 0, {SPOOL_UNREADABLE: 2})
    assert contents(url).numbers == [n for n in range(101) if n not in {50, 99}]


@pytest.mark.thorough
def test_a_flush_behind_a_long_backlog_does_not_wait_for_it(url: str, folder: Path) -> None:
    with Recorder(NOWHERE, options=options(folder)) as recorder:
        for first in range(0, 30_000, 5000):
            record(recorder, *range(first, first + 5000))
            assert recorder.flush(10)
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        recorder.start()
        wait_until(lambda: recorder.stats().stored)
        record(recorder, 30_000)
        assert recorder.flush(10)
        stats = recorder.stats()
        assert stats.queued == 0
        assert stats.spooled > 1000
        wait_until(lambda: recorder.stats().spooled == 0, 60)
    assert contents(url).numbers == list(range(30_001))


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["paused", "stalled"])
def test_closing_spools_in_time_though_the_server_hangs(
    postgres_server: DatabaseServer, url: str, folder: Path, how: str
) -> None:
    prepare(postgres_server.url)
    with TcpProxy(postgres_server.port) as proxy:
        recorder = Recorder(proxy.url(postgres_server.url), options=options(folder))
        with balanced(recorder):
            record(recorder, 0)
            assert recorder.flush(20)
            postgres_server.pause() if how == "paused" else proxy.stall()
            record(recorder, *range(1, 1200))
            began = time.monotonic()
            assert recorder.flush(5)
            assert time.monotonic() - began < 4
            record(recorder, *range(1200, 1300))
            began = time.monotonic()
            assert recorder.close(2)
            assert time.monotonic() - began < 4
            stats = recorder.stats()
            assert (stats.stored, stats.spooled, stats.queued, stats.dropped) == (1, 1299, 0, {})
        postgres_server.resume()
    with Recorder(url, options=options(folder)) as recorder:
        recorder.start()
        wait_until(lambda: recorder.stats().stored == 1299)
    assert contents(url).numbers == list(range(1, 1300))


def test_a_slow_database_moves_what_waits_to_the_disk_before_the_queue_is_full(
    url: str, folder: Path
) -> None:
    with Recorder(url, options=options(folder, queue_events=1000)) as recorder, balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        with locked(url):
            # Before the database is known to be away.
            end = time.monotonic() + 3
            n = 0
            while time.monotonic() < end:
                n += 1
                assert record(recorder, n) == [True]
                time.sleep(0.0005)
            assert recorder.stats().away is None
            assert recorder.stats().spooled > 0
        wait_until(lambda: recorder.stats().stored == n + 1, 30)
    assert contents(url).numbers == list(range(n + 1))


def test_large_events_move_to_the_disk_before_the_queue_is_full(url: str, folder: Path) -> None:
    with Recorder(url, options=options(folder, queue_bytes=4_000_000)) as recorder, balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        with locked(url):
            for n in range(1, 301):
                assert record(recorder, n, text="x" * 60_000) == [True]
                time.sleep(0.005)
            assert recorder.stats().spooled > 0
        wait_until(lambda: recorder.stats().stored == 301, 30)


@pytest.mark.parametrize("obstacle", ["a file", "a file above"])
def test_a_spool_that_cannot_be_made_is_said_once_and_made_later(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    monkeypatch.setattr("store.recorder.disk._OPEN_EVERY", 0.1)
    in_the_way = tmp_path / "way"
    in_the_way.write_text("")
    folder = in_the_way if obstacle == "a file" else in_the_way / "spool"
    recorder = Recorder(NOWHERE, options=options(folder))
    with balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(0.5) is False
        in_the_way.unlink()
        assert recorder.flush(10)
        assert recorder.stats().spooled == 1
        assert recorder.close(10)
    said = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert sum("no spool can be kept" in line for line in said) == 1, said
    assert PASSWORD not in caplog.text


class Disk:
    """What the disk does to whoever writes to it: nothing, or fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: int | None = None
        for name in ("write", "create", "sync"):
            self._break(monkeypatch, name)

    def _break(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        whole = getattr(Files, name)

        def broken(files: Files, *arguments: Any) -> Any:
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            return whole(files, *arguments)

        monkeypatch.setattr(Files, name, broken)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE])
def test_a_spool_that_cannot_be_written_leaves_events_in_the_queue(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: int
) -> None:
    disk = Disk(monkeypatch)
    recorder = Recorder(NOWHERE, options=options(folder, queue_events=200))
    with balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        disk.error = error
        assert record(recorder, *range(1, 201)) == [True] * 200
        assert recorder.flush(0.3) is False
        assert record(recorder, 201) == [False]
        assert recorder.stats().dropped == {QUEUE_FULL: 1}
        disk.error = None
        assert recorder.flush(10)
        assert recorder.stats().spooled == 201
        assert recorder.close(5)
    said = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert sum("cannot be" in line and str(folder) in line for line in said) <= 2, said
    with Recorder(url, options=options(folder)) as recorder:
        recorder.start()
        wait_until(lambda: recorder.stats().stored == 201)
    assert contents(url).numbers == list(range(201))


def test_a_flush_is_not_answered_for_what_the_disk_could_not_synchronise(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        record(recorder, 0)
        assert recorder.flush(10)
        with locked(url):
            sync = Files.sync

            def broken(files: Files, descriptor: int) -> None:
                raise OSError(errno.EIO, "Input/output error")

            monkeypatch.setattr(Files, "sync", broken)
            record(recorder, 1)
            assert recorder.flush(1.5) is False
            monkeypatch.setattr(Files, "sync", sync)
            # That it works now says nothing of what it lost before.
            record(recorder, 2)
            assert recorder.flush(0.5) is False
            assert recorder.stats().spooled == 2
        assert recorder.flush(20)
    assert contents(url).numbers == [0, 1, 2]
    assert caplog.text.count("cannot be synchronised") == 1


@pytest.mark.parametrize("policy", FsyncPolicy)
def test_a_flush_is_synchronised_as_the_policy_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, policy: FsyncPolicy
) -> None:
    synchronised: list[int] = []
    sync = Files.sync

    def counted(files: Files, descriptor: int) -> None:
        synchronised.append(descriptor)
        sync(files, descriptor)

    monkeypatch.setattr(Files, "sync", counted)
    with Recorder(NOWHERE, options=options(folder, fsync=policy)) as recorder:
        record(recorder, 0)
        assert recorder.flush(10)
        assert recorder.stats().spooled == 1
        assert bool(synchronised) == (policy is not FsyncPolicy.NEVER)


@pytest.mark.thorough
def test_a_process_killed_again_and_again_loses_nothing_that_it_was_told_is_safe(
    url: str, folder: Path
) -> None:
    """Each life is killed at a moment that nobody chose, while the database comes and goes."""
    source = dedent(
        SPOOLER
        + """
first = int(sys.argv[3])
recorder = begin(sys.argv[1], sys.argv[2])
n = first
while True:
    record(recorder, *range(n, n + 20))
    n += 20
    if recorder.flush(5):
        print(n, flush=True)
"""
    )
    safe: list[int] = []
    for life in range(8):
        first = life * 100_000
        place = NOWHERE if life % 2 else url
        with subprocess.Popen(
            [sys.executable, "-c", source, place, str(folder), str(first)], cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(1 + life)]
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
        numbers = [int(line) for line in said if line.endswith(b"\n")]
        assert numbers
        safe += range(first, numbers[-1])
    with Recorder(url, options=options(folder)) as recorder, balanced(recorder):
        recorder.start()
        wait_until(lambda: recorder.stats().recovered and not recorder.stats().spooled, 30)
        assert recorder.stats().dropped.keys() <= {SPOOL_UNREADABLE}
    stored = contents(url).numbers
    assert set(safe) <= set(stored)
    assert len(stored) == len(set(stored))


def test_nothing_on_the_disk_or_in_the_logs_names_the_password(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Recorder(NOWHERE, f"redis://:{PASSWORD}@127.0.0.1:9/0", options(folder)) as recorder:
        record(recorder, 0)
        assert recorder.flush(10)
        assert PASSWORD not in json.dumps(recorder.stats().away)
        for path in folder.rglob("*"):
            assert PASSWORD not in str(path)
            assert path.is_dir() or PASSWORD.encode() not in path.read_bytes()
    assert PASSWORD not in caplog.text
