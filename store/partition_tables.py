"""The tables that the events of a PostgreSQL store are split into: their names, their ids, what the catalogue says.

The partitions are ranges of `id`: a UUID of version 7 begins with its time in milliseconds (RFC 9562, 5.7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import events

MONTHS_BEHIND, MONTHS_AHEAD = 1, 3
"""Months that have a partition, before and after the present one."""
_REPARTITIONING = 0x6576746F7073
"""The key of an advisory lock, "evtops" in ASCII: who has it changes the partitions."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
    " WHERE inhparent = to_regclass('events') ORDER BY relname"
)
_DEFAULT = text(
    "SELECT relname, pg_relation_size(partdefid)"
    " FROM pg_partitioned_table JOIN pg_class ON pg_class.oid = partdefid WHERE partrelid = to_regclass('events')"
)


@dataclass(frozen=True, slots=True)
class IdRange:
    """A partition's table, and its ids: from `first` up to and without `end`, or all that follow."""

    name: str
    first: UUID
    end: UUID | None

    @property
    def bounds(self) -> str:
        """The ids, as the partition is declared."""
        end = "MAXVALUE" if self.end is None else f"'{self.end}'"
        return f"FOR VALUES FROM ('{self.first}') TO ({end})"

    @property
    def condition(self) -> str:
        """The ids, as a condition in SQL."""
        return f"id >= '{self.first}'" + ("" if self.end is None else f" AND id < '{self.end}'")

    def holds(self, identifier: ColumnElement[UUID]) -> ColumnElement[bool]:
        """The ids, as a condition on a column."""
        begun = identifier >= self.first
        return begun if self.end is None else begun & (identifier < self.end)


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
    def ids(self) -> IdRange:
        """The partition."""
        return IdRange(self.name, self.first_id, self.shifted(1).first_id)


FIRST_MONTH, BEHIND_THE_MONTHS = Month(1970, 1), Month(2100, 1)
"""No UUID has a time before the one. From the other on, months have no partition of their own."""
OTHER_IDS = IdRange("events_other", BEHIND_THE_MONTHS.first_id, None)
"""The partition of nearly all ids that are no time: 98 of 100 random ones. They would make the default one large."""


def months_around(now: datetime) -> list[Month]:
    """The months that are to have a partition at the moment `now`."""
    present = Month.of(now)
    months = [present.shifted(shift) for shift in range(-MONTHS_BEHIND, MONTHS_AHEAD + 1)]
    return [month for month in months if FIRST_MONTH <= month < BEHIND_THE_MONTHS]


async def partition_names(connection: AsyncConnection) -> Sequence[str]:
    """The partitions of the table of events, by name."""
    return (await connection.execute(_NAMES)).scalars().all()


async def default_partition(connection: AsyncConnection) -> tuple[str, int] | None:
    """The partition of all other ids, and how many bytes it has; None when there is none."""
    row = (await connection.execute(_DEFAULT)).one_or_none()
    return None if row is None else (row[0], row[1])


async def take_repartitioning(connection: AsyncConnection) -> None:
    """Wait until no one else changes the partitions. No one does until the end of the transaction."""
    await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_REPARTITIONING})")


async def is_taken(connection: AsyncConnection, name: str) -> bool:
    """Whether there is a table of that name."""
    return (
        await connection.execute(text("SELECT to_regclass(quote_ident(:name))"), {"name": name})
    ).scalar() is not None


def partition_table(name: str) -> Table:
    """A partition, or a table that was one, of that name: it has the columns of `events`."""
    return events.to_metadata(MetaData(), name=name)


def quoted(name: str) -> str:
    """The name of a table as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
