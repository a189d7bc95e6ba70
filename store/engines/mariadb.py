"""MariaDB, by asyncmy."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from pydantic_core import from_json
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, StatementError
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

_LOCK = "CONCAT('evtop.', LEFT(DATABASE(), 58))"
"""The name of the migration lock, which belongs to the server and not to the database; 64 characters at most."""
_TLS_OPTIONS = ("ssl_ca", "ssl_key", "ssl_cert", "ssl_check_hostname")
_SESSION = (
    # What is too long is an error and never cut off; a reader sees one moment; times are in UTC.
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"
    " time_zone = '+00:00', tx_isolation = 'REPEATABLE-READ', idle_transaction_timeout = {idle}"
)
_DATA_ERRORS = frozenset(
    {1048, 1062, 1118, 1153, 1216, 1264, 1292, 1300, 1364, 1366, 1406, 1452, 1644, 3140, 4025}
)
"""Codes of faults in the data: null, duplicate, too large, out of range, not of its type or character set,
raised by a trigger, a check that failed (mariadb.com/kb/en/mariadb-error-code-reference)."""
_READING_ALONE = frozenset({1044, 1142, 1143, 1227, 1290, 1792})
"""Codes of what a role, or a server that is read-only, does not allow: a database, a table, a column, an operation,
writing at all, writing in this transaction."""


class Mariadb:
    """A MariaDB server. Its kind of `store.engines.DatabaseKind`."""

    timeout = TRANSACTION_TIMEOUT_SECONDS
    example = "mysql://user:password@host/database"

    def create_engine(self, url: URL) -> AsyncEngine:
        """An engine over asyncmy, in utf8mb4 whatever the server's default."""
        if url.drivername not in {"mysql", "mariadb", "mysql+asyncmy", "mariadb+asyncmy"}:
            raise UnusableUrlError("write mysql:// or mariadb://, evtop brings the driver")
        if not url.database:
            raise UnusableUrlError(f"it names no database; write it like {self.example}")
        try:
            driver: Any = import_module("asyncmy.connection")
        except ImportError:
            raise UnusableUrlError(
                "MariaDB needs its driver: install evtop with the extra 'mariadb'"
            ) from None
        url = url.set(drivername="mariadb+asyncmy", query={**url.query, "charset": "utf8mb4"})
        refuse_unknown_options(url, *options_of(driver.Connection.__init__), *_TLS_OPTIONS)
        refuse_missing_files(url, "ssl_ca", "ssl_key", "ssl_cert")
        return create_async_engine(
            url,
            json_serializer=json_text,
            json_deserializer=from_json,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "init_command": _SESSION.format(idle=IDLE_TRANSACTION_SECONDS),
            },
            pool_pre_ping=True,
            hide_parameters=True,
        )

    async def prepare(self, engine: AsyncEngine, url: URL) -> None:
        """Nothing: the database must be there."""

    @asynccontextmanager
    async def connect(self, engine: AsyncEngine, *, write: bool) -> AsyncGenerator[AsyncConnection]:
        """A transaction. Its snapshot is taken by its first read that does not lock."""
        async with engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def migrating(self, engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
        """A connection under a named lock. Each change to the schema is committed by itself here."""
        async with engine.connect() as connection:
            wait = int(MIGRATION_TIMEOUT_SECONDS)
            taken = (await connection.execute(text(f"SELECT GET_LOCK({_LOCK}, {wait})"))).scalar()
            try:
                if taken != 1:
                    raise TimeoutError("another process is migrating the schema")
                await connection.rollback()
                async with connection.begin():
                    yield connection
            finally:
                # A connection that was lost or given up has no lock any more, and another one may not be had.
                if not connection.invalidated:
                    await connection.execute(text(f"DO RELEASE_LOCK({_LOCK})"))

    async def clear_remains(self, engine: AsyncEngine, *, compact: bool) -> bool:
        """Nothing: what a server keeps, and until when, is its owner's to say."""
        return True

    def refuses_data(self, error: Exception) -> bool:
        """By its error code."""
        if not isinstance(error, DBAPIError):
            return isinstance(error, StatementError)
        if isinstance(error, InterfaceError) or error.orig is None:
            return False
        return _code(error) in _DATA_ERRORS

    def forbids_writing(self, error: Exception) -> bool:
        """By its error code."""
        return isinstance(error, DBAPIError) and _code(error) in _READING_ALONE


def _code(error: DBAPIError) -> object:
    return error.orig.args[0] if error.orig is not None and error.orig.args else None
