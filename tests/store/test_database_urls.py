"""What a URL may be, and what is said of one that cannot be used: one line, no secret."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from store.database import Database
from store.database_url import described
from store.engines import mariadb, postgresql
from store.errors import StoreUnavailableError
from store.repository import EventRepository
from tests.events import make_events
from tests.mariadb import MariadbServer
from tests.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
SECRET = "hunter2"
WITHOUT_DRIVER = """
import asyncio, sys
from store.database import Database
from store.errors import StoreUnavailableError

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
try:
    asyncio.run(Database.open(sys.argv[2]))
except StoreUnavailableError as error:
    print(error)
"""


async def refusal(url: str) -> str:
    """What is said of `url`."""
    with pytest.raises(StoreUnavailableError) as caught:
        await Database.open(url)
    text = str(caught.value)
    assert text.startswith("EVTOP_STORE")
    assert text.isprintable()
    assert SECRET not in text
    assert "?" not in text
    return text


async def works(url: str) -> None:
    database = await Database.open(url)
    repository = EventRepository(database)
    await repository.append(make_events(2))
    assert await repository.count() == 2
    await database.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?sslmode=disable",
        "?sslmode=prefer",
        "?ssl=disable",
        "?prepared_statement_cache_size=0",
        "?timeout=9",
        "?options=-c%20statement_timeout%3D60s",
    ],
)
async def test_a_url_of_postgresql_works_as_other_programs_write_it(
    postgres: PostgresServer, scheme: str, query: str
) -> None:
    await works(f"{scheme}{postgres.url.removeprefix('postgresql')}{query}")


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+asyncmy", "mariadb+asyncmy"])
@pytest.mark.parametrize("query", ["", "?charset=latin1", "?charset=utf8", "?sql_mode=ANSI"])
async def test_a_url_of_mariadb_works_as_other_programs_write_it(
    mariadb: MariadbServer, scheme: str, query: str
) -> None:
    await works(f"{scheme}{mariadb.url.removeprefix('mysql')}{query}")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not a database URL"),
        ("events.db", "not a database URL"),
        ("://", "not a database URL"),
        ("postgresql://ann:hunter2@host:port/db", "not a database URL"),
        ("sqlite://events.db", "not a database URL"),
        ("sqlite://ann:hunter2@host/events.db", "not a database URL"),
        ("sqlite:////tmp/events.db?timeout=hunter2", "not a database URL"),
        ("sqlite:////tmp/events.db?hunter=hunter2", "no option 'hunter'"),
        ("postgresql://ann:hunter2@host/db?hunter=hunter2", "no option 'hunter'"),
        ("postgresql://ann:hunter2@host/db?server_settings=hunter2", "no option 'server_settings'"),
        ("mysql://ann:hunter2@host/db?hunter=hunter2", "no option 'hunter'"),
        ("mysql://ann:hunter2@host/db?sslmode=require", "no option 'sslmode'"),
        ("mysql://ann:hunter2@host/db?read_timeout=hunter2", "not a database URL"),
        ("mysql://ann:hunter2@host", "names no database"),
        ("sqlite+pysqlite:///events.db", "write sqlite:///"),
        ("postgresql+psycopg://ann:hunter2@host/db?password=hunter2", "write postgresql://"),
        ("mysql+pymysql://ann:hunter2@host/db", "write mysql:// or mariadb://"),
        ("oracle://ann:hunter2@host/db", "use one of sqlite:////var/lib"),
        ("nosuch+driver://ann:hunter2@host/db", "use one of sqlite:////var/lib"),
        ("postgresql://ann:x@hunter2@host/db", "write an @ in the user name or password as %40"),
        ("postgresql://ann:x@y/hunter2@host/db", "write an @ in the user name or password as %40"),
        ("mysql://ann:x@y?hunter2@host/db", "write an @ in the user name or password as %40"),
        ("mysql://ann:x@hunter2=@host/db", "write an @ in the user name or password as %40"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_in_one_line_without_secrets(url: str, said: str) -> None:
    assert said in await refusal(url)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("statement_cache_size=x", "not supported between"),
        ("command_timeout=x", "command_timeout"),
        ("sslmode=bogus", "sslmode"),
    ],
)
async def test_an_option_that_the_driver_does_not_take_is_no_fault_of_the_data(
    postgres: PostgresServer, query: str, said: str
) -> None:
    assert said in await refusal(f"{postgres.url}?{query}")
    database = await Database.connect(f"{postgres.url}?{query}")
    with pytest.raises(StoreUnavailableError, match=said):
        await EventRepository(database).append(make_events(1))
    await database.close()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_server_that_cannot_be_reached_is_said_to_be_so(scheme: str) -> None:
    said = await refusal(f"{scheme}://ann:hunter2@127.0.0.1:1/db?password=hunter2")
    assert said.startswith(f"EVTOP_STORE {scheme}://ann:***@127.0.0.1:1/db: ")
    assert "onnect" in said
    assert "port must be 0-65535" in await refusal(f"{scheme}://ann:hunter2@127.0.0.1:99999/db")
    assert "not known" in await refusal(f"{scheme}://ann:hunter2@nosuch.invalid/db")


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_server_that_takes_a_connection_and_says_nothing_is_not_waited_for(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (postgresql, mariadb):
        monkeypatch.setattr(module, "CONNECT_TIMEOUT_SECONDS", 0.2)
    # MariaDB's driver waits for the connection alone with that, and not for what the server says then.
    monkeypatch.setattr(mariadb.Mariadb, "timeout", 0.2)
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(5):
        said = await refusal(f"{scheme}://ann:hunter2@127.0.0.1:{port}/db")
    assert said.startswith(f"EVTOP_STORE {scheme}://ann:***@127.0.0.1:{port}/db: ")
    assert connections
    for writer in connections:
        writer.close()


async def test_a_login_that_is_refused_is_said_to_be_so(
    postgres: PostgresServer, mariadb: MariadbServer
) -> None:
    for server, said, unknown in (
        (postgres, "password authentication failed", 'database "nosuch" does not exist'),
        (mariadb, "Access denied", "Unknown database 'nosuch'"),
    ):
        login, _, place = server.url.rpartition("@")
        scheme, _, credentials = login.partition("://")
        user = credentials.partition(":")[0]
        assert said in await refusal(f"{scheme}://{user}:{SECRET}@{place}")
        text = await refusal(f"{login}@{place.partition('/')[0]}/nosuch")
        assert unknown in text
        assert credentials not in text


@pytest.mark.parametrize(
    ("driver", "url", "extra"),
    [
        ("asyncpg", "postgresql://ann:hunter2@host/db", "postgresql"),
        ("asyncmy", "mysql://ann:hunter2@h/d", "mariadb"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_how_to_get_it(
    driver: str, url: str, extra: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRIVER, driver, url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert f"install evtop with the extra '{extra}'" in done.stdout
    assert SECRET not in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("sqlite:////var/lib/evtop/events.db", "sqlite:////var/lib/evtop/events.db"),
        ("sqlite:////home/a@b/events.db", "sqlite:////home/a@b/events.db"),
        ("postgresql://ann:hunter2@host:5432/db?sslpassword=hunter2", "postgresql://ann:***@host:5432/db"),
        ("postgresql://ann:hun%40ter2@host/db", "postgresql://ann:***@host/db"),
        ("postgresql://ann:hun?ter2@host/db?application_name=a@b", "postgresql://ann:***@host/db"),
        ("postgresql://ann:x@hunter2@host/db", "postgresql://***"),
        ("postgresql://ann@corp:hunter2@host/db", "postgresql://ann@corp:***@host/db"),
        ("postgresql://a%1b[2J:hunter2@host/db", r"postgresql://a\x1b[2J:***@host/db"),
        ("postgresql://ann:hunter2@host:port/db", "(not a URL)"),
        ("hunter2", "(not a URL)"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, text: str) -> None:
    assert described(url) == text
