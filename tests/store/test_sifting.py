"""Pages and counts of queries that SQL narrows down and the predicate decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event as sa_event

from store.database import Database
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.query import parse
from store.repository import EventRepository
from tests.events import NOON, make_event
from tests.store.oracle import insert_row, numbers

STORED = 900
RARE = EventFilter(query=parse("-@n<300"))
"""SQL can only give all events for it; three match."""


async def filled(database: Database) -> EventRepository:
    """Events of one moment in threes, one in three hundred with an `n` of 300 or more."""
    repository = EventRepository(database)
    await repository.append(
        [
            make_event(
                number,
                inserted_at=NOON + timedelta(seconds=number // 3),
                resource_type="download",
                resource_id="a",
                metadata={"n": number % 300 or 300},
            )
            for number in range(1, STORED + 1)
        ]
    )
    return repository


async def test_pages_are_full_however_far_apart_the_matches_are(database: Database) -> None:
    repository = await filled(database)
    await insert_row(database, 500_000, metadata="'[]'")
    assert numbers(await repository.newest(2, RARE)) == [900, 600]
    assert numbers(await repository.newest(5, RARE)) == [900, 600, 300]
    assert await repository.newest(0, RARE) == []
    middle = Cursor.of((await repository.newest(2, RARE))[1])
    assert numbers(await repository.before(middle, 5, RARE)) == [300]
    assert numbers(await repository.following(middle, 5, RARE)) == [900]
    assert numbers(await repository.after(1, 2, RARE)) == [300, 600]
    assert numbers(await repository.resource_events("download", "a", 2, chosen=RARE)) == [900, 600]
    forwards = await repository.resource_events("download", "a", 1, after=middle, chosen=RARE)
    assert numbers(forwards) == [900]
    overview = await repository.overview(2, NOON, RARE)
    assert numbers(overview.newest) == [900, 600]
    assert await repository.count(RARE) == 3
    assert repository.unreadable > 0


async def test_a_long_search_holds_no_transaction_open(database: Database) -> None:
    repository = await filled(database)
    begun: list[Any] = []

    def note(connection: Any) -> None:
        begun.append(connection)

    sa_event.listen(sa.Engine, "begin", note)
    try:
        assert await repository.count(RARE) == 3
    finally:
        sa_event.remove(sa.Engine, "begin", note)
    assert len(begun) == 4  # Chunks of 100, 200, 400 and the rest.
