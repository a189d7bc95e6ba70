"""A PostgreSQL store that is partitioned by month: it behaves as before, and old months are dropped whole."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sqlalchemy_event

from store import partition_tables, partitions, short_transactions
from store.database import Database
from store.errors import StoreUnavailableError
from store.event import Event
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.partition_tables import Month
from store.partitions import NotPartitionableError, ensure_partitions, is_partitioned, partition
from store.repository import EventRepository
from store.retention import FOR_EVER, RetentionPolicy, prune
from store.retention.expired_partitions import ExpiredPartitions
from store.status import store_status
from store.tables import events
from tests.events import make_event, make_events
from tests.store.oracle import assert_counted, insert_row, newest_first, numbers, random_events, run_sql
from tests.store.partitioned import MONTHS, OTHERS, rows_of, tables
from tests.store.retained import NOW, assert_holds, by_category, history, kept, pruner, uuid7_at

DEADLINE = 60.0
DAY = timedelta(days=1)


@pytest.fixture
async def plain(postgres_url: str) -> AsyncIterator[Database]:
    """An empty PostgreSQL store that is not partitioned."""
    database = await Database.open(postgres_url)
    yield database
    await database.close()


@pytest.fixture
async def store(plain: Database) -> Database:
    """An empty PostgreSQL store, partitioned at `NOW`."""
    assert await partition(plain, now=NOW) == [*MONTHS, *OTHERS]
    return plain


async def years(database: Database, batch: list[Event], *, first: datetime = NOW - 400 * DAY) -> None:
    """Append `batch` to a store that has partitions since `first`."""
    moment = first
    while moment < NOW:
        assert await ensure_partitions(database, moment) == []
        moment += 28 * DAY
    await EventRepository(database).append(batch)


def dated(moment: datetime, number: int = 0, **fields: Any) -> Event:
    """An event of `moment`, with an id of version 7."""
    return make_event(number, id=uuid7_at(moment, Random(number)), inserted_at=moment, **fields)


def test_the_bounds_of_a_month_are_those_of_the_ids_made_in_it() -> None:
    december = Month.of(datetime(2025, 1, 1, 5, tzinfo=UTC).astimezone(tz=None)).shifted(-1)
    assert (december.name, december.shifted(1).name, december.shifted(25).name) == (
        "events_2024_12",
        "events_2025_01",
        "events_2027_01",
    )
    millisecond = timedelta(milliseconds=1)
    for moment, inside in (
        (datetime(2024, 12, 1, tzinfo=UTC), True),
        (datetime(2024, 12, 1, tzinfo=UTC) - millisecond, False),
        (datetime(2025, 1, 1, tzinfo=UTC) - millisecond, True),
        (datetime(2025, 1, 1, tzinfo=UTC), False),
    ):
        identifier = uuid7_at(moment, Random(1))
        assert (december.first_id <= identifier < december.shifted(1).first_id) == inside
    assert Month(1970, 1).first_id == UUID(int=0)


@pytest.mark.parametrize("now", [datetime(1970, 1, 1), datetime.min, datetime.max, datetime(9999, 10, 1)])
def test_months_that_no_id_can_have_get_no_partition(now: datetime) -> None:
    for month in partition_tables.months_around(now.replace(tzinfo=UTC)):
        assert month.first_id < month.shifted(1).first_id


async def test_a_store_that_is_no_postgresql_cannot_be_partitioned(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'events.db'}")
    assert not await is_partitioned(database)
    with pytest.raises(NotPartitionableError, match="only a PostgreSQL store"):
        await partition(database)
    await database.close()


async def test_a_store_with_events_is_refused_and_left_as_it_is(plain: Database) -> None:
    repository = EventRepository(plain)
    await repository.append(make_events(3))
    with pytest.raises(NotPartitionableError) as caught:
        await partition(plain)
    assert "there are 3 events in it" in str(caught.value)
    assert str(caught.value).isprintable()
    assert not await is_partitioned(plain)
    assert await tables(plain) == []
    assert numbers(await repository.after(0)) == [0, 1, 2]


async def test_a_table_that_is_in_use_is_not_waited_for_for_long(
    plain: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_CONVERT_WAIT", "SET LOCAL lock_timeout = '100ms'")
    async with plain.read() as reader:
        await reader.execute(sa.select(events.c.id))
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            await partition(plain)
    assert not await is_partitioned(plain)
    await partition(plain)
    assert await is_partitioned(plain)


async def test_what_the_table_had_stays(plain: Database, postgres_url: str) -> None:
    await run_sql(
        plain, "DROP ROLE IF EXISTS looker", "CREATE ROLE looker", "GRANT SELECT ON events TO looker, PUBLIC"
    )
    await partition(plain, now=NOW)
    status = await store_status(postgres_url)
    assert status.partitioned
    assert status.is_current
    async with plain.read() as connection:
        indexes = await connection.run_sync(lambda it: sa.inspect(it).get_indexes("events"))
        checks = await connection.run_sync(lambda it: sa.inspect(it).get_check_constraints("events"))
        key = await connection.run_sync(lambda it: sa.inspect(it).get_pk_constraint("events"))
        columns = await connection.run_sync(lambda it: sa.inspect(it).get_columns("events"))
        reads = (
            await connection.exec_driver_sql("SELECT has_table_privilege('looker', 'events', 'SELECT')")
        ).scalar()
        writes = (
            await connection.exec_driver_sql("SELECT has_table_privilege('looker', 'events', 'INSERT')")
        ).scalar()
    assert {index["name"] for index in indexes} == {str(index.name) for index in events.indexes} | {
        "events_by_position"
    }
    assert {check["name"] for check in checks} >= {"events_actor_type", "events_severity"}
    assert key["constrained_columns"] == ["id"]
    assert [(column["name"], column["nullable"]) for column in columns] == [
        (column.name, column.nullable) for column in events.columns
    ]
    assert (reads, writes) == (True, False)
    # Something else may still leave the position to the table.
    await run_sql(
        plain,
        "INSERT INTO events (id, event_type, category, actor_type, metadata, inserted_at, search_text)"
        " SELECT gen_random_uuid(), 'a.b', 'a', 'job', '{}', now(), '' FROM generate_series(1, 2)",
    )
    assert [event.position for event in await EventRepository(plain).after(0)] == [1, 2]
    await run_sql(plain, "DROP OWNED BY looker", "DROP ROLE looker")
    await plain.close()
    again = await Database.open(postgres_url)
    assert await is_partitioned(again)
    assert await partition(again, now=NOW + 31 * DAY) == [*MONTHS, "events_2025_07", *OTHERS]
    await again.close()


async def test_a_partitioned_store_behaves_as_any_other(store: Database) -> None:
    seed = 5
    repository = EventRepository(store)
    batch = random_events(200, seed) + history(400, seed, honest=False)
    for start in range(0, len(batch), 97):
        await repository.append(batch[start : start + 97])
    again = await repository.append(batch[50:150] + make_events(1, start=10**6))
    assert (len(again.events), again.duplicates) == (1, 100)
    batch += make_events(1, start=10**6)
    await assert_counted(store, batch)
    line = newest_first(batch)
    assert await rows_of(store, "events_2025_03") > 10
    assert await rows_of(store, "events_default") > 100

    assert numbers(await repository.newest(50)) == numbers(line[:50])
    cursor = Cursor.of(line[200])
    assert numbers(await repository.before(cursor, 60)) == numbers(line[201:261])
    assert numbers(await repository.following(cursor, 60)) == numbers(line[140:200])
    after = await repository.after(100, 1000)
    assert [event.position for event in after] == list(range(101, len(batch) + 1))
    assert numbers(after) == numbers(batch[100:])
    assert await repository.last_position() == len(batch)
    chosen = EventFilter(category="audit", since=NOW - 50 * DAY)
    wanted = [event for event in line if event.category == "audit" and event.inserted_at >= NOW - 50 * DAY]
    assert numbers(await repository.newest(1000, chosen)) == numbers(wanted)
    assert await repository.count(chosen) == len(wanted) > 0
    assert await repository.count() == len(batch)
    mine = [
        event
        for event in line
        if ("series", "a") in ((event.resource_type, event.resource_id), _secondary(event))
    ]
    assert numbers(await repository.resource_events("series", "a", 1000)) == numbers(mine)
    assert (await repository.resource_span("series", "a"))[0] == len(mine) > 10
    assert {event.id for event in await repository.get([event.id for event in batch[::9]])} == {
        event.id for event in batch[::9]
    }
    await repository.clear()
    assert await repository.count() == 0


def _secondary(event: Event) -> tuple[str | None, str | None]:
    return event.secondary_resource_type, event.secondary_resource_id


async def test_pages_walk_along_the_indexes_of_the_partitions(store: Database) -> None:
    repository = EventRepository(store)
    batch = [dated(NOW - timedelta(minutes=number), number, resource_type="series", resource_id=str(number % 50))
             for number in range(2000)]  # fmt: skip
    await repository.append(batch)
    await run_sql(store, "ANALYZE events")
    statements: list[tuple[str, Any]] = []

    @sqlalchemy_event.listens_for(store._engine.sync_engine, "before_cursor_execute")  # pyright: ignore[reportPrivateUsage]
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    cursor = Cursor.of(batch[1000])
    await repository.newest(20)
    await repository.before(cursor, 20)
    await repository.following(cursor, 20)
    await repository.after(1900, 20)
    await repository.newest(20, EventFilter(category="system"))
    await repository.resource_events("series", "7", 20)
    await repository.get([batch[5].id])
    await repository.append(batch[:3])
    assert (await prune(store, RetentionPolicy(days=1), now=NOW)).events > 100
    watched = [
        each for each in statements if each[0].startswith(("SELECT", "DELETE", "UPDATE")) and "FROM events " in
        each[0].replace("\n", " ")
    ]  # fmt: skip
    assert len(watched) > 10
    for statement, parameters in watched:
        async with store.write() as connection:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = [row[0] for row in await connection.exec_driver_sql("EXPLAIN " + statement, parameters)]
        assert not [line for line in plan if "Seq Scan on events" in line], (statement, plan)


async def test_partitions_are_made_ahead(store: Database) -> None:
    for moment, last in ((NOW + 31 * DAY, "events_2025_07"), (NOW + 62 * DAY, "events_2025_08")):
        assert await ensure_partitions(store, moment) == []
        assert (await tables(store))[-3] == last
    # Pruning does it too, and drops what is empty and past.
    pruned = await prune(store, RetentionPolicy(), now=NOW + 93 * DAY)
    assert pruned.notes == ()
    assert (await tables(store))[-3] == "events_2025_09"
    before = await tables(store)
    await prune(store, RetentionPolicy(), now=NOW + 93 * DAY, dry_run=True)
    assert await tables(store) == before


async def test_events_that_came_before_their_partition_are_moved_into_it(store: Database) -> None:
    repository = EventRepository(store)
    batch = [dated(datetime(2025, 8, day, tzinfo=UTC), day) for day in range(1, 31)]
    batch += [dated(datetime(2026, 8, 1, tzinfo=UTC), 40), make_event(41, inserted_at=NOW)]
    await repository.append(batch)
    assert await rows_of(store, "events_default") == 32
    assert await ensure_partitions(store, NOW + 62 * DAY) == []
    assert (await rows_of(store, "events_2025_08"), await rows_of(store, "events_default")) == (30, 2)
    await assert_counted(store, batch)
    assert numbers(await repository.after(0)) == numbers(batch)
    assert (await repository.append(batch)).duplicates == 32


async def test_partitions_come_and_go_while_others_wait_to_append(store: Database, postgres_url: str) -> None:
    """Who waits has looked at the table already, and must not be in the way of who wants it for a moment."""
    others = [await Database.open(postgres_url) for _ in range(3)]
    new: list[Event] = []

    async def append(database: Database, number: int) -> None:
        while True:
            batch = [dated(NOW, 10**6 * number + len(new) + more) for more in range(20)]
            new.extend((await EventRepository(database).append(batch)).events)

    appending = [asyncio.create_task(append(database, n)) for n, database in enumerate(others, 1)]
    async with asyncio.timeout(DEADLINE):
        while len(new) < 10:
            await asyncio.sleep(0.01)
        assert await ensure_partitions(store, NOW + 31 * DAY) == []
        # Those that are empty and past go.
        pruned = await prune(store, RetentionPolicy(days=FOR_EVER), now=NOW + 93 * DAY, trust_clock=True)
    for task in appending:
        task.cancel()
    await asyncio.wait(appending)
    assert (pruned.notes, pruned.partitions) == ((), ("events_2025_02", "events_2025_04"))
    for database in others:
        await database.close()


async def test_a_partition_that_cannot_be_made_now_is_made_later(store: Database) -> None:
    async with store.read() as reader:
        await reader.execute(sa.select(events.c.id))
        (note,) = await ensure_partitions(store, NOW + 31 * DAY)
        assert note == "no partition events_2025_07: the table of events is in use"
        # No one was kept waiting for it.
        assert len((await EventRepository(store).append(make_events(2))).events) == 2
    assert await ensure_partitions(store, NOW + 31 * DAY) == []


POLICIES = {
    "one age for all": RetentionPolicy(days=60),
    "longer and shorter": RetentionPolicy(days=60, by_category={"audit": 200, "debug": 10}),
    "one for ever": RetentionPolicy(days=60, by_category={"audit": FOR_EVER}),
    "all but one for ever": RetentionPolicy(days=FOR_EVER, by_category={"debug": 30}),
}


@pytest.mark.thorough
@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
async def test_what_is_kept_and_counted_equals_a_brute_force(
    store: Database, policy: RetentionPolicy, honest: bool
) -> None:
    seed = 8
    batch = history(2500, seed, days=380, honest=honest)
    await years(store, batch)
    repository = EventRepository(store)
    before = await tables(store)
    tried = await prune(store, policy, now=NOW, dry_run=True)
    await assert_holds(repository, batch, seed)
    assert await tables(store) == before
    pruned = await prune(store, policy, now=NOW)
    left = kept(batch, policy)
    await assert_holds(repository, left, seed)
    assert pruned.deleted == tried.deleted == by_category(batch) - by_category(left)
    assert list(pruned.partitions) == list(tried.partitions)
    assert set(before) - set(await tables(store)) == set(pruned.partitions)
    if honest and not any(days == FOR_EVER for days in (policy.days, *policy.by_category.values())):
        assert len(pruned.partitions) > 4
    assert (await prune(store, policy, now=NOW)).deleted == {}


@pytest.mark.thorough
async def test_an_id_that_lies_keeps_its_partition(store: Database) -> None:
    long_ago = NOW - 300 * DAY
    batch = [dated(long_ago, number) for number in range(5)]
    liar = make_event(9, id=uuid7_at(long_ago, Random(9)), inserted_at=NOW)
    await years(store, [*batch, liar])
    name = Month.of(long_ago).name
    assert await rows_of(store, name) == 6
    assert name not in (await prune(store, RetentionPolicy(), now=NOW)).partitions
    await assert_holds(EventRepository(store), [liar])
    assert (
        name
        in (await prune(store, RetentionPolicy(), now=NOW + DAY / 2 + 90 * DAY, trust_clock=True)).partitions
    )
    assert await EventRepository(store).count() == 0


async def test_an_event_that_came_late_keeps_its_partition(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the partition and its lock."""
    long_ago = NOW - 300 * DAY
    batch = [dated(long_ago, 1), dated(NOW, 2)]
    await years(store, batch)
    late = make_event(3, id=uuid7_at(long_ago, Random(3)), inserted_at=NOW)
    names = ExpiredPartitions.names

    async def names_and_a_late_event(self: ExpiredPartitions) -> list[str]:
        found = await names(self)
        assert Month.of(long_ago).name in found
        await EventRepository(store).append([late])
        return found

    monkeypatch.setattr(ExpiredPartitions, "names", names_and_a_late_event)
    assert Month.of(long_ago).name not in (await prune(store, RetentionPolicy(), now=NOW)).partitions
    await assert_holds(EventRepository(store), [batch[1], late])


async def test_a_month_that_was_dropped_takes_late_events_all_the_same(store: Database) -> None:
    long_ago = NOW - 300 * DAY
    await years(store, [dated(long_ago, 1), dated(NOW, 2)])
    assert Month.of(long_ago).name in (await prune(store, RetentionPolicy(), now=NOW)).partitions
    repository = EventRepository(store)
    appended = await repository.append([dated(long_ago, 1), dated(long_ago, 3)])
    assert len(appended.events) == 2
    assert await repository.count() == 3
    assert (await prune(store, RetentionPolicy(), now=NOW)).events == 2
    assert await repository.count() == 1


async def test_a_partition_in_use_is_emptied_and_dropped_another_time(
    store: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "store.retention")
    long_ago = NOW - 300 * DAY
    await years(store, [dated(long_ago, 1), dated(NOW, 2)])
    repository = EventRepository(store)
    async with store.read() as reader:
        await reader.execute(sa.select(events.c.id))
        pruned = await prune(store, RetentionPolicy(), now=NOW)
        assert pruned.partitions == ()
        assert pruned.notes == ("partitions are not dropped while the table of events is in use",)
        assert pruned.events == 1
    assert await repository.count() == 1
    later = await prune(store, RetentionPolicy(), now=NOW)
    assert Month.of(long_ago).name in later.partitions
    assert f"retention: dropped the partition {Month.of(long_ago).name}" in caplog.messages
    assert await repository.count() == 1


@pytest.mark.thorough
async def test_rows_that_something_else_wrote_are_in_no_count(store: Database) -> None:
    long_ago = NOW - 300 * DAY
    await years(store, [dated(long_ago, 1), dated(NOW, 2)])
    identifier = f"'{uuid7_at(long_ago, Random(5))}'"
    await insert_row(store, 0, id=identifier, inserted_at="'-infinity'")
    other = f"'{uuid7_at(long_ago, Random(6))}'"
    await insert_row(store, 0, id=other, inserted_at=f"'{long_ago:%Y-%m-%d %H:%M:%S+00}'", category="''")
    pruned = await prune(store, RetentionPolicy(), now=NOW)
    assert pruned.events == 3
    assert Month.of(long_ago).name in pruned.partitions
    assert await EventRepository(store).count() == 1


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(4))
async def test_a_pruner_that_is_killed_between_detaching_and_dropping_is_carried_on(
    store: Database, postgres_url: str, seed: int
) -> None:
    batch = history(2000, seed, days=380)
    await years(store, batch)
    async with asyncio.timeout(DEADLINE), pruner(postgres_url, 60, "none") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"go\n")
        for _ in range(1 + 2 * seed):
            assert await process.stdout.readline()
        process.kill()
        await process.wait()
    policy = RetentionPolicy(days=60)
    repository = EventRepository(store)
    left = await repository.newest(5000)
    assert len(kept(batch, policy)) < len(left) < len(batch), f"seed {seed}"
    await prune(store, policy, now=NOW)
    await assert_holds(repository, kept(batch, policy), seed)
    assert not [name for name in await tables(store) if "detached" in name]


@pytest.mark.thorough
async def test_one_that_goes_on_where_another_stopped_counts_each_event_once(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = history(1500, seed=4, days=380)
    await years(store, batch)
    policy = RetentionPolicy(days=60)
    calls = 0

    def stop(deleted: int) -> None:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    monkeypatch.setattr("store.retention.detached_partitions.FIRST_PART", 3)
    with pytest.raises(ZeroDivisionError):
        await prune(store, policy, now=NOW, progress=stop)
    assert calls == 1
    detached = [name for name in await tables(store) if "detached" in name]
    assert len(detached) == 1
    tried = await prune(store, policy, now=NOW, dry_run=True)
    pruned = await prune(store, policy, now=NOW)
    deleted, partitions = Counter(pruned.deleted), set(pruned.partitions)
    while pruned.events:
        # What could not be had at once was left for another time.
        pruned = await prune(store, policy, now=NOW)
        deleted += Counter(pruned.deleted)
        partitions |= set(pruned.partitions)
    assert detached[0].replace("_detached", "") in partitions
    assert deleted == tried.deleted
    assert partitions == set(tried.partitions)
    await assert_holds(EventRepository(store), kept(batch, policy))


@pytest.mark.thorough
async def test_two_pruners_and_an_appender_at_once_lose_and_double_nothing(
    store: Database, postgres_url: str
) -> None:
    seed = 6
    batch = history(2000, seed, days=380)
    await years(store, batch)
    policy = RetentionPolicy(days=60, by_category={"none": FOR_EVER})
    repository = EventRepository(store)
    random, new = Random(seed + 1), list[Event]()
    async with (
        asyncio.timeout(DEADLINE),
        pruner(postgres_url, 60, "none") as first,
        pruner(postgres_url, 60, "none") as second,
    ):
        pruning = asyncio.gather(first.communicate(b"go\n"), second.communicate(b"go\n"))
        while not pruning.done():
            moment = NOW - random.choice([0, 0, 0, 200]) * DAY
            arrived = [dated(moment, random.getrandbits(24)) for _ in range(3)]
            new += (await repository.append(arrived)).events
            await asyncio.sleep(0.005)
        outputs = await pruning
    assert (first.returncode, second.returncode) == (0, 0)
    deleted = sum(int(output.split()[-1]) for output, _ in outputs)
    assert new
    deleted += (await prune(store, policy, now=NOW)).events
    everything = batch + new
    assert deleted == len(everything) - len(kept(everything, policy))
    await assert_holds(repository, kept(everything, policy), seed)
    assert not [name for name in await tables(store) if "detached" in name]


@pytest.mark.thorough
async def test_the_lock_is_held_for_a_short_time_however_large_a_partition_is(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = NOW - 300 * DAY
    batch = [dated(start + timedelta(minutes=number // 2), number) for number in range(8000)]
    await years(store, [*batch, dated(NOW, 9000)])
    assert short_transactions.HOLD_SECONDS < 0.1
    began = time.monotonic()
    pruned = await prune(store, RetentionPolicy(), now=NOW)
    assert pruned.events == 8000
    assert len(pruned.partitions) > 5
    # `make bench` has the figure in milliseconds, and a machine of its own.
    assert pruned.chunks > 20
    assert pruned.longest_lock < (time.monotonic() - began) / 2
    assert await EventRepository(store).count() == 1
