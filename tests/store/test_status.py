"""Looking at a store of any version: what is said of it, and that nothing is changed by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from store.database import Database
from store.dead_letters import DeadLetter
from store.errors import StoreUnavailableError
from store.events import EventStore
from store.migrations import HEAD
from store.status import StoreStatus, store_status
from tests.events import at, make_events


async def executed(url: str, *statements: str) -> None:
    database = await Database.connect(url)
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await database.close()


async def tables(url: str) -> Sequence[str]:
    database = await Database.connect(url)
    async with database.read() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await database.close()
    return names


async def test_a_store_in_use_is_described(store_url: str) -> None:
    async with await EventStore.open(store_url) as store:
        await store.create_many(make_events(5))
        await store.dead_letters.add([DeadLetter("no", "{}")])
        found = await store_status(store_url)
    assert (found.version, found.is_current, found.is_newer) == (HEAD, True, False)
    assert (found.events, found.last_position, found.dead_letters) == (5, 5, 1)
    assert (found.oldest, found.newest) == (at(0), at(4))
    assert found.size is not None
    assert found.size > 10_000
    assert found.partitioned is False
    assert found.dialect in {"sqlite", "postgresql", "mariadb"}
    assert found.dialect[:5] in store_url or "mysql" in store_url


async def test_an_empty_database_stays_empty(store_url: str) -> None:
    found = await store_status(store_url)
    assert (found.version, found.is_current, found.events) == (None, False, None)
    assert await tables(store_url) == []


async def test_a_newer_store_tells_its_version_alone(store_url: str) -> None:
    async with await EventStore.open(store_url) as store:
        await store.create_many(make_events(2))
    await executed(
        store_url, "UPDATE evtop_schema_version SET version_num = '9999'", "DROP TABLE dead_letters"
    )
    found = await store_status(store_url)
    assert (found.version, found.is_newer, found.is_current) == ("9999", True, False)
    assert (found.events, found.dead_letters) == (None, None)
    assert "dead_letters" not in await tables(store_url)


async def test_an_older_store_tells_what_it_has_and_is_not_migrated(store_url: str) -> None:
    async with await EventStore.open(store_url) as store:
        await store.create_many(make_events(2))
    await executed(
        store_url,
        "UPDATE evtop_schema_version SET version_num = '0001'",
        "DROP TABLE dead_letters",
        "DROP TABLE event_head",
    )
    found = await store_status(store_url)
    assert (found.version, found.is_newer, found.is_current) == ("0001", False, False)
    assert (found.events, found.last_position, found.dead_letters) == (2, 2, None)
    assert "event_head" not in await tables(store_url)


async def test_a_missing_file_is_not_created_and_neither_is_its_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/below/events.db"
    assert await store_status(url) == StoreStatus(url, "sqlite", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["with space.db", "100%.db", "#.db", "ü.db"])
async def test_a_file_that_is_not_in_the_log_mode_of_ours_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (x)")
        connection.commit()
    before = file.read_bytes()
    found = await store_status(f"sqlite:///{file}")
    assert (found.version, found.size) == (None, len(before))
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


async def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database" * 1000)
    with pytest.raises(StoreUnavailableError, match="file is not a database"):
        await store_status(f"sqlite:///{tmp_path}/text.db")
