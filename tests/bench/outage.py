"""What an application feels while its database is away, and how fast the spool empties when it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from store.database import Database
from store.recorder import Recorder, RecorderOptions
from store.recorder.disk import SpoolSettings
from store.repository import EventRepository
from tests.bench.figure import Figure, progress
from tests.bench.pace import paced, quantile
from tests.bench.recording import FIELDS
from tests.postgres import PostgresServer
from tests.pty_console import PrivateHome

RATE, SECONDS = 10_000, 4.0
DEADLINE = 60.0


def run() -> Iterator[Figure]:
    """PostgreSQL is killed while events are recorded at a steady rate, and started again."""
    with PrivateHome() as home, PostgresServer() as server:
        url = server.create_database()
        options = RecorderOptions(spool=SpoolSettings(folder=home.directory / "spool"))
        recorder = Recorder(url, options=options)

        def record(_number: int) -> None:
            recorder.record("download.failed", **FIELDS)

        try:
            there = paced(record, RATE, SECONDS)
            assert recorder.flush(DEADLINE)
            server.kill()
            away = paced(record, RATE, SECONDS)
            assert recorder.flush(DEADLINE)
            spooled = recorder.stats().spooled
            progress(f"outage: {spooled:,} events spooled")
            server.start()
            _wait_until(lambda: recorder.stats().spooled < spooled)
            began, first = time.perf_counter(), recorder.stats().spooled
            _wait_until(lambda: recorder.stats().spooled == 0)
            rate = first / (time.perf_counter() - began)
            ratio = quantile(away, 0.99) / quantile(there, 0.99)
            progress(
                f"outage: p99 {quantile(there, 0.99) * 1e6:.0f} µs, away {quantile(away, 0.99) * 1e6:.0f} µs"
            )
            yield Figure("record_away_p99_ratio", ratio, "times", "<= 2")
            yield Figure("spool_drain_rate", rate, "events/s", ">= 10000")
            assert recorder.flush(DEADLINE)
            stats = recorder.stats()
            stored = asyncio.run(_stored(url))
            assert stats.balance == 0, stats
            yield Figure("outage_balance", stats.accepted - stored - stats.duplicates, "events", "== 0")
        finally:
            recorder.close()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "the spool does not empty"
        time.sleep(0.001)


async def _stored(url: str) -> int:
    database = await Database.open(url)
    try:
        return await EventRepository(database).count()
    finally:
        await database.close()
