"""A producer that is frozen, or whose machine is gone, in the middle of an append: the others go on. On real servers.

Nothing is closed then, so that only the server can end its transaction, which holds what every append needs.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from store.database import Database
from store.engines import mariadb, postgresql
from store.errors import StoreUnavailableError
from store.repository import EventRepository
from store.retention import RetentionPolicy, prune
from store.short_transactions import take_turn
from tests.database_server import DatabaseServer
from tests.events import NOON, make_events
from tests.waiting import until

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]
LIMIT = 1
"""How long a transaction may lie idle in these tests, seconds."""
LATE = 6.0
"""When the server ended it at the latest, on a machine that has other work too."""
LONG_AFTER = NOON + timedelta(days=30)
PRODUCER = f"""
import asyncio, os, signal, sys
from store import appending
from store.database import Database
from store.engines import mariadb, postgresql
from store.repository import EventRepository
from tests.events import make_events

async def freeze(connection, ids):
    print("holds", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)

async def main():
    database = await Database.open(sys.stdin.readline().strip())
    await EventRepository(database).append(make_events(1))
    appending._known_ids = freeze
    await EventRepository(database).append(make_events(1, start=1))

mariadb.IDLE_TRANSACTION_SECONDS = postgresql.IDLE_TRANSACTION_SECONDS = {LIMIT}
asyncio.run(main())
"""


@pytest.fixture(params=["postgres_server", "mariadb_server"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """A server of this test's own, of each kind in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def frozen(server: DatabaseServer) -> Iterator[psutil.Process]:
    """A producer that is stopped behind the first statement of an append, and not resumed before the test ends."""
    # The URL has a password, and other users see arguments.
    with subprocess.Popen(
        [sys.executable, "-c", PRODUCER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            print(server.url, file=process.stdin, flush=True)
            assert process.stdout.readline() == "holds\n"
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGKILL)


async def test_a_frozen_producer_holds_up_appends_and_pruning_for_no_longer_than_the_limit(
    server: DatabaseServer, frozen: psutil.Process
) -> None:
    await until(lambda: frozen.status() == psutil.STATUS_STOPPED)
    database = await Database.open(server.url)
    repository = EventRepository(database)
    began = time.monotonic()
    async with asyncio.timeout(LATE):
        stored = await repository.append(make_events(3, start=10))
    assert time.monotonic() - began > 0.2 * LIMIT
    assert len(stored.events) == 3
    assert frozen.status() == psutil.STATUS_STOPPED
    # Nothing of the append that was cut short is there, and its positions are given to others.
    assert [event.position for event in await repository.after(0)] == [1, 2, 3, 4]
    async with asyncio.timeout(LATE):
        assert (await prune(database, RetentionPolicy(days=1), now=LONG_AFTER, trust_clock=True)).events == 4
    assert frozen.status() == psutil.STATUS_STOPPED
    await database.close()


@pytest.fixture
async def database(server: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A store whose transactions may lie idle for `LIMIT` seconds."""
    for module in (mariadb, postgresql):
        monkeypatch.setattr(module, "IDLE_TRANSACTION_SECONDS", LIMIT)
    return await Database.open(server.url)


async def test_work_that_takes_longer_than_a_transaction_may_lie_idle_goes_on(database: Database) -> None:
    repository = EventRepository(database)
    sleep = {"postgresql": "SELECT pg_sleep(1.8)", "mariadb": "SELECT SLEEP(1.8)"}[database.dialect]
    holds = asyncio.Event()

    async def be_busy() -> None:
        async with database.write() as connection:
            await take_turn(connection)
            holds.set()
            await connection.execute(text(sleep))
            await connection.execute(text("DELETE FROM dead_letters"))

    async with asyncio.timeout(3 * LATE), asyncio.TaskGroup() as group:
        group.create_task(be_busy())
        await holds.wait()
        # It waits for its turn, which is no idleness either.
        assert len((await repository.append(make_events(2))).events) == 2
    assert await repository.count() == 2
    await database.close()


async def test_a_transaction_that_was_ended_is_no_fault_of_the_data_and_the_store_works_again(
    database: Database,
) -> None:
    repository = EventRepository(database)

    async def dawdle() -> None:
        async with database.write() as connection:
            await take_turn(connection)
            await asyncio.sleep(LIMIT + 0.8)
            await connection.execute(text("DELETE FROM dead_letters"))

    with pytest.raises(StoreUnavailableError) as caught:
        await dawdle()
    assert str(caught.value).isprintable()
    assert len((await repository.append(make_events(2))).events) == 2
    await database.close()
