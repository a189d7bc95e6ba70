"""What a session of evtop asks of a database server: when to end an idle one, and how long to wait for a migration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import sqlalchemy as sa

from store.database import Database
from store.engines import IDLE_TRANSACTION_SECONDS, TRANSACTION_TIMEOUT_SECONDS, postgresql
from store.engines.postgresql import Postgresql
from store.errors import StoreUnavailableError
from tests.mariadb import MariadbServer
from tests.postgres import PostgresServer

KEEPALIVE = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
IDLE = "idle_in_transaction_session_timeout"


async def settings(url: str, *names: str) -> list[str]:
    """What a session of PostgreSQL has for `names`."""
    database = await Database.connect(url)
    try:
        async with database.read() as connection:
            return [(await connection.exec_driver_sql(f"SHOW {name}")).scalar_one() for name in names]
    finally:
        await database.close()


def test_no_transaction_of_evtop_may_be_idle_for_longer_than_it_may_take() -> None:
    assert 0 < IDLE_TRANSACTION_SECONDS <= TRANSACTION_TIMEOUT_SECONDS


async def test_postgresql_ends_idle_transactions_and_asks_after_silent_clients(
    postgres: PostgresServer,
) -> None:
    assert await settings(postgres.url, IDLE, *KEEPALIVE) == ["30s", "30", "10", "3"]


@pytest.mark.parametrize("spelling", [f"-c%20{IDLE}%3D7s", f"-c{IDLE}=7s", f"--{IDLE.replace('_', '-')}=7s"])
async def test_options_of_the_url_go_before_and_leave_the_rest(
    postgres: PostgresServer, spelling: str
) -> None:
    url = f"{postgres.url}?options=-c%20application_name=mine%20{spelling}"
    said = await settings(url, "application_name", IDLE, *KEEPALIVE)
    assert said == ["mine", "7s", "30", "10", "3"]


async def test_mariadb_ends_idle_transactions(mariadb: MariadbServer) -> None:
    database = await Database.connect(f"{mariadb.url}?sql_mode=ANSI")
    async with database.read() as connection:
        statement = sa.text("SELECT @@idle_transaction_timeout, @@time_zone")
        assert tuple((await connection.execute(statement)).one()) == (IDLE_TRANSACTION_SECONDS, "+00:00")
    await database.close()


@pytest.fixture
async def other(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncpg.Connection]:
    """Another program's connection to the database, while a migration waits for a moment only."""
    monkeypatch.setattr(postgresql, "MIGRATION_TIMEOUT_SECONDS", 0.3)
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def refusal(url: str) -> str:
    with pytest.raises(StoreUnavailableError) as caught:
        async with asyncio.timeout(10):
            await Database.open(url)
    assert str(caught.value).isprintable()
    return str(caught.value)


async def test_another_process_that_migrates_is_not_waited_for_for_ever(
    postgres_url: str, other: asyncpg.Connection
) -> None:
    async with other.transaction():
        await other.execute(f"SELECT pg_advisory_xact_lock({0x6576746F70})")
        assert (await refusal(postgres_url)).endswith(
            "another process is migrating the schema, for more than 0.3 s"
        )
    await (await Database.open(postgres_url)).close()


async def test_a_program_that_uses_the_tables_is_not_waited_for_for_ever_by_a_migration(
    postgres_url: str, other: asyncpg.Connection
) -> None:
    kind, engine = Postgresql(), Postgresql().create_engine(sa.make_url(postgres_url))
    await other.execute("CREATE TABLE used (n int)")
    async with other.transaction():
        await other.execute("SELECT n FROM used")
        with pytest.raises(TimeoutError, match=r"another program uses the tables .* for more than 0\.3 s"):
            async with kind.migrating(engine) as connection:
                await connection.exec_driver_sql("ALTER TABLE used ADD COLUMN m int")
    async with kind.migrating(engine) as connection:
        await connection.exec_driver_sql("ALTER TABLE used ADD COLUMN m int")
    await engine.dispose()
