"""The copy of the default partition of a PostgreSQL store, and its trigger: each step is one transaction.

See `store.default_split` for what it is good for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.partition_tables import (
    IdRange,
    default_partition,
    is_taken,
    quoted,
    take_repartitioning,
)
from store.short_transactions import LOCK_WAIT, TableLock

BATCH = 2000
"""Events that are looked up at once."""
_COPY, _COPY_DEFAULT, REPLACED = "events_copy", "events_copy_default", "events_replaced"
_IDS = "events_copy_ids"
"""The constraints that say which ids the tables of the copy have."""
LONG_WAIT = "SET LOCAL lock_timeout = '5s'"
"""Longer than an automatic VACUUM goes on when someone waits for it. No one else waits meanwhile."""
_COPY_OID = text("SELECT CAST(to_regclass('events_copy') AS oid)")
_COLUMNS = text(
    "SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum),"
    " string_agg('NEW.' || quote_ident(attname), ',' ORDER BY attnum), quote_ident(current_schema())"
    " FROM pg_attribute"
    " WHERE attrelid = to_regclass('events') AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
)
_BOUNDS = text(
    "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_inherits JOIN pg_class ON oid = inhrelid"
    " WHERE inhparent = to_regclass(:parent) ORDER BY pg_get_expr(relpartbound, oid) = 'DEFAULT', relname"
)
_RANGE = re.compile(r"FOR VALUES FROM \((MINVALUE|'[0-9a-f-]+')\) TO \((MAXVALUE|'[0-9a-f-]+')\)")
_SHAPE = text("""
SELECT md5(concat_ws(';',
    (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attcollation, attnotnull), ','
        ORDER BY attnum) FROM pg_attribute WHERE attrelid = partrelid AND attnum > 0 AND NOT attisdropped),
    (SELECT string_agg(definition, ',' ORDER BY definition) FROM (SELECT regexp_replace(
        pg_get_indexdef(indexrelid), '^.* USING ', '') AS definition FROM pg_index WHERE indrelid = partrelid) i),
    (SELECT string_agg(pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint
        WHERE conrelid = partrelid AND contype = 'c'),
    pg_get_partition_constraintdef(partdefid)
)) FROM pg_partitioned_table WHERE partrelid = to_regclass('events') AND partdefid <> 0
""")
"""What the copy was made after: columns, indexes, checks, and the ids that the other partitions have."""
_NOTED_SHAPE = text("SELECT obj_description(to_regclass('events_copy'), 'pg_class')")
_MIRROR = """
CREATE FUNCTION events_mirror() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM {schema}.events_copy;
    ELSE
        IF TG_OP <> 'INSERT' THEN
            DELETE FROM {schema}.events_copy WHERE id = OLD.id;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO {schema}.events_copy ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    RETURN NULL;
END $$
"""
"""With the rights of its owner: who may write events need not have a right to the copy."""
_MIRRORED = text("SELECT to_regproc('events_mirror') IS NOT NULL")
_UNMIRROR = "DROP FUNCTION IF EXISTS events_mirror() CASCADE"
_NEXT_IDS = "SELECT id FROM {default} {behind} ORDER BY id LIMIT {most}"
_THERE = text("SELECT id FROM events_copy WHERE id = ANY(CAST(:ids AS uuid[]))")
_COPY_EVENTS = """
INSERT INTO events_copy ({columns}) SELECT {columns} FROM {default} WHERE id = ANY(CAST(:ids AS uuid[]))
ON CONFLICT DO NOTHING
"""


async def is_split(connection: AsyncConnection) -> bool:
    """Whether someone is splitting the default partition, or was cut short. Until that is done, no other
    partition may come or go: the copy has room for the ids of the default one as they were when it began."""
    return await is_taken(connection, _COPY)


async def is_mirrored(connection: AsyncConnection) -> bool:
    """Whether what is done to the default partition is done to the copy."""
    return bool((await connection.execute(_MIRRORED)).scalar_one())


async def is_current(connection: AsyncConnection) -> bool:
    """Whether the table of events is still what the copy was made after."""
    noted = (await connection.execute(_NOTED_SHAPE)).scalar()
    return noted == (await connection.execute(_SHAPE)).scalar()


async def copy_oid(connection: AsyncConnection) -> int | None:
    """Which copy there is: another one has another number."""
    return (await connection.execute(_COPY_OID)).scalar()


async def begin(connection: AsyncConnection, lock: TableLock, ranges: Sequence[IdRange]) -> None:
    """Make the tables of the copy, and let what is done to the original be done to it. Unless someone else has."""
    run = connection.exec_driver_sql
    await take_repartitioning(connection)
    default = await default_partition(connection)
    if default is None or await is_split(connection):
        return
    await run(LONG_WAIT)
    # It would be in the way when the tables change places.
    await run(f"ALTER TABLE {quoted(default[0])} SET (autovacuum_enabled = off)")
    await run(f"CREATE TABLE {_COPY} (LIKE events INCLUDING ALL) PARTITION BY RANGE (id)")
    rest = [_outside(bounds) for _, bounds in await _partitions(connection, "events") if bounds != "DEFAULT"]
    for ids in ranges:
        if await is_taken(connection, ids.name):
            continue
        await run(_table(ids.name, ids.bounds, ids.condition))
        rest.append(_outside(ids.bounds))
    await run(_table(_COPY_DEFAULT, "DEFAULT", " AND ".join(rest)))
    shape = (await connection.execute(_SHAPE)).scalar_one()
    await run(f"COMMENT ON TABLE {_COPY} IS '{shape}'")
    columns, values, schema = (await connection.execute(_COLUMNS)).one()
    await run(_MIRROR.format(schema=schema, columns=columns, values=values))
    # Otherwise anyone could write to the copy, with a trigger on a table of their own.
    await run("REVOKE EXECUTE ON FUNCTION events_mirror() FROM PUBLIC")
    await lock(f"LOCK TABLE {quoted(default[0])} IN SHARE ROW EXCLUSIVE MODE")
    for name, when in (
        ("events_mirror", "INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW"),
        ("events_mirror_all", "TRUNCATE ON {} FOR EACH STATEMENT"),
    ):
        when = when.format(quoted(default[0]))
        await run(f"CREATE TRIGGER {name} AFTER {when} EXECUTE FUNCTION events_mirror()")


def _table(name: str, bounds: str, ids: str) -> str:
    return (
        f"CREATE TABLE {name} PARTITION OF {_COPY} (CONSTRAINT {_IDS} CHECK ({ids})) {bounds}"
        " WITH (autovacuum_enabled = off)"
    )


def _outside(bounds: str) -> str:
    """The condition on ids that are not within `bounds`, in the form from which PostgreSQL draws its conclusions."""
    match = _RANGE.fullmatch(bounds)
    if match is None:
        # Nothing is concluded then, and PostgreSQL looks at the events.
        return "true"
    first, end = match.groups()
    sides = [f"id < {first}"] * (first != "MINVALUE") + [f"id >= {end}"] * (end != "MAXVALUE")
    return f"({' OR '.join(sides) or 'false'})"


async def next_ids(connection: AsyncConnection, last: UUID | None) -> tuple[UUID, Sequence[UUID]] | None:
    """Look at the ids of the default partition behind `last`: the last one of them, and those that the copy lacks."""
    default = await _copied(connection)
    if default is None:
        return None
    behind = "" if last is None else f"WHERE id > '{last}'"
    statement = text(_NEXT_IDS.format(default=default, behind=behind, most=BATCH))
    ids = (await connection.execute(statement)).scalars().all()
    if not ids:
        return None
    there = set((await connection.execute(_THERE, {"ids": ids})).scalars())
    return ids[-1], [each for each in ids if each not in there]


async def copy_events(connection: AsyncConnection, ids: Sequence[UUID]) -> Counter[str]:
    """Copy the events of these `ids` that are there. Nothing is counted."""
    # Something else may delete events without asking for its turn.
    await connection.exec_driver_sql(LOCK_WAIT)
    default = await _copied(connection)
    if default is not None:
        columns = (await connection.execute(_COLUMNS)).one()[0]
        await connection.exec_driver_sql(f"LOCK TABLE {default} IN SHARE MODE")
        statement = text(_COPY_EVENTS.format(default=default, columns=columns))
        await connection.execute(statement, {"ids": ids})
    return Counter()


async def exchange(connection: AsyncConnection, lock: TableLock, copy: int | None) -> bool:
    """Put the `copy` into the place of the default partition. False when it is no copy of what there is now."""
    run = connection.exec_driver_sql
    await take_repartitioning(connection)
    await lock("LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE")
    default = await _copied(connection)
    if default is None or await copy_oid(connection) != copy:
        # Another one that prunes was faster, and may have begun the next copy, which is not complete.
        return True
    if not await is_current(connection):
        return False
    await run(f"ALTER TABLE events DETACH PARTITION {default}")
    await run(f"ALTER TABLE {default} RENAME TO {REPLACED}")
    await run(_UNMIRROR)
    for name, bounds in await _partitions(connection, _COPY):
        await run(f"ALTER TABLE {_COPY} DETACH PARTITION {name}")
        await run(f"ALTER TABLE events ATTACH PARTITION {name} {bounds}")
        await run(f"ALTER TABLE {name} DROP CONSTRAINT {_IDS}, RESET (autovacuum_enabled)")
    await run(f"ALTER TABLE {_COPY_DEFAULT} RENAME TO {default}")
    await run(f"DROP TABLE {_COPY}")
    return True


async def give_up(connection: AsyncConnection, lock: TableLock) -> None:
    """Leave the default partition as it was, and the copy to be dropped."""
    run = connection.exec_driver_sql
    await take_repartitioning(connection)
    default = await default_partition(connection)
    if default is not None:
        await lock(f"LOCK TABLE {quoted(default[0])} IN ACCESS EXCLUSIVE MODE")
        await run(f"ALTER TABLE {quoted(default[0])} RESET (autovacuum_enabled)")
    await run(_UNMIRROR)
    if await is_split(connection):
        await run(f"ALTER TABLE {_COPY} RENAME TO {REPLACED}")


async def _copied(connection: AsyncConnection) -> str | None:
    """The default partition, as SQL writes it, while there is a copy of it."""
    default = await default_partition(connection)
    return quoted(default[0]) if default is not None and await is_taken(connection, _COPY) else None


async def _partitions(connection: AsyncConnection, parent: str) -> list[tuple[str, str]]:
    """The partitions of `parent` as SQL writes them, each with its bounds; the default one is the last."""
    rows = await connection.execute(_BOUNDS, {"parent": parent})
    return [(quoted(name), bounds) for name, bounds in rows]
