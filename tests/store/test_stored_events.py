"""Reading all events of a filter page by page, on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from monitor.export.exporting import stored_events
from store.event import Event
from store.event_filter import EVERY_EVENT, EventFilter
from store.query import parse
from store.repository import EventRepository
from tests.events import at, make_event


async def read(repository: EventRepository, chosen: EventFilter, page: int = 3) -> list[list[Event]]:
    return [list(batch) async for batch in stored_events(repository, chosen, page)]


def ids(batches: list[list[Event]]) -> list[int]:
    return [event.id.int for batch in batches for event in batch]


# Several at one moment, in no order, and some at the ends of what an event's time can be.
EVENTS = [
    *(make_event(number, inserted_at=at(number // 4)) for number in (5, 1, 3, 0, 2, 4, 7, 6)),
    make_event(100, inserted_at=datetime(2, 1, 1, tzinfo=UTC)),
    make_event(101, inserted_at=datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    make_event(99, id=UUID(int=2**128 - 1), inserted_at=at(-1)),
]
ORDER = [100, 2**128 - 1, *range(8), 101]


@pytest.mark.parametrize("page", [1, 3, 4, 11, 100])
async def test_every_event_comes_once_in_the_order_of_the_timeline(
    repository: EventRepository, page: int
) -> None:
    await repository.append(EVENTS)
    batches = await read(repository, EVERY_EVENT, page)
    assert ids(batches) == ORDER
    assert max(map(len, batches)) <= page


async def test_a_span_and_a_query_hold_on_every_page(repository: EventRepository) -> None:
    await repository.append(EVENTS)
    assert ids(await read(repository, EventFilter(since=at(0), until=at(1)))) == [0, 1, 2, 3]
    assert ids(await read(repository, EventFilter(since=at(1)))) == [4, 5, 6, 7, 101]
    assert ids(await read(repository, EventFilter(since=at(0) + timedelta(microseconds=1)))) == [
        4,
        5,
        6,
        7,
        101,
    ]
    assert ids(await read(repository, EventFilter(since=datetime.min.replace(tzinfo=UTC)))) == ORDER
    assert ids(await read(repository, EventFilter(query=parse(f"id:{UUID(int=6)}"), since=at(0)))) == [6]
    assert await read(repository, EventFilter(query=parse("type:no.such"))) == []


async def test_what_is_stored_meanwhile_and_comes_later_is_read_too(repository: EventRepository) -> None:
    await repository.append([make_event(1), make_event(2)])
    found: list[int] = []
    async for batch in stored_events(repository, EVERY_EVENT, 1):
        found += (event.id.int for event in batch)
        if found == [1]:
            await repository.append([make_event(0), make_event(3)])
    assert found == [1, 2, 3]
