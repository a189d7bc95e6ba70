"""What the repository costs over bare SQLite: the same rows, the same table and indexes, the same pragmas."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from store.database import Database
from store.repository import EventRepository
from tests.bench.figure import Figure, progress
from tests.bench.traffic import Traffic
from tests.pty_console import PrivateHome

BATCH = 1_000
BATCHES = 60


def run() -> Iterator[Figure]:
    """The repository's rate over that of `executemany`: the median of many pairs of batches."""
    with PrivateHome() as home:
        appended, bare = asyncio.run(_compare(home.directory))
    rates = [BATCH / statistics.median(seconds) for seconds in (appended, bare)]
    progress(f"append: {rates[0]:,.0f} events/s by the repository, {rates[1]:,.0f} by executemany")
    ratios = [less / more for less, more in zip(bare, appended, strict=True)]
    yield Figure("append_ratio", statistics.median(ratios), "of executemany's rate", ">= 0.7")


async def _compare(directory: Path) -> tuple[list[float], list[float]]:
    """Seconds a batch: by the repository with its rollups, and by `executemany` without."""
    traffic, moment = Traffic(seed=5), datetime.now(UTC) - timedelta(hours=1)
    appended: list[float] = []
    bare: list[float] = []
    ours, other = directory / "appended.db", directory / "bare.db"
    database = await Database.open(f"sqlite:///{ours}")
    await (await Database.open(f"sqlite:///{other}")).close()
    repository = EventRepository(database)
    try:
        with (
            closing(sqlite3.connect(ours, isolation_level=None)) as source,
            closing(sqlite3.connect(other, isolation_level=None)) as target,
        ):
            target.execute("PRAGMA synchronous = NORMAL")
            target.execute("PRAGMA foreign_keys = ON")
            for _ in range(BATCHES):
                batch = []
                for _ in range(BATCH):
                    moment += timedelta(milliseconds=5)
                    batch.append(traffic.event(moment))
                started = time.perf_counter()
                await repository.append(batch)
                appended.append(time.perf_counter() - started)
                # Read back, so that both tables get the very same values.
                rows = source.execute(
                    "SELECT * FROM events ORDER BY position DESC LIMIT ?", (BATCH,)
                ).fetchall()
                rows.reverse()
                places = ", ".join("?" * len(rows[0]))
                started = time.perf_counter()
                target.execute("BEGIN IMMEDIATE")
                target.executemany(f"INSERT INTO events VALUES ({places})", rows)
                target.execute("COMMIT")
                bare.append(time.perf_counter() - started)
            assert target.execute("SELECT count(*) FROM events").fetchone() == (BATCH * BATCHES,)
    finally:
        await database.close()
    return appended, bare
