"""Migrations of a store beside those of others: other stores, and the host application's own, by Alembic."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event as sa_event

from store.database import Database
from store.errors import StoreUnavailableError
from store.migrations import HEAD, VERSIONS
from store.migrations.schema_version import VERSION_TABLE
from store.repository import EventRepository
from store.status import store_status
from store.tables import metadata
from tests.database_server import DatabaseServer
from tests.events import make_event, make_events
from tests.store.conftest import SERVERS
from tests.store.early_stores import make_early, migrate_to
from tests.store.oracle import run_sql

DEADLINE = 30.0
HOST_TABLES = 60
HOST_VERSIONS = ("0001", "0002", "0003")
"""The host numbers its revisions as the store does."""
ENVIRONMENT = """
    from alembic import context

    context.configure(connection=context.config.attributes["connection"], version_table_pk=False)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """
    import sqlalchemy as sa
    from alembic import context, op

    revision, down_revision = {version!r}, {before!r}

    def upgrade():
        for number in range({tables}):
            op.create_table(f"host_{version}_{{number}}", sa.Column("id", sa.Integer, primary_key=True))
            context.config.attributes["created"](number)
"""


class Host:
    """An application with migrations of its own, in the way that Alembic's manual shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.created: Callable[[int], None] = lambda _number: None
        """Told of each table that a migration has created."""
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(dedent(ENVIRONMENT))
        for before, version in zip((None, *HOST_VERSIONS), HOST_VERSIONS, strict=False):
            text = REVISION.format(
                version=version, before=before, tables=HOST_TABLES if before is None else 1
            )
            (folder / "versions" / f"{version}_tables.py").write_text(dedent(text))

    def upgrade(self, connection: sa.Connection, revision: str = "head") -> None:
        """`alembic upgrade` on `connection`."""
        config = Config()
        config.set_main_option("script_location", str(self.folder))
        config.attributes |= {"connection": connection, "created": self.created}
        command.upgrade(config, revision)

    def upgrade_file(self, path: Path) -> None:
        """The same, on SQLite's file `path`."""
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            self.upgrade(connection)
        engine.dispose()

    def assert_whole(self, connection: sa.Connection, version: str = HOST_VERSIONS[-1]) -> None:
        """Fail unless all tables up to `version` are there."""
        tables = {f"host_0001_{number}" for number in range(HOST_TABLES)}
        tables |= {f"host_{each}_0" for each in HOST_VERSIONS if each <= version}
        assert {name for name in sa.inspect(connection).get_table_names() if name[:5] == "host_"} == tables
        assert alembic_version(connection) == [version]

    def assert_file_whole(self, path: Path) -> None:
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            self.assert_whole(connection)
            assert VERSION_TABLE not in sa.inspect(connection).get_table_names()
        engine.dispose()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


@pytest.fixture
async def shared(store_url: str) -> AsyncIterator[Database]:
    """An empty database that an application and the store are to share."""
    database = await Database.connect(store_url)
    yield database
    await database.close()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def fresh_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """The URLs of three empty databases of one kind."""
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path}/{number}.db" for number in range(3)]
        return
    server: DatabaseServer = request.getfixturevalue(SERVERS[request.param])
    urls = [server.create_database() for _ in range(3)]
    yield urls
    for url in urls:
        server.drop(url)


@contextmanager
def before_statements(do: Callable[[str], None]) -> Iterator[None]:
    """Call `do` with each statement of this process, before it is sent."""

    def listener(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        do(statement)

    sa_event.listen(sa.Engine, "before_cursor_execute", listener)
    try:
        yield
    finally:
        sa_event.remove(sa.Engine, "before_cursor_execute", listener)


class Thread:
    """Runs `work` in a thread, and gives what it raised to whoever waits for it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._error = error

    def wait(self) -> None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "it hangs"
        if self._error is not None:
            raise self._error


def alembic_version(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars())


async def assert_store_whole(database: Database, stored: int = 0) -> None:
    """Fail unless the newest schema is there, whole, and the next event comes after `stored` others."""
    assert await database.version() == HEAD
    async with database.read() as connection:
        tables = set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))
        versions = (await connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))).all()
    assert tables >= metadata.tables.keys()
    assert versions == [(HEAD,)]
    appended = await EventRepository(database).append([make_event(10**6 + stored)])
    assert [event.position for event in appended.events] == [stored + 1]


async def open_and_look(url: str) -> None:
    database = await Database.open(url)
    try:
        await assert_store_whole(database)
    finally:
        await database.close()


# In one process


async def test_fresh_stores_are_opened_at_once_in_one_loop(fresh_urls: list[str]) -> None:
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*map(open_and_look, fresh_urls))


def test_fresh_stores_are_opened_at_once_by_threads_with_loops_of_their_own(fresh_urls: list[str]) -> None:
    migrating = threading.Barrier(len(fresh_urls), timeout=DEADLINE / 3)

    def meet(statement: str) -> None:
        # All of them are in the middle of their first revision.
        if "CREATE TABLE IF NOT EXISTS event_rollups" in statement:
            migrating.wait()

    with before_statements(meet):
        threads = [Thread(lambda url=url: asyncio.run(open_and_look(url))) for url in fresh_urls]
        for thread in threads:
            thread.wait()


async def test_a_store_is_opened_while_another_thread_is_within_the_hosts_own_migration(
    host: Host, store_url: str, tmp_path: Path
) -> None:
    midway, opened = threading.Event(), threading.Event()

    def created(number: int) -> None:
        if number == HOST_TABLES // 2:
            midway.set()
            assert opened.wait(DEADLINE / 2)

    host.created = created
    thread = Thread(lambda: host.upgrade_file(tmp_path / "host.db"))
    try:
        assert await asyncio.to_thread(midway.wait, DEADLINE / 2)
        await open_and_look(store_url)
    finally:
        opened.set()
    await asyncio.to_thread(thread.wait)
    host.assert_file_whole(tmp_path / "host.db")


async def test_the_host_migrates_in_another_thread_while_a_store_is_within_its_migration(
    host: Host, store_url: str, tmp_path: Path
) -> None:
    migrated: list[int] = []

    def let_the_host_migrate(statement: str) -> None:
        if "CREATE TABLE IF NOT EXISTS event_rollups" in statement:
            Thread(lambda: host.upgrade_file(tmp_path / "host.db")).wait()
            migrated.append(1)

    with before_statements(let_the_host_migrate):
        await open_and_look(store_url)
    assert migrated
    host.assert_file_whole(tmp_path / "host.db")


async def test_stores_are_opened_one_after_another_while_the_host_migrates(
    host: Host, tmp_path: Path
) -> None:
    done = threading.Event()

    def migrate() -> None:
        try:
            for number in range(5):
                host.upgrade_file(tmp_path / f"host-{number}.db")
        finally:
            done.set()

    thread = Thread(migrate)
    opened = 0
    while not done.is_set() or opened < 3:
        await open_and_look(f"sqlite:///{tmp_path}/store-{opened}.db")
        opened += 1
    await asyncio.to_thread(thread.wait)
    for number in range(5):
        host.assert_file_whole(tmp_path / f"host-{number}.db")


# In one database


@pytest.mark.parametrize("version", HOST_VERSIONS)
async def test_a_store_in_the_database_of_a_host_is_migrated_whatever_the_hosts_version(
    host: Host, shared: Database, version: str
) -> None:
    async with shared.write() as connection:
        await connection.run_sync(host.upgrade, version)
    assert await shared.version() is None
    await shared.migrate()
    await assert_store_whole(shared)
    async with shared.write() as connection:
        await connection.run_sync(host.assert_whole, version)
        await connection.run_sync(host.upgrade)
        await connection.run_sync(host.assert_whole)
    await shared.migrate()
    await assert_store_whole(shared, 1)


async def test_a_host_migrates_a_database_in_which_there_is_a_store(host: Host, shared: Database) -> None:
    await shared.migrate()
    async with shared.write() as connection:
        await connection.run_sync(host.upgrade)
        await connection.run_sync(host.assert_whole)
    await shared.migrate()
    await assert_store_whole(shared)


@pytest.mark.thorough
@pytest.mark.parametrize("version", VERSIONS)
async def test_an_early_store_is_taken_over_once_and_alembic_is_free_for_a_host(
    host: Host, shared: Database, store_url: str, version: str
) -> None:
    await migrate_to(shared, version)
    await make_early(shared, version)
    assert await shared.version() == version
    assert (await store_status(store_url)).version == version
    async with shared.read() as connection:
        assert await connection.run_sync(alembic_version) == [version], "looking changes nothing"

    opened = await asyncio.gather(*(Database.open(store_url) for _ in range(3)))
    for database in opened:
        await database.close()
    await assert_store_whole(shared)
    async with shared.write() as connection:
        assert await connection.run_sync(alembic_version) == []
        await connection.run_sync(host.upgrade)
        await connection.run_sync(host.assert_whole)
    await shared.migrate()
    await assert_store_whole(shared, 1)


async def test_what_a_host_has_in_alembic_version_beside_an_early_store_is_left_alone(
    shared: Database,
) -> None:
    await migrate_to(shared, "0001")
    await make_early(shared, "0001")
    await run_sql(shared, "INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    await shared.migrate()
    await assert_store_whole(shared)
    async with shared.read() as connection:
        assert set(await connection.run_sync(alembic_version)) == {"0001", "ae1027a6acf"}


async def test_a_store_whose_version_a_host_wrote_over_keeps_its_events_and_positions(
    shared: Database,
) -> None:
    await shared.migrate()
    repository = EventRepository(shared)
    await repository.append(make_events(5))
    await make_early(shared, "ae1027a6acf")
    await run_sql(shared, "DELETE FROM events WHERE position > 3")
    await shared.migrate()
    assert len(await repository.newest()) == 3
    await assert_store_whole(shared, 5)
    async with shared.read() as connection:
        assert await connection.run_sync(alembic_version) == ["ae1027a6acf"]


@pytest.mark.parametrize("table", ["events", VERSION_TABLE])
async def test_a_table_of_the_same_name_that_is_not_evtops_is_refused_in_one_line(
    shared: Database, store_url: str, table: str
) -> None:
    await run_sql(shared, f"CREATE TABLE {table} (id INTEGER)")
    with pytest.raises(StoreUnavailableError) as caught:
        await Database.open(store_url)
    assert str(caught.value).startswith(f"EVTOP_STORE {shared.place}: ")
    assert str(caught.value).isprintable()
