"""Events that could not be stored, kept with the reason until someone looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.tables import dead_letters

REASON_MAX = 500
PAYLOAD_MAX = 256 * 1024
"""Characters of a payload that are kept; a longer one cannot be tried again."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was refused. `payload` is what `record()` was given, as JSON escaped to ASCII.

    `id` is the number of the letter, None before it is stored.
    """

    reason: str
    payload: str
    event_id: UUID | None = None
    event_type: str | None = None
    producer: str | None = None
    failed_at: datetime | None = None
    id: int | None = None


async def bury(connection: AsyncConnection, letters: Sequence[DeadLetter]) -> None:
    """Store `letters`, in the transaction that stores what they came with."""
    if not letters:
        return
    now = datetime.now(UTC)
    rows = [
        {
            "event_id": letter.event_id,
            "event_type": _storable(letter.event_type, 128),
            "reason": _storable(letter.reason, REASON_MAX),
            "payload": letter.payload[:PAYLOAD_MAX],
            "producer": _storable(letter.producer, 128),
            "failed_at": letter.failed_at or now,
        }
        for letter in letters
    ]
    await connection.execute(insert(dead_letters), rows)


class DeadLetterRepository:
    """Reads and removes dead letters. Every method raises `StoreUnavailableError` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        """Store `letters`."""
        async with self._database.write() as connection:
            await bury(connection, letters)

    async def oldest(self, limit: int = 100, after: int = 0) -> list[DeadLetter]:
        """Up to `limit` letters, oldest first, with a number above `after`."""
        letter = dead_letters.c
        columns = (letter.reason, letter.payload, letter.event_id, letter.event_type, letter.producer)
        statement = select(*columns, letter.failed_at, letter.id).where(letter.id > after)
        async with self._database.read() as connection:
            rows = await connection.execute(statement.order_by(letter.id).limit(limit))
            return [DeadLetter(*row) for row in rows]

    async def count(self) -> int:
        """How many letters there are."""
        async with self._database.read() as connection:
            statement = select(func.count()).select_from(dead_letters)
            return (await connection.execute(statement)).scalar_one()

    async def remove(self, ids: Sequence[int]) -> int:
        """Remove the letters with these numbers. Returns how many were there."""
        removed = 0
        async with self._database.write() as connection:
            for start in range(0, len(ids), _CHUNK):
                chunk = ids[start : start + _CHUNK]
                result = await connection.execute(delete(dead_letters).where(dead_letters.c.id.in_(chunk)))
                removed += result.rowcount
        return removed


def _storable(text: str | None, length: int) -> str | None:
    """`text` as every database takes it: what it holds may be the very reason why the event was refused."""
    if text is None:
        return None
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()[:length]
