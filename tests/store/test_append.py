"""Appending: each id once, positions without a hole in the order of commits, counted in the same transaction."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from store.database import Database
from store.errors import DataRefusedError, StoreError, StoreUnavailableError
from store.event import Event
from store.repository import EventRepository
from store.sampling import KEPT_SHARE
from store.tables import events
from tests.events import make_event, make_events
from tests.store.oracle import (
    assert_counted,
    cells,
    counted,
    head,
    insert_row,
    kind_of,
    numbers,
    random_events,
    run_sql,
)

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
APPENDERS = 4
APPENDER = """
import asyncio, json, sys
from random import Random
from uuid import UUID
from store.database import Database
from store.repository import EventRepository
from tests.events import make_event

async def main(url, number, batches):
    random = Random(number)
    database = await Database.open(url)
    repository = EventRepository(database)
    print("ready", flush=True)
    sys.stdin.readline()
    for batch in range(batches):
        own = [make_event((number + 1) * 100_000 + batch * 100 + n) for n in range(random.randrange(1, 8))]
        # The same ids come from every appender.
        shared = [make_event(n) for n in random.sample(range(60), random.randrange(0, 4))]
        chosen = random.sample(own + shared, len(own + shared))
        appended = await repository.append(chosen)
        positions = [[event.position, event.id.int] for event in appended.events]
        print(json.dumps([positions, appended.duplicates, [event.id.int for event in chosen]]), flush=True)
    await database.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


async def test_positions_follow_the_order_of_the_batch(repository: EventRepository) -> None:
    batch = list(reversed(make_events(2500)))
    appended = await repository.append(batch)
    assert [event.id for event in appended.events] == [event.id for event in batch]
    assert [event.position for event in appended.events] == list(range(1, 2501))


async def test_nothing_is_appended_for_an_empty_batch(repository: EventRepository) -> None:
    appended = await repository.append([])
    assert (appended.events, appended.duplicates) == ([], 0)
    assert await repository.last_position() == 0


async def test_an_id_twice_in_a_batch_is_stored_once_as_it_came_first(
    database: Database, repository: EventRepository
) -> None:
    first, second = make_event(1, status="first"), make_event(1, status="second")
    appended = await repository.append([first, second, first])
    assert [event.status for event in appended.events] == ["first"]
    assert appended.duplicates == 2
    await assert_counted(database, [first])


async def test_an_id_that_is_stored_already_is_left_alone(
    database: Database, repository: EventRepository
) -> None:
    await repository.append([make_event(1, status="first")])
    appended = await repository.append([make_event(1, status="second"), make_event(2)])
    assert numbers(appended.events) == [2]
    assert appended.duplicates == 1
    assert [event.status for event in await repository.get([UUID(int=1)])] == ["first"]
    again = await repository.append([make_event(1), make_event(2)])
    assert (again.events, again.duplicates) == ([], 2)
    await assert_counted(database, make_events(2, start=1))


async def test_duplicates_take_no_position(repository: EventRepository) -> None:
    await repository.append(make_events(5))
    await repository.append(make_events(5))
    assert await repository.last_position() == 5
    appended = await repository.append(make_events(8))
    assert [event.position for event in appended.events] == [6, 7, 8]
    assert await repository.last_position() == 8


@pytest.mark.parametrize("seed", [3, 4])
async def test_rollups_equal_a_count_of_the_events_whatever_is_appended_twice(
    database: Database, repository: EventRepository, seed: int
) -> None:
    random = Random(seed)
    batch = random_events(400, seed)
    for _ in range(12):
        await repository.append(random.sample(batch, 100) + random.choices(batch, k=20))
    await assert_counted(database, await repository.newest(1000))
    await repository.append(batch)
    await assert_counted(database, batch)
    assert await repository.last_position() == 400


async def test_estimates_scale_with_the_share_that_was_kept(
    database: Database, repository: EventRepository
) -> None:
    shares: list[Any] = [0.1, 0.1, 0.5, 1, 1.0, 0, -0.5, 2, True, "0.1", None, [0.1], 1e-300, 5e-324]
    batch = [
        make_event(number, inserted_at=make_event().inserted_at, metadata={KEPT_SHARE: share})
        for number, share in enumerate(shares)
    ]
    await repository.append(batch[:5])
    await repository.append(batch[5:])
    (cell,) = (await cells(database)).values()
    assert cell.recorded == len(shares)
    # What is no share, or less than the ids can express, counts as one event.
    assert cell.estimate == pytest.approx(10 + 10 + 2 + len(shares) - 3)
    (facet,) = await repository.facet_counts(batch[0].inserted_at)
    assert (facet.count, facet.estimate) == (cell.recorded, cell.estimate)


async def test_an_append_that_fails_half_way_leaves_nothing(own_database: Database) -> None:
    repository = EventRepository(own_database)
    await repository.append(make_events(3))
    before = await cells(own_database)
    for table, condition in (
        ("events", "NEW.status = 'poison'"),
        ("event_rollups", "NEW.event_type = 'a.b'"),
    ):
        await refuse_by_trigger(own_database, table, condition)
    for poison in (make_event(8, status="poison"), make_event(8, event_type="a.b")):
        with pytest.raises(DataRefusedError, match="not today") as caught:
            await repository.append([make_event(7), poison, make_event(9)])
        assert not isinstance(caught.value, StoreUnavailableError)
        assert "\n" not in str(caught.value)
        assert numbers(await repository.after(0)) == [0, 1, 2]
        assert await cells(own_database) == before
        assert await head(own_database) == 3
    appended = await repository.append([make_event(7), make_event(9)])
    assert [event.position for event in appended.events] == [4, 5]


async def refuse_by_trigger(database: Database, table: str, condition: str) -> None:
    begins = f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} FOR EACH ROW"
    match database.dialect:
        case "sqlite":
            raises = "SELECT RAISE(ABORT, 'not today')"
            statements = [f"{begins} WHEN {condition} BEGIN {raises}; END"]
        case "postgresql":
            body = f"BEGIN IF {condition} THEN RAISE EXCEPTION 'not today'; END IF; RETURN NEW; END"
            function = f"CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS"
            statements = [f"{function} $$ {body} $$", f"{begins} EXECUTE FUNCTION refuse_{table}()"]
        case _:
            raises = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'"
            statements = [f"{begins} IF {condition} THEN {raises}; END IF"]
    await run_sql(database, *statements)


async def test_the_text_of_an_event_reaches_no_error_unescaped(own_database: Database) -> None:
    repository = EventRepository(own_database)
    hostile = "\x1b]52;c;evil\x07\u202e\u2028[/b]"
    if own_database.dialect == "sqlite":
        # Its triggers can raise a constant alone.
        statement = "CREATE TRIGGER loud BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, '%s'); END"
        await run_sql(own_database, statement % hostile)
    elif own_database.dialect == "postgresql":
        await run_sql(
            own_database,
            "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING MESSAGE = NEW.status; END $$",
            "CREATE TRIGGER loud BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION loud()",
        )
    else:
        await run_sql(
            own_database,
            "CREATE TRIGGER loud BEFORE INSERT ON events FOR EACH ROW"
            " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = NEW.status",
        )
    with pytest.raises(DataRefusedError) as caught:
        await repository.append([make_event(1, status=hostile)])
    assert str(caught.value).isprintable()
    # MariaDB escapes some of it itself.
    assert re.search(r"(\\x1b|\\001B)\]52;c;evil(\\x07|\\0007)\\u202e", str(caught.value))


BAD_VALUES: dict[str, dict[str, Any]] = {
    "a lone surrogate": {"status": "\ud800"},
    "an undecodable byte": {"status": "\udcff"},
    "no category": {"category": None},
    "an actor of no known type": {"actor_type": StrEnum("Unknown", {"ROBOT": "robot"}).ROBOT},
}


@pytest.mark.parametrize("fields", BAD_VALUES.values(), ids=BAD_VALUES.keys())
async def test_an_event_that_the_driver_or_the_database_refuses_leaves_nothing(
    database: Database, repository: EventRepository, fields: dict[str, Any]
) -> None:
    good = make_event(2)
    # Past the validation, as a fault of the program would have it.
    poison = Unchecked.of(make_event(1), fields)
    with pytest.raises(DataRefusedError) as caught:
        await repository.append([good, poison])
    assert str(caught.value).isprintable()
    assert (await repository.count(), await head(database), await cells(database)) == (0, 0, {})
    assert [event.position for event in (await repository.append([good])).events] == [1]


class Unchecked(Event):
    """An event with fields that no event may have."""

    @classmethod
    def of(cls, event: Event, fields: dict[str, Any]) -> Event:
        return cls.from_valid({**event.__dict__, **fields})


@pytest.mark.parametrize("fields", [{"status": "x" * 65}, {"actor_id": "😀" * 256}])
async def test_text_that_is_too_long_is_never_cut_off(
    database: Database, repository: EventRepository, fields: dict[str, Any]
) -> None:
    event = Unchecked.of(make_event(1), fields)
    if database.dialect == "sqlite":
        # It knows no lengths.
        await repository.append([event])
        assert await repository.count() == 1
        return
    with pytest.raises(DataRefusedError):
        await repository.append([event])
    assert await repository.count() == 0


async def test_a_lost_table_is_no_fault_of_the_events(own_database: Database) -> None:
    repository = EventRepository(own_database)
    await repository.append(make_events(3))
    await run_sql(own_database, "ALTER TABLE event_rollups RENAME TO away")
    with pytest.raises(StoreUnavailableError):
        await repository.append(make_events(3, start=3))
    await run_sql(own_database, "ALTER TABLE away RENAME TO event_rollups")
    assert await repository.count() == 3
    assert await head(own_database) == 3
    await assert_counted(own_database, make_events(3))


async def test_a_position_is_never_given_out_twice(database: Database, repository: EventRepository) -> None:
    await repository.append(make_events(5))
    async with database.write() as connection:
        await connection.execute(events.delete().where(events.c.position >= 4))
    assert await repository.last_position() == 5
    appended = await repository.append([make_event(9)])
    assert appended.events[0].position == 6
    assert await repository.last_position() == 6
    async with database.write() as connection:
        await connection.execute(events.delete())
    assert await repository.last_position() == 6


async def test_a_row_that_something_else_wrote_further_on_is_passed(
    database: Database, repository: EventRepository
) -> None:
    await repository.append(make_events(2))
    await insert_row(database, 50, position=40)
    assert await repository.last_position() == 40
    assert numbers(await repository.after(2)) == [50]
    appended = await repository.append(make_events(3, start=2))
    assert [event.position for event in appended.events] == [41, 42, 43]
    await insert_row(database, 51, position=45)
    # Its position would have been the second of these.
    appended = await repository.append(make_events(3, start=5))
    assert [event.position for event in appended.events] == [46, 47, 48]
    appended = await repository.append([make_event(50), make_event(8)])
    assert [(event.id.int, event.position) for event in appended.events] == [(8, 49)]
    assert await repository.last_position() == await head(database) == 49


async def test_a_store_without_its_head_takes_nothing(
    database: Database, repository: EventRepository
) -> None:
    await run_sql(database, "DELETE FROM event_head")
    with pytest.raises(StoreError) as caught:
        await repository.append([make_event(1)])
    assert "\n" not in str(caught.value)
    assert await repository.count() == 0


async def test_stores_that_append_the_same_events_at_once_keep_each_once(
    migrated_url: str, database: Database
) -> None:
    databases = [await Database.open(migrated_url) for _ in range(APPENDERS)]
    batch = random_events(300, seed=5)
    chunks = [batch[start : start + 30] for start in range(0, 300, 30)]

    async def append(number: int) -> tuple[int, int]:
        repository = EventRepository(databases[number])
        order = Random(number).sample(chunks, len(chunks))
        appended = [await repository.append(chunk) for chunk in order]
        return sum(len(each.events) for each in appended), sum(each.duplicates for each in appended)

    done = await asyncio.gather(*map(append, range(APPENDERS)))
    for opened in databases:
        await opened.close()
    assert sum(new for new, _ in done) == 300
    assert sum(duplicates for _, duplicates in done) == 300 * (APPENDERS - 1)
    repository = EventRepository(database)
    assert [event.position for event in await repository.after(0)] == list(range(1, 301))
    await assert_counted(database, batch)


@pytest.mark.thorough
async def test_a_reader_that_only_goes_forward_sees_every_commit_of_all_appenders_once(
    migrated_url: str, database: Database
) -> None:
    """Nothing becomes visible behind a position that was read already, so `commit_overlap` may be 0."""
    assert EventRepository.commit_overlap == 0
    batches = 40
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", APPENDER, migrated_url, str(number), str(batches)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(APPENDERS)
    ]
    repository = EventRepository(database)
    read: list[Event] = []
    try:
        async with asyncio.timeout(DEADLINE):
            for process in processes:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
            outputs = [asyncio.create_task(process.communicate(b"go\n")) for process in processes]
            ended = asyncio.gather(*outputs)
            last = False
            while not last:
                last = ended.done()
                read.extend(await repository.after((read[-1].position or 0) if read else 0, 37))
            while page := await repository.after((read[-1].position or 0) if read else 0):
                read.extend(page)
            said = [json.loads(line) for output, _ in await ended for line in output.splitlines()]
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert [process.returncode for process in processes] == [0] * APPENDERS
    assert len(said) == APPENDERS * batches
    stored = {position: number for positions, _, _ in said for position, number in positions}
    assert {event.position: event.id.int for event in read} == stored
    assert [event.position for event in read] == list(range(1, len(stored) + 1))
    appended = Counter(number for _, _, chosen in said for number in chosen)
    assert appended.keys() == set(stored.values())
    assert appended.total() == len(stored) + sum(duplicates for _, duplicates, _ in said)
    assert sum(duplicates for _, duplicates, _ in said) > 0
    await assert_counted(database, read)


def test_the_brute_force_count_is_one_of_each() -> None:
    batch = make_events(3, severity=None)
    assert counted(batch) == {kind_of(batch[0]): 3}
