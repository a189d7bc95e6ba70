"""The schema is brought up to date from any version, once, however many ask for it, and wherever it was interrupted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from sqlalchemy import event as sa_event

import store.database
import store.migrations
from store.database import Database
from store.errors import SchemaTooNewError, StoreUnavailableError
from store.event import Event
from store.migrations import HEAD, REVISIONS, VERSIONS
from store.migrations.schema_version import VERSION_TABLE
from store.migrations.upgrading import operations
from store.repository import EventRepository
from store.rollups import RollupCount
from store.tables import metadata, server_metadata
from tests.database_server import DatabaseServer
from tests.events import NOON, make_event
from tests.mariadb import MariadbServer
from tests.store.early_stores import make_early, migrate_to, revision
from tests.store.oracle import assert_counted, counted, head, numbers, random_events, run_sql

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
OPENERS = 8
OPENER = """
import asyncio, logging, sys
from store.database import Database
from store.repository import EventRepository
from tests.events import make_event

logging.basicConfig(stream=sys.stderr, level=logging.INFO)

async def main(url, number):
    print("ready", flush=True)
    sys.stdin.readline()
    database = await Database.open(url)
    await EventRepository(database).append([make_event(number)])
    await database.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.fixture
async def unmigrated(store_url: str) -> AsyncIterator[Database]:
    """An empty database."""
    database = await Database.connect(store_url)
    yield database
    await database.close()


class ProcessEndedError(Exception):
    """Stands for a process that ends."""


class Statements:
    """Counts what is sent to the databases of this process, and fails after some of it, when told to."""

    def __init__(self) -> None:
        self.sent = 0
        self.limit: int | None = None

    def __enter__(self) -> Statements:
        sa_event.listen(sa.Engine, "after_cursor_execute", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sa_event.remove(sa.Engine, "after_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.sent += 1
        if self.sent == self.limit:
            raise ProcessEndedError


async def fill_0001(database: Database, batch: list[Event]) -> None:
    """Events and counts as the first version of the schema has them."""
    async with database.write() as connection:
        rollups = sa.table(
            "event_rollups", *map(sa.column, ("minute", "category", "event_type", "severity", "count"))
        )
        for position, event in enumerate(batch, 1):
            row = event.model_dump() | {"position": position, "search_text": ""}
            await connection.execute(metadata.tables["events"].insert(), [row])
        for (minute, category, event_type, severity), count in counted(batch).items():
            await connection.execute(
                rollups.insert().values(
                    minute=minute,
                    category=category,
                    event_type=event_type,
                    severity=severity or "",
                    count=count,
                )
            )


async def assert_up_to_date(database: Database, batch: list[Event], last: int) -> None:
    """Fail unless all of `batch` is there, counted, and the next position is the one after `last`."""
    repository = EventRepository(database)
    assert await database.version() == HEAD
    assert await repository.last_position() == last
    (overview,) = [await repository.overview(1, NOON - timedelta(days=1))]
    assert sum(row.count for row in overview.rollups) == len(batch)
    assert all(isinstance(row, RollupCount) and row.estimate == row.count for row in overview.rollups)
    await assert_counted(database, batch)
    appended = await repository.append([make_event(10**6)])
    assert [event.position for event in appended.events] == [last + 1]
    assert await head(database) == last + 1


async def test_an_empty_database_gets_the_newest_schema(unmigrated: Database) -> None:
    assert await unmigrated.version() is None
    await unmigrated.migrate()
    assert await unmigrated.version() == HEAD
    await assert_up_to_date(unmigrated, [], 0)


async def test_opening_again_changes_nothing(own_database: Database, store_url: str) -> None:
    batch = random_events(20, 1)
    await EventRepository(own_database).append(batch)
    before = await schema(own_database)
    with Statements() as statements:
        await (await Database.open(store_url)).close()
    assert 0 < statements.sent < 6, "an open that changes nothing looks at the version alone"
    assert await schema(own_database) == before
    await assert_up_to_date(own_database, batch, 20)


async def test_a_store_of_the_first_version_keeps_its_events_counts_and_positions(
    unmigrated: Database, store_url: str
) -> None:
    batch = random_events(30, 2)
    await migrate_to(unmigrated, "0001")
    await fill_0001(unmigrated, batch)
    opened = await Database.open(store_url)
    assert numbers(await EventRepository(opened).after(0)) == numbers(batch)
    await assert_up_to_date(opened, batch, 30)
    await opened.close()


async def test_positions_of_events_that_are_gone_stay_given_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    database = await Database.connect(url)
    await migrate_to(database, "0001")
    batch = random_events(30, 3)
    await fill_0001(database, batch)
    await run_sql(database, "DELETE FROM events WHERE position > 25")
    await database.migrate()
    assert await EventRepository(database).last_position() == 30
    await assert_up_to_date(database, batch, 30)
    await database.close()


@pytest.mark.thorough
@pytest.mark.parametrize(("start", "step"), [("empty", 3), ("0001", 1), ("early", 2)])
async def test_a_migration_that_was_interrupted_anywhere_is_finished_by_the_next_open(
    mariadb: MariadbServer, start: str, step: int
) -> None:
    """MariaDB commits each change to the schema by itself, so that a half-done migration stays half done."""
    batch = random_events(5, 4) if start != "empty" else []
    interrupted, limit = True, 0
    with Statements() as statements:
        while interrupted:
            limit += step
            url = mariadb.create_database()
            database = await Database.connect(url)
            statements.limit = None
            if start != "empty":
                await migrate_to(database, "0001")
                await fill_0001(database, batch)
            if start == "early":
                await make_early(database, "0001")
            statements.sent, statements.limit = 0, limit
            try:
                await database.migrate()
                interrupted = False
            except ProcessEndedError:
                pass
            statements.limit = None
            await database.close()
            if interrupted:
                database = await Database.open(url)
                await assert_up_to_date(database, batch, len(batch))
                await database.close()
            await asyncio.to_thread(mariadb.drop, url)
    assert limit > 15, "there were statements to be interrupted after"


@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
async def test_a_migration_that_was_interrupted_leaves_nothing_where_changes_are_undone(
    unmigrated: Database,
) -> None:
    with Statements() as statements:
        statements.limit = 25
        with pytest.raises(ProcessEndedError):
            await unmigrated.migrate()
    assert await unmigrated.version() is None
    async with unmigrated.read() as connection:
        assert await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()) == []
    await unmigrated.migrate()
    await assert_up_to_date(unmigrated, [], 0)


async def test_a_schema_of_a_later_version_is_refused_in_one_line_and_left_alone(
    own_database: Database, store_url: str
) -> None:
    await run_sql(own_database, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(SchemaTooNewError) as caught:
        await Database.open(store_url)
    assert str(caught.value) == (
        f"EVTOP_STORE {own_database.place}: its schema is version 9999, this evtop knows {HEAD};"
        " use a newer evtop"
    )
    assert await own_database.version() == "9999"


@pytest.mark.thorough
async def test_processes_that_open_a_fresh_store_at_once_migrate_it_once(store_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", OPENER, store_url, str(number)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(OPENERS)
    ]
    try:
        async with asyncio.timeout(DEADLINE):
            for process in processes:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
            logs = [
                log.decode() for _, log in await asyncio.gather(*(p.communicate(b"go\n") for p in processes))
            ]
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert [process.returncode for process in processes] == [0] * OPENERS, logs
    upgrades = [line for log in logs for line in log.splitlines() if "Running upgrade" in line]
    assert len(upgrades) == len(REVISIONS), upgrades
    assert sum("Running upgrade" in log for log in logs) == 1, "one process did all of it"
    database = await Database.open(store_url)
    assert numbers(await EventRepository(database).newest()) == list(range(OPENERS - 1, -1, -1))
    await database.close()


async def test_stores_that_are_opened_at_once_in_one_process_are_migrated_once(store_url: str) -> None:
    opened = await asyncio.gather(*(Database.open(store_url) for _ in range(4)))
    assert [await database.version() for database in opened] == [HEAD] * 4
    for database in opened:
        await database.close()


async def test_an_interrupted_migration_lets_the_next_one_in(unmigrated: Database, store_url: str) -> None:
    with Statements() as statements:
        statements.limit = 12
        with pytest.raises(ProcessEndedError):
            await unmigrated.migrate()
    async with asyncio.timeout(10):
        await (await Database.open(store_url)).close()


def test_the_revisions_are_all_there_is_and_in_order() -> None:
    folder = Path(store.migrations.__file__).parent / "versions"
    assert sorted(path.stem for path in folder.glob("*.py")) == list(REVISIONS)
    assert [int(version) for version in VERSIONS] == list(range(1, len(REVISIONS) + 1))
    assert {len(version) for version in VERSIONS} == {4}, "versions are compared as text"


async def schema(database: Database) -> dict[str, Any]:
    """All that the database says of its tables, the version's apart."""

    def described(index: Any) -> dict[str, Any]:
        options = {name: str(option) for name, option in index.get("dialect_options", {}).items()}
        return {**index, "dialect_options": options}

    def reflected(connection: sa.Connection) -> dict[str, Any]:
        inspector = sa.inspect(connection)
        return {
            table: {
                "columns": [
                    {**column, "type": repr(column["type"]), "default": str(column["default"])}
                    for column in inspector.get_columns(table)
                ],
                "key": inspector.get_pk_constraint(table),
                "indexes": sorted(map(described, inspector.get_indexes(table)), key=str),
                "unique": inspector.get_unique_constraints(table),
                "checks": sorted(
                    inspector.get_check_constraints(table), key=lambda check: str(check["name"])
                ),
                "options": inspector.get_table_options(table),
            }
            for table in inspector.get_table_names()
            if table != VERSION_TABLE
        }

    async with database.read() as connection:
        return await connection.run_sync(reflected)


async def test_the_migrations_make_the_tables_that_the_program_knows(own_database: Database) -> None:
    known: Any = [metadata] if own_database.dialect == "sqlite" else [metadata, server_metadata]

    def differences(connection: sa.Connection) -> list[Any]:
        context = operations(connection).migration_context
        # An index of one kind of database belongs to it alone, as `create_all` sees it.
        context.opts["include_object"] = lambda item, name, kind, *_: (
            kind != "index" or _is_of(item, connection)
        )
        return list(compare_metadata(context, known))

    migrated = await schema(own_database)
    assert migrated.keys() == {name for tables in known for name in tables.tables}
    assert {check["name"] for check in migrated["events"]["checks"]} == {
        "events_actor_type",
        "events_severity",
    }
    async with own_database.read() as connection:
        assert await connection.run_sync(differences) == []
    async with own_database.write() as connection:
        for tables in known:
            await connection.run_sync(tables.drop_all)
            await connection.run_sync(tables.create_all)
    assert await schema(own_database) == migrated


def _is_of(index: Any, connection: sa.Connection) -> bool:
    rule = getattr(index, "_ddl_if", None)
    return rule is None or rule.dialect == connection.dialect.name


@pytest.mark.parametrize("store_url", ["mariadb"], indirect=True)
async def test_tables_of_mariadb_are_safe_to_write_to(own_database: Database) -> None:
    """Transactions, every character, and text compared to the letter, whatever the server's defaults are."""
    async with own_database.read() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT table_name, engine, table_collation FROM information_schema.tables"
            " WHERE table_schema = DATABASE()"
        )
        tables = {name: options for name, *options in map(tuple, rows)}
        columns = await connection.exec_driver_sql(
            "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = DATABASE()"
            " AND collation_name IS NOT NULL"
        )
        collations = set(columns.scalars())
    names = [*metadata.tables, *server_metadata.tables, VERSION_TABLE]
    assert tables == {name: ["InnoDB", "utf8mb4_nopad_bin"] for name in names}
    assert collations == {"utf8mb4_nopad_bin"}


async def test_the_migrations_can_be_taken_back(own_database: Database) -> None:
    def take_back(connection: sa.Connection) -> None:
        for name in reversed(REVISIONS):
            revision(name).downgrade(operations(connection))

    async with own_database.write() as connection:
        await connection.run_sync(take_back)
    await run_sql(own_database, f"DELETE FROM {VERSION_TABLE}")
    assert await schema(own_database) == {}
    await own_database.migrate()
    await assert_up_to_date(own_database, [], 0)


async def test_a_database_that_may_not_be_written_is_not_migrated(tmp_path: Path) -> None:
    database = await Database.connect(f"sqlite:///{tmp_path}/events.db")
    await migrate_to(database, "0001")
    await database.close()
    with pytest.raises(StoreUnavailableError, match="readonly database"):
        await Database.open(f"sqlite:///file:{tmp_path}/events.db?mode=ro&uri=true")


@pytest.mark.thorough
@pytest.mark.parametrize("server_name", ["postgres_server", "mariadb_server"])
async def test_a_server_that_goes_silent_during_a_migration_is_not_waited_for_for_ever(
    server_name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: DatabaseServer = request.getfixturevalue(server_name)
    database = await Database.connect(server.url)
    monkeypatch.setattr(store.database, "MIGRATION_LIMIT_SECONDS", 2.0)

    def fall_silent(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE TABLE IF NOT EXISTS event_rollups" in statement:
            server.pause()

    sa_event.listen(sa.Engine, "after_cursor_execute", fall_silent)
    try:
        async with asyncio.timeout(20):
            with pytest.raises(StoreUnavailableError) as caught:
                await database.migrate()
            assert str(caught.value) == f"EVTOP_STORE {database.place}: no answer within 2 s"
            await database.close()
    finally:
        sa_event.remove(sa.Engine, "after_cursor_execute", fall_silent)
        server.resume()
    monkeypatch.undo()
    opened = await Database.open(server.url)
    await assert_up_to_date(opened, [], 0)
    await opened.close()
