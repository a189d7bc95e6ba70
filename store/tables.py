"""The tables. Only this file, the repository and its parts, the migrations and `query/sql.py` know columns."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    MetaData,
    SmallInteger,
    Table,
    text,
)

from store.column_types import (
    IDENTIFIER,
    LONG_TEXT,
    METADATA,
    MINUTE,
    POSITION,
    REAL,
    SERVER_OPTIONS,
    UtcDateTime,
    short_text,
)

metadata = MetaData()
server_metadata = MetaData()
"""What servers have besides. SQLite has virtual tables instead (`store.search.fts5`)."""

events = Table(
    "events",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=True),
    Column("id", IDENTIFIER, nullable=False, unique=True),
    Column("event_type", short_text(128), nullable=False),
    Column("category", short_text(64), nullable=False),
    Column("actor_type", short_text(16), nullable=False),
    Column("actor_id", short_text(255)),
    Column("resource_type", short_text(64)),
    Column("resource_id", short_text(255)),
    Column("secondary_resource_type", short_text(64)),
    Column("secondary_resource_id", short_text(255)),
    Column("metadata", METADATA, nullable=False),
    Column("status", short_text(64)),
    Column("severity", short_text(16)),
    Column("inserted_at", UtcDateTime(), nullable=False),
    Column("search_text", LONG_TEXT, nullable=False),
    CheckConstraint("actor_type IN ('user', 'system', 'job')", name="events_actor_type"),
    CheckConstraint("severity IN ('info', 'warning', 'error')", name="events_severity"),
    # A position is never given out twice, even after the newest events were pruned.
    sqlite_autoincrement=True,
    **SERVER_OPTIONS,
)
"""One row an event, never updated but by `store.erasure`. `search_text` is what bare words look in
(`store.event.search_text`)."""

Index("events_by_type", events.c.event_type, events.c.inserted_at)
Index("events_by_category", events.c.category, events.c.inserted_at)
Index("events_by_actor", events.c.actor_type, events.c.actor_id, events.c.inserted_at)
Index("events_by_resource", events.c.resource_type, events.c.resource_id, events.c.inserted_at)
Index(
    "events_by_secondary_resource",
    events.c.secondary_resource_type,
    events.c.secondary_resource_id,
    events.c.inserted_at,
    # Few events have one. With the others in the index, SQLite's statistics (`ANALYZE`) make it look useless.
    sqlite_where=events.c.secondary_resource_type.is_not(None),
    postgresql_where=events.c.secondary_resource_type.is_not(None),
)
Index("events_by_time", events.c.inserted_at, events.c.id)
Index("events_by_category_and_type", events.c.category, events.c.event_type, events.c.inserted_at)

NO_SEVERITY = ""
"""Stands for "none" in `event_rollups`, where the column is part of the key."""

event_rollups = Table(
    "event_rollups",
    metadata,
    Column("minute", MINUTE, primary_key=True),
    Column("category", short_text(64), primary_key=True),
    Column("event_type", short_text(128), primary_key=True),
    Column("severity", short_text(16), primary_key=True),
    Column("count", BigInteger(), nullable=False),
    Column("estimate", REAL, nullable=False, server_default="0"),
    Column("pruned", BigInteger(), nullable=False, server_default="0"),
    sqlite_with_rowid=False,
    **SERVER_OPTIONS,
)
"""Events counted by minute (since 1970, UTC), category, type and severity, in the transaction that adds them.

Histograms, facets and rates read this table, so that their cost grows with the time shown and not with the
number of events stored. `count` is what was recorded, `pruned` how many of them retention deleted since, and
`estimate` what there was before sampling: the same as `count` where nothing was left out.
"""

event_head = Table(
    "event_head",
    metadata,
    Column("id", SmallInteger(), primary_key=True, autoincrement=False),
    Column("position", BigInteger(), nullable=False),
    Column("epoch", BigInteger(), nullable=False, server_default="0"),
    CheckConstraint("id = 1", name="event_head_is_one_row"),
    **SERVER_OPTIONS,
)
"""One row: the position of the latest commit, and the number of the span of positions that it belongs to.

Whoever appends moves it on first, and holds its lock until the commit. So positions become visible in their
order on every database, and one that was given out stays given out when its event is pruned. Whoever flushes
counters begins a new epoch.
"""

counter_head = Table(
    "counter_head",
    metadata,
    Column("id", SmallInteger(), primary_key=True, autoincrement=False),
    Column("position", BigInteger(), nullable=False),
    Column("epoch", BigInteger(), nullable=False),
    Column("last", BigInteger(), nullable=False),
    CheckConstraint("id = 1", name="counter_head_is_one_row"),
    **SERVER_OPTIONS,
)
"""One row: up to which position events are in `resource_counters`, the epoch that is being counted, and its last
position. The epoch is counted when `position` has come to `last`."""

resource_counters = Table(
    "resource_counters",
    metadata,
    Column("resource_type", short_text(64), primary_key=True),
    Column("resource_id", short_text(255), primary_key=True),
    Column("counter", short_text(64), primary_key=True),
    Column("value", BigInteger(), nullable=False),
    Column("pruned", BigInteger(), nullable=False, server_default="0"),
    sqlite_with_rowid=False,
    **SERVER_OPTIONS,
)
"""What the taxonomy has events count, by resource; `pruned` is what events that retention deleted have in it."""

Index(
    "resource_counters_by_value",
    resource_counters.c.counter,
    resource_counters.c.resource_type,
    resource_counters.c.value,
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("name", short_text(128), primary_key=True),
    Column("computed_at", UtcDateTime(), nullable=False),
    Column("payload", LONG_TEXT, nullable=False),
    **SERVER_OPTIONS,
)
"""Figures worked out beforehand, and erasures that go on (`store.erasure.pending`). `payload` is JSON in ASCII."""

search_head = Table(
    "search_head",
    metadata,
    Column("id", SmallInteger(), primary_key=True, autoincrement=False),
    Column("position", BigInteger(), nullable=False),
    Column("generation", BigInteger(), nullable=False),
    CheckConstraint("id = 1", name="search_head_is_one_row"),
    **SERVER_OPTIONS,
)
"""One row: up to which position events are in the full-text index, and how often positions began anew."""

search_blocks = Table(
    "search_blocks",
    server_metadata,
    Column("block", BigInteger(), primary_key=True, autoincrement=False),
    Column("grams", LONG_TEXT, nullable=False),
    **SERVER_OPTIONS,
)
"""The full-text index: which words (`store.search.grams`) the searchable texts of a block of events have."""

Index(
    "search_blocks_by_gram",
    text("array_to_tsvector(string_to_array(grams, ' '))"),
    postgresql_using="gin",
    _table=search_blocks,
).ddl_if("postgresql")
Index("search_blocks_by_word", search_blocks.c.grams, mariadb_prefix="FULLTEXT").ddl_if("mariadb")

jobs = Table(
    "jobs",
    metadata,
    Column("name", short_text(64), primary_key=True),
    Column("holder", short_text(128)),
    Column("held_until", UtcDateTime()),
    Column("began_at", UtcDateTime()),
    Column("ended_at", UtcDateTime()),
    Column("failure", short_text(500)),
    **SERVER_OPTIONS,
)
"""One row a scheduled job: which worker has it until when, when it last began and ended, and why it failed, if so."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", POSITION, primary_key=True, autoincrement=True),
    Column("event_id", IDENTIFIER),
    Column("event_type", short_text(128)),
    Column("reason", short_text(500), nullable=False),
    Column("payload", LONG_TEXT, nullable=False),
    Column("producer", short_text(128)),
    Column("failed_at", UtcDateTime(), nullable=False),
    sqlite_autoincrement=True,
    **SERVER_OPTIONS,
)
"""Events that could not be stored, each with the reason. `payload` is JSON, escaped to ASCII."""

Index("dead_letters_by_time", dead_letters.c.failed_at)
