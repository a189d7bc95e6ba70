"""Do reads cost the same however much is stored: a million events against ten thousand."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from store.database import Database
from store.event import Event
from store.repository import Cursor, EventRepository
from tests.bench.figure import Figure, progress
from tests.bench.traffic import Traffic
from tests.pty_console import PrivateHome

SMALL, LARGE = 10_000, 1_000_000
DAYS = 30
RECENT = 2_000
"""Events of the last hour, the same in both stores."""
WATCHED, WATCHED_EVENTS = 20, 120
"""Titles whose events, the same in both stores, are spread over all days."""
CHUNK = 10_000
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


async def _histogram(repository: EventRepository, now: datetime, _draw: random.Random) -> object:
    return await repository.histogram(now - timedelta(hours=1), now)


READS: dict[str, Read] = {
    "newest_page": _newest_page,
    "facet_counts": _facet_counts,
    "page_before": _page_before,
    "resource_page": _resource_page,
    "histogram": _histogram,
}


def run() -> Iterator[Figure]:
    """For each read, the time in the large store over that in the small one: the median of many pairs.

    Both of a pair are measured right after each other, so that a busy moment of the machine slows down both.
    """
    with PrivateHome() as home:
        for name, (small, large) in asyncio.run(_compare(home.directory)).items():
            medians = [statistics.median(seconds) * 1000 for seconds in (small, large)]
            progress(f"{name}: {medians[0]:.2f} ms of {SMALL:,}, {medians[1]:.2f} ms of {LARGE:,}")
            ratios = [more / less for less, more in zip(small, large, strict=True)]
            yield Figure(f"{name}_growth", statistics.median(ratios), "times", GOAL)


async def _compare(directory: Path) -> dict[str, tuple[list[float], list[float]]]:
    now = datetime.now(UTC)
    small = await Database.open(f"sqlite:///{directory / 'small.db'}")
    large = await Database.open(f"sqlite:///{directory / 'large.db'}")
    try:
        repositories = EventRepository(small), EventRepository(large)
        for repository, size in zip(repositories, (SMALL, LARGE), strict=True):
            await _fill(repository, size, now)
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


async def _fill(repository: EventRepository, size: int, now: datetime) -> None:
    """`size` events over `DAYS` days, appended in the order of their times as an application would."""
    started = time.monotonic()
    traffic, draw = Traffic(seed=size), random.Random(size)
    hour_ago, span = now - timedelta(hours=1), timedelta(days=DAYS) - timedelta(hours=1)
    fixed = _common(now)
    moments = sorted(hour_ago - span * draw.random() for _ in range(size - len(fixed)))
    # Both are in order of time, so that one pass merges them chunk by chunk.
    fixed.sort(key=lambda event: event.inserted_at)
    place = 0
    for start in range(0, len(moments), CHUNK):
        chunk = [traffic.event(moment) for moment in moments[start : start + CHUNK]]
        while place < len(fixed) and fixed[place].inserted_at <= chunk[-1].inserted_at:
            chunk.append(fixed[place])
            place += 1
        await repository.append(chunk)
        if (start + CHUNK) % 200_000 == 0:
            progress(f"growth: {start + CHUNK:,} of {size:,} after {time.monotonic() - started:.0f} s")
    await repository.append(fixed[place:])
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
