"""What the full-text index costs: how fast it is built, how large it is, and how long an append waits meanwhile."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from store.database import Database
from store.repository import EventRepository
from store.search.building import advance
from store.status import store_status
from tests.bench.figure import Figure, progress
from tests.bench.pace import quantile
from tests.bench.traffic import Traffic
from tests.pty_console import EVTOP

NAMES = ("search_index_rate", "search_index_share", "search_index_append_p99_ms")
PAUSE = 0.05


def figures(url: str, environment: dict[str, str], size: int) -> Iterator[Figure]:
    """Index the `size` events of the store at `url`, while another connection appends one event after the other."""
    before = _size(url)
    seconds, waits = asyncio.run(_build(url, environment))
    progress(
        f"indexed {size:,} events in {seconds:.0f} s; {len(waits)} appends meanwhile took"
        f" {statistics.median(waits):.1f} ms in the median, {max(waits):.0f} ms at most"
    )
    yield Figure("search_index_rate", size / seconds, "events/s", ">= 5000")
    yield Figure("search_index_share", (_size(url) - before) / before, "of the store", "<= 0.25")
    yield Figure("search_index_append_p99_ms", quantile(waits, 0.99), "ms", "<= 100")


def _size(url: str) -> int:
    size = asyncio.run(store_status(url)).size
    assert size is not None
    return size


async def _build(url: str, environment: dict[str, str]) -> tuple[float, list[float]]:
    """Seconds that `evtop db index` took, and milliseconds of each append meanwhile."""
    database = await Database.open(url)
    waits: list[float] = []
    try:
        began = time.perf_counter()
        builder = await asyncio.create_subprocess_exec(
            EVTOP, "db", "index", env=environment | {"EVTOP_STORE": url}, stdout=asyncio.subprocess.DEVNULL
        )
        appending = asyncio.create_task(_append(EventRepository(database), waits))
        assert await builder.wait() == 0
        seconds = time.perf_counter() - began
        appending.cancel()
        with suppress(asyncio.CancelledError):
            await appending
        assert (await advance(database)).is_up_to_date
    finally:
        await database.close()
    return seconds, waits


async def _append(repository: EventRepository, waits: list[float]) -> None:
    traffic = Traffic(seed=9)
    while True:
        event = traffic.event(datetime.now(UTC))
        began = time.perf_counter()
        await repository.append([event])
        waits.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(PAUSE)
