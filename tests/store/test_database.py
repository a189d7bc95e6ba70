"""Transactions of an open store: whole or not at all, of one moment, errors in one line. SQLite's file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from store.database import Database
from store.engines import sqlite
from store.errors import StoreError, StoreUnavailableError
from store.migrations import HEAD
from store.repository import EventRepository
from store.tables import event_rollups, events
from tests.events import make_event, make_events
from tests.mariadb import MariadbServer
from tests.postgres import PostgresServer
from tests.store.early_stores import make_early
from tests.store.oracle import run_sql

ROOT = Path(__file__).parents[2]
DEADLINE = 30.0
READ_ONLY = r"command denied|permission denied|readonly database"
CELL = {"minute": 1, "category": "c", "event_type": "a.b", "severity": "", "count": 5}
COUNTED = sa.select(sa.func.count()).select_from(event_rollups)
READER = """
import asyncio, concurrent.futures.thread, os, sys
from store.database import Database
from store.repository import EventRepository

async def main():
    # Import everything as root, who may read it.
    await (await Database.open("sqlite://")).close()
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    database = await Database.open(sys.argv[1])
    print(len(await EventRepository(database).newest()))
    await database.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
async def file(path: Path) -> AsyncIterator[Database]:
    """A store in SQLite's file `path`."""
    opened = await Database.open(f"sqlite:///{path}")
    yield opened
    await opened.close()


def query(path: Path, statement: str) -> list[Any]:
    """What another program sees."""
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


async def interrupted_write(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(event_rollups.insert(), [CELL])
        raise RuntimeError("midway")


# On every database


async def test_a_failed_write_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(RuntimeError, match="midway"):
        await interrupted_write(database)
    async with database.read() as connection:
        assert (await connection.execute(COUNTED)).scalar() == 0


async def test_a_cancelled_write_leaves_nothing_behind_and_the_store_in_order(database: Database) -> None:
    reached = asyncio.Event()

    async def write() -> None:
        async with database.write() as connection:
            await connection.execute(event_rollups.insert(), [CELL])
            reached.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await reached.wait()
    writing.cancel()
    await asyncio.wait([writing])
    assert writing.cancelled()
    async with database.write() as connection:
        assert (await connection.execute(COUNTED)).scalar() == 0


async def test_a_read_sees_one_moment(database: Database) -> None:
    async with database.read() as connection:
        assert (await connection.execute(COUNTED)).scalar() == 0
        async with database.write() as other:
            await other.execute(event_rollups.insert(), [CELL])
        assert (await connection.execute(COUNTED)).scalar() == 0
    async with database.read() as connection:
        assert (await connection.execute(COUNTED)).scalar() == 1


async def test_reading_does_not_wait_for_a_writer(database: Database) -> None:
    repository = EventRepository(database)
    await repository.append([make_event(1)])
    async with asyncio.timeout(DEADLINE), database.write() as connection:
        await connection.execute(events.delete())
        assert await repository.count() == 1
        assert len(await repository.newest()) == 1


async def test_a_database_that_loses_its_tables_says_so_in_one_line(own_database: Database) -> None:
    repository = EventRepository(own_database)
    await run_sql(own_database, "DROP TABLE events")
    said = {
        "sqlite": "no such table: events",
        "postgresql": 'relation "events" does not exist',
        "mariadb": "Table 'NAME.events' doesn't exist",
    }[own_database.dialect].replace("NAME", own_database.place.rpartition("/")[2])
    readings = [repository.newest, repository.last_position, lambda: repository.after(0)]
    for reading in readings:
        with pytest.raises(StoreUnavailableError) as caught:
            await reading()
        assert str(caught.value) == f"EVTOP_STORE {own_database.place}: {said}"


async def test_the_database_itself_refuses_what_the_tables_forbid(database: Database) -> None:
    row = {
        "position": 1,
        "id": make_event().id,
        "event_type": "a.b",
        "category": "c",
        "actor_type": "user",
        "metadata": {},
        "inserted_at": make_event().inserted_at,
        "search_text": "",
    }
    for columns in ({"actor_type": "robot"}, {"severity": "critical"}, {"category": None}):
        with pytest.raises(StoreError):
            async with database.write() as connection:
                await connection.execute(events.insert(), [{**row, **columns}])
    async with database.write() as connection:
        await connection.execute(events.insert(), [row])


async def test_closing_while_cancelled_readers_unwind_ends(own_database: Database) -> None:
    """A connection that is closed under a task that unwinds never answers it: closing must wait for the task."""

    async def read_on() -> None:
        while True:
            async with own_database.read() as connection:
                await connection.execute(COUNTED)

    readers = [asyncio.create_task(read_on()) for _ in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    for reader in readers:
        reader.cancel()
    async with asyncio.timeout(DEADLINE):
        await own_database.close()
        await asyncio.wait(readers)
    assert all(reader.cancelled() for reader in readers)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def with_reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URLs of one new database: of a login that may do everything, and of one that may only read."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/events.db", f"sqlite:///file:{tmp_path}/events.db?mode=ro&uri=true"
        return
    if request.param == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        url = postgres.create_database()
        name = f"{url.rpartition('/')[2]}_reader"
        postgres.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pw' IN ROLE pg_read_all_data")
        yield url, f"postgresql://{name}:pw@{url.rpartition('@')[2]}"
        postgres.drop(url)
        return
    request.getfixturevalue("mariadb_installed")
    # Only root may grant, and it may not come over the network.
    accounts = tmp_path / "accounts.sql"
    accounts.write_text(
        "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'pw';\nGRANT SELECT ON *.* TO reader@'127.0.0.1';"
    )
    with MariadbServer(f"--init-file={accounts}") as server:
        yield server.url, f"mysql://reader:pw@{server.url.rpartition('@')[2]}"


async def test_a_login_that_may_only_read_can_open_and_read(with_reader: tuple[str, str]) -> None:
    database = await Database.open(with_reader[0])
    await EventRepository(database).append(make_events(3))
    await database.close()
    reader = await Database.open(with_reader[1])
    repository = EventRepository(reader)
    assert len(await repository.newest()) == await repository.count() == await repository.last_position() == 3
    with pytest.raises(StoreUnavailableError, match=READ_ONLY):
        await repository.append(make_events(1, start=5))
    await reader.close()


async def test_a_login_that_may_only_read_cannot_migrate(with_reader: tuple[str, str]) -> None:
    await (await Database.connect(with_reader[0])).close()
    with pytest.raises(StoreUnavailableError, match=READ_ONLY):
        await Database.open(with_reader[1])


async def test_a_login_that_may_only_read_opens_a_store_that_has_its_version_in_the_early_place(
    with_reader: tuple[str, str],
) -> None:
    database = await Database.open(with_reader[0])
    await EventRepository(database).append(make_events(3))
    await make_early(database, HEAD)
    await database.close()
    reader = await Database.open(with_reader[1])
    assert await reader.version() == HEAD
    assert len(await EventRepository(reader).newest()) == 3
    await reader.close()


async def test_another_default_isolation_of_the_server_changes_nothing(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    name = url.rpartition("/")[2]
    await asyncio.to_thread(
        postgres.execute, f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    )
    databases = [await Database.open(url) for _ in range(3)]
    repositories = [EventRepository(database) for database in databases]
    await asyncio.gather(
        *(
            repositories[number].append([make_event(turn * 10 + number), make_event(turn * 10)])
            for turn in range(15)
            for number in range(3)
        )
    )
    assert [event.position for event in await repositories[0].after(0)] == list(range(1, 46))
    for database in databases:
        await database.close()
    await asyncio.to_thread(postgres.drop, url)


# SQLite's file


async def test_the_folder_of_the_store_is_made_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "data" / "evtop" / "events.db"
    await (await Database.open(f"sqlite:///{path}")).close()
    assert path.exists()
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_the_store_keeps_a_write_ahead_log(file: Database, path: Path) -> None:
    async with file.read() as connection:
        pragmas = [
            (await connection.execute(sa.text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 1, 1, 5000]


async def test_a_store_that_is_up_to_date_opens_while_another_program_writes(
    file: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.05)
    async with file.write():
        await (await Database.open(f"sqlite:///{path}")).close()


async def test_a_writer_that_waits_too_long_says_so_in_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.05)
    database = await Database.open(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreUnavailableError) as caught:
            await interrupted_write(database)
        assert str(caught.value) == f"EVTOP_STORE sqlite:///{path}: database is locked"
    finally:
        other.close()
        await database.close()


async def test_a_writer_waits_for_another_one(file: Database, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(interrupted_write(file))
    await asyncio.wait([writing], timeout=0.1)
    assert not writing.done()
    other.close()
    with pytest.raises(RuntimeError, match="midway"):
        await writing


async def test_a_place_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "letter.db").write_text("Dear database, " * 100)
    places = {
        "file/events.db": "File exists",
        "file/deeper/events.db": "Not a directory",
        "folder.db": "unable to open database file",
        "letter.db": "file is not a database",
    }
    for name, said in places.items():
        with pytest.raises(StoreUnavailableError) as caught:
            await Database.open(f"sqlite:///{tmp_path}/{name}")
        assert str(caught.value) == f"EVTOP_STORE sqlite:///{tmp_path}/{name}: {said}"


async def test_a_store_without_write_access_can_be_read(file: Database, path: Path) -> None:
    async with file.write() as connection:
        await connection.execute(event_rollups.insert(), [CELL])
    await file.close()
    read_only = await Database.open(f"sqlite:///file:{path}?mode=ro&uri=true")
    try:
        async with read_only.read() as connection:
            assert (await connection.execute(sa.select(event_rollups.c["count"]))).scalar() == 5
        with pytest.raises(StoreUnavailableError, match="attempt to write a readonly database"):
            await interrupted_write(read_only)
    finally:
        await read_only.close()


async def test_a_store_in_memory_needs_no_folder() -> None:
    database = await Database.open("sqlite:///:memory:")
    async with database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(events))).scalar() == 0
    await database.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_can_read_a_file_that_is_in_use(path: Path, file: Database) -> None:
    await EventRepository(file).append(make_events(3))
    for place in (path.parent, *path.parent.parents):
        if place.stat().st_uid == 0 and place.is_relative_to("/tmp") and place != Path("/tmp"):
            place.chmod(0o755)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").chmod(0o644)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", READER, f"sqlite:///{path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
