"""What differs between the databases: how to connect, how to begin, how to lock, what an error means."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from pydantic_core import to_json
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.credentials import why_unreadable

CONNECT_TIMEOUT_SECONDS = 5.0
"""How long a server may take to accept a connection."""
TRANSACTION_TIMEOUT_SECONDS = 30.0
"""How long a server may take for a transaction before it counts as away."""
IDLE_TRANSACTION_SECONDS = 30
"""How long a transaction may lie idle before the server ends it. All that append wait for one row, and a program that
is frozen, or whose machine lost its power, would keep it. What is busy, or waits for a lock, is not idle."""
MIGRATION_TIMEOUT_SECONDS = 300.0
"""How long to wait for another process that migrates the schema."""


class UnusableUrlError(ValueError):
    """A URL that this database cannot be reached by. The message quotes no part of it that may be secret."""


class DatabaseKind(Protocol):
    """One kind of database. The repository is the same for all of them; this is what is not."""

    @property
    def timeout(self) -> float | None:
        """Seconds that a transaction may take; None where the driver never waits for ever."""
        ...

    @property
    def example(self) -> str:
        """What a URL of this kind looks like."""
        ...

    def create_engine(self, url: URL) -> AsyncEngine:
        """An engine for `url`. Nothing is connected yet.

        Raises:
            UnusableUrlError: the driver does not take such a URL.
        """
        ...

    async def prepare(self, engine: AsyncEngine, url: URL) -> None:
        """Create what must be there before the database can be asked anything.

        Raises:
            OSError, sqlite3.Error: it cannot be created.
        """
        ...

    def connect(self, engine: AsyncEngine, *, write: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection in a transaction, committed at the end.

        One that reads sees everything at one moment. One that writes never fails half way for want of a lock
        that it could have taken at its start.
        """
        ...

    def migrating(self, engine: AsyncEngine) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection in a transaction that only one process at a time has, to migrate the schema."""
        ...

    async def clear_remains(self, engine: AsyncEngine, *, compact: bool) -> bool:
        """See that no file of the database has what was deleted; with `compact`, by writing it anew.

        Returns False when others were in the way of that. True also where the server does what is to be done.
        """
        ...

    def refuses_data(self, error: Exception) -> bool:
        """Whether the database found fault with what was to be written, so that trying again is in vain."""
        ...

    def forbids_writing(self, error: Exception) -> bool:
        """Whether the database lets this program read, and not do what it was about to do."""
        ...


def options_of(connect: Callable[..., Any]) -> list[str]:
    """The names of the options that a driver's `connect` takes."""
    return list(inspect.signature(connect).parameters)


def refuse_unknown_options(url: URL, *known: str) -> None:
    """Check the query string of `url` against what the driver takes: it would fail at each connection only.

    Raises:
        UnusableUrlError: it has an option that the driver does not know.
    """
    for name in url.query:
        if name not in known:
            raise UnusableUrlError(f"the driver has no option {name!r}")


def refuse_missing_files(url: URL, *names: str) -> None:
    """Check that the files that options of `url` name can be read: a driver would not say which one it missed.

    Raises:
        UnusableUrlError: one of them cannot.
    """
    for name in names:
        path = url.query.get(name)
        reason = why_unreadable(path) if isinstance(path, str) else None
        if reason is not None:
            raise UnusableUrlError(f"{name}: {reason}")


def json_text(value: object) -> str:
    """`value` as the JSON that is stored."""
    return to_json(value).decode()
