"""Apply the revisions that a store has not seen. Imports Alembic, which costs more than opening a store."""

from __future__ import annotations

import logging
from importlib import import_module

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection

from store.migrations import REVISIONS, VERSIONS
from store.migrations.schema_version import VERSION_TABLE, record

_log = logging.getLogger(__name__)


def upgrade(connection: Connection, version: str | None) -> None:
    """Bring the schema from `version` (None: no tables) to the newest. The caller has the migration lock.

    The version is written after each revision, so that an interrupted upgrade goes on where it was.
    """
    op = operations(connection)
    for name, number in zip(REVISIONS, VERSIONS, strict=True):
        if version is None or number > version:
            _log.info("Running upgrade %s -> %s", version or "none", name)
            import_module(f"store.migrations.versions.{name}").upgrade(op)
            record(connection, number)
            version = number


def operations(connection: Connection) -> Operations:
    """Alembic's operations on `connection`.

    Never by `alembic.op`, `alembic.context` or `alembic.command`: those serve one migration in a process at a time,
    and the application that this runs in may be in the middle of its own.
    """
    return Operations(MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}))
