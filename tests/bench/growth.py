"""Do reads cost the same however much is stored: five million events against ten thousand."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from store.database import Database
from store.event import Event
from store.event_counts import Facet
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.repository import EventRepository
from tests.bench import bulk
from tests.bench.figure import Figure, progress
from tests.bench.traffic import Traffic
from tests.postgres import PostgresServer
from tests.pty_console import PrivateHome

SMALL, LARGE = 10_000, 5_000_000
DAYS = 30
RECENT = 2_000
"""Events of the last hour, the same in both stores."""
WATCHED, WATCHED_EVENTS = 20, 120
"""Titles whose events, the same in both stores, are spread over all days."""
PAGE = 100
PAIRS = 200
GOAL = "<= 1.5"

Read = Callable[[EventRepository, datetime, random.Random], Awaitable[object]]


async def _newest_page(repository: EventRepository, _now: datetime, _draw: random.Random) -> object:
    return await repository.newest(PAGE)


async def _page_before(repository: EventRepository, now: datetime, draw: random.Random) -> object:
    moment = now - timedelta(minutes=draw.uniform(60, DAYS * 24 * 60 - 1440))
    return await repository.before(Cursor(moment, UUID(int=0)), PAGE)


async def _resource_page(repository: EventRepository, _now: datetime, draw: random.Random) -> object:
    return await repository.resource_events("title", _watched(draw.randrange(WATCHED)), PAGE)


async def _facet_counts(repository: EventRepository, now: datetime, _draw: random.Random) -> object:
    return await repository.facet_counts(now - timedelta(hours=1), now)


async def _facets(repository: EventRepository, now: datetime, _draw: random.Random) -> object:
    return await repository.facets(Facet.CATEGORY, EventFilter(since=now - timedelta(hours=1)))


async def _facets_of_category(repository: EventRepository, now: datetime, _draw: random.Random) -> object:
    hour = EventFilter(category="downloads", since=now - timedelta(hours=1), until=now)
    return await repository.facets(Facet.EVENT_TYPE, hour)


async def _histogram(repository: EventRepository, now: datetime, _draw: random.Random) -> object:
    return await repository.histogram(now - timedelta(hours=1), now)


async def _histogram_of_span(repository: EventRepository, now: datetime, _draw: random.Random) -> object:
    hour = EventFilter(since=now - timedelta(hours=1), until=now)
    return await repository.histogram(now - timedelta(hours=1), now, chosen=hour)


READS: dict[str, Read] = {
    "newest_page": _newest_page,
    "facet_counts": _facet_counts,
    "page_before": _page_before,
    "resource_page": _resource_page,
    "facets": _facets,
    "facets_of_category": _facets_of_category,
    "histogram": _histogram,
    "histogram_of_span": _histogram_of_span,
}


def run_sqlite() -> Iterator[Figure]:
    """For each read, the time in the large store over that in the small one: the median of many pairs.

    Both of a pair are measured right after each other, so that a busy moment of the machine slows down both.
    """
    with PrivateHome() as home:
        urls = [f"sqlite:///{home.directory / name}.db" for name in ("small", "large")]
        yield from _figures(urls, "")


def run_postgresql() -> Iterator[Figure]:
    """The same on PostgreSQL."""
    with PostgresServer("-c", "shared_buffers=256MB") as server:
        yield from _figures([server.create_database() for _ in range(2)], "postgresql_")


def _figures(urls: Sequence[str], prefix: str) -> Iterator[Figure]:
    for name, (small, large) in asyncio.run(_compare(*urls)).items():
        medians = [statistics.median(seconds) * 1000 for seconds in (small, large)]
        progress(f"{prefix}{name}: {medians[0]:.2f} ms of {SMALL:,}, {medians[1]:.2f} ms of {LARGE:,}")
        ratios = [more / less for less, more in zip(small, large, strict=True)]
        yield Figure(f"{prefix}{name}_growth", statistics.median(ratios), "times", GOAL)


async def _compare(small_url: str, large_url: str) -> dict[str, tuple[list[float], list[float]]]:
    now = datetime.now(UTC)
    small, large = await Database.open(small_url), await Database.open(large_url)
    try:
        repositories = EventRepository(small), EventRepository(large)
        await fill(small, small_url, SMALL, now)
        await fill(large, large_url, LARGE, now)
        return {name: await _times(read, repositories, now) for name, read in READS.items()}
    finally:
        await small.close()
        await large.close()


async def _times(
    read: Read, repositories: tuple[EventRepository, EventRepository], now: datetime
) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    for pair in range(-3, PAIRS):
        for which in (0, 1) if pair % 2 else (1, 0):
            draw = random.Random(pair)  # the same places in both
            started = time.perf_counter()
            found = await read(repositories[which], now, draw)
            if pair >= 0:
                times[which].append(time.perf_counter() - started)
            assert found
    return times


async def fill(database: Database, url: str, size: int, now: datetime) -> None:
    """`size` events over `DAYS` days, what both stores have in common appended last."""
    fixed, repository = _common(now), EventRepository(database)
    await bulk.fill(url, size - len(fixed), now - timedelta(days=DAYS), now - timedelta(hours=1))
    if database.dialect == "sqlite":
        async with database.write() as connection:
            # A store in use has no statistics, since evtop never says `ANALYZE`.
            await connection.exec_driver_sql("DROP TABLE sqlite_stat1")
    await repository.append(fixed)
    assert await repository.count() == size


def _common(now: datetime) -> list[Event]:
    """What both stores hold: the last hour, and the events of the watched titles."""
    traffic, draw = Traffic(seed=1), random.Random(1)
    hour = timedelta(hours=1)
    events = [traffic.event(now - hour * draw.random()) for _ in range(RECENT)]
    span = timedelta(days=DAYS) - hour
    events.extend(
        traffic.event(now - hour - span * draw.random(), resource_type="title", resource_id=_watched(title))
        for title in range(WATCHED)
        for _ in range(WATCHED_EVENTS)
    )
    return events


def _watched(number: int) -> str:
    return f"watched-{number}"
