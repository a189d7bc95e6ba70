"""Full and failing disks, and no more file descriptors: faults 11 and 12."""

from __future__ import annotations

import errno
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random
from shutil import copy

import pytest

from tests.database_server import DatabaseServer
from tests.faults.child import Producer
from tests.faults.conftest import Size
from tests.faults.final_phase import all_is_well, drained
from tests.faults.judge import evidence, judge
from tests.faults.private_mounts import PrivateMounts
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until

pytestmark = pytest.mark.fault

RATE = 2_000
RESUMES_WITHIN = 5.5
"""Five seconds are the longest pause between two attempts."""
QUEUE = 500
CALL_SECONDS = 0.005


def _told_once(application: Producer, what: str) -> None:
    said = [line for line in application.warnings if what in line]
    assert len(said) == 1, application.log


def test_a_full_spool_disk_is_told_once_and_written_again_when_there_is_room(
    size: Size, mounts: PrivateMounts, postgres: DatabaseServer, tmp_path: Path, seed: int
) -> None:
    events = size.either(3_000, 20_000)
    url = postgres.create_database()
    with (
        TcpProxy(postgres.port) as proxy,
        Producer(
            tmp_path,
            "application",
            proxy.url(url),
            seed,
            enter=mounts.enter,
            spool=str(mounts.inside / "spool"),
            queue_events=QUEUE,
        ).set_up() as application,
    ):
        application.record(200, RATE)
        application.recorded()
        drained(application)
        mounts.fill(left=Random(seed).randrange(150_000, 300_000))
        proxy.refuse()
        proxy.cut()
        application.record(events - 200, RATE)
        calls = application.recorded()
        assert calls["p99"] <= CALL_SECONDS, calls
        stats = application.stats()
        refused = application.promises().refused
        assert stats["spooled"] > 0
        assert stats["dropped"] == {"queue full": len(refused)}
        assert refused
        assert QUEUE <= stats["queued"] <= 2 * QUEUE
        _told_once(application, "No space left on device")
        before = stats["spooled"]
        mounts.free()
        freed = time.monotonic()
        wait_until(
            lambda: application.stats()["spooled"] > before, RESUMES_WITHIN, "the spool is written again"
        )
        application.record(100, RATE)
        application.recorded()
        assert time.monotonic() - freed <= RESUMES_WITHIN
        assert application.promises().refused == refused
        proxy.resume()
        all_is_well(url, application, 300)
    postgres.drop(url)


def test_a_full_disk_under_sqlite_is_told_once_and_written_again_when_there_is_room(
    size: Size, mounts: PrivateMounts, tmp_path: Path, seed: int
) -> None:
    # As many as there is room for when it is free again; the long test takes its time over them.
    events, rate = size.either(3_000, 6_000), size.either(RATE, 500)
    database = mounts.inside / "events.db"
    with Producer(
        tmp_path,
        "application",
        f"sqlite:///{database}",
        seed,
        enter=mounts.enter,
        spool=str(tmp_path / "spool"),
    ).set_up() as application:
        application.record(200, RATE)
        application.recorded()
        drained(application)
        mounts.fill(left=Random(seed).randrange(10_000, 100_000))
        application.record(events - 200, rate)
        application.recorded()
        wait_until(lambda: application.stats()["away"], 10, "the database is full")
        stats = application.stats()
        assert "full" in stats["away"]
        assert stats["dropped"] == {}
        wait_until(lambda: application.stats()["spooled"] > 0, 5, "the spool is used")
        stored = application.stats()["stored"]
        mounts.free()
        wait_until(lambda: application.stats()["stored"] > stored, RESUMES_WITHIN, "events are stored again")
        drained(application)
        _told_once(application, "cannot be stored")
        application.record(1)
        application.recorded()
        assert application.flush()
        drained(application)
        promises = application.promises()
        assert application.close()
        # SQLite takes no path that leads through /proc.
        for file in mounts.outside.glob("events.db*"):
            copy(file, tmp_path)
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = evidence(f"sqlite:///{tmp_path / 'events.db'}")
    assert judge(found, [promises])
    assert len(found.delivered) == events + 1


def test_a_read_only_spool_folder_leaves_the_database_and_the_queue_to_do_the_work(
    mounts: PrivateMounts, postgres: DatabaseServer, tmp_path: Path, seed: int
) -> None:
    mounts.make_read_only()
    url = postgres.create_database()
    with (
        TcpProxy(postgres.port) as proxy,
        Producer(
            tmp_path,
            "application",
            proxy.url(url),
            seed,
            enter=mounts.enter,
            spool=str(mounts.inside / "spool"),
            queue_events=QUEUE,
        ).set_up() as application,
    ):
        application.record(500, RATE)
        application.recorded()
        drained(application)
        assert application.stats()["dropped"] == {}
        proxy.refuse()
        proxy.cut()
        application.record(1_500, RATE)
        calls = application.recorded()
        assert calls["p99"] <= CALL_SECONDS, calls
        stats, refused = application.stats(), application.promises().refused
        assert stats["spooled"] == 0
        assert QUEUE <= stats["queued"] <= 2 * QUEUE
        assert stats["dropped"] == {"queue full": len(refused)}
        assert refused
        _told_once(application, "Read-only file system")
        proxy.resume()
        all_is_well(url, application, 500 + QUEUE)
    postgres.drop(url)


def test_a_spool_that_cannot_be_written_is_told_once_and_costs_what_the_queue_cannot_hold(
    postgres: DatabaseServer, tmp_path: Path, seed: int
) -> None:
    url = postgres.create_database()
    with (
        TcpProxy(postgres.port) as proxy,
        Producer(
            tmp_path, "application", proxy.url(url), seed, spool=str(tmp_path / "spool"), queue_events=QUEUE
        ).set_up() as application,
    ):
        application.record(100, RATE)
        application.recorded()
        drained(application)
        application.ask("fail_writes", error=errno.EIO)
        proxy.refuse()
        proxy.cut()
        application.record(1_500, RATE)
        application.recorded()
        stats, refused = application.stats(), application.promises().refused
        assert stats["spooled"] == 0
        assert refused
        assert stats["dropped"] == {"queue full": len(refused)}
        _told_once(application, "Input/output error")
        application.ask("fail_writes", error=0)
        wait_until(lambda: application.stats()["spooled"] > 0, RESUMES_WITHIN, "the spool is written again")
        proxy.resume()
        all_is_well(url, application, 100 + QUEUE)
    postgres.drop(url)


def test_a_process_that_has_no_descriptors_when_it_begins_stores_everything_when_it_has(
    tmp_path: Path, seed: int
) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    with Producer(
        tmp_path, "application", url, seed, descriptors=32, spool=str(tmp_path / "spool")
    ).set_up() as application:
        assert application.ask("hold_descriptors", left=0)["held"] > 0
        application.record(1_000, RATE)
        application.recorded()
        assert not application.flush(0.3)
        stats = application.stats()
        assert (stats["balance"], stats["stored"], stats["dropped"]) == (0, 0, {})
        application.ask("release_descriptors")
        wait_until(lambda: application.stats()["stored"], RESUMES_WITHIN, "events are stored")
        found, _ = all_is_well(url, application, 1_000)
        assert len(found.delivered) == 1_001
        assert len(application.warnings) <= 2, application.log


def test_a_process_that_runs_out_of_descriptors_stores_everything_when_it_has_some(
    postgres: DatabaseServer, tmp_path: Path, seed: int
) -> None:
    url = postgres.create_database()
    with (
        TcpProxy(postgres.port) as proxy,
        Producer(
            tmp_path, "application", proxy.url(url), seed, descriptors=32, spool=str(tmp_path / "spool")
        ).set_up() as application,
    ):
        application.record(100, RATE)
        application.recorded()
        drained(application)
        proxy.refuse()
        proxy.cut()
        application.record(500, RATE)
        application.recorded()
        wait_until(lambda: application.stats()["away"], 10, "the database is missed")
        application.ask("hold_descriptors", left=0)
        proxy.resume()
        application.record(500, RATE)
        application.recorded()
        wait_until(lambda: "Too many open files" in application.log, 6, "the want of descriptors is told")
        stats = application.stats()
        assert (stats["balance"], stats["dropped"]) == (0, {})
        assert stats["stored"] < 1_100
        application.ask("release_descriptors")
        wait_until(lambda: application.stats()["stored"] > stats["stored"], 6, "events are stored again")
        found, _ = all_is_well(url, application, 1_100)
        assert len(found.delivered) == 1_101
        assert len(application.warnings) <= 5, application.log
    postgres.drop(url)
