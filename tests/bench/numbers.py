"""Counters under kill -9 and at speed, figures of five million events, and how soon pages and boards stand there."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

from store.counters.keys import Pending
from store.counters.tally import CounterKey
from store.database import Database
from store.event import Event
from store.events import EventStore
from store.figures.computing import all_figures
from store.figures.snapshots import SnapshotRepository
from store.redis_bus import RedisBus
from tests.bench import bulk
from tests.bench.figure import Figure, progress
from tests.faults.counting import count_under_kills
from tests.pty_console import EVTOP, PrivateHome, PtyConsole
from tests.valkey import ValkeyServer

SMALL, LARGE = 10_000, 5_000_000
DAYS = 30
KILLS = 50
INCREMENTS, BATCHES = 1_000, 60
FEW, MANY = 10, 100_000
"""Events of the resources whose pages are opened."""
OPENED = 7
PATIENCE = 30.0
_SIZE = (140, 40)


def run_counters() -> Iterator[Figure]:
    """Differences from the oracle after kills, and increments a second in batches of a thousand."""
    with PrivateHome() as home:
        seed = secrets.randbelow(2**32)
        progress(f"counters: seed {seed}")
        counted = asyncio.run(count_under_kills(home.store_url, KILLS, seed))
        progress(f"counters: {counted}")
    yield Figure("counter_differences", counted.differences + counted.shown_differences, "counters", "== 0")
    yield Figure("counter_increments_per_s", asyncio.run(_increments()), "1/s", ">= 50000")


async def _increments() -> float:
    with ValkeyServer() as server:
        bus = RedisBus(server.url)
        event = Event(event_type="movie.viewed", resource_type="movie", resource_id="0")
        keys = [CounterKey("movie", f"{number:06x}", "views") for number in range(INCREMENTS)]
        await bus.announce([event])
        began = time.perf_counter()
        for _ in range(BATCHES):
            assert await bus.announce([event], Pending(1, dict.fromkeys(keys, 1)))
        taken = time.perf_counter() - began
        await bus.close()
    return BATCHES * INCREMENTS / taken


def run_pages() -> Iterator[Figure]:
    """Seconds that all figures take; from key to board and page, in milliseconds, on five million events."""
    with PrivateHome() as small, PrivateHome() as large:
        asyncio.run(_fill(small.store_url, SMALL))
        asyncio.run(_fill(large.store_url, LARGE))
        taken, longest = asyncio.run(_snapshots(large.store_url))
        yield Figure("snapshots_s", taken, "s", "<= 20")
        yield Figure("snapshots_longest_lock_ms", longest, "ms", "<= 100")
        pages = {name: _pages(home) for name, home in (("small", small), ("large", large))}
        boards = _boards(large)
    for name, found in (*((f"pages, {name}", times) for name, times in pages.items()), ("boards", boards)):
        progress(f"{name}: {found}")
    few, many = (statistics.median(pages["large"][count]) for count in (FEW, MANY))
    yield Figure("dashboard_open_ms", statistics.median(boards), "ms", "<= 50")
    yield Figure("resource_page_few_ms", few, "ms", "<= 150")
    yield Figure("resource_page_many_ms", many, "ms", "<= 150")
    ratio = max(few / statistics.median(pages["small"][FEW]), many / statistics.median(pages["small"][MANY]))
    yield Figure("resource_screen_growth", ratio, "", "<= 1.5")


async def _fill(url: str, size: int) -> None:
    now = datetime.now(UTC)
    await (await Database.open(url)).close()
    await bulk.fill(url, size, now - timedelta(days=DAYS), now)
    async with await EventStore.open(url) as store:
        for count in (MANY, FEW):
            for first in range(0, count, 5_000):
                batch = [
                    Event(
                        event_type="movie.viewed",
                        resource_type="movie",
                        resource_id=f"of-{count}",
                        inserted_at=now - timedelta(days=DAYS * (count - number) / count),
                    )
                    for number in range(first, min(first + 5_000, count))
                ]
                await store.create_many(batch)
        await store.counters.flush()
    progress(f"filled: {size:,}")


async def _snapshots(url: str) -> tuple[float, float]:
    database = await Database.open(url)
    now = datetime.now(UTC)
    began = time.perf_counter()
    await all_figures(database, now)
    taken = time.perf_counter() - began
    longest = await _longest_wait(database, SnapshotRepository(database), now)
    await database.close()
    return taken, longest


async def _longest_wait(database: Database, snapshots: SnapshotRepository, now: datetime) -> float:
    """How long another writer waited at most while snapshots were worked out and stored, in milliseconds."""
    ended = threading.Event()

    def write() -> float:
        # In a thread, with a connection of its own: the work of this process must not look like a lock.
        longest = 0.0
        with closing(
            sqlite3.connect(database.place.removeprefix("sqlite:///"), isolation_level=None)
        ) as other:
            other.execute("PRAGMA busy_timeout = 30000")
            while not ended.is_set():
                began = time.perf_counter()
                other.execute("BEGIN IMMEDIATE")
                longest = max(longest, 1000 * (time.perf_counter() - began))
                other.execute("ROLLBACK")
                ended.wait(0.01)
        return longest

    writing = asyncio.create_task(asyncio.to_thread(write))
    await snapshots.compute(now)
    ended.set()
    return await writing


def _pages(home: PrivateHome) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for count in (FEW, MANY):
        command = [EVTOP, "--query", f"resource:movie/of-{count}"]
        with PtyConsole(command, environment=home.environment, columns=_SIZE[0], rows=_SIZE[1]) as console:
            console.wait_for_text("movie.viewed", PATIENCE)
            console.wait_for_text("● live", PATIENCE)
            times: list[float] = []
            for _ in range(OPENED):
                pressed = console.press("r")
                times.append(1000 * (console.wait_for_text(f"{count:,} events", PATIENCE) - pressed))
                console.press("\x1b")
                console.wait_for(lambda shown: "Its timeline" not in shown.text, PATIENCE)
            found[count] = times[1:]  # the first one loads what only a first page needs
            console.press("q")
            console.wait_for_end(PATIENCE)
    return found


def _boards(home: PrivateHome) -> list[float]:
    times: list[float] = []
    with PtyConsole([EVTOP], environment=home.environment, columns=_SIZE[0], rows=_SIZE[1]) as console:
        console.wait_for_text("● live", PATIENCE)
        console.press("5")
        console.wait_for_text("The last hour", PATIENCE)
        for _ in range(OPENED):
            for key, title in (("Z", "The last day"), ("Z", "The last week")):
                pressed = console.press(key)
                title_at = console.wait_for(
                    lambda shown, title=title: title in shown.text and "reading" not in shown.text, PATIENCE
                )
                times.append(1000 * (title_at - pressed))
            console.press("z")
            console.press("z")
            console.wait_for_text("The last hour", PATIENCE)
        console.press("\x1b")
        console.press("q")
        console.wait_for_end(PATIENCE)
    return times[2:]
