"""PostgreSQL, by asyncpg."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from pydantic_core import from_json
from sqlalchemy import event, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.engines import (
    CONNECT_TIMEOUT_SECONDS,
    TRANSACTION_TIMEOUT_SECONDS,
    UnusableUrlError,
    json_text,
    options_of,
    refuse_unknown_options,
)

_MIGRATION_LOCK = 0x6576746F70
"""The key of the advisory lock: "evtop" in ASCII."""
_EACH_STATEMENT = "READ COMMITTED"
"""Each statement sees what was committed before it, also while the transaction waited for a lock. Said here
because the server's default may be another one."""
_DATA_ERRORS = ("22", "23", "44", "P0001", "54000")
"""SQLSTATE classes of faults in the data: data exception, integrity constraint, check option, raised by a
trigger, too large for an index (postgresql.org/docs/current/errcodes-appendix.html)."""


class Postgresql:
    """A PostgreSQL server. Its kind of `store.engines.DatabaseKind`."""

    timeout = TRANSACTION_TIMEOUT_SECONDS
    example = "postgresql://user:password@host/database"

    def create_engine(self, url: URL) -> AsyncEngine:
        """An engine over asyncpg; `sslmode`, as libpq spells it, is understood."""
        if url.drivername not in {"postgresql", "postgres", "postgresql+asyncpg"}:
            raise UnusableUrlError("write postgresql://, evtop brings the driver")
        try:
            driver: Any = import_module("asyncpg")
        except ImportError:
            raise UnusableUrlError(
                "PostgreSQL needs its driver: install evtop with the extra 'postgresql'"
            ) from None
        query = dict(url.query)
        if "sslmode" in query:
            query["ssl"] = query.pop("sslmode")
        url = url.set(drivername="postgresql+asyncpg", query=query)
        refuse_unknown_options(url, *options_of(driver.connect), "prepared_statement_cache_size")
        engine = create_async_engine(
            url,
            json_serializer=json_text,
            json_deserializer=from_json,
            connect_args={"timeout": CONNECT_TIMEOUT_SECONDS},
            pool_pre_ping=True,
            hide_parameters=True,
        )
        _close_in_time(engine)
        return engine

    async def prepare(self, engine: AsyncEngine, url: URL) -> None:
        """Nothing: the database must be there."""

    @asynccontextmanager
    async def connect(self, engine: AsyncEngine, *, write: bool) -> AsyncGenerator[AsyncConnection]:
        """A transaction: of one snapshot and read-only, or one that sees each commit before it."""
        async with engine.connect() as connection:
            if write:
                await connection.execution_options(isolation_level=_EACH_STATEMENT)
            else:
                await connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def migrating(self, engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
        """A transaction under an advisory lock. PostgreSQL rolls back changes to the schema with the rest."""
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level=_EACH_STATEMENT)
            async with connection.begin():
                await connection.execute(text("SET LOCAL lock_timeout = 0"))
                await connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                yield connection

    def refuses_data(self, error: Exception) -> bool:
        """By its SQLSTATE; asyncpg refuses some values itself, before they are sent."""
        if not isinstance(error, DBAPIError):
            return isinstance(error, StatementError)
        state = str(getattr(error.orig, "sqlstate", None) or "")
        cause = error.orig.__cause__ if error.orig is not None else None
        return state.startswith(_DATA_ERRORS) or isinstance(cause, ValueError)


def _close_in_time(engine: AsyncEngine) -> None:
    """Give a server two seconds to take leave: asyncpg waits for it for ever when a connection is closed."""

    @event.listens_for(engine.sync_engine, "close")
    def _terminate(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.terminate()
