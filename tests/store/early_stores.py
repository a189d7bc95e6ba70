"""Stores as earlier versions of evtop left them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import sqlalchemy as sa

from store.database import Database
from store.migrations import REVISIONS, VERSIONS
from store.migrations.schema_version import VERSION_TABLE, record, take_over
from store.migrations.upgrading import operations
from tests.store.oracle import run_sql


def revision(name: str) -> Any:
    """The module of a revision."""
    return import_module(f"store.migrations.versions.{name}")


async def migrate_to(database: Database, version: str) -> None:
    """Up to `version`, from an empty database."""

    def migrate(connection: sa.Connection) -> None:
        take_over(connection)
        for name, number in zip(REVISIONS, VERSIONS, strict=True):
            if number <= version:
                revision(name).upgrade(operations(connection))
                record(connection, number)

    async with database.write() as connection:
        await connection.run_sync(migrate)


async def make_early(database: Database, version: str) -> None:
    """Put the version where it was before evtop had a table for it."""
    await run_sql(
        database,
        f"DROP TABLE {VERSION_TABLE}",
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        f"INSERT INTO alembic_version VALUES ('{version}')",
    )
