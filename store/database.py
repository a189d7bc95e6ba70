"""The database: transactions, schema version, errors in one line."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

from pydantic import SecretStr
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.credentials import forget_locals, secret
from store.database_url import described, parsed, unusable
from store.engines import (
    MIGRATION_TIMEOUT_SECONDS,
    TRANSACTION_TIMEOUT_SECONDS,
    DatabaseKind,
    UnusableUrlError,
)
from store.errors import (
    STORE_SETTING,
    DataRefusedError,
    SchemaTooNewError,
    StoreUnavailableError,
    one_line,
)
from store.migrations import HEAD
from store.migrations.schema_version import early_version, recorded_version, take_over

CLOSE_TIMEOUT_SECONDS = 10.0
"""How long closing waits for transactions; longer than a writer waits for the lock."""
MIGRATION_LIMIT_SECONDS = MIGRATION_TIMEOUT_SECONDS + TRANSACTION_TIMEOUT_SECONDS
"""How long migrating may take on a server: longer than it waits for another process that migrates."""
ONLY_READING = "only reading is allowed here"
"""What is said of a write that the database does not let this program do."""
_UNSENDABLE = (UnicodeError, OverflowError)
"""What drivers raise, as it is, for text or a number that their protocol cannot express."""


class Database:
    """An open database whose schema is this program's. `read()` and `write()` give its transactions."""

    def __init__(self, engine: AsyncEngine, kind: DatabaseKind, place: str) -> None:
        self._engine = engine
        self._kind = kind
        self._users = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.place = place
        """Where the store is, for people: no password, no query string."""
        self.dialect = engine.dialect.name
        """SQLAlchemy's name of the dialect: sqlite, postgresql or mariadb."""

    @classmethod
    async def open(cls, url: str | SecretStr) -> Database:
        """Connect to `url` (an SQLAlchemy URL; `postgresql://` and `mysql://` get their driver) and migrate the schema.

        SQLite's file is created if need be. Processes that open at once migrate once. Who may only read opens a
        store whose schema is up to date, and no other.

        Raises:
            StoreUnavailableError: the URL cannot be used, or the database not be reached or written.
            SchemaTooNewError: a later version of evtop has migrated it.
        """
        # Rebound, so that a traceback with local variables has nothing to show.
        url = secret(url)
        database = await cls.connect(url)
        try:
            await database.migrate()
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    async def connect(cls, url: str | SecretStr) -> Database:
        """Like `open`, but leave the schema as it is: to look at it, or to migrate it later.

        Raises:
            StoreUnavailableError: the URL cannot be used, or SQLite's file not be created.
        """
        url = secret(url)
        address = parsed(url)
        try:
            engine = address.kind.create_engine(address.url)
        except (UnusableUrlError, ArgumentError, ValueError, TypeError) as error:
            raise unusable(url, address.kind, error) from None
        database = cls(engine, address.kind, described(url))
        with database._errors_in_one_line():
            await address.kind.prepare(engine, address.url)
        return database

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A read transaction: everything in it is seen at one moment. Keep it short, it holds back SQLite's WAL.

        Raises:
            StoreUnavailableError: the database failed.
        """
        async with self._transaction(write=False) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """A write transaction.

        Raises:
            StoreUnavailableError: the database failed; nothing of the transaction was stored.
            DataRefusedError: it found fault with what was to be stored; nothing was.
        """
        async with self._transaction(write=True) as connection:
            yield connection

    async def version(self) -> str | None:
        """The schema's version; None for a database without evtop's tables.

        Raises:
            StoreUnavailableError: the database failed.
        """
        recorded, early = await self._look()
        return recorded or early

    async def migrate(self) -> None:
        """Bring the schema up to date, from any version. Other processes wait for the one that does it.

        Raises:
            StoreUnavailableError: the database failed, may not be written, or did not answer in time.
            SchemaTooNewError: a later version of evtop has migrated it.
        """
        recorded, early = await self._look()
        if recorded == HEAD:
            # A console needs no lock, and should not wait for whoever holds it.
            return
        self._refuse_newer(recorded)
        try:
            await self._migrate()
        except StoreUnavailableError as error:
            if recorded is None and early == HEAD:
                # Only the place of the version is an early one. Who may not write leaves it to the next one who may.
                return
            self._refuse_older(recorded or early, error.__cause__)
            raise

    async def _look(self) -> tuple[str | None, str | None]:
        """The version in evtop's own table; where there is none, the one that an early store has elsewhere."""
        async with self.read() as connection:
            recorded = await connection.run_sync(recorded_version)
            return recorded, await connection.run_sync(early_version) if recorded is None else None

    async def _migrate(self) -> None:
        limit = None if self._kind.timeout is None else MIGRATION_LIMIT_SECONDS
        with self._in_use(), self._errors_in_one_line():
            async with self._in_time(limit), self._kind.migrating(self._engine) as connection:
                version = await connection.run_sync(take_over)
                if version != HEAD:
                    self._refuse_newer(version)
                    # Importing Alembic costs more than opening a store that is up to date.
                    from store.migrations.upgrading import upgrade

                    await connection.run_sync(upgrade, version)

    def _refuse_newer(self, version: str | None) -> None:
        if version is not None and version > HEAD:
            raise SchemaTooNewError(
                f"{STORE_SETTING} {self.place}: its schema is version {version}, this evtop knows {HEAD}; "
                "use a newer evtop"
            )

    def _refuse_older(self, version: str | None, cause: BaseException | None) -> None:
        """Say what to do about a schema that this program may not migrate, if that is why it could not."""
        if not isinstance(cause, Exception) or not self._kind.forbids_writing(cause):
            return
        found = "it has no tables yet" if version is None else f"its schema is version {version}"
        raise StoreUnavailableError(
            f"{STORE_SETTING} {self.place}: {found}, this evtop needs {HEAD} and may not write it"
            f" ({_cause(cause)}); run `evtop db upgrade` as who may"
        ) from cause

    async def clear_remains(self, *, compact: bool) -> bool:
        """Have the files hold nothing of what was deleted or replaced, as far as this program can see to it.

        SQLite's log is emptied; with `compact`, the file is written anew, and others wait for as long as that takes.
        Returns whether it was done: who reads, or writes, may be in the way. A server sees to its files itself.

        Raises:
            StoreUnavailableError: the database failed.
        """
        with self._in_use(), self._errors_in_one_line():
            return await self._kind.clear_remains(self._engine, compact=compact)

    async def close(self) -> None:
        """Close all connections, once the transactions under way have ended.

        Their tasks may have been cancelled: a connection that is closed while one unwinds would never answer it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._idle.wait()
        await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(self, *, write: bool) -> AsyncGenerator[AsyncConnection]:
        with self._in_use(), self._errors_in_one_line(refusable=write):
            async with self._in_time(self._kind.timeout), AsyncExitStack() as stack:
                try:
                    # An option that the driver does not take is found when it connects, and is no fault of the data.
                    with self._errors_in_one_line(TypeError, ValueError, AssertionError, OverflowError):
                        connection = await stack.enter_async_context(
                            self._kind.connect(self._engine, write=write)
                        )
                except Exception as error:
                    # Also what is no failure of the database's came through frames that hold the password.
                    forget_locals(error)
                    raise
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

    @asynccontextmanager
    async def _in_time(self, seconds: float | None) -> AsyncGenerator[None]:
        """A server that stops answering, without closing the connection, would be waited for for ever."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise StoreUnavailableError(
                f"{STORE_SETTING} {self.place}: no answer within {seconds:g} s"
            ) from None

    @contextmanager
    def _errors_in_one_line(self, *more: type[Exception], refusable: bool = False) -> Generator[None]:
        """Name the place and the cause. `more` are kinds of error that stand for a failure here."""
        try:
            yield
        except (SQLAlchemyError, OSError, sqlite3.Error, *_UNSENDABLE, *more) as error:
            place, cause = f"{STORE_SETTING} {self.place}", _cause(error)
            forget_locals(error)
            if refusable and (isinstance(error, _UNSENDABLE) or self._kind.refuses_data(error)):
                raise DataRefusedError(place, cause) from error
            if refusable and self._kind.forbids_writing(error):
                cause = f"{ONLY_READING} ({cause})"
            raise StoreUnavailableError(f"{place}: {cause}") from error


def _cause(error: Exception) -> str:
    """What went wrong, in one line. It may quote what was stored: never a password, see `hide_parameters`."""
    origin = getattr(error, "orig", None) or error
    if isinstance(origin, OSError) and origin.strerror:
        return one_line(origin.strerror)
    # MariaDB's driver gives a code and a message.
    message = origin.args[1] if len(origin.args) == 2 and isinstance(origin.args[0], int) else origin
    if isinstance(origin, TimeoutError) and not str(message):
        return "no answer in time"
    return one_line(str(message)) or type(origin).__name__
