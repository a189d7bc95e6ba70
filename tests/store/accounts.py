"""Accounts of database servers with few rights, made with the statements in docs/operations.md."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from sqlalchemy import text

from store.database import Database
from tests.database_server import HOST, DatabaseServer
from tests.mariadb import MariadbServer
from tests.operations import statements

PASSWORD = "f3w@:/?#+ rights"
"""Has what must be escaped in a URL, and a blank."""


@contextmanager
def account(server: DatabaseServer, store: str, kind: str, missing: Collection[str] = ()) -> Iterator[str]:
    """The URL of `store` for an account of a `kind` that the docs have: `evtop_viewer`, `evtop_producer`.

    It gets no rights to tables that are `missing` from an early store.
    """
    database = urlsplit(store).path.removeprefix("/")
    login = f"{kind}_{database.removeprefix('evtop_')}"
    is_mariadb = isinstance(server, MariadbServer)
    owner = f"mysql://root@localhost/{database}?unix_socket={server.directory / 's'}" if is_mariadb else store
    heading = "MariaDB" if is_mariadb else "PostgreSQL"
    _run(owner, *_without(missing, statements(heading, kind, database, login, PASSWORD)))
    try:
        yield f"{server.scheme}://{login}:{quote(PASSWORD, safe='')}@{HOST}:{server.port}/{database}"
    finally:
        _run(
            owner,
            *([f"DROP USER '{login}'"] if is_mariadb else [f"DROP OWNED BY {login}", f"DROP ROLE {login}"]),
        )


def _without(missing: Collection[str], sql: Iterable[str]) -> Iterator[str]:
    """The statements, less what is said of tables that are `missing`."""
    for statement in sql:
        grant = re.fullmatch(r"(GRANT [A-Z, ]+ ON )([\w., ]+)( TO .*)", statement)
        if grant is None:
            yield statement
            continue
        names = [name for name in grant[2].split(", ") if name.rpartition(".")[2] not in missing]
        if names:
            yield f"{grant[1]}{', '.join(names)}{grant[3]}"


def _run(url: str, *sql: str) -> None:
    async def run() -> None:
        # Not opened, which would migrate a store that is to stay as it is.
        database = await Database.connect(url)
        try:
            async with database.write() as connection:
                for statement in sql:
                    # A host of MariaDB's is written %, which the driver would take for a place of a value.
                    await connection.execute(text(statement))
        finally:
            await database.close()

    asyncio.run(run())
