"""SQLite, by aiosqlite: one file, one writer at a time, readers that never wait for it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.engines import MIGRATION_TIMEOUT_SECONDS, UnusableUrlError, json_text, refuse_unknown_options

_OPTIONS = ("cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout")
"""What a URL may say of a connection, those of a URI apart (docs.python.org/3/library/sqlite3.html)."""
BUSY_TIMEOUT_SECONDS = 5.0
"""How long a writer waits for another one before it gives up."""


class Sqlite:
    """A file, switched to write-ahead logging. Its kind of `store.engines.DatabaseKind`."""

    timeout = None
    example = "sqlite:////var/lib/evtop/events.db"

    def create_engine(self, url: URL) -> AsyncEngine:
        """An engine whose transactions begin when this module says so."""
        if url.drivername not in {"sqlite", "sqlite+aiosqlite"}:
            raise UnusableUrlError("write sqlite:///, evtop brings the driver")
        if "uri" not in url.query:
            refuse_unknown_options(url, *_OPTIONS)
        engine = create_async_engine(
            url.set(drivername="sqlite+aiosqlite"),
            json_serializer=json_text,
            json_deserializer=from_json,
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
            hide_parameters=True,
        )
        _begin_on_demand(engine)
        return engine

    async def prepare(self, engine: AsyncEngine, url: URL) -> None:
        """Create the file, and its folder."""
        if url.database and ":memory:" not in url.database and not url.query:
            Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(_prepare_file, engine)

    @asynccontextmanager
    async def connect(self, engine: AsyncEngine, *, write: bool) -> AsyncGenerator[AsyncConnection]:
        """A transaction. One that writes takes the write lock at once, so that it never fails half way for it."""
        async with engine.connect() as connection:
            if write:
                await connection.execution_options(evtop_write=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def migrating(self, engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
        """A transaction that writes, and waits longer than others do for the write lock."""
        async with engine.connect() as connection:
            await connection.execution_options(
                evtop_write=True, evtop_wait=int(MIGRATION_TIMEOUT_SECONDS * 1000)
            )
            async with connection.begin():
                yield connection

    def refuses_data(self, error: Exception) -> bool:
        """Constraints and triggers, values beyond 64 bits, text that is no UTF-8."""
        if not isinstance(error, DBAPIError):
            # A value that could not even be bound.
            return isinstance(error, StatementError)
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is None:
            # The driver refused the value itself.
            return isinstance(error.orig, (OverflowError, ValueError, sqlite3.ProgrammingError))
        return (code & 0xFF) in {
            sqlite3.SQLITE_CONSTRAINT,
            sqlite3.SQLITE_MISMATCH,
            sqlite3.SQLITE_TOOBIG,
            sqlite3.SQLITE_RANGE,
        }


def _prepare_file(engine: AsyncEngine) -> None:
    """Create the file if need be and switch it to write-ahead logging, which it then keeps.

    Not by aiosqlite, whose thread reports a failure to a loop that may be gone by then. The switch needs the
    file for itself and does not wait for it as other statements do (sqlite.org/wal.html), so it is tried again.
    """
    arguments: Any
    options: Any
    arguments, options = engine.dialect.create_connect_args(engine.url)
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    with closing(sqlite3.connect(*arguments, **options)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                code = error.sqlite_errorcode & 0xFF
                if code == sqlite3.SQLITE_READONLY:
                    return
                if code not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or time.monotonic() >= deadline:
                    raise
            time.sleep(0.01)


def _begin_on_demand(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        # The driver would open transactions at times of its own; `_begin` does it instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        # The log is cut back to 64 MiB when a long reader has made it longer.
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "journal_size_limit = 67108864"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        options = connection.get_execution_options()
        wait = options.get("evtop_wait")
        if wait is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {wait}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("evtop_write") else "BEGIN")
        if wait is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}")
