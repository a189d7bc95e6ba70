"""The servers that tests run on are real: they keep what was committed, freeze, come back and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import asyncmy
import asyncpg
import psutil
import pytest

from tests.database_server import PASSWORD, DatabaseServer, alive
from tests.mariadb import MISSING, MariadbServer
from tests.postgres import PostgresServer, remove_shared_memory
from tests.servers import REQUIRE_MARIADB
from tests.tcp_proxy import TcpProxy
from tests.waiting import until

ROOT = Path(__file__).parents[2]
ROW = "naïve 🐘"
FROZEN = 0.3
"""How long a query must get no answer for the server to count as frozen, seconds."""

OWNER = """
import sys
from tests.{module} import {name}

with {name}() as server:
    print(server.directory, *(process.pid for process in server.processes), flush=True)
    sys.stdin.readline()
"""


class Driver(Protocol):
    """The little of a plain driver that is needed here."""

    async def execute(self, sql: str) -> object: ...
    async def value(self, sql: str) -> Any: ...


class Asyncpg:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str) -> object:
        return await self._connection.execute(sql)

    async def value(self, sql: str) -> Any:
        return await self._connection.fetchval(sql)


class Asyncmy:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str) -> object:
        async with self._connection.cursor() as cursor:
            return await cursor.execute(sql)

    async def value(self, sql: str) -> Any:
        async with self._connection.cursor() as cursor:
            await cursor.execute(sql)
            row = await cursor.fetchone()
            return None if row is None else row[0]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Driver]:
    """A connection of the driver that belongs to `url`. A server that was killed may have closed it already."""
    parts = urlsplit(url)
    assert parts.hostname == "127.0.0.1"
    assert parts.username is not None
    assert parts.password is not None
    login = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        "password": unquote(parts.password),
    }
    name = parts.path.removeprefix("/")
    if parts.scheme == "postgresql":
        connection = await asyncpg.connect(**login, database=name)
        try:
            yield Asyncpg(connection)
        finally:
            await connection.close()
    else:
        connection = await asyncmy.connect(**login, db=name, charset="utf8mb4", autocommit=True)
        try:
            yield Asyncmy(connection)
        finally:
            await connection.ensure_closed()


KINDS = ["postgresql", "mariadb"]


@pytest.fixture(params=KINDS)
def own(request: pytest.FixtureRequest) -> DatabaseServer:
    """A server of this test's own, of each kind in turn."""
    return request.getfixturevalue(
        {"postgresql": "postgres_server", "mariadb": "mariadb_server"}[request.param]
    )


@pytest.fixture(params=KINDS)
def shared(request: pytest.FixtureRequest) -> DatabaseServer:
    """The shared server, of each kind in turn."""
    return request.getfixturevalue({"postgresql": "postgres", "mariadb": "mariadb"}[request.param])


@pytest.fixture(scope="module", params=KINDS)
def spare(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    if request.param == "mariadb":
        request.getfixturevalue("mariadb_installed")
    with {"postgresql": PostgresServer, "mariadb": MariadbServer}[request.param]() as server:
        yield server


@pytest.fixture
def server(spare: DatabaseServer) -> Iterator[DatabaseServer]:
    """A server that only the tests of this file use, running, of each kind in turn."""
    yield spare
    if not spare.answers():
        spare.kill()
        spare.start()


async def write_row(url: str) -> None:
    async with connected(url) as driver:
        characters = " CHARACTER SET utf8mb4" if url.startswith("mysql") else ""
        await driver.execute(f"CREATE TABLE kept (words VARCHAR(40){characters})")
        await driver.execute(f"INSERT INTO kept VALUES ('{ROW}')")


async def row(url: str) -> str | None:
    async with connected(url) as driver:
        return await driver.value("SELECT words FROM kept")


async def test_a_committed_row_survives_a_kill_and_an_orderly_stop(own: DatabaseServer) -> None:
    await write_row(own.url)
    assert await row(own.url) == ROW
    for end in (own.kill, own.stop):
        processes = own.processes
        end()
        assert not any(map(alive, processes))
        assert not own.answers()
        with pytest.raises((OSError, asyncmy.errors.OperationalError)):
            await row(own.url)
        own.start()
        assert await row(own.url) == ROW


async def test_a_kill_ends_the_sessions_that_are_at_work(server: DatabaseServer) -> None:
    sleep = "SELECT pg_sleep(60)" if isinstance(server, PostgresServer) else "SELECT SLEEP(60)"
    async with connected(server.url) as busy, connected(server.url) as watching:
        at_work = asyncio.create_task(busy.value(sleep))
        if isinstance(server, PostgresServer):
            count = (
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'"
            )
        else:
            count = "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(60)'"
        async with asyncio.timeout(5):
            while await watching.value(count) != 1:
                assert not at_work.done()
        server.kill()
        with pytest.raises((OSError, asyncpg.PostgresError, asyncmy.errors.OperationalError)):
            await asyncio.wait_for(at_work, 5)
    server.start()
    assert server.answers()


async def test_a_paused_server_answers_nothing_and_goes_on_where_it_was(server: DatabaseServer) -> None:
    url = server.create_database()
    await write_row(url)
    async with connected(url) as driver:
        server.pause()
        try:
            asked = asyncio.create_task(driver.value("SELECT words FROM kept"))
            done, _ = await asyncio.wait({asked}, timeout=FROZEN)
            assert not done
            assert not server.answers()
            # One that had just ended is not told so by a parent that is stopped.
            states = {process.status() for process in server.processes} - {psutil.STATUS_ZOMBIE}
            assert states == {psutil.STATUS_STOPPED}
        finally:
            # A frozen server would not let the connection be closed.
            server.resume()
        assert await asyncio.wait_for(asked, 30) == ROW


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_paused_server_can_be_ended(server: DatabaseServer, end: str) -> None:
    url = server.create_database()
    await write_row(url)
    server.pause()
    getattr(server, end)()
    server.start()
    assert await row(url) == ROW


async def test_a_server_that_another_killed_can_be_started_again(server: DatabaseServer) -> None:
    url = server.create_database()
    await write_row(url)
    processes = server.processes
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not any(map(alive, processes)))
    server.kill()
    server.start()
    assert await row(url) == ROW


def test_a_server_outlives_the_thread_that_starts_it(server: DatabaseServer) -> None:
    server.stop()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    server.execute("SELECT 1")
    assert server.answers()


async def test_a_new_database_is_empty_and_no_one_elses(shared: DatabaseServer) -> None:
    one, other = shared.create_database(), shared.create_database()
    assert one != other
    await write_row(one)
    await write_row(other)
    shared.drop(one)
    assert await row(other) == ROW
    with pytest.raises((asyncpg.InvalidCatalogNameError, asyncmy.errors.OperationalError)):
        await row(one)
    shared.drop(other)


async def test_a_database_can_be_dropped_while_a_transaction_is_open_in_it(shared: DatabaseServer) -> None:
    url = shared.create_database()
    await write_row(url)
    async with connected(url) as driver:
        await driver.execute("BEGIN")
        assert await driver.value("SELECT words FROM kept") == ROW
        await asyncio.to_thread(shared.drop, url)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncmy.errors.OperationalError)):
            await driver.value("SELECT words FROM kept")


async def test_servers_listen_on_the_loopback_address_alone(shared: DatabaseServer) -> None:
    listening = [
        connection.laddr
        for connection in psutil.Process(shared.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", shared.port)]


async def test_a_login_needs_the_password(shared: DatabaseServer) -> None:
    url = shared.url.replace(urlsplit(shared.url).password or "", "wrong")
    with pytest.raises((asyncpg.InvalidPasswordError, asyncmy.errors.OperationalError)):
        async with connected(url):
            pass
    assert PASSWORD not in shared.url, "the password has to need escaping"


async def test_mariadb_keeps_its_default_character_set(mariadb: MariadbServer) -> None:
    """A store that relies on the server's default loses every character outside of latin1."""
    url = mariadb.create_database()
    async with connected(url) as driver:
        assert await driver.value("SELECT @@character_set_database") == "latin1"
        assert await driver.value("SELECT @@innodb_flush_log_at_trx_commit") == 1
    mariadb.drop(url)


async def test_servers_are_far_from_utc(shared: DatabaseServer) -> None:
    if isinstance(shared, PostgresServer):
        offset = "SELECT EXTRACT(timezone FROM now())::int"
    else:
        offset = "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())"
    async with connected(shared.url) as driver:
        assert await driver.value(offset) == (5 * 60 + 45) * 60


async def test_a_driver_reaches_the_server_through_the_proxy_and_notices_a_cut(
    shared: DatabaseServer,
) -> None:
    with TcpProxy(shared.port) as proxy:
        async with connected(proxy.url(shared.url)) as driver:
            assert await driver.value("SELECT 1") == 1
            proxy.stall()
            asked = asyncio.create_task(driver.value("SELECT 2"))
            done, _ = await asyncio.wait({asked}, timeout=FROZEN)
            assert not done
            proxy.resume()
            assert await asyncio.wait_for(asked, 5) == 2
            proxy.cut()
            with pytest.raises((OSError, asyncpg.PostgresError, asyncmy.errors.OperationalError)):
                await asyncio.wait_for(driver.value("SELECT 3"), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a server with its parent")
@pytest.mark.parametrize("kind", [PostgresServer, MariadbServer], ids=["postgresql", "mariadb"])
async def test_a_killed_test_process_leaves_no_server_behind(
    request: pytest.FixtureRequest, kind: type[DatabaseServer]
) -> None:
    if kind is MariadbServer:
        request.getfixturevalue("mariadb_installed")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(module=kind.__module__.rpartition(".")[2], name=kind.__name__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    directory: Path | None = None
    with owner:
        try:
            assert owner.stdout is not None
            place, *pids = (await asyncio.to_thread(owner.stdout.readline)).split()
            directory = Path(place)
            servers = [psutil.Process(int(pid)) for pid in pids]
            assert all(map(alive, servers))
        finally:
            owner.kill()
    await until(lambda: not any(map(alive, servers)), deadline=10)
    remove_shared_memory(directory / "data")
    shutil.rmtree(directory)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("required", "outcome"),
    [("0", "1 passed, 2 skipped, 1 deselected"), ("1", "1 passed, 1 deselected, 2 errors")],
)
def test_mariadb_that_is_missing_is_said_or_fails_where_it_is_required(
    tmp_path: Path, required: str, outcome: str
) -> None:
    (tmp_path / "test_it.py").write_text(
        "import tests.servers\n"
        "tests.servers.mariadb_program = lambda: None\n"
        "def test_store(store_url): assert store_url\n"
        "def test_own(mariadb_server): raise AssertionError\n"
    )
    words = f"-q -p tests.servers -p no:cacheprovider --rootdir {tmp_path} {tmp_path} -k".split()
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "not postgresql"],
        cwd=ROOT,
        env={**os.environ, REQUIRE_MARIADB: required},
        capture_output=True,
        text=True,
    )
    assert outcome in run.stdout, run.stdout + run.stderr
    assert MISSING in run.stdout
