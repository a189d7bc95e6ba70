"""Which version the schema has, kept in a table of evtop's own: a store may share its database with other programs."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Column, Connection, MetaData, Table, column, select, table

from store.column_types import SERVER_OPTIONS, short_text
from store.migrations import VERSIONS

VERSION_TABLE = "evtop_schema_version"
_versions = Table(
    VERSION_TABLE, MetaData(), Column("version_num", short_text(32), primary_key=True), **SERVER_OPTIONS
)
"""One row; none as long as the first migration has not ended."""
_alembic_versions = table("alembic_version", column("version_num"))
"""Where early stores kept it, and where every application that uses Alembic keeps its own."""
_EVIDENCE = "event_rollups"
"""A table that every early store has: without it, a version in `alembic_version` is another program's."""


def recorded_version(connection: Connection) -> str | None:
    """What evtop's own table says; None when there is nothing in it, or no such table."""
    if not connection.dialect.has_table(connection, VERSION_TABLE):
        return None
    return connection.execute(select(_versions.c.version_num)).scalar()


def early_version(connection: Connection) -> str | None:
    """What a store that has no such table yet says in `alembic_version`; None when nothing there is evtop's."""
    return _newest_known(_in_alembic_version(connection))


def take_over(connection: Connection) -> str | None:
    """The version, from now on in evtop's own table. The caller has the migration lock."""
    version = recorded_version(connection)
    if version is not None:
        return version
    _versions.create(connection, checkfirst=True)
    rows = _in_alembic_version(connection)
    version = _newest_known(rows)
    if version is not None:
        record(connection, version)
        if rows == [version]:
            # Left there, an application's Alembic would take it for its own. The row and not the table: an empty
            # one is to Alembic as good as none, what someone adds meanwhile survives, and on MariaDB, where
            # a DROP commits by itself, the one row goes in the transaction that brings the other.
            ours = _alembic_versions.c.version_num == version
            connection.execute(_alembic_versions.delete().where(ours))
    return version


def record(connection: Connection, version: str) -> None:
    """Make `version` the one in evtop's own table, which is there."""
    connection.execute(_versions.delete())
    connection.execute(_versions.insert().values(version_num=version))


def _in_alembic_version(connection: Connection) -> list[str]:
    """All rows of `alembic_version`, if this database has been an early store."""
    has_table = connection.dialect.has_table
    if not (has_table(connection, _EVIDENCE) and has_table(connection, _alembic_versions.name)):
        return []
    return list(connection.execute(select(_alembic_versions.c.version_num)).scalars())


def _newest_known(versions: Iterable[str]) -> str | None:
    return max((version for version in versions if version in VERSIONS), default=None)
