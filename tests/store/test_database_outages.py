"""A database server that goes away and comes back: one line in a few seconds, and the same object works again."""

from __future__ import annotations

import asyncio
import time

import pytest

from store.database import Database
from store.engines.mariadb import Mariadb
from store.engines.postgresql import Postgresql
from store.errors import StoreUnavailableError
from store.repository import EventRepository
from tests.database_server import DatabaseServer
from tests.events import make_events

PATIENCE = 0.4
"""The transaction timeout of these tests, seconds."""
SOON = 5.0
"""How long an operator may be kept waiting, seconds."""


@pytest.fixture(params=["postgres_server", "mariadb_server"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """A server that this test may kill, of each kind in turn."""
    return request.getfixturevalue(request.param)


async def refusal(repository: EventRepository, *, write: bool) -> str:
    """What a read or an append is told, soon."""
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError) as caught:
        await (repository.append(make_events(9)) if write else repository.newest())
    assert time.monotonic() - started < SOON
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.thorough
async def test_a_store_works_again_when_its_server_is_back(
    server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in (Postgresql, Mariadb):
        monkeypatch.setattr(kind, "timeout", PATIENCE)
    database = await Database.open(server.url)
    repository = EventRepository(database)
    await repository.append(make_events(3))
    # Several connections that are all dead afterwards.
    await asyncio.gather(*(repository.newest() for _ in range(3)))

    server.kill()
    for write in (True, False):
        said = await refusal(repository, write=write)
        assert said.startswith(f"EVTOP_STORE {database.place}: ")
        assert "onnect" in said
    with pytest.raises(StoreUnavailableError):
        await Database.open(server.url)
    server.start()
    assert len((await repository.append(make_events(5))).events) == 2

    server.pause()
    for write in (True, False):
        said = await refusal(repository, write=write)
        assert said == f"EVTOP_STORE {database.place}: no answer within {PATIENCE} s"
    server.resume()
    assert len((await repository.append(make_events(9))).events) == 4
    assert [event.position for event in await repository.after(0)] == list(range(1, 10))

    await asyncio.gather(*(repository.newest() for _ in range(2)))
    server.pause()
    async with asyncio.timeout(2 * SOON):
        await database.close()
    server.resume()


async def test_a_server_that_is_killed_within_a_transaction_stores_nothing_of_it(
    server: DatabaseServer,
) -> None:
    database = await Database.open(server.url)
    repository = EventRepository(database)
    await repository.append(make_events(3))

    async def write() -> None:
        async with database.write() as connection:
            await connection.exec_driver_sql("DELETE FROM events")
            server.kill()

    with pytest.raises(StoreUnavailableError):
        await write()
    server.start()
    assert await repository.count() == 3
    await database.close()
