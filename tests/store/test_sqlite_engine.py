"""SQLite: stores in memory, whose tasks share one connection, and what a URL may say of a connection."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from store.database import Database
from store.engines import sqlite
from store.errors import StoreUnavailableError
from store.events import EventStore
from store.repository import EventRepository
from tests.events import make_events
from tests.store.oracle import assert_counted, run_sql

IN_MEMORY = [
    "sqlite://",
    "sqlite:///:memory:",
    "sqlite:///:memory:?timeout=3",
    "sqlite:///file::memory:?uri=true",
    "sqlite:///file:{}?mode=memory&cache=shared&uri=true",
]


@pytest.mark.parametrize("url", IN_MEMORY)
async def test_tasks_that_create_events_at_once_in_memory_lose_none(url: str, tmp_path: Path) -> None:
    async with await EventStore.open(url.format(tmp_path.name)) as store:
        batch = make_events(160)
        created = await asyncio.gather(*map(store.create, batch))
        stored = await store.repository.newest(1000)
        assert (
            {event.id for event in stored} == {event.id for event in created} == {event.id for event in batch}
        )
        assert len(stored) == await store.repository.count() == 160


@pytest.mark.parametrize("url", IN_MEMORY)
async def test_readers_and_failing_writers_take_their_turn_in_memory(url: str, tmp_path: Path) -> None:
    database = await Database.open(url.format(tmp_path.name))
    repository = EventRepository(database)

    async def fail() -> None:
        with pytest.raises(StoreUnavailableError, match="no such table"):
            await run_sql(database, "DELETE FROM event_rollups", "DELETE FROM nosuch")

    async def read() -> None:
        await repository.overview(10, make_events(1)[0].inserted_at)

    batch = make_events(40)
    await asyncio.gather(
        *(work for event in batch for work in (repository.append([event]), fail(), read())),
        database.migrate(),
    )
    assert {event.id for event in await repository.newest(1000)} == {event.id for event in batch}
    await assert_counted(database, batch)
    await database.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_task_that_is_cancelled_takes_nothing_of_a_store_in_memory_with_it(seed: int) -> None:
    random = Random(seed)
    database = await Database.open("sqlite://")
    repository = EventRepository(database)
    batch = make_events(60)
    tasks = [asyncio.create_task(repository.append([event])) for event in batch]
    while left := [task for task in tasks if not task.done() and not task.cancelling()]:
        # They take their turns in this order.
        if random.random() < 0.3:
            await asyncio.wait(left[:1])
        else:
            left[0].cancel()
            await asyncio.sleep(random.random() * 0.006)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    acknowledged = [
        event for event, result in zip(batch, results, strict=True) if not isinstance(result, BaseException)
    ]
    assert all(
        isinstance(result, asyncio.CancelledError) for result in results if isinstance(result, BaseException)
    )
    assert 0 < len(acknowledged) < len(batch)
    stored = await repository.newest(1000)
    assert {event.id for event in acknowledged} <= {event.id for event in stored}
    await assert_counted(database, stored)
    await database.close()


async def test_a_turn_that_does_not_come_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "TRANSACTION_TIMEOUT_SECONDS", 0.1)
    database = await Database.open("sqlite://")
    async with database.write():
        with pytest.raises(StoreUnavailableError, match=r"another transaction has taken more than 0\.1 s"):
            await database.version()
    assert await database.version()
    await database.close()


async def busy_timeout(url: str) -> int:
    database = await Database.open(url)
    try:
        async with database.write() as connection:
            return (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one()
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("query", "milliseconds"),
    [
        ("", 5000),
        ("?timeout=20", 20_000),
        ("?timeout=0.25", 250),
        ("?timeout=0", 0),
        ("?uri=false&timeout=7", 7000),
    ],
)
async def test_a_url_says_how_long_a_writer_waits(tmp_path: Path, query: str, milliseconds: int) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    # With a migration, which waits for longer and must not leave it at that.
    assert await busy_timeout(f"{url}{query}") == milliseconds
    assert await busy_timeout(f"{url}{query}") == milliseconds
    if "uri" not in query:
        separator = "&" if query else "?"
        file = f"sqlite:///file:{tmp_path}/events.db{query}{separator}uri=true&mode=rw"
        assert await busy_timeout(file) == milliseconds


async def test_a_short_wait_of_the_url_is_kept_to(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/events.db?timeout=0.2"
    database = await Database.open(url)
    with closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="database is locked"):
            await EventRepository(database).append(make_events(1))
        assert 0.1 < time.monotonic() - began < 3
    await database.close()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("isolation_level=IMMEDIATE", "the driver has no option 'isolation_level'"),
        ("mode=rwc&uri=true&isolation_level=DEFERRED", "the driver has no option 'isolation_level'"),
        ("uri=false&hunter=2", "the driver has no option 'hunter'"),
        ("timeout=-1", "timeout is from 0 to 2147483 seconds"),
        ("timeout=inf", "timeout is from 0 to 2147483 seconds"),
        ("timeout=nan", "timeout is from 0 to 2147483 seconds"),
        ("timeout=1&timeout=2", "not a database URL"),
    ],
)
async def test_what_a_url_may_not_say_is_refused(tmp_path: Path, query: str, said: str) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        await Database.open(f"sqlite:///{tmp_path}/events.db?{query}")
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


async def test_the_folder_is_made_whatever_else_a_url_says_but_not_for_a_uri(tmp_path: Path) -> None:
    for name, query in (("a", ""), ("b", "?timeout=3"), ("c", "?uri=false")):
        await (await Database.open(f"sqlite:///{tmp_path}/{name}/deeper/events.db{query}")).close()
        assert (tmp_path / name / "deeper").stat().st_mode & 0o777 == 0o700
    with pytest.raises(StoreUnavailableError, match="unable to open database file"):
        await Database.open(f"sqlite:///file:{tmp_path}/d/events.db?uri=true")
    assert not Path("file:").exists()
    assert not (tmp_path / "d").exists()


async def test_a_store_in_memory_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in IN_MEMORY:
        await (await Database.open(url.format("x"))).close()
    assert list(tmp_path.iterdir()) == []
