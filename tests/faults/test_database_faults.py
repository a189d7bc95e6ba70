"""The database is killed, locked or slow while events are recorded: faults 3 and 10."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.database_server import DatabaseServer
from tests.faults.child import Producer
from tests.faults.conftest import Note, Size
from tests.faults.final_phase import DRAINED_WITHIN, all_is_well, drained
from tests.faults.judge import evidence
from tests.faults.oracle import accepted_in
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until

pytestmark = pytest.mark.fault

RATE = 2_000
CALL_SECONDS = 0.005
"""What 99 of 100 calls of `record()` may take while the database is away or slow."""


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """A server of this test's own, to be killed."""
    return request.getfixturevalue(
        {"postgresql": "postgres_server", "mariadb": "mariadb_server"}[request.param]
    )


def test_a_server_that_is_killed_mid_batch_costs_nothing(
    size: Size, server: DatabaseServer, tmp_path: Path, seed: int, note: Note
) -> None:
    chance, events = Random(seed), size.either(4_000, 20_000)
    with Producer(
        tmp_path, "application", server.url, seed, spool=str(tmp_path / "spool")
    ).set_up() as application:
        application.record(events, RATE)
        killed_at = int(events * chance.uniform(0.1, 0.4))
        wait_until(lambda: accepted_in(application.journal) >= killed_at, 60, "events are recorded")
        wait_until(lambda: application.stats()["stored"] > 0, 60, "some of them are stored")
        server.kill()
        wait_until(lambda: application.stats()["spooled"] > 0, 30, "the spool is used")
        wait_until(
            lambda: accepted_in(application.journal) >= killed_at + events // 4, 60, "more are recorded"
        )
        assert application.stats()["away"] is not None
        server.start()
        calls = application.recorded()
        note("drained_in", round(drained(application), 2))
        note("record_p99_ms", round(calls["p99"] * 1e3, 3))
        assert calls["p99"] <= CALL_SECONDS, calls
        found, promises = all_is_well(server.url, application, events)
        assert not promises.refused
        assert len(found.delivered) == events + 1
        said = [line for line in application.warnings if "cannot be stored" in line]
        assert len(said) == 1, application.log


def test_a_sqlite_file_that_another_process_locks_costs_nothing(
    size: Size, tmp_path: Path, seed: int
) -> None:
    chance, events = Random(seed), size.either(4_000, 20_000)
    path = tmp_path / "events.db"
    url = f"sqlite:///{path}"
    with Producer(
        tmp_path, "application", url, seed, spool=str(tmp_path / "spool"), queue_events=3_000
    ).set_up() as application:
        application.record(events, RATE)
        wait_until(lambda: application.stats()["stored"] > 0, 30, "some are stored")
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked_at = accepted_in(application.journal)
            # Longer, in the long test, than a writer waits for the lock.
            until = locked_at + size.either(chance.randrange(1_800, 2_400), chance.randrange(12_000, 15_000))
            # On a busy machine much of it was recorded before the lock was had.
            until = min(until, events)
            wait_until(lambda: accepted_in(application.journal) >= until, 60, "more are recorded")
            assert application.stats()["spooled"] > 0
            other.execute("ROLLBACK")
        calls = application.recorded()
        assert calls["p99"] <= CALL_SECONDS, calls
        found, promises = all_is_well(url, application, events)
        assert not promises.refused
        assert len(found.delivered) == events + 1


def test_a_slow_database_fills_the_queue_then_the_spool_and_then_drops_and_counts(
    size: Size, postgres: DatabaseServer, tmp_path: Path, seed: int, note: Note
) -> None:
    events, queue, batch = size.either(3_000, 20_000), 400, 100
    spool = size.either(200_000, 2_000_000)
    url = postgres.create_database()
    with (
        TcpProxy(postgres.port) as proxy,
        Producer(
            tmp_path,
            "application",
            proxy.url(url),
            seed,
            spool=str(tmp_path / "spool"),
            spool_bytes=spool,
            queue_events=queue,
            batch_events=batch,
        ).set_up() as application,
    ):
        application.record(100, RATE)
        application.recorded()
        drained(application)
        # A transaction takes some seven answers: two seconds in all.
        proxy.delay(0.0, 0.3)
        application.record(events - 100, RATE)
        most = fullest = 0
        while accepted_in(application.journal) + len(application.promises().refused) < events - 200:
            stats = application.stats()
            assert stats["balance"] == 0, stats
            most = max(most, stats["queued"])
            fullest = max(fullest, stats["spooled"])
        calls = application.recorded()
        full = application.stats()
        refused = application.promises().refused
        note("record_p99_ms", round(calls["p99"] * 1e3, 3))
        assert calls["p99"] <= CALL_SECONDS, calls
        assert queue <= most <= queue + batch
        assert fullest > 0
        assert refused
        assert full["dropped"] == {"queue full": len(refused)}
        assert sum(path.stat().st_size for path in (tmp_path / "spool").rglob("*.spool")) <= spool
        assert not application.flush(0.2)
        proxy.delay(0.0)
        all_is_well(url, application, 100)
        assert application.promises().refused == refused
    postgres.drop(url)


def test_a_database_that_never_was_there_is_found_when_it_comes(
    postgres_server: DatabaseServer, tmp_path: Path, seed: int
) -> None:
    postgres_server.stop()
    with Producer(
        tmp_path, "application", postgres_server.url, seed, spool=str(tmp_path / "spool")
    ).set_up() as application:
        application.record(500)
        application.recorded()
        assert application.flush()
        assert application.stats()["spooled"] == 500
        postgres_server.start()
        wait_until(lambda: evidence(postgres_server.url).delivered, DRAINED_WITHIN, "events are stored")
        all_is_well(postgres_server.url, application, 500)
