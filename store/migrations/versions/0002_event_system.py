"""Positions given out under a lock, dead letters, estimates and pruned counts in the rollups."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from store.column_types import IDENTIFIER, LONG_TEXT, MOMENT, POSITION, REAL, SERVER_OPTIONS, short_text

SECONDARY = "events_by_secondary_resource"


def upgrade(op: Operations) -> None:
    op.create_table(
        "event_head",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="event_head_is_one_row"),
        if_not_exists=True,
        **SERVER_OPTIONS,
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", POSITION, primary_key=True, autoincrement=True),
        sa.Column("event_id", IDENTIFIER),
        sa.Column("event_type", short_text(128)),
        sa.Column("reason", short_text(500), nullable=False),
        sa.Column("payload", LONG_TEXT, nullable=False),
        sa.Column("producer", short_text(128)),
        sa.Column("failed_at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
        if_not_exists=True,
        **SERVER_OPTIONS,
    )
    op.create_index("dead_letters_by_time", "dead_letters", ["failed_at"], if_not_exists=True)
    connection = op.get_bind()
    present = _columns(connection, "event_rollups")
    if "estimate" not in present:
        op.add_column("event_rollups", sa.Column("estimate", REAL, nullable=False, server_default="0"))
    if "pruned" not in present:
        op.add_column(
            "event_rollups", sa.Column("pruned", sa.BigInteger(), nullable=False, server_default="0")
        )
    if connection.dialect.name != "mariadb":
        op.drop_index(SECONDARY, "events")
        columns = ["secondary_resource_type", "secondary_resource_id", "inserted_at"]
        named = sa.text("secondary_resource_type IS NOT NULL")
        op.create_index(SECONDARY, "events", columns, sqlite_where=named, postgresql_where=named)
    op.execute("UPDATE event_rollups SET estimate = count WHERE estimate = 0")
    last = _last_position(connection)
    op.execute("DELETE FROM event_head")
    op.bulk_insert(
        sa.table("event_head", sa.column("id"), sa.column("position")), [{"id": 1, "position": last}]
    )


def _columns(connection: sa.Connection, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table)}


def _last_position(connection: sa.Connection) -> int:
    statements = [
        "SELECT max(position) FROM events",
        # A store that lost its version is migrated from the beginning, and may have given out more since.
        "SELECT max(position) FROM event_head",
    ]
    if connection.dialect.name == "sqlite":
        # The events that had the last positions may be gone.
        statements.append("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
    return max(int(connection.execute(sa.text(statement)).scalar() or 0) for statement in statements)


def downgrade(op: Operations) -> None:
    if op.get_bind().dialect.name != "mariadb":
        op.drop_index(SECONDARY, "events")
        columns = ["secondary_resource_type", "secondary_resource_id", "inserted_at"]
        op.create_index(SECONDARY, "events", columns)
    op.drop_column("event_rollups", "pruned")
    op.drop_column("event_rollups", "estimate")
    op.drop_table("dead_letters")
    op.drop_table("event_head")
