"""How soon what breaks fires on the operator's screen, and how soon ten thousand alerts are looked through."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.health.alert_events import fired, resolved
from monitor.health.engine import Alert, AlertState
from store.event import Event, Severity
from store.events import EventStore
from store.redis_bus import RedisBus
from tests.bench.figure import Figure, progress
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

SAMPLES = 20
HISTORY = int(os.environ.get("BENCH_ALERTS", "10000"))
ALERTS = 400
"""Different ones among them."""
OPENED = 5
PATIENCE = 20.0
_SIZE = (140, 40)


def run() -> Iterator[Figure]:
    """Milliseconds from before an event is stored until its alert was read from the terminal; and from key to list."""
    with PrivateHome(EVTOP_RECORD_ALERTS="1") as home:
        asyncio.run(_remember(home.store_url))
        with PtyConsole([EVTOP], environment=home.environment, columns=_SIZE[0], rows=_SIZE[1]) as console:
            console.wait_for_text("● live", PATIENCE)
            fires = asyncio.run(_fires(home.store_url, home.bus_socket, console))
            opens, lists = _opens(console)
            console.press("q")
            console.wait_for_end(PATIENCE)
    for name, found in (("event to firing", fires), ("alerts open", opens), ("history lists", lists)):
        progress(f"{name}: " + " ".join(f"{delay:.0f}" for delay in found) + " ms")
    yield Figure("alert_fires_median_ms", statistics.median(fires), "ms", "<= 250")
    yield Figure("alert_fires_worst_ms", max(fires), "ms", "<= 500")
    yield Figure("alerts_open_ms", max(opens), "ms", "<= 200")
    yield Figure("alert_history_ms", max(lists), "ms", "<= 200")


async def _remember(url: str) -> None:
    now = datetime.now(UTC)
    events: list[Event] = []
    for number in range(HISTORY):
        since = now - timedelta(minutes=HISTORY + 10 - number)
        name = f"c{number % ALERTS}"
        alert = Alert(
            fingerprint=f"component-down:client/{name}",
            rule="component-down",
            severity=Severity.ERROR,
            title=f"client/{name} is down",
            resource=("client", name),
            state=AlertState.FIRING,
            since=since,
            resolved_at=None,
            count=1,
        )
        events.append(fired(alert, since))
        ended = since + timedelta(seconds=40)
        events.append(resolved(replace(alert, state=AlertState.RESOLVED, resolved_at=ended), ended))
    async with await EventStore.open(url) as store:
        for begin in range(0, len(events), 1000):
            await store.create_many(events[begin : begin + 1000])


async def _fires(url: str, socket: Path, console: PtyConsole) -> list[float]:
    delays: list[float] = []
    async with await EventStore.open(url, RedisBus(f"unix://{socket}")) as store:
        for number in range(-2, SAMPLES):  # the first two load what only a first event needs
            name = f"m{number + 10:02d}"
            event = Event(
                event_type="indexer.health_changed",
                resource_type="indexer",
                resource_id=name,
                status="down",
                severity=Severity.ERROR,
            )
            began = time.monotonic()
            await store.create_many([event])
            shown = await asyncio.to_thread(console.wait_for_text, f"indexer/{name} is d", PATIENCE)
            if number >= 0:
                delays.append(1000 * (shown - began))
            await asyncio.sleep(0.3)
    return delays


def _opens(console: PtyConsole) -> tuple[list[float], list[float]]:
    opens: list[float] = []
    lists: list[float] = []
    for _ in range(OPENED):
        pressed = console.press("A")
        opens.append(1000 * (console.wait_for_text("s silence  enter", PATIENCE) - pressed))
        pressed = console.press("\t")
        lists.append(1000 * (console.wait_for_text("Alerts before ─", PATIENCE) - pressed))
        console.press("\x1b")
        console.wait_for(lambda shown: "s silence  enter" not in shown.text, PATIENCE)
    return opens, lists
