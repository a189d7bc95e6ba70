"""Pages of the timeline, catching up by position and the events of a resource: whole, once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event

from store.event import Event
from store.event_counts import Facet
from store.event_filter import EVERY_EVENT, EventFilter
from store.event_selection import Cursor
from store.query import parse
from store.query.predicate import compile_predicate
from store.query.syntax import Node
from store.repository import EventRepository
from tests.events import NOON, at, make_event, make_events
from tests.store.oracle import newest_first, numbers, random_events, random_id

DEADLINE = 20.0


def crowd(count: int, seed: int) -> list[Event]:
    """Events with ids of versions 4 and 7, a third of them at one moment, in no order."""
    random = Random(seed)
    return [
        make_event(
            id=random_id(random, number),
            inserted_at=NOON + timedelta(microseconds=random.choice([0, 0, 1, random.randrange(50)])),
            resource_type=random.choice(["download", "series"]),
            resource_id="a",
            secondary_resource_type=random.choice([None, "download"]),
            secondary_resource_id=random.choice([None, "a"]),
            severity=random.choice(["info", "error"]),
        )
        for number in range(count)
    ]


async def pages_back(
    repository: EventRepository, limit: int, chosen: EventFilter | Node = EVERY_EVENT
) -> list[list[Event]]:
    """All pages from the newest to the last one."""
    pages = [await repository.newest(limit, chosen)]
    while len(pages[-1]) == limit:
        pages.append(await repository.before(Cursor.of(pages[-1][-1]), limit, chosen))
    return pages


async def pages_forward(
    repository: EventRepository, start: Cursor, limit: int, chosen: EventFilter = EVERY_EVENT
) -> list[list[Event]]:
    """All pages from the one after `start` to the newest, each newest first."""
    pages = [await repository.following(start, limit, chosen)]
    while len(pages[-1]) == limit:
        pages.append(await repository.following(Cursor.of(pages[-1][0]), limit, chosen))
    return pages


def joined(pages: Sequence[Sequence[Event]]) -> list[int]:
    return [number for page in pages for number in numbers(page)]


@pytest.mark.parametrize("limit", [1, 7, 50, 300])
@pytest.mark.parametrize("text", ["", "severity>=warning resource:download/a", "-status:*"])
async def test_pages_back_hold_every_match_once_in_order(
    repository: EventRepository, limit: int, text: str
) -> None:
    batch = random_events(200 if limit > 1 else 90, seed=7)
    await repository.append(batch)
    query = parse(text)
    expected = newest_first(filter(compile_predicate(query), batch))
    assert len(expected) > 3
    assert joined(await pages_back(repository, limit, query)) == numbers(expected)


@pytest.mark.parametrize("limit", [1, 10, 59, 60])
async def test_pages_in_both_directions_meet_where_many_events_have_one_moment(
    repository: EventRepository, limit: int
) -> None:
    batch = crowd(60, seed=limit)
    await repository.append(batch)
    expected = numbers(newest_first(batch))
    back = await pages_back(repository, limit)
    assert joined(back) == expected
    oldest = newest_first(batch)[-1]
    forward = await pages_forward(repository, Cursor.of(oldest), limit)
    assert joined(forward[::-1]) == expected[:-1]
    # Going back and returning shows the same page.
    for older, newer in zip(back[1:], back, strict=False):
        if older:
            assert numbers(await repository.following(Cursor.of(older[0]), limit)) == numbers(newer)


async def test_a_page_begins_at_a_place_where_there_is_no_event(repository: EventRepository) -> None:
    batch = [make_event(number, inserted_at=NOON) for number in range(0, 20, 2)]
    await repository.append(batch)
    place = Cursor(NOON, UUID(int=9))
    assert numbers(await repository.before(place, 3)) == [8, 6, 4]
    assert numbers(await repository.following(place, 3)) == [14, 12, 10]
    assert await repository.before(Cursor(NOON, UUID(int=0)), 3) == []
    assert await repository.following(Cursor(NOON, UUID(int=18)), 3) == []


async def test_pages_of_a_filter_meet_too(repository: EventRepository) -> None:
    batch = crowd(80, seed=9)
    await repository.append(batch)
    chosen = EventFilter(severity="error", since=NOON + timedelta(microseconds=1))
    expected = newest_first(e for e in batch if e.severity == "error" and e.inserted_at > NOON)
    assert joined(await pages_back(repository, 4, chosen)) == numbers(expected)
    forward = await pages_forward(repository, Cursor(NOON, UUID(int=0)), 4, chosen)
    assert joined(forward[::-1]) == numbers(expected)


async def test_catching_up_reads_every_commit_once_in_order_of_commit(repository: EventRepository) -> None:
    batch = random_events(100, seed=11)
    for start in range(0, 100, 20):
        await repository.append(batch[start : start + 20])
    read: list[Event] = []
    position = 0
    while page := await repository.after(position, 7):
        read.extend(page)
        position = page[-1].position or 0
    assert numbers(read) == numbers(batch)
    assert position == await repository.last_position() == 100
    downs = [event for event in batch if event.status == "down"]
    assert numbers(await repository.after(0, 1000, parse("status:down"))) == numbers(downs)


async def test_a_late_event_is_found_by_position_and_stands_at_its_time(repository: EventRepository) -> None:
    await repository.append(make_events(5, start=10))
    await repository.append([make_event(1)])
    assert numbers(await repository.after(5)) == [1]
    assert numbers(await repository.newest()) == [14, 13, 12, 11, 10, 1]


async def test_events_are_got_by_id_in_any_number(repository: EventRepository) -> None:
    await repository.append(make_events(1200))
    wanted = [UUID(int=number) for number in range(600, 1300)]
    assert sorted(numbers(await repository.get(wanted))) == list(range(600, 1200))
    assert await repository.get([]) == []


# Resources


@pytest.fixture
async def roles(repository: EventRepository) -> EventRepository:
    """Download `a` in its primary role (1, 5), its secondary one (2), both (3), and neither (4)."""
    a = {"resource_type": "download", "resource_id": "a"}
    second = {"secondary_resource_type": "download", "secondary_resource_id": "a"}
    other = {"resource_type": "download", "resource_id": "b", "secondary_resource_type": "a"}
    await repository.append(
        [
            make_event(1, **a),
            make_event(2, **second),
            make_event(3, **a, **second),
            make_event(4, **other),
            make_event(5, **a),
        ]
    )
    return repository


async def test_a_resource_has_its_events_in_both_roles_once(roles: EventRepository) -> None:
    assert numbers(await roles.resource_events("download", "a")) == [5, 3, 2, 1]
    assert await roles.resource_events("download", "z") == []


async def test_the_span_of_a_resource_counts_an_event_in_both_roles_once(roles: EventRepository) -> None:
    assert await roles.resource_span("download", "a") == (4, at(1))
    assert await roles.resource_span("download", "b") == (1, at(4))
    assert await roles.resource_span("download", "z") == (0, None)


async def test_the_span_starts_with_the_earliest_role(repository: EventRepository) -> None:
    second = {"secondary_resource_type": "series", "secondary_resource_id": "s"}
    await repository.append([make_event(1, **second), make_event(2, resource_type="series", resource_id="s")])
    assert await repository.resource_span("series", "s") == (2, at(1))


@pytest.mark.parametrize("limit", [1, 5, 200])
async def test_pages_of_a_resource_meet_in_both_directions(repository: EventRepository, limit: int) -> None:
    batch = crowd(40 if limit == 1 else 120, seed=13)
    await repository.append(batch)
    expected = [
        event
        for event in newest_first(batch)
        if event.resource == "download/a" or event.secondary_resource == "download/a"
    ]
    assert len({event.sort_key for event in expected}) == len(expected) > 10
    back = [await repository.resource_events("download", "a", limit)]
    while len(back[-1]) == limit:
        place = Cursor.of(back[-1][-1])
        back.append(await repository.resource_events("download", "a", limit, before=place))
    assert joined(back) == numbers(expected)
    forward = [await repository.resource_events("download", "a", limit, after=Cursor.of(expected[-1]))]
    while len(forward[-1]) == limit:
        place = Cursor.of(forward[-1][0])
        forward.append(await repository.resource_events("download", "a", limit, after=place))
    assert joined(forward[::-1]) == numbers(expected[:-1])


async def test_a_span_of_a_resource_lies_between_two_places(repository: EventRepository) -> None:
    await repository.append(make_events(9, resource_type="download", resource_id="a"))
    first, last = Cursor.of(make_event(2)), Cursor.of(make_event(7))
    between = await repository.resource_events("download", "a", 3, before=last, after=first)
    assert numbers(between) == [6, 5, 4]


@pytest.mark.parametrize(
    ("patterns", "limit", "expected"),
    [
        (["job.*"], 9, [3, 2, 0]),
        (["*.failed"], 9, [2, 1]),
        (["*.failed", "job.executed"], 2, [3, 2]),
        (["job.executed"], 9, [3, 0]),
        (["job.execute"], 9, []),
        (["JOB.*"], 9, []),
        (["job?executed", "job.e[x]ecuted", ".*"], 9, []),
        (["*"], 9, [4, 3, 2, 1, 0]),
        ([], 9, []),
    ],
)
async def test_the_newest_of_some_types_are_found_by_glob(
    repository: EventRepository, patterns: list[str], limit: int, expected: list[int]
) -> None:
    types = ["job.executed", "download.failed", "job.failed", "job.executed", "jobs.executed"]
    await repository.append([make_event(number, event_type=kind) for number, kind in enumerate(types)])
    assert numbers(await repository.newest_of_types(patterns, limit)) == expected


async def test_the_newest_of_many_types_are_the_newest_of_all(repository: EventRepository) -> None:
    # More of the type that is read first than there is room for, and newer ones of those after it.
    batch = [make_event(number, event_type=f"x.t{min(number * 7 % 30, 9)}") for number in range(90)]
    await repository.append(batch)
    for limit in (1, 2, 7, 40, 90, 91):
        assert numbers(await repository.newest_of_types(["x.t*"], limit)) == list(range(89, -1, -1))[:limit]
    assert await repository.newest_of_types(["x.t*"], 0) == []


async def test_of_one_moment_the_types_committed_last_are_chosen(repository: EventRepository) -> None:
    batch = [make_event(9 - number, event_type=f"x.t{number % 3}", inserted_at=NOON) for number in range(9)]
    await repository.append(batch)
    for limit in (1, 4, 9):
        chosen = batch[-limit:]
        assert numbers(await repository.newest_of_types(["*"], limit)) == numbers(newest_first(chosen))


LIMITED: dict[str, Callable[[EventRepository, int], Awaitable[object]]] = {
    "newest": lambda r, limit: r.newest(limit),
    "newest of a filter": lambda r, limit: r.newest(limit, EventFilter(severity="info")),
    "before": lambda r, limit: r.before(Cursor(NOON, UUID(int=0)), limit),
    "following": lambda r, limit: r.following(Cursor(NOON, UUID(int=0)), limit),
    "after": lambda r, limit: r.after(0, limit),
    "a resource": lambda r, limit: r.resource_events("download", "a", limit),
    "types": lambda r, limit: r.newest_of_types(["job.*"], limit),
    "no types": lambda r, limit: r.newest_of_types([], limit),
    "overview": lambda r, limit: r.overview(limit, NOON),
    "facets of the rollups": lambda r, limit: r.facets(Facet.CATEGORY, limit=limit),
    "facets of events": lambda r, limit: r.facets(Facet.STATUS, limit=limit),
}


@pytest.mark.parametrize("name", LIMITED)
async def test_a_negative_limit_is_refused(repository: EventRepository, name: str) -> None:
    await repository.append(make_events(3, resource_type="download", resource_id="a"))
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(ValueError, match="limit must not be negative"):
            await LIMITED[name](repository, -1)


async def test_a_place_without_a_zone_is_refused(repository: EventRepository) -> None:
    place = Cursor(datetime(2026, 11, 21, 12), UUID(int=1))
    readings: list[Callable[[], Awaitable[object]]] = [
        lambda: repository.before(place),
        lambda: repository.following(place),
        lambda: repository.resource_events("download", "a", before=place),
        lambda: repository.resource_events("download", "a", after=place),
    ]
    for reading in readings:
        with pytest.raises(ValueError, match="the moment of a cursor needs a zone"):
            await reading()


async def test_claims_to_be_stored_are_told_from_the_truth(repository: EventRepository) -> None:
    stored = (await repository.append(make_events(5))).events
    true = {event.position or 0: event.id for event in stored}
    last = max(true)
    false = {last + 1: UUID(int=2**100), 2**63 - 1: stored[0].id, 1: UUID(int=3)}
    assert await repository.holding(true) == set(true)
    assert await repository.holding({**true, **false}) == set(true) - {1}
    assert await repository.holding({}) == set()


async def test_looking_claims_up_makes_few_statements_however_many_there_are(
    repository: EventRepository,
) -> None:
    stored = (await repository.append(make_events(600))).events
    asked: set[str] = set()

    def note(*arguments: Any) -> None:
        asked.add(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for count in range(590, 601):
            some = {each.position or 0: each.id for each in stored[:count]}
            assert await repository.holding(some) == set(some)
            assert len(await repository.get(some.values())) == count
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    # Each for 512 ids and for 128; and what begins a transaction.
    assert len([text for text in asked if "SELECT" in text]) <= 5


async def test_a_cleared_store_is_as_new(repository: EventRepository) -> None:
    await repository.append(make_events(3, start=1))
    await repository.clear()
    assert await repository.newest() == []
    assert await repository.known_types() == []
    assert await repository.last_position() == 0
    stored = await repository.append(make_events(1, start=9))
    assert [event.position for event in stored.events] == [1]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
async def test_a_resource_that_no_event_can_name_has_none(repository: EventRepository, text: str) -> None:
    await repository.append([make_event(1, resource_type="download", resource_id="a")])
    assert await repository.resource_events("download", text) == []
    assert await repository.resource_span("download", text) == (0, None)
