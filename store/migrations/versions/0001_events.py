"""Events and their rollups by minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INDEXES = {
    "events_by_type": ["event_type", "inserted_at"],
    "events_by_category": ["category", "inserted_at"],
    "events_by_actor": ["actor_type", "actor_id", "inserted_at"],
    "events_by_resource": ["resource_type", "resource_id", "inserted_at"],
    "events_by_secondary_resource": ["secondary_resource_type", "secondary_resource_id", "inserted_at"],
    "events_by_time": ["inserted_at", "id"],
    "events_by_category_and_type": ["category", "event_type", "inserted_at"],
}


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("event_type", sa.String(128), nullable=False),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("actor_type", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.String(255)),
        sa.Column("resource_type", sa.String(64)),
        sa.Column("resource_id", sa.String(255)),
        sa.Column("secondary_resource_type", sa.String(64)),
        sa.Column("secondary_resource_id", sa.String(255)),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(64)),
        sa.Column("severity", sa.String(16)),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.CheckConstraint("actor_type IN ('user', 'system', 'job')", name="events_actor_type"),
        sa.CheckConstraint("severity IN ('info', 'warning', 'error')", name="events_severity"),
        sqlite_autoincrement=True,
    )
    for name, columns in INDEXES.items():
        op.create_index(name, "events", columns)
    op.create_table(
        "event_rollups",
        sa.Column("minute", sa.Integer(), primary_key=True),
        sa.Column("category", sa.String(64), primary_key=True),
        sa.Column("event_type", sa.String(128), primary_key=True),
        sa.Column("severity", sa.String(16), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("event_rollups")
    op.drop_table("events")
