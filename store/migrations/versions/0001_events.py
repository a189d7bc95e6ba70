"""Events and their rollups by minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from store.column_types import (
    IDENTIFIER,
    LONG_TEXT,
    METADATA,
    MINUTE,
    MOMENT,
    POSITION,
    SERVER_OPTIONS,
    short_text,
)

INDEXES = {
    "events_by_type": ["event_type", "inserted_at"],
    "events_by_category": ["category", "inserted_at"],
    "events_by_actor": ["actor_type", "actor_id", "inserted_at"],
    "events_by_resource": ["resource_type", "resource_id", "inserted_at"],
    "events_by_secondary_resource": ["secondary_resource_type", "secondary_resource_id", "inserted_at"],
    "events_by_time": ["inserted_at", "id"],
    "events_by_category_and_type": ["category", "event_type", "inserted_at"],
}


def upgrade(op: Operations) -> None:
    op.create_table(
        "events",
        sa.Column(
            "position",
            POSITION,
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("id", IDENTIFIER, nullable=False, unique=True),
        sa.Column("event_type", short_text(128), nullable=False),
        sa.Column("category", short_text(64), nullable=False),
        sa.Column("actor_type", short_text(16), nullable=False),
        sa.Column("actor_id", short_text(255)),
        sa.Column("resource_type", short_text(64)),
        sa.Column("resource_id", short_text(255)),
        sa.Column("secondary_resource_type", short_text(64)),
        sa.Column("secondary_resource_id", short_text(255)),
        sa.Column("metadata", METADATA, nullable=False),
        sa.Column("status", short_text(64)),
        sa.Column("severity", short_text(16)),
        sa.Column("inserted_at", MOMENT, nullable=False),
        sa.Column("search_text", LONG_TEXT, nullable=False),
        sa.CheckConstraint("actor_type IN ('user', 'system', 'job')", name="events_actor_type"),
        sa.CheckConstraint("severity IN ('info', 'warning', 'error')", name="events_severity"),
        sqlite_autoincrement=True,
        if_not_exists=True,
        **SERVER_OPTIONS,
    )
    for name, columns in INDEXES.items():
        op.create_index(name, "events", columns, if_not_exists=True)
    op.create_table(
        "event_rollups",
        sa.Column("minute", MINUTE, primary_key=True),
        sa.Column("category", short_text(64), primary_key=True),
        sa.Column("event_type", short_text(128), primary_key=True),
        sa.Column("severity", short_text(16), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
        **SERVER_OPTIONS,
    )


def downgrade(op: Operations) -> None:
    op.drop_table("event_rollups")
    op.drop_table("events")
