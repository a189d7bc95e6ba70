"""What time it is by the database, where it has a clock of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.column_types import MOMENT


async def server_clock(connection: AsyncConnection) -> datetime | None:
    """What the server's clock says now, not at the beginning of the transaction; None where the database is a file."""
    match connection.dialect.name:
        case "postgresql":
            statement = select(func.clock_timestamp(type_=MOMENT))
        case "mariadb":
            statement = select(func.utc_timestamp(6, type_=MOMENT))
        case _:
            return None
    moment: datetime = (await connection.execute(statement)).scalar_one()
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


async def store_clock(connection: AsyncConnection) -> datetime:
    """The same; of a file, what this machine's clock says: all who use it are on this machine."""
    return await server_clock(connection) or datetime.now(UTC)
