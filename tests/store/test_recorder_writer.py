"""The background writer: batches in order, each id once, and again and again until the database is there."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from store.bus import Bus
from store.counters.keys import Pending
from store.event import Event
from store.memory_bus import MemoryBus
from store.recorder import Recorder, RecorderOptions, SpoolSettings
from store.recorder.background_writer import INTERNAL_ERROR
from store.recorder.batch import ATTEMPTS_MAX, Batch
from store.recorder.bell import Bell
from store.recorder.delivery import RECENT_IDS, Delivery
from store.recorder.disk import Disk
from store.redis_bus import RedisBus
from store.wire import decode
from tests.database_server import PASSWORD, DatabaseServer
from tests.store.recorder_runs import NOWHERE, balanced, contents, prepare
from tests.store.recorder_runs import PASSWORD as PASSWORD_OF_NOWHERE
from tests.tcp_proxy import TcpProxy
from tests.valkey import ValkeyServer
from tests.waiting import wait_until


@pytest.fixture(params=["postgres_server", "mariadb_server"])
def database_server(request: pytest.FixtureRequest) -> DatabaseServer:
    """A server that this test may kill, of each kind in turn."""
    return request.getfixturevalue(request.param)


class Announced(MemoryBus):
    """A bus that remembers what it was asked to announce, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[Event]] = []

    async def announce(self, events: Sequence[Event], pending: Pending | None = None) -> bool:
        self.calls.append(list(events))
        return await super().announce(events, pending)


def lock(url: str) -> sqlite3.Connection:
    """Take the write lock of an SQLite store, as another process might."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_commits_are_in_the_order_of_recording(store_url: str) -> None:
    with Recorder(store_url) as recorder, balanced(recorder):
        for n in range(3000):
            recorder.record("job.executed", metadata={"n": n})
        assert recorder.flush(30)
    found = contents(store_url)
    assert found.numbers == list(range(3000))
    assert [event.position for event in found.events] == list(range(1, 3001))


def test_a_batch_is_announced_in_one_call_after_its_commit(url: str) -> None:
    bus = Announced()
    recorder = Recorder(url, lambda: bus, RecorderOptions(linger=5))
    with recorder:
        for n in range(1200):
            recorder.record("job.executed", metadata={"n": n})
        assert recorder.flush(20)
        assert recorder.stats().announced == 1200
    assert [len(call) for call in bus.calls] == [500, 500, 200]
    assert [event.metadata["n"] for call in bus.calls for event in call] == list(range(1200))
    assert all(event.position for call in bus.calls for event in call)


def test_an_event_waits_for_company_no_longer_than_it_may(url: str) -> None:
    bus = Announced()
    with Recorder(url, lambda: bus, RecorderOptions(linger=0.2)) as recorder:
        recorder.record("job.executed")
        assert recorder.flush(10)
        began = time.monotonic()
        for n in range(20):
            recorder.record("job.executed", metadata={"n": n})
        wait_until(lambda: recorder.stats().stored == 21)
        assert 0.15 < time.monotonic() - began < 3
    assert [len(call) for call in bus.calls] == [1, 20]


def test_a_full_batch_does_not_wait(url: str) -> None:
    with Recorder(url, options=RecorderOptions(linger=60, batch_events=50)) as recorder:
        for n in range(100):
            recorder.record("job.executed", metadata={"n": n})
        wait_until(lambda: recorder.stats().stored == 100)


def test_large_events_make_smaller_batches(url: str) -> None:
    bus = Announced()
    with Recorder(url, lambda: bus, RecorderOptions(linger=60)) as recorder:
        for n in range(40):
            recorder.record("job.executed", metadata={"n": n, "text": "x" * 60_000})
        assert recorder.flush(20)
    assert len(bus.calls) > 1
    assert max(map(len, bus.calls)) <= 17
    assert [event.metadata["n"] for call in bus.calls for event in call] == list(range(40))


def test_a_receiver_is_told_by_redis(url: str) -> None:
    async def receive(address: str) -> list[int]:
        numbers: list[int] = []
        bus = RedisBus(address)
        try:
            async with bus.subscribe() as signals:
                async for signal in signals:
                    for payload in getattr(signal, "payloads", ()):
                        numbers.append(decode(payload).event.metadata["n"])
                    if len(numbers) >= 3:
                        return numbers
                    if not numbers and not recorder.stats().accepted:
                        for n in range(3):
                            recorder.record("job.executed", metadata={"n": n})
            return numbers
        finally:
            await bus.close()

    with ValkeyServer() as server, Recorder(url, server.url) as recorder:
        assert asyncio.run(asyncio.wait_for(receive(server.url), 10)) == [0, 1, 2]
        # Whoever receives may be faster than the writer, which counts what it has sent.
        wait_until(lambda: recorder.stats().announced == 3)


def test_a_bus_that_is_away_holds_up_no_commit(url: str, caplog: pytest.LogCaptureFixture) -> None:
    address = f"redis://:{PASSWORD_OF_NOWHERE}@127.0.0.1:9/0"
    with Recorder(url, address) as recorder, balanced(recorder):
        for n in range(2000):
            recorder.record("job.executed", metadata={"n": n})
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.announced, stats.away) == (2000, 0, None)
    assert PASSWORD_OF_NOWHERE not in caplog.text


@pytest.mark.parametrize("fails", ["opening", "announcing"])
def test_a_bus_that_breaks_its_word_costs_no_event(
    url: str, caplog: pytest.LogCaptureFixture, fails: str
) -> None:
    class Broken(MemoryBus):
        async def announce(self, events: Sequence[Event], pending: Pending | None = None) -> bool:
            raise ZeroDivisionError(PASSWORD_OF_NOWHERE)

    def open_bus() -> Bus:
        if fails == "opening":
            raise ZeroDivisionError(PASSWORD_OF_NOWHERE)
        return Broken()

    told: list[int] = []
    recorder = Recorder(url, open_bus)
    recorder.on_recorded(lambda events: told.append(len(events)))
    with recorder, balanced(recorder):
        for _ in range(3):
            recorder.record("job.executed")
            assert recorder.flush(10)
        stats = recorder.stats()
    assert (stats.stored, stats.announced, stats.dropped, sum(told)) == (3, 0, {}, 3)
    assert caplog.text.count("announced") == 1
    assert PASSWORD_OF_NOWHERE not in caplog.text


def test_an_id_is_stored_once_and_its_repetitions_are_counted(store_url: str) -> None:
    again, other = uuid7(), uuid7()
    with Recorder(store_url, options=RecorderOptions(linger=5)) as first, balanced(first):
        # In one batch, in the next one, and by another producer.
        for _ in range(3):
            first.record("job.executed", id=again)
        assert first.flush(20)
        first.record("job.executed", id=again)
        first.record("job.executed", id=other)
        assert first.flush(20)
        with Recorder(store_url) as second, balanced(second):
            for identifier in (other, again, uuid7()):
                second.record("job.executed", id=identifier)
            assert second.flush(20)
            stats = second.stats()
            assert (stats.stored, stats.duplicates, stats.dead_lettered) == (1, 2, 0)
        stats = first.stats()
    assert (stats.stored, stats.duplicates) == (2, 3)
    assert len(contents(store_url).events) == 3


def test_the_last_ids_are_known_without_asking_the_database(url: str) -> None:
    with Recorder(url, options=RecorderOptions(queue_events=50_000)) as recorder:
        ids = [UUID(int=n) for n in range(1, RECENT_IDS + 1)]
        for identifier in ids:
            recorder.record("job.executed", id=identifier)
        assert recorder.flush(60)
        with closing(lock(url)) as connection:
            # Nobody can write now: what is repeated need not.
            for identifier in random.Random(1).sample(ids, 200):
                recorder.record("job.executed", id=identifier)
            assert recorder.flush(20)
            connection.rollback()
        # These push the oldest out of the memory, and the table still knows it.
        recorder.record("job.executed")
        assert recorder.flush(10)
        recorder.record("job.executed", id=ids[0])
        assert recorder.flush(10)
        stats = recorder.stats()
    assert (stats.stored, stats.duplicates) == (RECENT_IDS + 1, 201)


@pytest.mark.thorough
def test_a_locked_sqlite_file_is_waited_for(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with Recorder(url) as recorder, balanced(recorder):
        recorder.record("job.executed", metadata={"n": 0})
        assert recorder.flush(10)
        with closing(lock(url)) as connection:
            for n in range(1, 1001):
                recorder.record("job.executed", metadata={"n": n})
            wait_until(lambda: recorder.stats().away, 15)
            assert recorder.flush(0.1) is False
            assert recorder.stats().queued == 1000
            connection.rollback()
        assert recorder.flush(20)
        assert recorder.stats().away is None
    assert contents(url).numbers == list(range(1001))
    assert_one_outage(caplog)


@pytest.mark.thorough
def test_a_server_that_was_killed_is_waited_for(
    database_server: DatabaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    url = database_server.url
    prepare(url)
    recorder = Recorder(url)
    with recorder, balanced(recorder):
        for n in range(500):
            recorder.record("job.executed", metadata={"n": n})
        wait_until(lambda: recorder.stats().stored)
        database_server.kill()
        for n in range(500, 3000):
            recorder.record("job.executed", metadata={"n": n})
        wait_until(lambda: recorder.stats().retries >= 2, 20)
        database_server.start()
        assert recorder.flush(40)
        stats = recorder.stats()
    assert stats.stored + stats.duplicates == 3000
    assert stats.duplicates <= 500
    found = contents(url)
    assert found.numbers == list(range(3000))
    assert_one_outage(caplog)
    for secret in (PASSWORD, "s3cret"):
        assert secret not in caplog.text


def test_a_server_that_is_there_from_time_to_time_gets_everything(
    postgres_server: DatabaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    prepare(postgres_server.url)
    with TcpProxy(postgres_server.port) as proxy:
        recorder = Recorder(proxy.url(postgres_server.url))
        with recorder, balanced(recorder):
            for n in range(2000):
                if n % 250 == 125:
                    proxy.cut()
                if n % 250 == 200:
                    proxy.resume()
                recorder.record("job.executed", metadata={"n": n})
                time.sleep(rng.uniform(0, 0.0005))
            proxy.resume()
            assert recorder.flush(60), seed
    assert contents(postgres_server.url).numbers == list(range(2000)), seed
    assert "s3cret" not in caplog.text


def test_a_store_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "later"
    folder.write_text("in the way")
    with Recorder(f"sqlite:///{folder}/events.db") as recorder, balanced(recorder):
        recorder.record("job.executed", metadata={"n": 1})
        wait_until(lambda: recorder.stats().retries)
        folder.unlink()
        assert recorder.flush(20)
    assert contents(f"sqlite:///{folder}/events.db").numbers == [1]
    assert_one_outage(caplog)


def test_a_url_that_is_none_is_said_once_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(f"nonsense://user:{PASSWORD_OF_NOWHERE}@host/x")
    recorder.record("job.executed")
    wait_until(lambda: recorder.stats().retries > 2)
    recorder.close(1)
    assert caplog.text.count("cannot be stored") == 1
    assert PASSWORD_OF_NOWHERE not in caplog.text


def assert_one_outage(caplog: pytest.LogCaptureFixture) -> None:
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 2, said
    assert "cannot be stored" in said[0]
    assert "can be stored again" in said[1]


def test_retries_are_told_to_nobody_else(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(NOWHERE)
    recorder.record("job.executed", metadata={"text": "of an event"})
    wait_until(lambda: recorder.stats().retries > 3)
    recorder.close(1)
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in said] == ["store.recorder.background_writer", "store.recorder.recorder"]
    assert "of an event" not in caplog.text
    assert capfd.readouterr().out == ""


def test_retries_come_less_and_less_often() -> None:
    recorder = Recorder(NOWHERE)
    moments: list[float] = []
    recorder.record("job.executed")
    while len(moments) < 6:
        wait_until(lambda: recorder.stats().retries > len(moments), 10)
        moments.append(time.monotonic())
    recorder.close(0)
    pauses = [after - before for before, after in pairwise(moments)]
    for number, pause in enumerate(pauses):
        assert 0.1 * 2**number * 0.9 <= pause <= 0.1 * 2**number + 1.5, pauses


@pytest.mark.parametrize("when", ["before", "within"])
@pytest.mark.parametrize("passes", [True, False])
def test_an_error_of_our_own_is_tried_again_and_costs_no_other_batch(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, when: str, passes: bool
) -> None:
    monkeypatch.setattr("store.recorder.background_writer.RETRY_MAX_SECONDS", 0.01)
    monkeypatch.setattr("store.recorder.background_writer.RETRY_JITTER_SECONDS", 0.0)
    deliver = Delivery.deliver
    first: list[Batch] = []
    failures = 0

    async def broken(delivery: Delivery, batch: Batch) -> None:
        nonlocal failures
        if when == "within":
            await deliver(delivery, batch)
        if batch is (first or [first.append(batch), batch])[-1] and (not passes or not failures):
            failures += 1
            raise ZeroDivisionError
        if when == "before":
            await deliver(delivery, batch)

    monkeypatch.setattr(Delivery, "deliver", broken)
    with Recorder(url) as recorder, balanced(recorder):
        for n in range(3):
            recorder.record("job.executed", metadata={"n": n})
            assert recorder.flush(10)
        stats = recorder.stats()
    assert failures == (1 if passes else ATTEMPTS_MAX)
    lost = int(when == "before" and not passes)
    assert (stats.stored, stats.dropped) == (3 - lost, {INTERNAL_ERROR: 1} if lost else {})
    assert "ZeroDivisionError" in caplog.text
    assert contents(url).numbers == [0, 1, 2][lost:]


def test_an_idle_recorder_uses_no_processor_time(url: str) -> None:
    with Recorder(url) as recorder:
        recorder.record("job.executed")
        assert recorder.flush(10)
        time.sleep(0.1)
        thread = next(thread for thread in threading.enumerate() if thread.name == "evtop-recorder")
        clock = time.pthread_getcpuclockid(thread.ident or 0)
        before = time.clock_gettime(clock)
        time.sleep(0.5)
        assert time.clock_gettime(clock) - before < 0.1


def test_a_slow_commit_uses_no_processor_time_either(url: str, tmp_path: Path) -> None:
    # A queue that is half full, on a disk that takes nothing.
    options = RecorderOptions(queue_events=100, spool=SpoolSettings(folder=tmp_path / "spool", max_bytes=1))
    with Recorder(url, options=options) as recorder, balanced(recorder):
        recorder.record("job.executed")
        assert recorder.flush(10)
        with closing(lock(url)) as connection:
            recorder.record("job.executed")
            wait_until(lambda: recorder.stats().queued == 1)
            time.sleep(0.2)
            for _ in range(80):
                recorder.record("job.executed")
            thread = next(thread for thread in threading.enumerate() if thread.name == "evtop-recorder")
            clock = time.pthread_getcpuclockid(thread.ident or 0)
            before = time.clock_gettime(clock)
            time.sleep(1)
            assert time.clock_gettime(clock) - before < 0.2
            connection.rollback()
        assert recorder.flush(20)


def test_flush_and_close_return_in_time_though_the_server_hangs(database_server: DatabaseServer) -> None:
    prepare(database_server.url)
    recorder = Recorder(database_server.url)
    with balanced(recorder):
        recorder.record("job.executed")
        assert recorder.flush(20)
        database_server.pause()
        for _ in range(10):
            recorder.record("job.executed")
        for call, seconds in ((recorder.flush, 0.5), (recorder.close, 1.0)):
            began = time.monotonic()
            assert call(seconds) is False
            assert time.monotonic() - began < seconds + 2
        database_server.resume()
    stats = recorder.stats()
    assert stats.accepted == 11
    assert stats.balance == 0


def test_a_writer_that_dies_is_followed_by_another_one(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wait = Bell.wait
    failures = iter([False, True])

    async def broken(bell: Bell, seconds: float | None) -> None:
        if next(failures, False):
            raise MemoryError
        await wait(bell, seconds)

    monkeypatch.setattr(Bell, "wait", broken)
    monkeypatch.setattr("store.recorder.recorder._START_EVERY", 0.1)
    with Recorder(url) as recorder, balanced(recorder):
        for n in range(5):
            recorder.record("job.executed", metadata={"n": n})
        wait_until(lambda: "is started again" in caplog.text)
        recorder.record("job.executed", metadata={"n": 5})
        assert recorder.flush(10)
        stats = recorder.stats()
    assert stats.stored + sum(stats.dropped.values()) == 6
    assert contents(url).numbers[-1] == 5


def test_a_turn_that_fails_is_not_the_last_one(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sync = Disk.sync
    failures = iter([True, True])

    def broken(disk: Disk, *, now: bool) -> bool:
        if next(failures, False):
            raise ZeroDivisionError
        return sync(disk, now=now)

    monkeypatch.setattr(Disk, "sync", broken)
    with Recorder(url) as recorder, balanced(recorder):
        recorder.record("job.executed", metadata={"n": 0})
        assert recorder.flush(10)
    assert contents(url).numbers == [0]
    assert caplog.text.count("failed, and goes on") == 1
