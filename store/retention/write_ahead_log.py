"""SQLite's write-ahead log: emptied and cut off after much was deleted, without keeping anyone waiting."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database


async def cut_off_log(database: Database, *, from_pages: int = 0) -> bool:
    """Empty the log when it has `from_pages` pages or more. Nothing where the database is a server.

    Returns whether it is empty. A reader that is in the middle of a transaction keeps it as it is.
    """
    if database.dialect != "sqlite":
        return True
    async with database.read() as connection:
        patience = (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one()
        # No one is waited for: whoever waits for readers here keeps the writers waiting.
        await connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        try:
            # First without the writers' lock: what is copied then need not be copied under it.
            pages, copied = await _checkpoint(connection, "PASSIVE")
            if pages < from_pages or copied < pages:
                return not pages
            pages, _copied = await _checkpoint(connection, "TRUNCATE")
            return not pages
        finally:
            await connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")


async def _checkpoint(connection: AsyncConnection, mode: str) -> tuple[int, int]:
    """Copy from the log to the file. Returns how many pages the log has, and how many of them are copied."""
    result: list[int] = list((await connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})")).one())
    return result[1], result[2]
