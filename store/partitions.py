"""The events of a PostgreSQL store split by month, so that a month can be dropped whole.

Ids of other versions, and those of months that have no partition, are in the default partition, or in one behind
the months.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex

from store.database import Database
from store.default_copy import is_split
from store.default_split import RANGES_MAX, DefaultSplit
from store.errors import STORE_SETTING, StoreError, StoreUnavailableError
from store.partition_tables import (
    FIRST_MONTH,
    OTHER_IDS,
    IdRange,
    Month,
    default_partition,
    is_taken,
    months_around,
    partition_names,
    partition_table,
    quoted,
    take_repartitioning,
)
from store.short_transactions import ShortTransactions, TableLock, is_contended
from store.tables import events

DEFAULT_SCAN_MAX_BYTES = 16 * 1024 * 1024
"""PostgreSQL reads all of the default partition, under a lock, before it lets another one have a range. A larger one
is split."""
MOVED_MAX = 500
"""Events that are moved out of the default partition in one transaction. For more, it is split."""
_CROWDED_FROM = 1000
"""Events of a past month in the default partition that are worth one of its own: it can be dropped whole."""
_TOO_LARGE = "the default partition is too large"
_CONVERT_WAIT = "SET LOCAL lock_timeout = '5s'"
_COUNTED_MAX = 1_000_000
_IS_PARTITIONED = text("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('events')")
_GRANTS = text(
    "SELECT format('GRANT %s ON events TO %s%s', privilege_type,"
    " CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,"
    " CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
    " FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass('events') AND grantee <> relowner"
)
_CROWDED = """
SELECT name FROM unnest(CAST(:names AS text[]), CAST(:first AS uuid[]), CAST(:ends AS uuid[])) AS month (name, first, e)
WHERE (SELECT count(*) FROM (SELECT FROM {default} WHERE id >= first AND id < e
    AND get_byte(uuid_send(id), 6) >> 4 = 7 LIMIT :most) AS found) = :most
"""
"""The months of which there are so many ids of version 7."""


class NotPartitionableError(StoreError):
    """The store cannot be partitioned. The message is one line that says why."""


async def is_partitioned(database: Database) -> bool:
    """Whether the events of `database` are partitioned. Only PostgreSQL's can be.

    Raises:
        StoreUnavailableError: the database failed.
    """
    if database.dialect != "postgresql":
        return False
    async with database.read() as connection:
        return await _is_partitioned(connection)


async def partition(database: Database, *, now: datetime | None = None) -> Sequence[str]:
    """Partition the empty table of events of a PostgreSQL store by month. Returns the names of the partitions.

    `id` becomes the primary key, `position` has an index; privileges that were granted stay. Where the events are
    partitioned already, missing partitions are made.

    Raises:
        NotPartitionableError: it is no PostgreSQL store, or there are events in it.
        StoreUnavailableError: the database failed, or someone uses the table for more than five seconds.
    """
    place = f"{STORE_SETTING} {database.place}"
    if database.dialect != "postgresql":
        raise NotPartitionableError(f"{place}: only a PostgreSQL store can be partitioned")
    # Counted before the table is locked.
    await _refuse_rows(database)
    async with database.write() as connection:
        await connection.exec_driver_sql(_CONVERT_WAIT)
        await take_repartitioning(connection)
        converted = not await _is_partitioned(connection)
        if converted:
            await connection.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            if (await connection.execute(text("SELECT EXISTS (SELECT FROM events)"))).scalar_one():
                raise NotPartitionableError(
                    f"{place}: events came in meanwhile; only an empty table can be split"
                )
            months = months_around(now or datetime.now(UTC))
            await _convert(connection, [*(month.ids for month in months), OTHER_IDS])
    if not converted:
        await ensure_partitions(database, now or datetime.now(UTC))
    async with database.read() as connection:
        return await partition_names(connection)


async def ensure_partitions(
    database: Database, now: datetime, transactions: ShortTransactions | None = None
) -> Sequence[str]:
    """Make the partitions of the last month, this one and the next three at the moment `now`.

    Events in the default partition that belong to one are moved there. Past months of which there are many get one
    too. Returns what could not be made, and why, each in one line: the default partition goes on to take
    those events.

    Raises:
        StoreUnavailableError: the database failed.
    """
    transactions = transactions or ShortTransactions(database)
    split = DefaultSplit(database, transactions)
    notes: list[str] = []
    undone = "the default partition is not split"
    try:
        why = await split.resume()
        if why is not None:
            return [f"{undone}: {why}"]
        large = await _crowded(database, now)
        for ids in await _missing(database, now):
            undone = f"no partition {ids.name}"
            why = await transactions.run_with_tables(
                lambda connection, lock, ids=ids: _add(connection, lock, ids)
            )
            if why == _TOO_LARGE:
                large.append(ids)
            elif why is not None:
                notes.append(f"{undone}: {why}")
        for start in range(0, len(large), RANGES_MAX):
            ranges = large[start : start + RANGES_MAX]
            undone = f"no partition {', '.join(ids.name for ids in ranges)}"
            why = await split.split(ranges)
            if why is not None:
                return [*notes, f"{undone}: {why}"]
    except StoreUnavailableError as error:
        if not is_contended(error):
            raise
        # Whoever is in the way of one as a rule is in the way of all of them.
        notes.append(f"{undone}: the table of events is in use")
    return notes


async def _is_partitioned(connection: AsyncConnection) -> bool:
    return bool((await connection.execute(_IS_PARTITIONED)).scalar())


async def _refuse_rows(database: Database) -> None:
    async with database.read() as connection:
        if await _is_partitioned(connection):
            return
        some = select(events.c.id).limit(_COUNTED_MAX + 1).subquery()
        rows = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    if rows:
        number = f"{rows} events" if rows <= _COUNTED_MAX else f"more than {_COUNTED_MAX} events"
        raise NotPartitionableError(
            f"{STORE_SETTING} {database.place}: there are {number} in it; only an empty table can be split"
        )


async def _convert(connection: AsyncConnection, ranges: Sequence[IdRange]) -> None:
    grants = (await connection.execute(_GRANTS)).scalars().all()
    sequence = (
        await connection.execute(text("SELECT pg_get_serial_sequence('events', 'position')"))
    ).scalar()
    statements = [
        "CREATE TABLE events_new (LIKE events INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (id)",
        *([f"ALTER SEQUENCE {sequence} OWNED BY events_new.position"] if sequence else []),
        "DROP TABLE events",
        "ALTER TABLE events_new RENAME TO events",
        "ALTER TABLE events ADD CONSTRAINT events_pkey PRIMARY KEY (id)",
        "CREATE INDEX events_by_position ON events (position)",
        *(
            str(CreateIndex(index).compile(dialect=postgresql.dialect()))
            for index in sorted(events.indexes, key=lambda index: str(index.name))
        ),
        "CREATE TABLE events_default PARTITION OF events DEFAULT",
        *(f"CREATE TABLE {ids.name} PARTITION OF events {ids.bounds}" for ids in ranges),
        *grants,
    ]
    for statement in statements:
        await connection.exec_driver_sql(statement)


async def _missing(database: Database, now: datetime) -> list[IdRange]:
    """The partitions that should be there at the moment `now`, and are not."""
    async with database.read() as connection:
        present = set(await partition_names(connection))
    due = [*(month.ids for month in months_around(now)), OTHER_IDS]
    return [ids for ids in due if ids.name not in present]


async def _crowded(database: Database, now: datetime) -> list[IdRange]:
    """The months before, newest first, of which there are many events in the default partition."""
    due = months_around(now)
    months = {month.name: month.ids for month in _months_before(due[0])} if due else {}
    async with database.read() as connection:
        default = await default_partition(connection)
        if default is None or not months:
            return []
        chosen = {
            "names": list(months),
            "first": [ids.first for ids in months.values()],
            "ends": [ids.end for ids in months.values()],
            "most": _CROWDED_FROM,
        }
        crowded = await connection.execute(text(_CROWDED.format(default=quoted(default[0]))), chosen)
        return [
            months[name]
            for name in sorted(crowded.scalars(), reverse=True)
            if not await is_taken(connection, name)
        ]


def _months_before(month: Month) -> list[Month]:
    count = (month.year - FIRST_MONTH.year) * 12 + month.number - FIRST_MONTH.number
    return [FIRST_MONTH.shifted(number) for number in range(count)]


async def _add(connection: AsyncConnection, lock: TableLock, ids: IdRange) -> str | None:
    """Make the partition of `ids`. Returns why not, in a few words."""
    await take_repartitioning(connection)
    if ids.name in await partition_names(connection):
        # Someone else made it meanwhile.
        return None
    if await is_split(connection):
        return "another one splits the default partition"
    if await is_taken(connection, ids.name):
        return "there is another table of that name"
    default = await default_partition(connection)
    if default is not None:
        source = partition_table(default[0])
        some = select(source.c.id).where(ids.holds(source.c.id)).limit(MOVED_MAX + 1).subquery()
        moved = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
        if moved > MOVED_MAX or default[1] > DEFAULT_SCAN_MAX_BYTES:
            return _TOO_LARGE
    await connection.exec_driver_sql(f"CREATE TABLE {ids.name} (LIKE events INCLUDING ALL)")
    if default is not None:
        await lock(f"LOCK TABLE {quoted(default[0])} IN ACCESS EXCLUSIVE MODE")
        source = partition_table(default[0])
        gone = delete(source).where(ids.holds(source.c.id)).returning(*source.c).cte("moved")
        names = [column.name for column in gone.c]
        await connection.execute(insert(partition_table(ids.name)).from_select(names, select(gone)))
    await connection.exec_driver_sql(f"ALTER TABLE events ATTACH PARTITION {ids.name} {ids.bounds}")
    return None
