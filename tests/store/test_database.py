"""Opening a store: migrations, transactions, and errors that fit on one line."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from store import database as database_module
from store.database import Database, described
from store.errors import SchemaTooNewError, StoreError, StoreUnavailableError
from store.migrations import HEAD
from store.tables import event_rollups, events, metadata

DEADLINE = 30.0
OPENER = """
import asyncio, sys
from store.database import Database

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    database = await Database.open(sys.argv[1])
    await database.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
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


async def refusal(url: str) -> str:
    with pytest.raises(StoreError) as caught:
        await Database.open(url)
    return str(caught.value)


async def test_a_fresh_store_gets_the_newest_schema(database: Database, path: Path) -> None:
    assert query(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    tables = {name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"events", "event_rollups"} <= tables


async def test_the_folder_of_the_store_is_made_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "data" / "evtop" / "events.db"
    await (await Database.open(f"sqlite:///{path}")).close()
    assert path.exists()
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_the_store_keeps_a_write_ahead_log(database: Database, path: Path) -> None:
    async with database.read() as connection:
        pragmas = [
            (await connection.execute(sa.text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 1, 1, 5000]


async def test_opening_again_changes_nothing(database: Database, path: Path) -> None:
    query(path, "INSERT INTO event_rollups VALUES (1, 'c', 'a.b', '', 5)")
    schema = query(path, "SELECT sql FROM sqlite_master ORDER BY name")
    await (await Database.open(f"sqlite:///{path}")).close()
    assert query(path, "SELECT sql FROM sqlite_master ORDER BY name") == schema
    assert query(path, "SELECT count FROM event_rollups") == [(5,)]


def test_processes_that_open_a_fresh_store_at_once_migrate_it_once(path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, f"sqlite:///{path}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        errors = [process.communicate(timeout=DEADLINE)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert query(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


async def test_connections_that_open_a_fresh_store_at_once_migrate_it_once(path: Path) -> None:
    opened = await asyncio.gather(*(Database.open(f"sqlite:///{path}") for _ in range(4)))
    for database in opened:
        await database.close()
    assert query(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_a_store_that_is_up_to_date_opens_while_another_program_writes(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_SECONDS", 0.05)
    async with database.write():
        await (await Database.open(f"sqlite:///{path}")).close()


async def test_a_schema_from_a_later_version_is_refused_in_one_line(database: Database, path: Path) -> None:
    query(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNewError) as caught:
        await Database.open(f"sqlite:///{path}")
    assert str(caught.value) == (
        f"EVTOP_STORE sqlite:///{path}: its schema is version 9999, this evtop knows {HEAD}; use a newer evtop"
    )
    assert query(path, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_the_known_version_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [HEAD]
    revisions = [revision.revision for revision in script.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True), "a later revision has a higher number"


async def test_the_migrations_make_the_tables_that_the_program_knows(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
        checks = await connection.run_sync(
            lambda sync: {check["name"] for check in sa.inspect(sync).get_check_constraints("events")}
        )
        made = await connection.run_sync(lambda sync: sa.inspect(sync).get_pk_constraint("event_rollups"))
    assert checks == {"events_actor_type", "events_severity"}
    assert made["constrained_columns"] == [column.name for column in event_rollups.primary_key]


async def test_the_migrations_can_be_taken_back(database: Database, path: Path) -> None:
    from alembic import command

    def downgrade(connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "store:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    async with database.write() as connection:
        await connection.run_sync(downgrade)
    assert query(path, "SELECT name FROM sqlite_master WHERE name LIKE 'event%'") == []


async def test_a_failed_write_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(RuntimeError, match="midway"):
        await interrupted_write(database)
    async with database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(event_rollups))).scalar() == 0


async def interrupted_write(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(
            event_rollups.insert(),
            [{"minute": 1, "category": "c", "event_type": "a.b", "severity": "", "count": 1}],
        )
        raise RuntimeError("midway")


async def test_a_read_sees_one_moment(database: Database, path: Path) -> None:
    counted = sa.select(sa.func.count()).select_from(event_rollups)
    async with database.read() as connection:
        assert (await connection.execute(counted)).scalar() == 0
        query(path, "INSERT INTO event_rollups VALUES (1, 'c', 'a.b', '', 5)")
        assert (await connection.execute(counted)).scalar() == 0
    async with database.read() as connection:
        assert (await connection.execute(counted)).scalar() == 1


async def test_a_writer_that_waits_too_long_says_so_in_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_SECONDS", 0.05)
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


async def test_a_writer_waits_for_another_one(database: Database, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(interrupted_write(database))
    await asyncio.wait([writing], timeout=0.1)
    assert not writing.done()
    other.close()
    with pytest.raises(RuntimeError, match="midway"):
        await writing


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not a database URL"),
        ("events.db", "not a database URL"),
        ("postgresql://ann:hunter2@host:port/db", "not a database URL"),
        ("sqlite://events.db", "not a database URL"),
        ("sqlite://ann:hunter2@host/events.db", "not a database URL"),
        ("sqlite:////tmp/events.db?timeout=hunter2", "not a database URL"),
        ("postgresql://ann:hunter2@host/db?password=hunter2", "only sqlite is supported"),
        ("nosuch+driver://ann:hunter2@host/db", "only sqlite is supported"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_in_one_line_without_secrets(url: str, said: str) -> None:
    text = await refusal(url)
    assert text.startswith("EVTOP_STORE")
    assert said in text
    assert "\n" not in text
    assert "hunter2" not in text


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
        assert (
            await refusal(f"sqlite:///{tmp_path}/{name}")
            == f"EVTOP_STORE sqlite:///{tmp_path}/{name}: {said}"
        )


async def test_a_store_without_write_access_can_be_read(database: Database, path: Path) -> None:
    await database.close()
    query(path, "INSERT INTO event_rollups VALUES (1, 'c', 'a.b', '', 5)")
    read_only = await Database.open(f"sqlite:///file:{path}?mode=ro&uri=true")
    try:
        async with read_only.read() as connection:
            assert (await connection.execute(sa.select(event_rollups.c["count"]))).scalar() == 5
        with pytest.raises(StoreUnavailableError, match="attempt to write a readonly database"):
            await interrupted_write(read_only)
    finally:
        await read_only.close()


async def test_a_database_that_loses_its_tables_says_so_in_one_line(database: Database, path: Path) -> None:
    query(path, "DROP TABLE events")
    with pytest.raises(StoreUnavailableError) as caught:
        async with database.read() as connection:
            await connection.execute(sa.select(events.c.id))
    assert str(caught.value) == f"EVTOP_STORE sqlite:///{path}: no such table: events"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("sqlite:////var/lib/evtop/events.db", "sqlite:////var/lib/evtop/events.db"),
        ("postgresql://ann:hunter2@host:5432/db?sslpassword=hunter2", "postgresql://ann:***@host:5432/db"),
        ("postgresql://ann:hunter2@host:port/db", "(not a URL)"),
        ("hunter2", "(not a URL)"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, text: str) -> None:
    assert described(url) == text


async def test_a_store_in_memory_needs_no_folder() -> None:
    database = await Database.open("sqlite:///:memory:")
    async with database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(events))).scalar() == 0
    await database.close()


async def test_closing_while_cancelled_readers_unwind_ends(database: Database) -> None:
    """A connection that is closed under a task that unwinds never answers it: closing must wait for the task."""

    async def read_on() -> None:
        while True:
            async with database.read() as connection:
                await connection.execute(sa.text("SELECT count(*) FROM events"))

    readers = [asyncio.create_task(read_on()) for _ in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    for reader in readers:
        reader.cancel()
    async with asyncio.timeout(DEADLINE):
        await database.close()
        await asyncio.wait(readers)
    assert all(reader.cancelled() for reader in readers)
