"""A PostgreSQL store that was partitioned at `NOW`, looked at from outside."""

from __future__ import annotations

from store.database import Database

MONTHS = ["events_2025_02", "events_2025_03", "events_2025_04", "events_2025_05", "events_2025_06"]
"""The partitions of months at `tests.store.retained.NOW`, which is in March 2025."""
OTHERS = ["events_default", "events_other"]
"""The partitions of other ids."""


async def tables(database: Database) -> list[str]:
    """The tables of events, partitions or not, without the table itself."""
    statement = (
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname LIKE 'events\\_%' ORDER BY 1"
    )
    async with database.read() as connection:
        return [row[0] for row in await connection.exec_driver_sql(statement)]


async def rows_of(database: Database, table: str) -> int:
    """How many rows a partition has."""
    async with database.read() as connection:
        return (await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")).scalar_one()
