"""The clock of a console is set while it runs, and events come late and in no order: faults 13 and 14."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.model.arrivals import Link
from monitor.model.gaps import GapState
from monitor.zone import Zone
from store.event import Event
from store.event_selection import Cursor
from store.events import EventStore
from store.redis_bus import RedisBus
from tests.console.conftest import Operator
from tests.faults.conftest import PATIENCE, Size
from tests.faults.onlooker import COLUMNS, Sight
from tests.faults.test_clock import DAY, HOUR, jumps
from tests.tcp_proxy import TcpProxy
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import watching

pytestmark = pytest.mark.fault

NOTICED, BACK, REPAIRED = 2.0, 3.0, 5.0
"""Seconds until a killed bus is said; until it is live again, and all is repaired, once the server answers."""
RETRY_MAX = 2
"""Seconds until the next try to reach the bus, at most."""
STORED_BEFORE = 700
PORTION = 250
SPREAD = 600.0
"""Events come up to so many seconds before or after their turn."""


class Clock:
    """A wall clock that is `offset` seconds off the real one."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)


@asynccontextmanager
async def opened(
    store_url: str, bus_url: str, clock: Clock, columns: int = COLUMNS
) -> AsyncIterator[Operator]:
    """A console without a terminal, on a real store and a real bus, that tells the time by `clock`."""
    bus = RedisBus(bus_url)
    store = await EventStore.open(store_url, bus)

    async def connect() -> Backend:
        return Backend(store, bus, now=clock)

    app = EvtopApp(connect, now=clock)
    async with app.run_test(size=(columns, 40), notifications=True) as pilot:
        await until(lambda: app.model.opened and app.model.status.link is Link.LIVE, PATIENCE)
        await pilot.pause()
        yield Operator(app, pilot, store, bus)  # pyright: ignore[reportArgumentType]


@asynccontextmanager
async def application(store_url: str, bus_url: str) -> AsyncIterator[EventStore]:
    """A store of its own that announces what it takes in."""
    async with await EventStore.open(store_url, RedisBus(bus_url)) as store:
        yield store


def events(count: int) -> list[Event]:
    return [Event(event_type="download.completed", metadata={"n": n}) for n in range(count)]


def rows_of(operator: Operator) -> list[Event]:
    return [row for row in operator.app.model.timeline.rows if isinstance(row, Event)]


async def load_all_older(operator: Operator) -> None:
    """Go up to the oldest row until there is none before it."""
    timeline = operator.app.model.timeline
    await operator.press("g")
    while timeline.has_older:
        loaded = len(timeline.rows)
        await operator.press("k", "g")
        await operator.sees(lambda loaded=loaded: len(timeline.rows) > loaded or not timeline.has_older)


# The clock is set


class SetClock:
    """A console whose clock is set, and an application whose clock is right. Keeps what was stored."""

    def __init__(
        self, operator: Operator, store: EventStore, valkey: ValkeyServer, clock: Clock, size: Size
    ) -> None:
        self.noticed, self.back, self.repaired = map(size.within, (NOTICED, BACK, REPAIRED))
        self.operator = operator
        self.store = store
        self.valkey = valkey
        self.clock = clock
        self.created: set[UUID] = set()

    async def shows_what_is_stored(self, count: int) -> None:
        """Store `count` events, and see them, with numbers that make sense."""
        model = self.operator.app.model
        before = model.tally.received
        stored = await self.store.create_many(events(count))
        self.created.update(event.id for event in stored)
        await self.operator.sees(lambda: model.tally.received == before + count)
        assert {event.id for event in rows_of(self.operator)} >= {event.id for event in stored}
        lag = self.makes_sense()
        # By a clock that is ahead of the application's, what has just happened is old.
        assert lag <= max(0.0, self.clock.offset) + PATIENCE

    def makes_sense(self) -> float:
        """Nothing on the screen is below 0, and the next try to reach the bus is not far off. Returns the lag."""
        self.operator.live.advance()
        # A clock that is behind is said with another sign, and times of day have digits before theirs.
        negative = re.search(r"(?<![\w:])-\d.*", self.operator.text())
        assert negative is None, negative
        line = Sight(0.0, self.operator.text("#status"))
        assert line.rate >= 0
        assert line.lag is not None
        waits = re.findall(r"try \d+ in (\d+) s", line.line)
        assert all(int(wait) <= RETRY_MAX for wait in waits), line.line
        return line.lag

    async def outlives_an_outage(self, offset: float) -> None:
        """Kill the bus, set the clock while it is away, then back, and see that it takes no longer than it should."""
        model, killed = self.operator.app.model, time.monotonic()
        self.valkey.kill()
        await until(lambda: model.status.link is Link.RECONNECTING, killed + self.noticed - time.monotonic())
        self.clock.offset = offset
        await self.shows_what_is_stored(10)
        await until(lambda: model.status.attempt >= 2, PATIENCE)
        self.clock.offset = offset - HOUR
        self.makes_sense()
        self.valkey.start()
        back = time.monotonic()
        await until(lambda: model.status.link is Link.LIVE, self.back)
        await until(lambda: model.open_gaps == 0, back + self.repaired - time.monotonic())
        self.makes_sense()


async def test_a_console_whose_clock_is_set_loses_no_event_and_shows_no_number_that_makes_no_sense(
    size: Size, tmp_path: Path, valkey: ValkeyServer, seed: int
) -> None:
    chance, clock, url = Random(seed), Clock(), f"sqlite:///{tmp_path / 'events.db'}"
    order = list(jumps().values())
    chance.shuffle(order)
    async with application(url, valkey.url) as store:
        past = await store.create_many(events(STORED_BEFORE))
        async with opened(url, valkey.url, clock) as operator:
            scene = SetClock(operator, store, valkey, clock, size)
            for turn, offset in enumerate(order):
                clock.offset = offset
                scene.makes_sense()
                await scene.shows_what_is_stored(chance.randrange(5, 20))
                if turn % size.either(3, 1) == 0:
                    await scene.outlives_an_outage(chance.choice(order))
            assert operator.app.model.tally.received == len(scene.created)
            assert operator.app.model.tally.lost == operator.app.model.tally.dropped == 0
            await load_all_older(operator)
            assert {event.id for event in rows_of(operator)} == scene.created | {event.id for event in past}


@pytest.mark.parametrize("offset", [-HOUR, -DAY, HOUR])
async def test_a_stream_that_has_ended_is_seen_to_be_old_though_the_clock_was_set(
    offset: float, tmp_path: Path, valkey: ValkeyServer
) -> None:
    clock, url = Clock(), f"sqlite:///{tmp_path / 'events.db'}"
    async with application(url, valkey.url) as store, opened(url, valkey.url, clock) as operator:
        tick = operator.app.tick()
        operator.app.tick = lambda: tick
        await store.create_many(events(3))
        await operator.sees(lambda: operator.app.model.tally.received == 3)
        clock.offset = offset
        operator.live.advance()
        assert Sight(0.0, operator.text("#status")).lag in {0.0, 0.1, 0.2, 0.3, 0.4}
        tick += 30
        clock.offset += 30
        operator.live.advance()
        assert Sight(0.0, operator.text("#status")).lag == 30


async def test_setting_the_clock_ends_no_connection_and_hides_no_silence(
    size: Size, tmp_path: Path, seed: int
) -> None:
    chance, clock, url = Random(seed), Clock(), f"sqlite:///{tmp_path / 'events.db'}"
    with ValkeyServer(tcp=True) as valkey, TcpProxy(valkey.port) as line:
        bus = RedisBus(line.url(valkey.tcp_url), heartbeat=0.3, deadline=0.6)
        async with (
            application(url, valkey.url) as store,
            watching(store.repository, bus, now=clock) as watch,
        ):
            await until(lambda: watch.is_live, PATIENCE)
            for offset in jumps().values():
                clock.offset = offset
                await store.create_many(events(2))
                await until(lambda: len(watch.events) % 2 == 0)
            assert [link for _, link in watch.links][-1] is Link.LIVE
            assert line.connections == 1
            silent = time.monotonic()
            line.stall()
            clock.offset = chance.choice([-DAY, -HOUR])
            await watch.meets(Link.RECONNECTING, silent, size.within(NOTICED))
            clock.offset = chance.choice([-DAY, HOUR])
            line.resume()
            await watch.meets(Link.LIVE, time.monotonic(), size.within(BACK))
            await until(lambda: watch.is_live, size.within(REPAIRED))
            assert [gap.state for gap in watch.last_gaps] == [GapState.REPAIRED]
        await bus.close()


async def test_the_end_of_summer_time_leaves_rows_in_the_order_in_which_they_happened(
    tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 01:00 UTC, 03:00 of summer time becomes 02:00."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        clock, url = Clock(), f"sqlite:///{tmp_path / 'events.db'}"
        change = datetime(2026, 10, 25, 1, tzinfo=UTC)
        clock.offset = (change - datetime.now(UTC)).total_seconds()
        moments = [change + timedelta(seconds=second) for second in range(-5, 5)]
        async with application(url, valkey.url) as store, opened(url, valkey.url, clock) as operator:
            operator.app.zone = operator.timeline.zone = Zone.LOCAL
            await store.create_many(
                [Event(event_type="probe.answered", inserted_at=moment) for moment in reversed(moments)]
            )
            await operator.sees(lambda: operator.app.model.tally.received == 10)
            stamps = re.findall(r"\d\d:\d\d:\d\d\.\d{3}", operator.text("#timeline"))
            seconds = [*range(55, 60), *range(5)]
            assert stamps == [f"02:{'59' if second > 50 else '00'}:{second:02}.000" for second in seconds]
    finally:
        monkeypatch.undo()
        time.tzset()


# Late and in no order


def out_of_order(chance: Random, count: int) -> list[Event]:
    """Events of one moment, up to `SPREAD` seconds off it; many share their time with others."""
    now = datetime.now(UTC)
    moments = [now + timedelta(seconds=round(chance.uniform(-SPREAD, SPREAD))) for _ in range(count)]
    return [
        Event(event_type="probe.answered", resource_type="p", resource_id=f"{number}", inserted_at=moment)
        for number, moment in enumerate(moments)
    ]


async def test_events_in_no_order_are_all_shown_in_one_and_the_eyes_stay_where_they_are(
    size: Size, tmp_path: Path, valkey: ValkeyServer, seed: int
) -> None:
    chance, url = Random(seed), f"sqlite:///{tmp_path / 'events.db'}"
    every = out_of_order(chance, 5_000)
    stored, live, meanwhile = every[:2_500], every[2_500:4_000], every[4_000:]
    async with application(url, valkey.url) as store:
        await store.create_many(stored)
        async with opened(url, valkey.url, Clock()) as operator:
            model, viewport = operator.app.model, operator.timeline.viewport
            for _ in range(chance.randrange(2, 12)):
                await operator.press("pageup")
            for _ in range(chance.randrange(1, 12)):
                await operator.press("k")
            row, line = viewport.row, viewport.cursor - viewport.top
            drawn = operator.text("#timeline").splitlines()[line]
            assert isinstance(row, Event)
            assert f"p/{row.resource_id} " in drawn

            async def come(portion: list[Event]) -> None:
                before = model.tally.received
                await store.create_many(portion)
                await operator.sees(lambda: model.tally.received == before + len(portion))

            def has_not_moved() -> None:
                assert viewport.row is row
                assert viewport.cursor - viewport.top == line
                # What is further down may be nearer to the end, and the bar beside the rows shorter.
                assert operator.text("#timeline").splitlines()[line].rstrip("│█ ") == drawn.rstrip("│█ ")

            for start in range(0, len(live), PORTION):
                await come(live[start : start + PORTION])
                has_not_moved()
            assert model.late > 0
            # The rest comes while older pages are read.
            for start in range(0, len(meanwhile), PORTION):
                await operator.press("g")
                await come(meanwhile[start : start + PORTION])
            await load_all_older(operator)

            rows = rows_of(operator)
            assert [event.id for event in rows] == [
                event.id for event in sorted(every, key=lambda e: e.sort_key)
            ]
            assert [event.id for event in reversed(rows)] == await by_pages(store)


async def by_pages(store: EventStore) -> list[UUID]:
    """Every id, page by page, from the newest on."""
    ids: list[UUID] = []
    page = await store.list_events(limit=37)
    while page:
        ids += [event.id for event in page]
        page = await store.list_events(limit=37, before=Cursor.of(page[-1]))
    return ids
