"""Rows that something else wrote: read like any other, or left out and counted when they are no events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from store.database import Database
from store.event import Event
from store.event_counts import Facet
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.repository import EventRepository
from tests.events import NOON, at, make_event, make_events
from tests.store.oracle import insert_row, numbers

ANYWHERE = {
    "a type against the rules": {"event_type": "'NOT A TYPE'"},
    "an empty category": {"category": "''"},
    "a time in the year 1": {"inserted_at": "'0001-01-01 00:00:00.000000'"},
    "metadata that is no object": {"metadata": "'[1]'"},
    "metadata that is null": {"metadata": "'null'"},
    "metadata too deep": {"metadata": "'" + '{"a":' * 500 + "1" + "}" * 500 + "'"},
    "a number beyond 64 bits": {"metadata": "'{\"a\": 123456789012345678901234567890}'"},
}
UNREADABLE: dict[str, dict[str, dict[str, Any]]] = {
    "sqlite": {
        "an id that is no UUID": {"id": "'zz'"},
        "a type that is no text": {"event_type": "5"},
        "a type in Latin-1": {"event_type": "CAST(X'e92e65' AS TEXT)"},
        "a time that is none": {"inserted_at": "'yesterday'"},
        "a time as a number": {"inserted_at": "1763726400"},
        "metadata that is no JSON": {"metadata": "'{''a'': 1}'"},
        "a status that is too long": {"status": f"'{'x' * 65}'"},
        "a status with U+0000": {"status": "CAST(X'610062' AS TEXT)"},
        "a resource in Latin-1": {"resource_id": "CAST(X'e9' AS TEXT)"},
    },
    "postgresql": {
        "a time without end": {"inserted_at": "'infinity'"},
        "a time before all others": {"inserted_at": "'-infinity'"},
        "a time after Python's last": {"inserted_at": "'20000-01-01 00:00:00Z'"},
        "a time before Python's first": {"inserted_at": "'0044-03-15 12:00:00Z BC'"},
        "an escape that is no character": {"metadata": r"""'{"a": "\u0000"}'"""},
    },
    "mariadb": {
        "an id that is no UUID": {"id": "'zz'"},
        "a time that is zero": {"inserted_at": "'0000-00-00 00:00:00'"},
        "metadata that is no JSON": {"metadata": "'{''a'': 1}'"},
        "a status with U+0000": {"status": r"'a\0b'"},
    },
}


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_row_that_is_no_event_is_left_out_and_counted(
    database: Database, repository: EventRepository, part: int
) -> None:
    cases = list({**ANYWHERE, **UNREADABLE[database.dialect]}.items())[part::3]
    assert cases
    for name, columns in cases:
        await repository.clear()
        about: dict[str, Any] = {"resource_type": "download", "resource_id": "a"}
        await repository.append(make_events(3, **about))
        await insert_row(database, 3, **{"resource_type": "'download'", "resource_id": "'a'", **columns})
        await repository.append(make_events(3, start=4, **about))
        readable = [6, 5, 4, 2, 1, 0]
        before = repository.unreadable
        assert numbers(await repository.newest()) == readable, name
        assert repository.unreadable == before + 1, name
        assert numbers(await repository.after(0)) == readable[::-1], name
        assert numbers((await repository.overview(100, NOON)).newest) == readable, name
        assert numbers(await repository.resource_events("download", "a")) == readable, name
        assert numbers(await repository.newest_of_types(["*"], 100)) == readable, name
        assert (await repository.resource_span("download", "a"))[1] == at(0), name
        assert await repository.get([UUID(int=3)]) == [], name
        assert await repository.count() == 6, name


@pytest.mark.thorough
async def test_a_row_that_is_no_event_breaks_no_count(
    database: Database, repository: EventRepository
) -> None:
    spans = [
        EventFilter(since=at(-30), until=at(90)),
        EventFilter(since=at(-30)),
        EventFilter(until=at(90.5)),
        EventFilter(actor_type="system", since=at(-30)),
        EventFilter(actor_type="system", until=at(90)),
        EventFilter(text=""),
        EventFilter(),
    ]
    for name, columns in {**ANYWHERE, **UNREADABLE[database.dialect]}.items():
        await repository.clear()
        await repository.append(make_events(3, status="up"))
        await insert_row(database, 3, **columns)
        for chosen in spans:
            for facet in Facet:
                found = await repository.facets(facet, chosen)
                assert max(total for _, total in found) in (3, 4), (name, facet, chosen)
            buckets = await repository.histogram(NOON - timedelta(hours=1), None, 60, chosen)
            assert (NOON, "info", 3) in buckets, (name, chosen)
            assert sum(total for *_, total in buckets) in (3, 4), (name, chosen)


async def test_a_row_whose_moment_is_none_is_in_no_span(
    database: Database, repository: EventRepository
) -> None:
    moments = {
        "sqlite": ["'zzz'", "'infinity'", "''", "5", "1763726400", "X'32'"],
        "postgresql": ["'infinity'", "'-infinity'", "'20000-01-01 00:00:00Z'", "'0044-03-15 12:00:00Z BC'"],
        "mariadb": ["'0000-00-00 00:00:00'"],
    }[database.dialect]
    await repository.append(make_events(3, start=1))
    for number, moment in enumerate(moments, 10):
        await insert_row(database, number, inserted_at=moment)
    forever = NOON + timedelta(days=365_000)
    for since, until in ((None, None), (at(0.5), None), (None, at(30)), (at(0.5), at(30)), (None, forever)):
        for chosen in (
            EventFilter(actor_type="system", since=since, until=until),
            EventFilter(since=since, until=until),
        ):
            buckets = await repository.histogram(NOON - timedelta(days=1), until, 1, chosen)
            assert buckets == [(NOON, "info", 3)], chosen
            if since is None and until is None:
                continue
            assert numbers(await repository.newest(100, chosen)) == [3, 2, 1], chosen
            assert await repository.count(chosen) == 3, chosen
            assert await repository.facets(Facet.EVENT_TYPE, chosen) == [("job.executed", 3)], chosen
            assert await repository.facets(Facet.ACTOR_TYPE, chosen) == [("system", 3)], chosen


async def test_unreadable_rows_end_neither_a_page_nor_the_catching_up(
    database: Database, repository: EventRepository
) -> None:
    worst = {
        "sqlite": {"event_type": "CAST(X'ff' AS TEXT)"},
        "postgresql": {"inserted_at": "'20000-01-01 00:00:00Z'"},
        "mariadb": {"metadata": "'{'"},
    }[database.dialect]
    for number in range(40):
        if number % 8 == 0:
            await repository.append([make_event(number)])
        else:
            await insert_row(database, number, **({"event_type": "'NOT A TYPE'"} if number % 2 else worst))
    expected = [32, 24, 16, 8, 0]
    pages = [await repository.newest(2)]
    while len(pages[-1]) == 2:
        pages.append(await repository.before(Cursor.of(pages[-1][-1]), 2))
    assert [number for page in pages for number in numbers(page)] == expected
    read: list[Event] = []
    while page := await repository.after(read[-1].position or 0 if read else 0, 2):
        read.extend(page)
    assert numbers(read) == expected[::-1]
    assert numbers((await repository.overview(3, NOON)).newest) == expected[:3]


async def test_a_row_that_is_an_event_is_read_like_any_other(
    database: Database, repository: EventRepository
) -> None:
    await repository.append(make_events(2))
    position = await insert_row(database, 2, metadata='\'{"title": "ß"}\'', status="'up'")
    (found,) = await repository.after(2)
    expected = make_event(2, severity=None, metadata={"title": "ß"}, status="up", position=position)
    assert found == expected
    assert numbers(await repository.newest()) == [2, 1, 0]
    assert repository.unreadable == 0


async def test_rows_that_are_no_events_are_told_with_the_reason_latest_first(
    database: Database, repository: EventRepository
) -> None:
    await repository.append(make_events(3))
    await insert_row(database, 100, **ANYWHERE["a type against the rules"])
    name = "a status with U+0000" if database.dialect != "postgresql" else "a time without end"
    await insert_row(database, 101)
    await insert_row(database, 102, **UNREADABLE[database.dialect][name])
    last, first = await repository.unreadable_rows(10, among=1000)
    assert last.position > first.position
    assert first.reason.startswith("event_type: two or more words")
    assert last.reason.startswith(("status: ", "a value that its column cannot hold", "inserted_at: "))
    assert await repository.unreadable_rows(1, among=1000) == [last]
    assert await repository.unreadable_rows(10, among=2) == [last]
    assert await repository.unreadable_rows(10, among=0) == []


async def test_rows_that_are_no_events_are_found_across_pages(
    database: Database, repository: EventRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.event_pages._ROWS_AT_ONCE", 2)
    await insert_row(database, 100, **ANYWHERE["an empty category"])
    for number in range(5):
        await insert_row(database, number)
    assert len(await repository.unreadable_rows(10, among=6)) == 1
    assert await repository.unreadable_rows(10, among=5) == []
