"""PostgreSQL, by asyncpg."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from pydantic_core import from_json
from sqlalchemy import event, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.engines import (
    CONNECT_TIMEOUT_SECONDS,
    IDLE_TRANSACTION_SECONDS,
    MIGRATION_TIMEOUT_SECONDS,
    TRANSACTION_TIMEOUT_SECONDS,
    UnusableUrlError,
    json_text,
    options_of,
    refuse_missing_files,
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

_READING_ALONE = ("42501", "25006")
"""SQLSTATEs of what a role does not allow, and of what a transaction that only reads, or a replica, does not."""
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_VERIFYING = ("require", "verify-ca", "verify-full")
_LOCK_NOT_AVAILABLE = "55P03"
_KEEPALIVE = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
"""The server asks after a silent client, and gives it up after a minute: the system's default is two hours."""


class Postgresql:
    """A PostgreSQL server. Its kind of `store.engines.DatabaseKind`."""

    timeout = TRANSACTION_TIMEOUT_SECONDS
    example = "postgresql://user:password@host/database"

    def create_engine(self, url: URL) -> AsyncEngine:
        """An engine over asyncpg; `options`, `sslmode` and its files, as libpq spells them, are understood."""
        if url.drivername not in {"postgresql", "postgres", "postgresql+asyncpg"}:
            raise UnusableUrlError("write postgresql://, evtop brings the driver")
        try:
            driver: Any = import_module("asyncpg")
        except ImportError:
            raise UnusableUrlError(
                "PostgreSQL needs its driver: install evtop with the extra 'postgresql'"
            ) from None
        files = _tls_files(url)
        query = {name: value for name, value in url.query.items() if name not in files}
        if "sslmode" in query:
            query["ssl"] = query.pop("sslmode")
        settings = _server_settings(query.pop("options", ()))
        url = url.set(drivername="postgresql+asyncpg", query=query)
        known = set(options_of(driver.connect)) - {"server_settings", "dsn"}
        refuse_unknown_options(url, *known, "prepared_statement_cache_size")
        engine = create_async_engine(
            url,
            json_serializer=json_text,
            json_deserializer=from_json,
            connect_args={
                "timeout": CONNECT_TIMEOUT_SECONDS,
                "server_settings": settings,
                # The driver takes the files in this form alone, and all the rest by name.
                **({"dsn": f"postgresql://?{urlencode(files)}"} if files else {}),
            },
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
        patience = f"SET LOCAL lock_timeout = {int(MIGRATION_TIMEOUT_SECONDS * 1000)}"
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level=_EACH_STATEMENT)
            async with connection.begin():
                await connection.execute(text(patience))
                with _lock_named("another process is migrating the schema"):
                    await connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                with _lock_named("another program uses the tables that are to be migrated"):
                    yield connection

    async def clear_remains(self, engine: AsyncEngine, *, compact: bool) -> bool:
        """Nothing: what a server keeps, and until when, is its owner's to say."""
        return True

    def refuses_data(self, error: Exception) -> bool:
        """By its SQLSTATE; asyncpg refuses some values itself, before they are sent."""
        if not isinstance(error, DBAPIError):
            return isinstance(error, StatementError)
        state = str(getattr(error.orig, "sqlstate", None) or "")
        cause = error.orig.__cause__ if error.orig is not None else None
        return state.startswith(_DATA_ERRORS) or isinstance(cause, ValueError)

    def forbids_writing(self, error: Exception) -> bool:
        """By its SQLSTATE."""
        return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _READING_ALONE


def _tls_files(url: URL) -> dict[str, str]:
    """The files of `url` that have to do with TLS.

    Raises:
        UnusableUrlError: one of them cannot be read, or would not be used.
    """
    refuse_missing_files(url, *_TLS_FILES)
    files = {name: str(url.query[name]) for name in _TLS_FILES if name in url.query}
    if files and url.query.get("sslmode") not in _VERIFYING:
        raise UnusableUrlError(f"{next(iter(files))} needs sslmode=verify-full beside it")
    return files


def _server_settings(options: str | tuple[str, ...]) -> dict[str, str]:
    """What the server is told of a connection: `options` of the URL, and what those do not say."""
    said = options if isinstance(options, str) else " ".join(options)
    settings = {"idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS}s", **_KEEPALIVE}
    # What stands beside the options would win over them.
    settings = {name: value for name, value in settings.items() if name not in said.replace("-", "_")}
    return {**settings, "options": said} if said else settings


@contextmanager
def _lock_named(holder: str) -> Generator[None]:
    """Say of a lock that was waited for for too long who has it."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise TimeoutError(f"{holder}, for more than {MIGRATION_TIMEOUT_SECONDS:g} s") from error


def _close_in_time(engine: AsyncEngine) -> None:
    """Give a server two seconds to take leave: asyncpg waits for it for ever when a connection is closed."""

    @event.listens_for(engine.sync_engine, "close")
    def _terminate(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.terminate()
