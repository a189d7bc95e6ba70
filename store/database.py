"""The database: engine, pragmas, transactions, schema version."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.errors import STORE_SETTING, SchemaTooNewError, StoreUnavailableError
from store.migrations import HEAD

BUSY_TIMEOUT_SECONDS = 5.0
"""How long a writer waits for another one before it gives up."""
CLOSE_TIMEOUT_SECONDS = 10.0
"""How long closing waits for transactions; longer than a writer waits for the lock."""
_EXAMPLE = "not a database URL; write it like sqlite:////var/lib/evtop/events.db"


class Database:
    """An open database whose schema is this program's. `read()` and `write()` give its transactions."""

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        self._engine = engine
        self._users = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.place = place
        """Where the store is, for people: no password, no query string."""

    @classmethod
    async def open(cls, url: str) -> Database:
        """Connect to `url` (an SQLAlchemy URL), create the file if need be, and migrate the schema.

        Raises:
            StoreUnavailableError: the URL cannot be used, or the database not be reached or written.
            SchemaTooNewError: a later version of evtop has migrated it.
        """
        parsed = _normalised(url)
        place = described(url)
        if parsed.database and ":memory:" not in parsed.database and not parsed.query:
            try:
                Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StoreUnavailableError(f"{STORE_SETTING} {place}: {error.strerror}") from None
        try:
            engine = create_async_engine(
                parsed,
                json_serializer=lambda value: to_json(value).decode(),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
                json_deserializer=from_json,
                connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
                hide_parameters=True,
            )
        except (ArgumentError, ValueError):
            raise StoreUnavailableError(f"{STORE_SETTING} {place}: {_EXAMPLE}") from None
        try:
            await asyncio.to_thread(_prepare_file, engine)
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{STORE_SETTING} {place}: {error}") from None
        _prepare_sqlite(engine)
        database = cls(engine, place)
        try:
            await database._migrate()
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A read transaction: everything in it is seen at one moment. Keep it short, it holds back the WAL.

        Raises:
            StoreUnavailableError: the database failed.
        """
        with self._in_use(), self._errors_in_one_line():
            async with self._engine.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """A write transaction that takes the write lock at once, so that it never fails half way for it.

        Raises:
            StoreUnavailableError: the database failed; nothing of the transaction was stored.
        """
        with self._in_use(), self._errors_in_one_line():
            async with self._engine.connect() as connection:
                await connection.execution_options(evtop_write=True)
                async with connection.begin():
                    yield connection

    @contextmanager
    def _in_use(self) -> Generator[None]:
        self._users += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._idle.set()

    @contextmanager
    def _errors_in_one_line(self) -> Generator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreUnavailableError(f"{STORE_SETTING} {self.place}: {_cause(error)}") from error

    async def close(self) -> None:
        """Close all connections, once the transactions under way have ended.

        Their tasks may have been cancelled: a connection that is closed while one unwinds would never answer it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._idle.wait()
        await self._engine.dispose()

    async def _migrate(self) -> None:
        async with self.read() as connection:
            version = await connection.run_sync(_schema_version)
        if version == HEAD:
            # A console needs no write lock, and should not wait for whoever holds it.
            return
        self._refuse_newer(version)
        async with self.write() as connection:
            version = await connection.run_sync(_schema_version)
            if version == HEAD:
                return
            self._refuse_newer(version)
            await connection.run_sync(_upgrade)

    def _refuse_newer(self, version: str | None) -> None:
        if version is not None and version > HEAD:
            raise SchemaTooNewError(
                f"{STORE_SETTING} {self.place}: its schema is version {version}, this evtop knows {HEAD}; "
                "use a newer evtop"
            )


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


def described(url: str) -> str:
    """`url` for people: without password and query string."""
    try:
        return unquote(make_url(url).set(query={}).render_as_string(hide_password=True))
    except (ArgumentError, ValueError):
        return "(not a URL)"


def _normalised(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreUnavailableError(f"{STORE_SETTING}: {_EXAMPLE}") from None
    if parsed.get_backend_name() != "sqlite":
        raise StoreUnavailableError(
            f"{STORE_SETTING} {described(url)}: only sqlite is supported by this version"
        )
    return parsed.set(drivername="sqlite+aiosqlite")


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        # The driver would open transactions at times of its own; `_begin` does it instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        write = connection.get_execution_options().get("evtop_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _schema_version(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    # Importing Alembic costs more than opening a store that is up to date.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _cause(error: SQLAlchemyError) -> str:
    origin = getattr(error, "orig", None) or error
    return str(origin).splitlines()[0] if str(origin) else type(origin).__name__
