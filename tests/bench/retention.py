"""How long other writers wait while retention deletes, on each database."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from store.database import Database
from store.repository import EventRepository
from store.retention import RetentionPolicy, prune
from tests.bench.figure import Figure, progress
from tests.bench.traffic import Traffic
from tests.mariadb import MISSING, MariadbServer, mariadb_program
from tests.postgres import PostgresServer
from tests.pty_console import PrivateHome

EVENTS, BATCH, RUNS = 10_000, 1_000, 3
DATABASES = ("sqlite", "postgresql", "mariadb")


def run() -> Iterator[Figure]:
    """The longest lock of a run that deletes `EVENTS` events of every kind; the median of `RUNS` runs."""
    for name in DATABASES:
        with ExitStack() as stack:
            match name:
                case "sqlite":
                    url = stack.enter_context(PrivateHome()).store_url
                case "postgresql":
                    url = stack.enter_context(PostgresServer()).url
                case _:
                    if mariadb_program() is None:
                        progress(f"prune_{name}_longest_lock_ms: {MISSING}")
                        continue
                    url = stack.enter_context(MariadbServer()).url
            longest = [asyncio.run(_prune(url)) for _ in range(RUNS)]
        value = statistics.median(longest) * 1000
        yield Figure(f"prune_{name}_longest_lock_ms", value, "ms", "<= 100")


async def _prune(url: str) -> float:
    """Seconds."""
    database = await Database.open(url)
    try:
        repository = EventRepository(database)
        traffic, moment = Traffic(seed=7), datetime.now(UTC) - timedelta(days=200)
        for _ in range(EVENTS // BATCH):
            batch = []
            for _ in range(BATCH):
                moment += timedelta(seconds=20)
                batch.append(traffic.event(moment))
            await repository.append(batch)
        pruned = await prune(database, RetentionPolicy(days=90), trust_clock=True)
        assert pruned.events == EVENTS, pruned
        progress(f"{database.dialect}: {pruned.events} events deleted in {pruned.chunks} transactions")
        return pruned.longest_lock
    finally:
        await database.close()
