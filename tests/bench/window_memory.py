"""What a console takes in memory whose timeline holds 100,000 rows."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil

from monitor.demo.application import seed_history
from store.event import Event
from store.events import EventStore
from store.redis_bus import RedisBus
from tests.bench.figure import Figure, progress
from tests.bench.traffic import Traffic
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

WINDOW = 100_000
EVENTS = 106_000
"""After 105,000 the oldest are let go for the first time, and 100,000 stay: the window is full."""
HISTORY_HOURS = 135
"""Of the simulated application, about 830 events an hour."""
BATCH, PAUSE = 400, 0.1
"""Events of one transaction, and seconds between two: about 3,000 a second, which the console keeps up with."""
SETTLED = 10.0
"""Seconds after which what was announced was looked up in the store, and nothing is on its way any more."""
PATIENCE = 30.0


def run() -> Iterator[Figure]:
    """A console on a terminal, a store, a bus; live events of the simulated application, each as it happens."""
    with (
        PrivateHome(EVTOP_WINDOW=str(WINDOW)) as home,
        PtyConsole([EVTOP], environment=home.environment) as console,
    ):
        console.wait_for_text("● live", PATIENCE)
        console.wait_for_text("no events yet", PATIENCE)
        process = psutil.Process(console.pid)
        empty = _megabytes(process)
        events = seed_history(HISTORY_HOURS, seed=1)[:EVENTS]
        assert len(events) == EVENTS, f"the simulated application tells of {len(events):,} events only"
        highest = asyncio.run(_record(events, f"unix://{home.bus_socket}", home.store_url, process))
        console.wait_for_text(f"{EVENTS:,} received", PATIENCE)
        _let_pass(console, SETTLED)
        held = _megabytes(process)
        rows = _rows(console)
        progress(
            f"window memory: {empty:.0f} MB without events, {held:.0f} MB with {rows:,} rows, "
            f"{max(highest, held):.0f} MB at most"
        )
        assert rows >= WINDOW, f"the timeline has {rows:,} rows only"
        yield Figure("window_memory_mb", held, "MB", "<= 150")
        console.press("q")
        console.wait_for_end(PATIENCE)


async def _record(events: list[Event], bus: str, store_url: str, console: psutil.Process) -> float:
    """Store and announce all, each at its present; returns the MB that the console took at most meanwhile."""
    traffic, highest = Traffic(seed=1), 0.0
    async with await EventStore.open(store_url, RedisBus(bus)) as store:
        for start in range(0, len(events), BATCH):
            began = time.monotonic()
            moment = datetime.now(UTC)
            batch = [
                event.model_copy(update={"id": traffic.identifier(moment), "inserted_at": moment})
                for event in events[start : start + BATCH]
            ]
            await store.create_many(batch)
            highest = max(highest, _megabytes(console))
            await asyncio.sleep(began + PAUSE - time.monotonic())
    return highest


def _rows(console: PtyConsole) -> int:
    """How many rows the timeline has, as it says where the cursor is not on the last one."""
    console.press("k")
    console.wait_for(lambda shown: _place(shown) is not None, PATIENCE)
    place = _place(console)
    assert place is not None
    return int(place[1].replace(",", ""))


def _place(console: PtyConsole) -> re.Match[str] | None:
    return re.search(r"[\d,]+/([\d,]+) · G follows", console.text)


def _let_pass(console: PtyConsole, seconds: float) -> None:
    time.sleep(seconds)
    console.take_in()


def _megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 2**20
