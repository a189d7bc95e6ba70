"""What was appended is read back: whole, once, in order, and counted right."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from store.database import Database
from store.errors import StoreUnavailableError
from store.event import Event, Severity
from store.query import parse
from store.query.predicate import compile_predicate
from store.query.syntax import EVERYTHING
from store.repository import (
    Cursor,
    EventRepository,
    FacetCount,
    RollupCount,
)
from store.rollups import minute_of
from store.tables import event_rollups, events
from tests.events import NOON, at, make_event, make_events

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{tmp_path}/events.db")
    yield opened
    await opened.close()


@pytest.fixture
def repository(database: Database) -> EventRepository:
    return EventRepository(database)


def numbers(page: Sequence[Event]) -> list[int]:
    return [event.id.int for event in page]


def random_events(count: int, seed: int, start: int = 0) -> list[Event]:
    """Events of many kinds over two hours, many of them at equal times, in no order of time."""
    random = Random(seed)
    return [
        make_event(
            number,
            event_type=random.choice(["download.failed", "download.completed", "job.executed", "x.y"]),
            category=random.choice(["downloads", "system"]),
            severity=random.choice([None, *Severity]),
            inserted_at=NOON - timedelta(minutes=random.randrange(0, 120), seconds=random.choice([0, 30])),
            resource_type="download",
            resource_id=random.choice(["a", "b"]),
            status=random.choice([None, "down", "up"]),
        )
        for number in range(start, start + count)
    ]


def counted(batch: Sequence[Event]) -> Counter[tuple[int, str, str, str | None]]:
    """The rollups that `batch` should have, by brute force."""
    return Counter(
        (
            int((event.inserted_at - LONG_AGO).total_seconds()) // 60,
            event.category,
            event.event_type,
            event.severity.value if event.severity else None,
        )
        for event in batch
    )


async def rollups(repository: EventRepository) -> Counter[tuple[int, str, str, str | None]]:
    overview = await repository.overview(1, LONG_AGO - timedelta(days=365))
    keys = [row[:4] for row in overview.rollups]
    assert len(keys) == len(set(keys))
    return Counter({row[:4]: row.count for row in overview.rollups})


async def insert_row(database: Database, number: int, **columns: Any) -> None:
    """Put a row into the table behind the repository's back."""
    row = {
        "id": f"{number:032x}",
        "event_type": "job.executed",
        "category": "system",
        "actor_type": "system",
        "metadata": "{}",
        "inserted_at": at(number).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "search_text": "",
        **columns,
    }
    literals = ", ".join(
        value if isinstance(value, str) and value.startswith("CAST(") else f":{name}"
        for name, value in row.items()
    )
    statement = sa.text(f"INSERT INTO events ({', '.join(row)}) VALUES ({literals})")
    parameters = {name: value for name, value in row.items() if f":{name}" in literals.split(", ")}
    async with database.write() as connection:
        await connection.execute(statement, parameters)


# Appending


async def test_events_come_back_as_they_were_with_their_positions(repository: EventRepository) -> None:
    event = make_event(
        5,
        event_type="download.failed",
        actor_type="user",
        actor_id="Ann",
        resource_type="download",
        resource_id="9f3a",
        secondary_resource_type="episode",
        secondary_resource_id="s1e2",
        metadata={"title": "Ä\x1b[2J", "n": 2**63 - 1, "deep": [{"x": None}], "f": 1e300, "": False},
        status="failed",
        severity=Severity.WARNING,
        inserted_at=NOON + timedelta(microseconds=7),
    )
    appended = await repository.append([event])
    assert appended.events == [event.model_copy(update={"position": 1})]
    assert appended.duplicates == 0
    assert await repository.newest() == appended.events
    assert await repository.get([event.id]) == appended.events


@pytest.mark.parametrize("year", [2, 1969, 1970, 2106, 9998])
async def test_any_year_is_kept(repository: EventRepository, year: int) -> None:
    event = make_event(1, inserted_at=datetime(year, 1, 1, 0, 0, 30, 5, tzinfo=UTC))
    await repository.append([event])
    (stored,) = await repository.newest()
    assert stored.inserted_at == event.inserted_at
    assert await repository.before(Cursor(event.inserted_at, UUID(int=2))) == [stored]
    (bucket,) = await repository.histogram(event.inserted_at, step_minutes=60)
    assert bucket == (datetime(year, 1, 1, tzinfo=UTC), "info", 1)


async def test_positions_follow_the_order_of_the_batch(repository: EventRepository) -> None:
    batch = list(reversed(make_events(2500)))
    appended = await repository.append(batch)
    assert [event.id for event in appended.events] == [event.id for event in batch]
    assert [event.position for event in appended.events] == list(range(1, 2501))


async def test_nothing_is_appended_for_an_empty_batch(repository: EventRepository) -> None:
    appended = await repository.append([])
    assert (appended.events, appended.duplicates) == ([], 0)
    assert await repository.last_position() == 0


async def test_an_id_twice_in_a_batch_is_stored_once_as_it_came_first(repository: EventRepository) -> None:
    first, second = make_event(1, status="first"), make_event(1, status="second")
    appended = await repository.append([first, second, first])
    assert [event.status for event in appended.events] == ["first"]
    assert appended.duplicates == 2
    assert await rollups(repository) == counted([first])


async def test_an_id_that_is_stored_already_is_left_alone(repository: EventRepository) -> None:
    await repository.append([make_event(1, status="first")])
    appended = await repository.append([make_event(1, status="second"), make_event(2)])
    assert numbers(appended.events) == [2]
    assert appended.duplicates == 1
    assert [event.status for event in await repository.get([UUID(int=1)])] == ["first"]
    assert (await rollups(repository)).total() == 2
    again = await repository.append([make_event(1), make_event(2)])
    assert (again.events, again.duplicates) == ([], 2)
    assert (await rollups(repository)).total() == 2


async def test_rollups_equal_a_count_of_the_events_whatever_is_appended_twice(
    repository: EventRepository,
) -> None:
    random = Random(3)
    batch = random_events(400, seed=3)
    for _ in range(12):
        await repository.append(random.sample(batch, 100) + random.choices(batch, k=20))
    stored = await repository.newest(1000)
    assert await rollups(repository) == counted(stored)
    await repository.append(batch)
    assert await rollups(repository) == counted(batch)


async def test_two_stores_that_append_the_same_events_at_once_keep_each_once(tmp_path: Path) -> None:
    databases = [await Database.open(f"sqlite:///{tmp_path}/events.db") for _ in range(2)]
    repositories = [EventRepository(database) for database in databases]
    batch = random_events(300, seed=5)
    chunks = [batch[start : start + 30] for start in range(0, 300, 30)]

    async def append(repository: EventRepository, order: list[list[Event]]) -> int:
        return sum([len((await repository.append(chunk)).events) for chunk in order])

    new = await asyncio.gather(append(repositories[0], chunks), append(repositories[1], chunks[::-1]))
    assert sum(new) == 300
    assert await repositories[0].count() == 300
    assert await rollups(repositories[1]) == counted(batch)
    for database in databases:
        await database.close()


async def test_a_batch_that_cannot_be_stored_leaves_neither_events_nor_counts(
    database: Database, repository: EventRepository
) -> None:
    await repository.append(make_events(3))
    async with database.write() as connection:
        await connection.execute(sa.text("ALTER TABLE event_rollups RENAME TO away"))
    with pytest.raises(StoreUnavailableError):
        await repository.append(make_events(3, start=3))
    async with database.write() as connection:
        await connection.execute(sa.text("ALTER TABLE away RENAME TO event_rollups"))
    assert await repository.count() == 3
    assert (await rollups(repository)).total() == 3


async def test_a_position_is_never_given_out_twice(database: Database, repository: EventRepository) -> None:
    await repository.append(make_events(5))
    async with database.write() as connection:
        await connection.execute(events.delete().where(events.c.position >= 4))
    appended = await repository.append([make_event(9)])
    assert appended.events[0].position == 6
    assert await repository.last_position() == 6


# Pages


async def pages_back(repository: EventRepository, limit: int, query: Any = EVERYTHING) -> list[list[Event]]:
    """All pages from the newest to the last one."""
    pages = [await repository.newest(limit, query)]
    while len(pages[-1]) == limit:
        pages.append(await repository.before(Cursor.of(pages[-1][-1]), limit, query))
    return pages


@pytest.mark.parametrize("limit", [1, 7, 50, 300])
@pytest.mark.parametrize("text", ["", "severity>=warning resource:download/a", "-status:*"])
async def test_pages_back_hold_every_match_once_in_order(
    repository: EventRepository, limit: int, text: str
) -> None:
    batch = random_events(200, seed=7)
    await repository.append(batch)
    query = parse(text)
    expected = sorted(filter(compile_predicate(query), batch), key=lambda event: event.sort_key, reverse=True)
    assert len(expected) > 20
    if limit == 1:
        expected = expected[:30]
        read = [await repository.newest(1, query)]
        for _ in expected[1:]:
            read.append(await repository.before(Cursor.of(read[-1][0]), 1, query))
    else:
        read = await pages_back(repository, limit, query)
    assert numbers([event for page in read for event in page]) == numbers(expected)


async def test_events_at_the_same_instant_are_paged_by_id(repository: EventRepository) -> None:
    batch = [make_event(number, inserted_at=NOON) for number in range(25)]
    await repository.append(Random(1).sample(batch, 25))
    read = await pages_back(repository, 10)
    assert [numbers(page) for page in read] == [
        list(range(24, 14, -1)),
        list(range(14, 4, -1)),
        [4, 3, 2, 1, 0],
    ]


async def test_a_cursor_means_the_same_moment_in_any_zone(repository: EventRepository) -> None:
    await repository.append(make_events(5))
    elsewhere = at(3).astimezone(timezone(timedelta(hours=5)))
    assert numbers(await repository.before(Cursor(elsewhere, UUID(int=3)))) == [2, 1, 0]


async def test_a_cursor_without_a_zone_is_refused(repository: EventRepository) -> None:
    with pytest.raises(StoreUnavailableError, match="a moment without a zone"):
        await repository.before(Cursor(at(3).replace(tzinfo=None), UUID(int=3)))


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


async def test_counting_counts_what_matches(repository: EventRepository) -> None:
    batch = random_events(150, seed=13)
    await repository.append(batch)
    assert await repository.count() == 150
    query = parse("type:download.* status:up")
    assert await repository.count(query) == sum(map(compile_predicate(query), batch))


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


async def test_pages_of_a_resource_are_whole(roles: EventRepository) -> None:
    first = await roles.resource_events("download", "a", 2)
    second = await roles.resource_events("download", "a", 2, before=Cursor.of(first[-1]))
    third = await roles.resource_events("download", "a", 2, before=Cursor.of(second[-1]))
    assert [numbers(page) for page in (first, second, third)] == [[5, 3], [2, 1], []]


async def test_the_span_of_a_resource_counts_an_event_in_both_roles_once(roles: EventRepository) -> None:
    assert await roles.resource_span("download", "a") == (4, at(1))
    assert await roles.resource_span("download", "b") == (1, at(4))
    assert await roles.resource_span("download", "z") == (0, None)


async def test_the_span_starts_with_the_earliest_role(repository: EventRepository) -> None:
    second = {"secondary_resource_type": "series", "secondary_resource_id": "s"}
    await repository.append([make_event(1, **second), make_event(2, resource_type="series", resource_id="s")])
    assert await repository.resource_span("series", "s") == (2, at(1))


# Counts


async def test_facets_count_by_category_type_and_severity_within_the_minutes(
    repository: EventRepository,
) -> None:
    batch = random_events(300, seed=17)
    await repository.append(batch)
    since, until = NOON - timedelta(minutes=90, seconds=-10), NOON - timedelta(minutes=30)
    for end in (None, until):
        facets = await repository.facet_counts(since, end)
        expected: Counter[tuple[str, str, str | None]] = Counter()
        for (minute, *kind), count in counted(batch).items():
            if minute_of(since) <= minute and (end is None or minute <= minute_of(end)):
                expected[tuple(kind)] += count  # pyright: ignore[reportArgumentType]
        assert {facet[:3]: facet.count for facet in facets} == expected
        assert all(isinstance(facet, FacetCount) for facet in facets)


@pytest.mark.parametrize("step", [1, 5, 60])
async def test_the_histogram_counts_in_whole_steps_since_1970(repository: EventRepository, step: int) -> None:
    batch = [
        *random_events(200, seed=19),
        make_event(900, inserted_at=datetime(1969, 12, 31, 23, 58, tzinfo=UTC)),
    ]
    await repository.append(batch)
    histogram = await repository.histogram(datetime(1960, 1, 1, tzinfo=UTC), step_minutes=step)
    expected: Counter[tuple[datetime, str | None]] = Counter()
    for event in batch:
        minute = (event.inserted_at - LONG_AGO) // timedelta(minutes=1)
        start = LONG_AGO + timedelta(minutes=minute // step * step)
        expected[start, event.severity.value if event.severity else None] += 1
    assert {(start, severity): count for start, severity, count in histogram} == expected
    assert [start for start, _, _ in histogram] == sorted(start for start, _, _ in histogram)


async def test_the_histogram_ends_with_the_minute_asked_for(repository: EventRepository) -> None:
    await repository.append(
        [make_event(number, inserted_at=NOON + timedelta(minutes=number)) for number in range(9)]
    )
    histogram = await repository.histogram(
        NOON + timedelta(minutes=2), NOON + timedelta(minutes=4, seconds=30)
    )
    assert histogram == [(NOON + timedelta(minutes=minute), "info", 1) for minute in (2, 3, 4)]


async def test_known_types_outlive_their_events(database: Database, repository: EventRepository) -> None:
    await repository.append([make_event(1, event_type="b.b"), make_event(2, event_type="a.a"), make_event(3)])
    async with database.write() as connection:
        await connection.execute(events.delete())
    assert await repository.known_types() == ["a.a", "b.b", "job.executed"]


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


async def test_the_overview_holds_the_newest_events_the_rollups_and_the_last_position(
    repository: EventRepository,
) -> None:
    batch = random_events(50, seed=23)
    await repository.append(batch)
    since = NOON - timedelta(minutes=60)
    overview = await repository.overview(10, since, parse("status:down"))
    newest = sorted(batch, key=lambda event: event.sort_key, reverse=True)
    assert numbers(overview.newest) == numbers([event for event in newest if event.status == "down"][:10])
    assert {row[:4]: row.count for row in overview.rollups} == {
        kind: count for kind, count in counted(batch).items() if kind[0] >= minute_of(since)
    }
    assert all(isinstance(row, RollupCount) for row in overview.rollups)
    assert overview.last_position == 50


async def test_the_overview_of_an_empty_store_is_empty(repository: EventRepository) -> None:
    overview = await repository.overview(10, NOON)
    assert (overview.newest, overview.rollups, overview.last_position) == ([], [], 0)


# Rows that something else wrote


UNREADABLE = {
    "an id that is no UUID": {"id": "zz"},
    "a type against the rules": {"event_type": "NOT A TYPE"},
    "a type that is no text": {"event_type": 5},
    "a type in Latin-1": {"event_type": "CAST(X'e92e65' AS TEXT)"},
    "an empty category": {"category": ""},
    "a time that is none": {"inserted_at": "yesterday"},
    "a time as a number": {"inserted_at": 1_763_726_400},
    "a time in the year 1": {"inserted_at": "0001-01-01 00:00:00.000000"},
    "metadata that is no JSON": {"metadata": "{'a': 1}"},
    "metadata that is no object": {"metadata": "[1]"},
    "metadata that is null": {"metadata": "null"},
    "metadata too deep": {"metadata": '{"a":' * 500 + "1" + "}" * 500},
    "a status that is too long": {"status": "x" * 65},
    "a status with U+0000": {"status": "CAST(X'610062' AS TEXT)"},
    "a resource in Latin-1": {"resource_id": "CAST(X'e9' AS TEXT)"},
}


@pytest.mark.parametrize("columns", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_row_that_is_no_event_is_left_out_and_counted(
    database: Database, repository: EventRepository, columns: dict[str, Any]
) -> None:
    about: dict[str, Any] = {"resource_type": "download", "resource_id": "a"}
    await repository.append(make_events(3, **about))
    await insert_row(database, 3, **{**about, **columns})
    await repository.append(make_events(3, start=4, **about))
    readable = [6, 5, 4, 2, 1, 0]
    assert numbers(await repository.newest()) == readable
    assert repository.unreadable == 1
    assert numbers(await repository.after(0)) == readable[::-1]
    assert numbers((await repository.overview(100, NOON)).newest) == readable
    assert numbers(await repository.resource_events("download", "a")) == readable
    assert numbers(await repository.newest_of_types(["*"], 100)) == readable
    assert (await repository.resource_span("download", "a"))[1] == at(0)
    assert await repository.get([UUID(int=3)]) == []
    assert await repository.count() == 7


async def test_unreadable_rows_end_neither_a_page_nor_the_catching_up(
    database: Database, repository: EventRepository
) -> None:
    for number in range(40):
        if number % 8 == 0:
            await repository.append([make_event(number)])
        else:
            await insert_row(
                database, number, event_type="NOT A TYPE" if number % 2 else "CAST(X'ff' AS TEXT)"
            )
    expected = [32, 24, 16, 8, 0]
    assert numbers([event for page in await pages_back(repository, 2) for event in page]) == expected
    read: list[Event] = []
    while page := await repository.after(read[-1].position or 0 if read else 0, 2):
        read.extend(page)
    assert numbers(read) == expected[::-1]
    assert numbers((await repository.overview(3, NOON)).newest) == expected[:3]


async def test_a_store_that_fails_while_it_is_read_is_unavailable(
    database: Database, repository: EventRepository
) -> None:
    async with database.write() as connection:
        await connection.execute(sa.text("DROP TABLE events"))
    for reading in (repository.newest(), repository.after(0), repository.count(), repository.last_position()):
        with pytest.raises(StoreUnavailableError, match=r"EVTOP_STORE .*no such table: events"):
            await reading


async def test_the_database_itself_refuses_unknown_actors_and_severities(database: Database) -> None:
    for columns in ({"actor_type": "robot"}, {"severity": "critical"}):
        with pytest.raises(StoreUnavailableError, match="CHECK constraint failed"):
            await insert_row(database, 1, **columns)


async def test_every_rollup_names_its_kind(database: Database, repository: EventRepository) -> None:
    await repository.append([make_event(1, severity=None)])
    async with database.read() as connection:
        (row,) = (await connection.execute(sa.select(event_rollups))).all()
    assert tuple(row) == (minute_of(at(1)), "system", "job.executed", "", 1)


async def test_a_cleared_store_is_as_new(repository: EventRepository) -> None:
    await repository.append(make_events(3, start=1))
    await repository.clear()
    assert await repository.newest() == []
    assert await repository.known_types() == []
    assert await repository.last_position() == 0
    stored = await repository.append(make_events(1, start=9))
    assert [event.position for event in stored.events] == [1]
