"""SQLite, by aiosqlite: one file, one writer at a time, readers that never wait for it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from pydantic_core import from_json
from sqlalchemy import Connection, ExceptionContext, NullPool, StaticPool, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import asbool

from store.engines import (
    MIGRATION_TIMEOUT_SECONDS,
    TRANSACTION_TIMEOUT_SECONDS,
    UnusableUrlError,
    json_text,
    refuse_unknown_options,
)
from store.engines.sqlite_file import Look, ReadOnlyFile

_OPTIONS = ("cached_statements", "check_same_thread", "detect_types", "timeout", "uri")
"""What a URL may say of a connection, those of a URI apart (docs.python.org/3/library/sqlite3.html). Not when
transactions begin (`isolation_level`): that is up to this module."""
BUSY_TIMEOUT_SECONDS = 5.0
"""How long a writer waits for another one before it gives up, unless the URL says `timeout`."""
_CLEAR_SECONDS = 10.0
"""How long to wait for readers and writers before the log is left as it is."""
_LONGEST_TIMEOUT_SECONDS = 2_147_483.0
"""SQLite counts milliseconds in 32 bits."""
_LOOK = "evtop_look"
"""What a connection to a file that may only be read remembers: what the file was like."""


class Sqlite:
    """A file, switched to write-ahead logging. Its kind of `store.engines.DatabaseKind`.

    What may not be written is opened to be read, and left as it is.
    """

    timeout = None
    example = "sqlite:////var/lib/evtop/events.db"

    def __init__(self) -> None:
        self._turns: WeakKeyDictionary[AsyncEngine, asyncio.Lock] = WeakKeyDictionary()
        """Of each engine whose store is in memory, where there is one connection for all: whose turn it is."""
        self._read_only: WeakKeyDictionary[AsyncEngine, ReadOnlyFile] = WeakKeyDictionary()
        """Of each engine whose file may not be written: that file."""

    def create_engine(self, url: URL) -> AsyncEngine:
        """An engine whose transactions begin when this module says so."""
        if url.drivername not in {"sqlite", "sqlite+aiosqlite"}:
            raise UnusableUrlError("write sqlite:///, evtop brings the driver")
        uri_options = [name for name in url.query if name != "isolation_level"] if _is_uri(url) else ()
        refuse_unknown_options(url, *_OPTIONS, *uri_options)
        patience = _patience(url)
        in_memory = _is_in_memory(url)
        file = None if in_memory or _is_uri(url) else ReadOnlyFile.at(Path(url.database or ""))
        # A connection to what may only be read is made anew each time, as how to open it depends on who writes.
        pool = StaticPool if in_memory else None if file is None else NullPool
        engine = create_async_engine(
            url.set(drivername="sqlite+aiosqlite"),
            json_serializer=json_text,
            json_deserializer=from_json,
            connect_args={"timeout": patience},
            hide_parameters=True,
            **({} if pool is None else {"poolclass": pool}),
        )
        _begin_on_demand(engine, patience)
        if file is None:
            _tidy_up(engine)
        else:
            self._read_only[engine] = file
        if in_memory:
            self._turns[engine] = asyncio.Lock()
            _keep_connection(engine)
        else:
            _open_here_first(engine, file)
        return engine

    async def prepare(self, engine: AsyncEngine, url: URL) -> None:
        """Create the file, and its folder. What a URI says where the file is, SQLite alone understands."""
        if engine in self._turns or engine in self._read_only:
            return
        if url.database and not _is_uri(url):
            Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(_prepare_file, engine, _patience(url))

    @asynccontextmanager
    async def connect(self, engine: AsyncEngine, *, write: bool) -> AsyncGenerator[AsyncConnection]:
        """A transaction. One that writes takes the write lock at once, so that it never fails half way for it."""
        async with self._turn(engine, TRANSACTION_TIMEOUT_SECONDS), engine.connect() as connection:
            if write:
                await connection.execution_options(evtop_write=True)
            try:
                async with connection.begin():
                    yield connection
            except DBAPIError:
                # What was read of two moments may look damaged.
                self._check(engine, connection)
                raise
            self._check(engine, connection)

    def _check(self, engine: AsyncEngine, connection: AsyncConnection) -> None:
        file = self._read_only.get(engine)
        if file is not None and not connection.invalidated:
            seen: Look = connection.info[_LOOK]
            file.check(seen)

    @asynccontextmanager
    async def migrating(self, engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
        """A transaction that writes, and waits longer than others do for the write lock."""
        async with self._turn(engine, MIGRATION_TIMEOUT_SECONDS), engine.connect() as connection:
            await connection.execution_options(
                evtop_write=True, evtop_wait=int(MIGRATION_TIMEOUT_SECONDS * 1000)
            )
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def _turn(self, engine: AsyncEngine, patience: float) -> AsyncGenerator[None]:
        """On a connection that all share, another one's rollback would take what this transaction has written."""
        turn = self._turns.get(engine)
        if turn is None:
            yield
            return
        try:
            async with asyncio.timeout(patience):
                await turn.acquire()
        except TimeoutError:
            raise TimeoutError(f"another transaction has taken more than {patience:g} s") from None
        try:
            yield
        finally:
            turn.release()

    async def clear_remains(self, engine: AsyncEngine, *, compact: bool) -> bool:
        """Empty the log; with `compact`, after `VACUUM`, which leaves nothing of what the pages had on them before."""
        if engine in self._turns or engine in self._read_only:
            return True
        return await asyncio.to_thread(_clear_file, engine, compact)

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

    def forbids_writing(self, error: Exception) -> bool:
        """By its error code: the file, its folder or the URL say so."""
        code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
        return code is not None and (code & 0xFF) == sqlite3.SQLITE_READONLY


def _is_uri(url: URL) -> bool:
    """Whether the file is named as SQLite's own URI (sqlite.org/uri.html)."""
    return asbool(url.query.get("uri", False))


def _is_in_memory(url: URL) -> bool:
    if not _is_uri(url):
        return url.database in {None, "", ":memory:"}
    name = (url.database or "").removeprefix("file:")
    return unquote(name) == ":memory:" or url.query.get("mode") == "memory"


def _patience(url: URL) -> float:
    """How long a writer waits for another one, seconds.

    Raises:
        UnusableUrlError, ValueError, TypeError: the URL says so, but not how long.
    """
    said: Any = url.query.get("timeout")
    if said is None:
        return BUSY_TIMEOUT_SECONDS
    patience = float(said)
    if not (isfinite(patience) and 0 <= patience <= _LONGEST_TIMEOUT_SECONDS):
        raise UnusableUrlError(f"timeout is from 0 to {_LONGEST_TIMEOUT_SECONDS:.0f} seconds")
    return patience


def _prepare_file(engine: AsyncEngine, patience: float) -> None:
    """Create the file if need be and switch it to write-ahead logging, which it then keeps.

    Not by aiosqlite, see `_open_here_first`. The switch needs the file for itself and does not wait for it as other
    statements do (sqlite.org/wal.html), so it is tried again.
    """
    arguments: Any
    options: Any
    arguments, options = engine.dialect.create_connect_args(engine.url)
    deadline = time.monotonic() + patience
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


def _clear_file(engine: AsyncEngine, compact: bool) -> bool:
    """On a connection of its own: within a transaction, neither is possible."""
    arguments: Any
    options: Any
    arguments, options = engine.dialect.create_connect_args(engine.url)
    deadline = time.monotonic() + _CLEAR_SECONDS
    with closing(sqlite3.connect(*arguments, **options, isolation_level=None)) as connection:
        while True:
            try:
                if compact:
                    connection.execute("VACUUM")
                    compact = False
                busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return True
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                    raise
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)


def _keep_connection(engine: AsyncEngine) -> None:
    """Go on with a connection whose statement was cancelled: the store in memory would be gone with it."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def _kept(context: ExceptionContext) -> None:  # pyright: ignore[reportUnusedFunction]
        # The driver's thread ends the statement before the rollback that follows.
        context.is_disconnect = False


def _open_here_first(engine: AsyncEngine, file: ReadOnlyFile | None) -> None:
    """Fail to connect where the failure is heard: aiosqlite's thread reports it to a loop that may be gone by then."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def _connecting(  # pyright: ignore[reportUnusedFunction]
        _dialect: object, record: Any, arguments: list[Any], options: dict[str, Any]
    ) -> None:
        if file is not None:
            record.info[_LOOK] = look = file.look()
            arguments[0] = look.uri
            options["uri"] = True
        sqlite3.connect(*arguments, **options).close()


def _tidy_up(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        cursor = connection.cursor()
        # The log is cut back to 64 MiB when a long reader has made it longer.
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "journal_size_limit = 67108864"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _begin_on_demand(engine: AsyncEngine, patience: float) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        # The driver would open transactions at times of its own; `_begin` does it instead.
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        options = connection.get_execution_options()
        wait = options.get("evtop_wait")
        if wait is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {wait}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("evtop_write") else "BEGIN")
        if wait is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(patience * 1000)}")
