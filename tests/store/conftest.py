"""Stores for tests: the same body runs on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from store.database import Database
from store.recorder import Recorder
from store.repository import EventRepository
from store.tables import counter_head, event_head, metadata, search_head
from tests.database_server import DatabaseServer
from tests.postgres import PostgresServer
from tests.store.recorder_runs import prepare

SERVERS = {"postgresql": "postgres", "mariadb": "mariadb"}
"""The fixture that gives a server of each kind."""


def _migrate(url: str) -> None:
    # In a thread of its own, as a loop of pytest's may be set here.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(prepare, url).result()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of an empty SQLite store of this test's own, its schema up to date."""
    url = f"sqlite:///{tmp_path / 'events.db'}"
    prepare(url)
    return url


@pytest.fixture
def recorder(url: str) -> Iterator[Recorder]:
    """Records into the store at `url`; closed at the end."""
    with Recorder(url) as recorder:
        yield recorder


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a new empty database of PostgreSQL's."""
    created = postgres.create_database()
    yield created
    postgres.drop(created)


@pytest.fixture(scope="session", params=["sqlite", "postgresql", "mariadb"])
def migrated_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a store that all tests of one kind share, its schema up to date."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shared')}/events.db"
        _migrate(url)
        yield url
        return
    server: DatabaseServer = request.getfixturevalue(SERVERS[request.param])
    url = server.create_database()
    _migrate(url)
    yield url
    server.drop(url)


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """An empty store on each kind of database, shared: leave its schema as it is."""
    opened = await Database.open(migrated_url)
    async with opened.write() as connection:
        for table in metadata.sorted_tables:
            await connection.execute(delete(table))
        await connection.execute(insert(event_head).values(id=1, position=0))
        await connection.execute(insert(counter_head).values(id=1, position=0, epoch=-1, last=0))
        await connection.execute(insert(search_head).values(id=1, position=0, generation=0))
    yield opened
    await opened.close()


@pytest.fixture
async def own_database(store_url: str) -> AsyncIterator[Database]:
    """An empty store on each kind of database, of this test's own: its schema may be broken."""
    opened = await Database.open(store_url)
    yield opened
    await opened.close()


@pytest.fixture
def repository(database: Database) -> EventRepository:
    """The events of `database`."""
    return EventRepository(database)
