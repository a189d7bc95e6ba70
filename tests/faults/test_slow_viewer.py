"""A viewer that does not read: the server cuts it off, whoever records does not notice, nothing is missing: fault 9."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from time import monotonic

import psutil
import pytest

from monitor.model.gaps import GapState
from store.bus import CHANNEL
from store.event import Event
from store.events import EventStore
from store.wire import encode
from tests.console.commands import EVTOP
from tests.faults.child import Producer
from tests.faults.conftest import PATIENCE, Note, Size
from tests.faults.final_phase import all_is_well
from tests.faults.onlooker import COLUMNS, Onlooker
from tests.pty_console import PrivateHome, PtyConsole
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import viewer

pytestmark = pytest.mark.fault

BACK, REPAIRED = 3.0, 5.0
"""Seconds until it is subscribed again, and then until all is repaired, once it goes on."""
PADDING = 1_000
"""Bytes in an event beside the rest, so that an announcement has about 1.7 kB."""


async def test_a_console_that_was_stopped_and_cut_off_catches_up_and_says_how_much(
    size: Size, tmp_path: Path, seed: int, note: Note
) -> None:
    """At 20 MB a minute, a server's own limits end the connection within 90 s; smaller ones do sooner."""
    limits = size.either(("--client-output-buffer-limit", "pubsub", "64kb", "64kb", "1"), ())
    before, meanwhile, rate = size.either((300, 900, 900), (2_000, 18_000, 200))
    url = f"sqlite:///{tmp_path / 'events.db'}"
    with (
        ValkeyServer(*limits) as valkey,
        PrivateHome(EVTOP_STORE=url, EVTOP_BUS=valkey.url) as home,
        PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS) as console,
        Onlooker(console, caught_up) as onlooker,
        Producer(tmp_path, "application", url, seed, bus=valkey.url, padding=PADDING).set_up() as producer,
    ):
        await until(lambda: onlooker.now.link == "live", PATIENCE)
        await asyncio.to_thread(producer.record, before, rate)
        watched = await asyncio.to_thread(producer.recorded)
        await until(lambda: onlooker.now.received == before, PATIENCE)

        console.signal(signal.SIGSTOP)
        process = psutil.Process(console.pid)
        await until(lambda: process.status() == psutil.STATUS_STOPPED)
        await asyncio.to_thread(producer.record, meanwhile, rate)
        unwatched = await asyncio.to_thread(producer.recorded, 300.0)
        await until(lambda: valkey.subscribers(CHANNEL) == 0, PATIENCE)
        went_on = monotonic()
        console.signal(signal.SIGCONT)
        await until(lambda: valkey.subscribers(CHANNEL) == 1, size.within(BACK))
        note("subscribed again, s", round(monotonic() - went_on, 2))
        note(
            "all there, s",
            await onlooker.sees(
                lambda sight: (
                    (sight.link, sight.received, sight.count("gaps")) == ("live", before + meanwhile, 0)
                ),
                went_on,
                size.within(BACK + REPAIRED),
                "all was there",
            ),
        )
        await onlooker.sees(lambda sight: sight.seen, went_on, PATIENCE)
        assert {sight.seen for sight in onlooker.sights} == {None, meanwhile}
        found, _ = await asyncio.to_thread(all_is_well, url, producer, before + meanwhile)
        await until(lambda: onlooker.now.received == len(found.ids), PATIENCE)
        assert onlooker.now.count("dropped") == onlooker.now.count("lost") == 0

        note("p99 of record(), µs", [round(times["p99"] * 1e6) for times in (watched, unwatched)])
        # A tenth more, or what the clock and the scheduler make of such short calls.
        assert unwatched["p99"] <= 1.1 * watched["p99"] + size.either(0.2, 2e-4)


def caught_up(lines: list[str]) -> int | None:
    """How many events came while the console was stopped, as it says then."""
    said = re.search(r"caught up: ([\d,]+) received", " ".join(lines))
    return int(said[1].replace(",", "")) if said else None


async def test_a_feed_that_the_server_cuts_off_reads_what_it_missed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    # Valkey counts only references of large messages against the limit.
    with ValkeyServer("--client-output-buffer-limit", "pubsub", "16kb", "16kb", "1") as server:
        async with await EventStore.open(url) as store, viewer(url, server.url) as watch:
            await until(lambda: watch.is_live)
            events = [Event(event_type="job.failed", metadata={"log": "x" * 30_000}) for _ in range(200)]
            stored = await store.create_many(events)
            # Not awaited: the feed reads nothing meanwhile.
            reached = [server.publish(CHANNEL, encode(event, "app", n)) for n, event in enumerate(stored)]
            assert reached[-1] == 0, "the server did not cut off anyone"
            await until(lambda: len(watch.events) == 200)
            await until(lambda: watch.is_live and watch.gaps)
            assert watch.ids == {event.id for event in events}
            assert all(gap.state is GapState.REPAIRED for gap in watch.last_gaps)
            fresh = Event(event_type="job.completed")
            assert server.publish(CHANNEL, encode(fresh)) == 1
            await until(lambda: fresh.id in watch.ids)
