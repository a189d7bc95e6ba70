"""Counters by resource, figures worked out beforehand, and who runs which scheduled job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from store.column_types import LONG_TEXT, MOMENT, SERVER_OPTIONS, short_text


def upgrade(op: Operations) -> None:
    connection = op.get_bind()
    if "epoch" not in {column["name"] for column in sa.inspect(connection).get_columns("event_head")}:
        op.add_column("event_head", sa.Column("epoch", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "counter_head",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="counter_head_is_one_row"),
        if_not_exists=True,
        **SERVER_OPTIONS,
    )
    op.create_table(
        "resource_counters",
        sa.Column("resource_type", short_text(64), primary_key=True),
        sa.Column("resource_id", short_text(255), primary_key=True),
        sa.Column("counter", short_text(64), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("pruned", sa.BigInteger(), nullable=False, server_default="0"),
        sqlite_with_rowid=False,
        if_not_exists=True,
        **SERVER_OPTIONS,
    )
    op.create_index(
        "resource_counters_by_value",
        "resource_counters",
        ["counter", "resource_type", "value"],
        if_not_exists=True,
    )
    op.create_table(
        "snapshots",
        sa.Column("name", short_text(128), primary_key=True),
        sa.Column("computed_at", MOMENT, nullable=False),
        sa.Column("payload", LONG_TEXT, nullable=False),
        if_not_exists=True,
        **SERVER_OPTIONS,
    )
    op.create_table(
        "jobs",
        sa.Column("name", short_text(64), primary_key=True),
        sa.Column("holder", short_text(128)),
        sa.Column("held_until", MOMENT),
        sa.Column("began_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("failure", short_text(500)),
        if_not_exists=True,
        **SERVER_OPTIONS,
    )
    if not connection.execute(sa.text("SELECT count(*) FROM counter_head")).scalar():
        # A store that lost its version is migrated from the beginning, and has counted some already.
        op.bulk_insert(
            sa.table("counter_head", *map(sa.column, ("id", "position", "epoch", "last"))),
            [{"id": 1, "position": 0, "epoch": -1, "last": 0}],
        )


def downgrade(op: Operations) -> None:
    for table in ("jobs", "snapshots", "resource_counters", "counter_head"):
        op.drop_table(table)
    op.drop_column("event_head", "epoch")
