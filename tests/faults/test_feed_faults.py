"""The feed over a real Valkey that is killed, frozen, absent or abused: faults 1, 2 and 16.

Where a person would look, a real console on a pseudo-terminal is looked at too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from time import monotonic
from typing import TypeVar

import pytest

from monitor.model.arrivals import Link
from monitor.model.gaps import GapState
from store.bus import CHANNEL
from store.event import Event
from store.events import EventStore
from store.redis_bus import RedisBus
from tests.console.commands import EVTOP
from tests.faults.child import Producer
from tests.faults.conftest import PATIENCE, Note, Size
from tests.faults.final_phase import all_is_well
from tests.faults.malformed import ADMITTED, REFUSED, damaged
from tests.faults.onlooker import COLUMNS, Onlooker
from tests.pty_console import PrivateHome, PtyConsole
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import Watch, viewer

pytestmark = pytest.mark.fault

NOTICED, BACK, REPAIRED = 2.0, 3.0, 5.0
"""Seconds until a lost bus is said; until it is live again, and all is repaired, once the server answers."""
SHOWN = 1.0
"""Seconds in which an event is shown."""
Value = TypeVar("Value")


@asynccontextmanager
async def application(path: Path, server: ValkeyServer | None) -> AsyncIterator[EventStore]:
    """A store that announces on `server`, or announces nothing."""
    bus = RedisBus(server.url) if server is not None else None
    async with await EventStore.open(f"sqlite:///{path}", bus) as store:
        yield store


def batch(count: int) -> list[Event]:
    return [Event(event_type="download.completed", metadata={"n": n}) for n in range(count)]


async def test_a_killed_bus_is_said_and_costs_neither_an_event_nor_a_repetition(
    size: Size, tmp_path: Path, valkey: ValkeyServer, seed: int, note: Note
) -> None:
    chance = Random(seed)
    events, rate, away = size.either((2_500, 1_000, 1.0), (30_000, 2_000, 10.0))
    url = f"sqlite:///{tmp_path / 'events.db'}"
    with (
        PrivateHome(EVTOP_STORE=url, EVTOP_BUS=valkey.url) as home,
        PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS) as console,
        Onlooker(console) as onlooker,
        Producer(tmp_path, "application", url, seed, bus=valkey.url).set_up() as producer,
    ):
        async with viewer(url, valkey.url) as watch:
            await until(lambda: watch.is_live and onlooker.now.link == "live", PATIENCE)
            await asyncio.to_thread(producer.record, events, rate)
            before = chance.randrange(200, 600)
            await until(lambda: len(watch.events) >= before, PATIENCE)

            noticed, returned, repaired = map(size.within, (NOTICED, BACK, REPAIRED))
            killed, known = monotonic(), len(watch.events)
            valkey.kill()
            note("noticed", await watch.meets(Link.RECONNECTING, killed, noticed))
            await onlooker.sees(lambda sight: sight.link == "reconnecting", killed, noticed, "said")
            await onlooker.sees(lambda sight: sight.count("gaps") == 1, killed, noticed, "a gap was shown")
            await until(lambda: monotonic() >= killed + away, away + PATIENCE)
            # What is stored meanwhile is shown meanwhile.
            enough = known + int(0.5 * rate * (away - 0.5))
            await until(lambda: len(watch.events) >= enough, size.either(PATIENCE, 0.1))
            [gap] = watch.last_gaps
            assert (gap.cause, gap.state, gap.until) == ("connection lost", GapState.OPEN, None)
            await until(lambda: watch.status.attempt >= 2, PATIENCE)
            links = [sight.link for sight in onlooker.since(killed)]
            assert set(links[links.index("reconnecting") :]) == {"reconnecting"}

            valkey.start()
            back = monotonic()
            note("live again", await watch.meets(Link.LIVE, back, returned))
            await onlooker.sees(lambda sight: sight.link == "live", back, returned, "said to be live")
            await until(lambda: watch.last_gaps[0].state is GapState.REPAIRED, back + repaired - monotonic())
            note("repaired", monotonic() - back)
            assert watch.last_gaps[0].recovered >= enough - known

            await asyncio.to_thread(producer.recorded)
            announced = (await asyncio.to_thread(producer.stats))["announced"]
            # A fresh event is recorded in between, the account is held to the table, and the producer ends.
            found, promises = await asyncio.to_thread(all_is_well, url, producer, events)
            await until(lambda: watch.ids == found.ids, repaired)
            await until(lambda: watch.is_live, PATIENCE)
            assert watch.ids == promises.accepted.keys()
            assert watch.counted == len(promises.accepted) == events + 1
            assert all(gap.state is GapState.REPAIRED for gap in watch.last_gaps)
            # An announcement that the killed server did not confirm may have come all the same.
            assert watch.tally.missed <= watch.tally.recovered
            # The next announcement of the same producer tells how many there were: where it was done before the bus was
            # back, there is none.
            assert watch.tally.missed or announced <= known + rate // 5
            assert watch.tally.missed >= events - announced - 1000
            assert (watch.tally.dropped, watch.tally.malformed, watch.tally.duplicates) == (0, 0, 0)
            assert watch.tally.lost == 0
            asked = monotonic()
            await onlooker.sees(
                lambda sight: (sight.link, sight.received, sight.count("gaps")) == ("live", events + 1, 0),
                onlooker.since(asked)[0].moment,
                repaired,
            )
        assert not any("stale" in sight.line or "store away" in sight.line for sight in onlooker.sights)


async def test_without_a_server_at_the_start_the_store_is_shown_and_the_feed_goes_live_by_itself(
    size: Size, tmp_path: Path, valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "events.db"
    absent = size.either(0.8, 45.0)
    valkey.kill()
    async with application(path, valkey) as store:
        await store.create_many(batch(20))
        caplog.clear()
        began = monotonic()
        async with viewer(f"sqlite:///{path}", valkey.url) as watch:
            await until(lambda: watch.openings, size.within(2.0))
            assert watch.status.link is Link.POLLING
            assert watch.counted == 20
            stored = 20
            while monotonic() - began < absent:
                stored += len(await store.create_many(batch(3)))
                await until(lambda stored=stored: watch.counted == stored, size.within(2.0))
            valkey.start()
            await until(lambda: watch.is_live, size.within(BACK))
            await until(lambda: watch.counted == stored, PATIENCE)
            assert not watch.gaps
            waits = waits_until_the_next_try(watch)
    assert max(waits.values()) <= 5
    # Spread, so that not all consoles knock at the same time.
    assert len({round(wait, 2) for attempt, wait in waits.items() if attempt >= 6}) >= size.either(0, 5)
    said = [record.created for record in caplog.records if record.name.startswith(("store", "monitor"))]
    assert len(said) <= 1 + absent / 10
    assert all(later - earlier >= 9.9 for earlier, later in pairwise(said))


def waits_until_the_next_try(watch: Watch) -> dict[int, float]:
    """Seconds, by the number of the try that failed, as a person was told first."""
    offset = datetime.now(UTC) - timedelta(seconds=monotonic())
    waits: dict[int, float] = {}
    for at, frame in zip(watch.times, watch.frames, strict=True):
        if frame.status.retry_at is not None:
            wait = (frame.status.retry_at - offset).total_seconds() - at
            waits.setdefault(frame.status.attempt, wait)
    return waits


def test_a_console_without_a_bus_shows_the_store_at_once_and_says_how_it_tries(
    size: Size, tmp_path: Path, valkey: ValkeyServer, note: Note
) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    asyncio.run(
        store_in(url, [*batch(30), Event(event_type="probe.answered", resource_type="p", resource_id="x")])
    )
    valkey.kill()
    with (
        PrivateHome(EVTOP_STORE=url, EVTOP_BUS=valkey.url) as home,
        PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS) as console,
    ):
        shown = console.wait_for_text("p/x", PATIENCE) - console.started_at
        note("rows after", shown)
        assert shown <= size.within(2.0)
        console.wait_for_text("◐ polling  try ", PATIENCE)
        asyncio.run(store_in(url, [Event(event_type="probe.answered", resource_type="p", resource_id="y")]))
        console.wait_for_text("p/y", PATIENCE)
        valkey.start()
        back = monotonic()
        assert console.wait_for_text("● live", PATIENCE) - back <= size.within(BACK)
        assert "gap" not in "".join(console.lines[1:])


async def store_in(url: str, events: list[Event]) -> None:
    async with await EventStore.open(url) as store:
        await store.create_many(events)


async def test_whatever_is_published_is_counted_and_the_next_event_arrives(
    size: Size, tmp_path: Path, valkey: ValkeyServer, seed: int, note: Note
) -> None:
    path = tmp_path / "events.db"
    chance = Random(seed)
    classes = [(True, each) for each in REFUSED.values()] + [(False, each) for each in ADMITTED.values()]
    chance.shuffle(classes)
    slowest = 0.0
    async with application(path, valkey) as store, viewer(f"sqlite:///{path}", valkey.url) as watch:
        await until(lambda: watch.is_live, PATIENCE)
        malformed = admitted = good = 0

        async def good_one_arrives() -> float:
            nonlocal good
            began = monotonic()
            fresh = await store.create(Event(event_type="job.completed"))
            good += 1
            await until(lambda: fresh.id in watch.ids, size.within(SHOWN))
            return monotonic() - began

        for portion in batched(classes, 3):
            for is_refused, payloads in portion:
                publish_all(valkey, payloads)
                malformed += is_refused * len(payloads)
                admitted += (not is_refused) * len(payloads)
            slowest = max(slowest, await good_one_arrives())
            assert (watch.tally.malformed, len(watch.events)) == (malformed, admitted + good)
        told = [event for event in watch.events if event.event_type == "job.failed"]
        assert watch.unconfirmed == {event.id for event in told}

        noise = damaged(chance, size.either(300, 20_000))
        for portion in batched(noise, 100):
            await asyncio.to_thread(publish_all, valkey, portion)
            slowest = max(slowest, await good_one_arrives())
        # Two that are damaged alike may be the same event, with its id.
        heard = watch.tally.malformed + watch.tally.duplicates + len(watch.events)
        assert heard == malformed + admitted + good + len(noise)
        assert watch.tally.malformed > malformed
        assert watch.status.link is Link.LIVE
        assert watch.links[-1][1] is Link.LIVE
        assert not watch.gaps
    note("slowest good one, s", round(slowest, 3))


def publish_all(server: ValkeyServer, payloads: Iterable[bytes]) -> None:
    for payload in payloads:
        assert server.publish(CHANNEL, payload) == 1


def batched(values: list[Value], size: int) -> Iterator[list[Value]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
