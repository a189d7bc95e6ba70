"""The tables. Only this file, the repository and its parts, the migrations and `query/sql.py` know columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC, to the microsecond. SQLite and MariaDB keep no zone, so it is put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment: nobody knows which zone it meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Give the moment its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()
_Position = BigInteger().with_variant(Integer(), "sqlite")

events = Table(
    "events",
    metadata,
    Column("position", _Position, primary_key=True, autoincrement=True),
    Column("id", Uuid(), nullable=False, unique=True),
    Column("event_type", String(128), nullable=False),
    Column("category", String(64), nullable=False),
    Column("actor_type", String(16), nullable=False),
    Column("actor_id", String(255)),
    Column("resource_type", String(64)),
    Column("resource_id", String(255)),
    Column("secondary_resource_type", String(64)),
    Column("secondary_resource_id", String(255)),
    Column("metadata", JSON(), nullable=False),
    Column("status", String(64)),
    Column("severity", String(16)),
    Column("inserted_at", UtcDateTime(), nullable=False),
    Column("search_text", Text(), nullable=False),
    CheckConstraint("actor_type IN ('user', 'system', 'job')", name="events_actor_type"),
    CheckConstraint("severity IN ('info', 'warning', 'error')", name="events_severity"),
    # A position is never given out twice, even after the newest events were pruned.
    sqlite_autoincrement=True,
)
"""One row an event, never updated. `search_text` is what bare words look in (`store.event.search_text`)."""

Index("events_by_type", events.c.event_type, events.c.inserted_at)
Index("events_by_category", events.c.category, events.c.inserted_at)
Index("events_by_actor", events.c.actor_type, events.c.actor_id, events.c.inserted_at)
Index("events_by_resource", events.c.resource_type, events.c.resource_id, events.c.inserted_at)
Index(
    "events_by_secondary_resource",
    events.c.secondary_resource_type,
    events.c.secondary_resource_id,
    events.c.inserted_at,
)
Index("events_by_time", events.c.inserted_at, events.c.id)
Index("events_by_category_and_type", events.c.category, events.c.event_type, events.c.inserted_at)

NO_SEVERITY = ""
"""Stands for "none" in `event_rollups`, where the column is part of the key."""

event_rollups = Table(
    "event_rollups",
    metadata,
    Column("minute", Integer(), primary_key=True),
    Column("category", String(64), primary_key=True),
    Column("event_type", String(128), primary_key=True),
    Column("severity", String(16), primary_key=True),
    Column("count", BigInteger(), nullable=False),
    sqlite_with_rowid=False,
)
"""Events counted by minute (since 1970, UTC), category, type and severity, in the transaction that adds them.

Histograms, facets and rates read this table, so that their cost grows with the time shown and not with the
number of events stored.
"""
