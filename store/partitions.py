"""The events of a PostgreSQL store split by month, so that a month can be dropped whole.

The partitions are ranges of `id`: a UUID of version 7 begins with its time in milliseconds (RFC 9562, 5.7). Ids of
other versions, and those of months that have no partition, are in the default partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, MetaData, Table, and_, delete, func, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex

from store.database import Database
from store.errors import STORE_SETTING, StoreError, StoreUnavailableError
from store.short_transactions import ShortTransactions, is_contended, take_turn
from store.tables import events

MONTHS_BEHIND, MONTHS_AHEAD = 1, 3
"""Months that have a partition, before and after the present one."""
DEFAULT_SCAN_MAX_BYTES = 32 * 1024 * 1024
"""PostgreSQL reads all of the default partition, under a lock, before it lets another one have a range."""
MOVED_MAX = 1000
"""Events that are moved out of the default partition, in one transaction."""
LOCK_WAIT = "SET LOCAL lock_timeout = '50ms'"
"""Who waits for the whole table keeps everyone else waiting: better to try again."""
_CONVERT_WAIT = "SET LOCAL lock_timeout = '5s'"
_COUNTED_MAX = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IS_PARTITIONED = text("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('events')")
_NAMES = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
    " WHERE inhparent = to_regclass('events') ORDER BY relname"
)
_DEFAULT = text(
    "SELECT partdefid::regclass::text, pg_relation_size(partdefid)"
    " FROM pg_partitioned_table WHERE partrelid = to_regclass('events') AND partdefid <> 0"
)
_GRANTS = text(
    "SELECT format('GRANT %s ON events TO %s%s', privilege_type,"
    " CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,"
    " CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
    " FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass('events') AND grantee <> relowner"
)


class NotPartitionableError(StoreError):
    """The store cannot be partitioned. The message is one line that says why."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month, in UTC, and its partition."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Month:
        """The month that the aware `moment` is in."""
        return cls(*moment.astimezone(UTC).timetuple()[:2])

    def shifted(self, months: int) -> Month:
        """The month that is `months` later."""
        year, number = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, number + 1)

    @property
    def name(self) -> str:
        """The partition's table."""
        return f"events_{self.year:04}_{self.number:02}"

    @property
    def first_id(self) -> UUID:
        """The lowest UUID of version 7 that this month has, or would have with another version and variant."""
        milliseconds = (datetime(self.year, self.number, 1, tzinfo=UTC) - _EPOCH).total_seconds() * 1000
        return UUID(int=int(milliseconds) << 80)

    @property
    def range(self) -> str:
        """The ids of its partition, in SQL."""
        return f"FROM ('{self.first_id}') TO ('{self.shifted(1).first_id}')"

    def holds(self, identifier: ColumnElement[UUID]) -> ColumnElement[bool]:
        """The condition on the ids of its partition."""
        return and_(identifier >= self.first_id, identifier < self.shifted(1).first_id)


def months_around(now: datetime) -> list[Month]:
    """The months that are to have a partition at the moment `now`."""
    present = Month.of(now)
    months = [present.shifted(shift) for shift in range(-MONTHS_BEHIND, MONTHS_AHEAD + 1)]
    # No UUID has a time before 1970, and `datetime` no year after 9999.
    return [month for month in months if Month(1970, 1) <= month < Month(9999, 12)]


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
    months = months_around(now or datetime.now(UTC))
    # Counted before the table is locked.
    await _refuse_rows(database)
    async with database.write() as connection:
        await connection.exec_driver_sql(_CONVERT_WAIT)
        await take_turn(connection)
        converted = not await _is_partitioned(connection)
        if converted:
            await connection.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            if (await connection.execute(text("SELECT EXISTS (SELECT FROM events)"))).scalar_one():
                raise NotPartitionableError(
                    f"{place}: events came in meanwhile; only an empty table can be split"
                )
            await _convert(connection, months)
    if not converted:
        await ensure_partitions(database, now or datetime.now(UTC))
    async with database.read() as connection:
        return await partition_names(connection)


async def ensure_partitions(
    database: Database, now: datetime, transactions: ShortTransactions | None = None
) -> Sequence[str]:
    """Make the partitions of the last month, this one and the next three at the moment `now`.

    Events in the default partition that belong to one are moved there. Returns which partitions could not be made,
    and why, each in one line: the default partition goes on to take their events.

    Raises:
        StoreUnavailableError: the database failed.
    """
    transactions = transactions or ShortTransactions(database)
    notes: list[str] = []
    async with database.read() as connection:
        present = set(await partition_names(connection))
    for month in months_around(now):
        if month.name in present:
            continue
        try:
            note = await transactions.run(lambda connection, month=month: _add(connection, month))
        except StoreUnavailableError as error:
            if not is_contended(error):
                raise
            # Whoever is in the way of one as a rule is in the way of all of them.
            notes.append(f"no partition {month.name}: the table of events is in use")
            break
        if note is not None:
            notes.append(f"no partition {month.name}: {note}")
    return notes


async def partition_names(connection: AsyncConnection) -> Sequence[str]:
    """The partitions of the table of events, by name."""
    return (await connection.execute(_NAMES)).scalars().all()


def partition_table(name: str) -> Table:
    """A partition, or a table that was one, of that name: it has the columns of `events`."""
    return events.to_metadata(MetaData(), name=name)


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


async def _convert(connection: AsyncConnection, months: Sequence[Month]) -> None:
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
        *(f"CREATE TABLE {month.name} PARTITION OF events FOR VALUES {month.range}" for month in months),
        *grants,
    ]
    for statement in statements:
        await connection.exec_driver_sql(statement)


async def _add(connection: AsyncConnection, month: Month) -> str | None:
    """Make the partition of `month`. Returns why not, in a few words."""
    await connection.exec_driver_sql(LOCK_WAIT)
    if month.name in await partition_names(connection):
        # Someone else made it meanwhile.
        return None
    if (await connection.execute(text(f"SELECT to_regclass('{month.name}')"))).scalar() is not None:
        return "there is another table of that name"
    default = (await connection.execute(_DEFAULT)).one_or_none()
    moved = 0
    if default is not None:
        table, size = default
        if size > DEFAULT_SCAN_MAX_BYTES:
            return (
                f"the default partition has {size // 1024**2} MiB, too much to be looked through under a lock"
            )
        source = partition_table(table)
        some = select(source.c.id).where(month.holds(source.c.id)).limit(MOVED_MAX + 1).subquery()
        moved = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
        if moved > MOVED_MAX:
            return (
                f"the default partition has more than {MOVED_MAX} of its events, too many to be moved at once"
            )
    await connection.exec_driver_sql(f"CREATE TABLE {month.name} (LIKE events INCLUDING ALL)")
    if default is not None and moved:
        source = partition_table(default[0])
        gone = delete(source).where(month.holds(source.c.id)).returning(*source.c).cte("moved")
        names = [column.name for column in gone.c]
        await connection.execute(insert(partition_table(month.name)).from_select(names, select(gone)))
    await connection.exec_driver_sql(
        f"ALTER TABLE events ATTACH PARTITION {month.name} FOR VALUES {month.range}"
    )
    return None
