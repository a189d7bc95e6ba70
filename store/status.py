"""What a store is like, for the people who run it. Looks at any version of it, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr
from sqlalchemy import Connection, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection

from store import appending, event_counts
from store.credentials import secret
from store.database import Database
from store.database_url import described, parsed, unusable
from store.engines import UnusableUrlError
from store.engines.sqlite_file import ReadOnlyFile
from store.event_filter import EVERY_EVENT
from store.migrations import HEAD
from store.partitions import is_partitioned
from store.search.lookup import indexed_position
from store.tables import dead_letters, events

_SIZE = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "mariadb": (
        "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()"
    ),
}
_UNREADABLE = (TypeError, ValueError, OverflowError)
"""What drivers raise for a moment that `datetime` cannot hold."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What a store is like. What could not be told is None; a store without tables has no version.

    `size` is in bytes, of the whole database. `known` is the version of the schema that this program knows.
    Up to the position `indexed` events are in the full-text index.
    """

    place: str
    dialect: str
    version: str | None
    known: str = HEAD
    events: int | None = None
    oldest: datetime | None = None
    newest: datetime | None = None
    last_position: int | None = None
    indexed: int | None = None
    dead_letters: int | None = None
    size: int | None = None
    partitioned: bool | None = None

    @property
    def is_current(self) -> bool:
        """Whether this program and the store agree on the schema."""
        return self.version == self.known

    @property
    def is_newer(self) -> bool:
        """Whether a later version of evtop has migrated it."""
        return self.version is not None and self.version > self.known


def missing_file(url: str | SecretStr) -> Path | None:
    """The file of the SQLite store at `url`, if it is not there yet; None for every other store.

    Raises:
        StoreUnavailableError: the URL cannot be used.
    """
    file = _file_of(parsed(url).url)
    if file is None:
        return None
    try:
        return None if file.exists() else file
    except PermissionError:
        # It may be there: opening it will say why it cannot be told.
        return None


async def store_status(url: str | SecretStr) -> StoreStatus:
    """Look at the store at `url`. Neither a file nor a table is created, and nothing is migrated.

    Raises:
        StoreUnavailableError: the URL cannot be used, or the database not be read.
    """
    # Rebound, so that a traceback with local variables has nothing to show.
    url = secret(url)
    address = parsed(url)
    file = _file_of(address.url)
    if missing_file(url) is not None:
        return StoreStatus(described(url), "sqlite", None)
    try:
        engine = address.kind.create_engine(_existing(address.url, file))
    except (UnusableUrlError, ArgumentError, ValueError, TypeError) as error:
        raise unusable(url, address.kind, error) from None
    database = Database(engine, address.kind, described(url))
    try:
        return await _look(database, file)
    finally:
        await database.close()


def _file_of(address: URL) -> Path | None:
    """The file of an SQLite store; None when it has none, or when the URL gives it in a form of its own."""
    name = address.database if address.get_backend_name() == "sqlite" else None
    return Path(name) if name and ":memory:" not in name and "uri" not in address.query else None


def _existing(address: URL, file: Path | None) -> URL:
    """`address` so that SQLite does not create the file. If it may write, it does: that is how it tidies up its log."""
    if file is None or ReadOnlyFile.at(file) is not None:
        return address
    query = {**address.query, "mode": "rw", "uri": "true"}
    return address.set(database=f"file:{quote(str(file.absolute()))}", query=query)


async def _look(database: Database, file: Path | None) -> StoreStatus:
    version = await database.version()
    # What a later version has made of the tables is not known here.
    known_tables = version is not None and version <= HEAD
    async with database.read() as connection:
        has = await connection.run_sync(_tables) if known_tables else _nothing
        current = version == HEAD
        oldest = newest = last = count = indexed = letters = None
        if has("events"):
            oldest, newest = await _moment(connection, newest=False), await _moment(connection, newest=True)
            count = (
                await event_counts.count(connection, EVERY_EVENT)
                if current
                else (await connection.execute(select(func.count()).select_from(events))).scalar_one()
            )
            last = (
                await appending.last_position(connection)
                if current
                else (await connection.execute(select(func.max(events.c.position)))).scalar_one() or 0
            )
        if has("search_head"):
            indexed = await indexed_position(connection)
        if has("dead_letters"):
            letters = (await connection.execute(select(func.count()).select_from(dead_letters))).scalar_one()
        size = await _size(connection, file)
    return StoreStatus(
        database.place,
        database.dialect,
        version,
        events=count,
        oldest=oldest,
        newest=newest,
        last_position=last,
        indexed=indexed,
        dead_letters=letters,
        size=size,
        partitioned=await is_partitioned(database),
    )


def _tables(connection: Connection) -> Callable[[str], bool]:
    names = set(connection.dialect.get_table_names(connection))
    return names.__contains__


def _nothing(table: str) -> bool:
    return False


async def _moment(connection: AsyncConnection, *, newest: bool) -> datetime | None:
    column = events.c.inserted_at
    statement = select(column).order_by(column.desc() if newest else column.asc()).limit(1)
    with suppress(*_UNREADABLE):
        return (await connection.execute(statement)).scalar()
    return None


async def _size(connection: AsyncConnection, file: Path | None) -> int | None:
    if file is not None:
        parts = [file, *(file.with_name(f"{file.name}{suffix}") for suffix in ("-wal", "-shm"))]
        return sum(part.stat().st_size for part in parts if part.exists())
    statement = _SIZE.get(connection.dialect.name)
    if statement is None:
        return None
    size = (await connection.execute(text(statement))).scalar()
    return None if size is None else int(size)
