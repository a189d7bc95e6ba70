"""The wall clock is set forward and back while events are recorded: fault 13."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from store.event import Event
from store.event_selection import Cursor
from store.events import EventStore
from tests.database_server import DatabaseServer
from tests.faults.child import Producer, StoreWorker
from tests.faults.final_phase import all_is_well, drained
from tests.waiting import wait_until

pytestmark = pytest.mark.fault

HOUR, DAY = 3600.0, 86400.0
PAGE = 37


def _off(moment: datetime) -> float:
    """The offset of a clock that now says `moment`."""
    return (moment - datetime.now(UTC)).total_seconds()


def jumps() -> dict[str, float]:
    """What a clock can be set to, in seconds off the real time."""
    return {
        "an hour ahead": HOUR,
        "an hour behind": -HOUR,
        "a day behind": -DAY,
        "the end of summer time": _off(datetime(2026, 10, 25, 0, 59, 59, 900_000, UTC)),
        "the leap second of 2016": _off(datetime(2016, 12, 31, 23, 59, 59, 900_000, UTC)),
        "1970": _off(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        "2106": _off(datetime(2106, 2, 7, 6, 28, 14, 900_000, UTC)),
        "right": 0.0,
    }


def test_catching_up_by_position_and_paging_by_time_lose_nothing_when_the_clock_jumps(
    store_url: str, tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    order = list(jumps().items())
    chance.shuffle(order)
    with Producer(
        tmp_path, "application", store_url, seed, spool=str(tmp_path / "spool")
    ).set_up() as application:
        caught_up: list[Event] = []
        for name, offset in order:
            application.ask("set_clock", offset=offset)
            application.record(chance.randrange(50, 150))
            application.recorded()
            assert application.flush(), name
            # A console that is read up to here, and goes on from there.
            position = caught_up[-1].position if caught_up else 0
            caught_up += asyncio.run(_after(store_url, position or 0))
        found, promises = all_is_well(store_url, application, 8 * 50)
        caught_up += asyncio.run(_after(store_url, caught_up[-1].position or 0))
    assert [event.id for event in caught_up] == [identifier for identifier, _ in found.delivered]
    assert {event.inserted_at.year for event in caught_up} >= {1970, 2106}
    paged = asyncio.run(_paged(store_url))
    assert len(paged) == len(set(paged)) == len(promises.accepted)


async def _after(url: str, position: int) -> list[Event]:
    async with await EventStore.open(url) as store:
        caught_up: list[Event] = []
        while more := await store.repository.after(position, PAGE):
            caught_up += more
            position = more[-1].position or 0
        return caught_up


async def _paged(url: str) -> list[UUID]:
    """Every id, page by page, from the newest on."""
    async with await EventStore.open(url) as store:
        page = await store.list_events(limit=PAGE)
        ids: list[UUID] = []
        while page:
            ids += [event.id for event in page]
            page = await store.list_events(limit=PAGE, before=Cursor.of(page[-1]))
        return ids


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_flush_and_a_close_end_in_time_though_the_clock_is_set_meanwhile(
    jump: float, tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "events.db"
    with Producer(tmp_path, "application", f"sqlite:///{path}", seed).set_up() as application:
        application.record(10)
        application.recorded()
        drained(application)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as other:
            other.execute("BEGIN IMMEDIATE")
            application.record(100)
            application.recorded()
            assert not application.flush(0.8, jump=jump)
            other.execute("ROLLBACK")
        wait_until(lambda: application.stats()["queued"] == 0, 6, "what waited is stored")
        all_is_well(f"sqlite:///{path}", application, 110)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_retention_keeps_what_is_young_enough_however_the_clock_is_set(
    kind: str, postgres: DatabaseServer, tmp_path: Path
) -> None:
    url = postgres.create_database() if kind == "postgresql" else f"sqlite:///{tmp_path / 'events.db'}"
    now = datetime.now(UTC)
    ages = [timedelta(), timedelta(hours=1), timedelta(days=28), timedelta(days=31), timedelta(days=400)]
    asyncio.run(_create(url, [now - age for age in ages for _ in range(20)]))
    with StoreWorker(tmp_path, "pruner", url).set_up() as pruner:
        for name, left in (("1970", 100), ("an hour behind", 60), ("a day behind", 60)):
            pruner.ask("set_clock", offset=jumps()[name])
            pruner.ask("prune", days=30, passes=1)
            assert len(asyncio.run(_paged(url))) == left, name
        for name in ("an hour ahead", "2106", "right"):
            pruner.ask("set_clock", offset=jumps()[name])
            pruned = pruner.ask("prune", days=30, passes=1)
            assert bool(pruned["notes"]) == (
                name == "2106" or (kind == "postgresql" and name == "an hour ahead")
            )
            assert len(asyncio.run(_paged(url))) == 60, name


async def _create(url: str, moments: list[datetime]) -> None:
    async with await EventStore.open(url) as store:
        await store.create_many(
            [Event(event_type="probe.answered", inserted_at=moment) for moment in moments]
        )
