"""Many events in the default partition of a PostgreSQL store get partitions of their own, with others at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.ext.asyncio import AsyncConnection

from store import default_copy, default_split, partitions
from store.database import Database
from store.errors import StoreUnavailableError
from store.event import Event
from store.partition_tables import OTHER_IDS, Month
from store.partitions import ensure_partitions, partition
from store.repository import EventRepository
from store.retention import FOR_EVER, RetentionPolicy, prune
from store.retention.expired_events import delete_expired
from store.short_transactions import ShortTransactions
from store.tables import event_head, event_rollups
from tests.events import make_event
from tests.store.oracle import assert_counted, cells, counted, random_id, run_sql
from tests.store.partitioned import MONTHS, OTHERS, rows_of, tables
from tests.store.retained import NOW, assert_holds, uuid7_at

DEADLINE = 60.0
LATER = datetime(2025, 9, 10, 12, tzinfo=UTC)
"""`prune` has not been run since `NOW`: there is no partition of this month and the two before it."""
FOR_GOOD = RetentionPolicy(days=FOR_EVER)
ELSEWHERE = ("events_copy", "events_copy_default", "events_replaced")
"""What stands beside the table of events while the default partition is split."""


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Database]:
    """An empty store, partitioned at `NOW`."""
    database = await Database.open(postgres_url)
    assert await partition(database, now=NOW) == [*MONTHS, *OTHERS]
    yield database
    await database.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few events are many."""
    monkeypatch.setattr(partitions, "_CROWDED_FROM", 20)
    monkeypatch.setattr(partitions, "MOVED_MAX", 10)
    monkeypatch.setattr(default_copy, "BATCH", 30)


def spread(month: datetime, count: int, seed: int, days: float = 27) -> list[Event]:
    """Events of the first `days` of `month`."""
    random = Random(seed)
    moments = [month + timedelta(days=days * random.random()) for _ in range(count)]
    return [
        make_event(
            id=uuid7_at(moment, random), inserted_at=moment, category=random.choice(["audit", "system"])
        )
        for moment in moments
    ]


def month(year: int, number: int) -> datetime:
    return datetime(year, number, 1, tzinfo=UTC)


async def assert_tidy(database: Database) -> None:
    """Fail if a trigger, a constraint or a setting of the split is left."""
    statement = (
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conname LIKE 'events\\_copy%' UNION ALL"
        " SELECT tgname FROM pg_trigger WHERE tgname LIKE 'events\\_mirror%' UNION ALL"
        " SELECT proname FROM pg_proc WHERE proname LIKE 'events\\_mirror%' UNION ALL"
        " SELECT relname FROM pg_class WHERE relname LIKE 'events%' AND reloptions IS NOT NULL"
    )
    async with database.read() as connection:
        assert list((await connection.exec_driver_sql(statement)).scalars()) == []
    assert not set(ELSEWHERE) & set(await tables(database))


@pytest.mark.thorough
async def test_a_default_partition_full_of_months_ends_up_partitioned_while_others_append(
    store: Database, postgres_url: str, record_property: Callable[[str, object], None]
) -> None:
    repository, random = EventRepository(store), Random(3)
    july, august = spread(month(2025, 7), 2500, 1), spread(month(2025, 8), 2000, 2)
    september = spread(month(2025, 9), 1500, 3, days=9)
    strangers = [make_event(id=random_id(random, number), inserted_at=LATER) for number in range(300)]
    early = [make_event(id=uuid7_at(month(2031, 1), random), inserted_at=LATER) for _ in range(5)]
    batch = july + august + september + strangers + early
    for start in range(0, len(batch), 1000):
        await repository.append(batch[start : start + 1000])
    assert await rows_of(store, "events_default") > 6000
    finished = asyncio.Event()
    appended: list[Event] = []
    latencies: list[float] = []

    async def append() -> None:
        other = await Database.open(postgres_url)
        appender = EventRepository(other)
        while not finished.is_set():
            moment = random.choice([LATER, LATER, month(2025, 8), month(2024, 6)])
            new = [make_event(id=uuid7_at(moment, random), inserted_at=moment) for _ in range(3)]
            began = time.monotonic()
            # Some of them again: they must be known wherever they are now.
            answer = await appender.append([*new, *random.sample(batch, 3)])
            latencies.append(time.monotonic() - began)
            assert (len(answer.events), answer.duplicates) == (3, 3)
            appended.extend(new)
            assert await appender.count() == len(batch) + len(appended)
            await asyncio.sleep(0.002)
        await other.close()

    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        group.create_task(append())
        while len(latencies) < 3:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        pruned = await prune(store, FOR_GOOD, now=LATER)
        finished.set()
    record_property("longest_lock", pruned.longest_lock)
    record_property("longest_append", max(latencies))
    assert (pruned.notes, pruned.events) == ((), 0)
    assert len(appended) > 20
    everything = batch + appended
    made = [f"events_2025_{number:02}" for number in range(7, 13)]
    # The months from before were empty.
    assert (await tables(store), list(pruned.partitions)) == ([*made, *OTHERS], MONTHS)
    for name, there in (("events_2025_07", july), ("events_2025_08", august), ("events_2025_09", september)):
        assert await rows_of(store, name) >= len(there)
    beyond = [each for each in everything if not Month(2025, 7).first_id <= each.id < Month(2026, 1).first_id]
    others = sum(each.id >= OTHER_IDS.first for each in beyond)
    assert (await rows_of(store, "events_default"), await rows_of(store, "events_other")) == (
        len(beyond) - others,
        others,
    )
    stored = await repository.newest(len(everything) + 1)
    assert sorted(each.id for each in stored) == sorted(each.id for each in everything)
    await assert_counted(store, everything)
    positions = [each.position for each in await repository.after(0, len(everything))]
    assert positions == list(range(1, len(everything) + 1))
    assert (await repository.append(batch)).duplicates == len(batch)
    await assert_tidy(store)
    assert 0 < pruned.longest_lock < (time.monotonic() - began) / 2
    assert (await prune(store, FOR_GOOD, now=LATER)).chunks == 0


async def test_a_large_default_partition_keeps_no_month_from_getting_its_own(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when none of what is in it belongs to the month, and again the month after."""
    monkeypatch.setattr(partitions, "DEFAULT_SCAN_MAX_BYTES", 100)
    repository, random = EventRepository(store), Random(4)
    batch = [make_event(id=uuid7_at(month(2031, 1), random), inserted_at=NOW) for _ in range(50)]
    await repository.append(batch)
    for number, moment in ((7, NOW + timedelta(days=31)), (8, NOW + timedelta(days=62))):
        assert await ensure_partitions(store, moment) == []
        assert f"events_2025_{number:02}" in await tables(store)
    assert await rows_of(store, "events_default") == 50
    await assert_counted(store, batch)
    await assert_tidy(store)


async def test_a_store_that_was_partitioned_without_one_gets_a_partition_of_other_ids(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_sql(store, "DROP TABLE events_other")
    monkeypatch.setattr(partitions, "DEFAULT_SCAN_MAX_BYTES", 100)
    repository, random = EventRepository(store), Random(5)
    batch = [make_event(id=random_id(random, number), inserted_at=NOW) for number in range(400)]
    await repository.append(batch)
    assert await rows_of(store, "events_default") == 400
    assert await ensure_partitions(store, NOW) == []
    beyond = sum(each.id >= OTHER_IDS.first for each in batch)
    assert (await rows_of(store, "events_other"), await rows_of(store, "events_default")) == (
        beyond,
        400 - beyond,
    )
    assert beyond > 380
    await assert_counted(store, batch)


async def test_postgresql_looks_at_no_event_under_the_lock(
    store: Database, postgres_url: str, small: None
) -> None:
    """It says so, at a level at which nobody listens otherwise."""
    await run_sql(store, f"ALTER DATABASE {postgres_url.rpartition('/')[2]} SET client_min_messages = debug1")
    said: list[str] = []
    other = await Database.open(postgres_url)
    await other.close()
    engine = other._engine.sync_engine  # pyright: ignore[reportPrivateUsage]

    @sqlalchemy_event.listens_for(engine, "connect")
    def listen(connection: Any, _record: object) -> None:
        driver: Any = connection.driver_connection
        driver.add_log_listener(lambda _, message: said.append(str(message)))

    batch = spread(month(2024, 12), 60, 1) + spread(month(2024, 11), 60, 2)
    await EventRepository(other).append(batch)
    assert await ensure_partitions(other, NOW) == []
    await other.close()
    assert await rows_of(store, "events_2024_12") == 60
    assert [line for line in said if "is implied by existing constraints" in line]
    assert not [line for line in said if "verifying table" in line]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.fault
@pytest.mark.parametrize("survived", range(1, 10))
async def test_a_run_that_is_cut_short_anywhere_is_finished_by_the_next_one(
    store: Database, small: None, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    """Between any two transactions, which is wherever a crash leaves it; meanwhile events come, again too, and go."""
    repository, random = EventRepository(store), Random(survived)
    batch = spread(month(2024, 12), 60, 1) + spread(month(2024, 11), 60, 2)
    batch += [make_event(id=random_id(random, number), inserted_at=NOW) for number in range(30)]
    batch += spread(month(2024, 10), 3, 3)
    await repository.append(batch)
    write, count = Database.write, 0

    @asynccontextmanager
    async def mortal(self: Database) -> AsyncGenerator[AsyncConnection]:
        nonlocal count
        async with write(self) as connection:
            yield connection
        count += 1
        if count == survived:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", mortal)
        try:
            assert await ensure_partitions(store, NOW) == []
        except Killed:
            pass
        else:
            # There are fewer transactions than that.
            assert survived > count >= 6
    new = [*spread(month(2024, 12), 5, 5), *spread(month(2024, 10), 2, 6), *spread(month(2024, 11), 5, 7)]
    answer = await repository.append([*new, *batch[::7]])
    assert (len(answer.events), answer.duplicates) == (len(new), len(batch[::7]))
    gone = [*batch[3::10], new[0]]
    async with store.write() as connection:
        await delete_expired(connection, [each.id for each in gone], ())
    everything = batch + new
    left = [each for each in everything if each not in gone]
    await assert_holds(repository, left)
    assert await ensure_partitions(store, NOW) == []
    await assert_holds(repository, left)
    assert {kind: cell.recorded for kind, cell in (await cells(store)).items()} == counted(everything)
    assert await tables(store) == ["events_2024_11", "events_2024_12", *MONTHS, *OTHERS]
    assert await rows_of(store, "events_2024_12") == sum(
        each.inserted_at.month == 12 and each.inserted_at.year == 2024 for each in left
    )
    await assert_tidy(store)


async def test_two_at_once_split_it_once(store: Database, postgres_url: str, small: None) -> None:
    batch = [each for number in range(1, 12) for each in spread(month(2024, number), 40, number)]
    # More than are split at once.
    batch += [each for number in range(8, 13) for each in spread(month(2023, number), 40, 20 + number)]
    repository, other = EventRepository(store), await Database.open(postgres_url)
    await repository.append(batch)
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(prune(each, FOR_GOOD, now=NOW) for each in (store, other, store)))
    await other.close()
    # One that was in the way of another one is not waited for.
    assert await ensure_partitions(store, NOW) == []
    assert len(await tables(store)) == len(MONTHS) + len(OTHERS) + 16
    assert await rows_of(store, "events_default") == 0
    await assert_holds(repository, batch)
    await assert_counted(store, batch)
    await assert_tidy(store)


async def test_one_that_is_overtaken_does_not_take_the_next_copy_for_the_one_that_it_has_made(
    store: Database, postgres_url: str, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one puts that in place, and is killed when it has just begun the next."""
    monkeypatch.setattr(partitions, "RANGES_MAX", 1)
    batch = spread(month(2024, 12), 60, 1) + spread(month(2024, 11), 60, 2)
    repository = EventRepository(store)
    await repository.append(batch)
    other = await Database.open(postgres_url)
    copy = default_split.DefaultSplit._copy  # pyright: ignore[reportPrivateUsage]
    copies = 0

    async def copied(self: default_split.DefaultSplit) -> None:
        nonlocal copies
        copies += 1
        if copies == 3:
            raise Killed
        await copy(self)
        if copies == 1:
            with pytest.raises(Killed):
                await ensure_partitions(other, NOW)
            copies = 9

    with monkeypatch.context() as patch:
        patch.setattr(default_split.DefaultSplit, "_copy", copied)
        assert await ensure_partitions(store, NOW) == []
    await other.close()
    assert copies > 9
    await assert_holds(repository, batch)
    assert await ensure_partitions(store, NOW) == []
    await assert_holds(repository, batch)
    assert await rows_of(store, "events_2024_12") == await rows_of(store, "events_2024_11") == 60
    await assert_tidy(store)


async def test_a_row_that_the_table_would_refuse_by_now_stays_where_it_is(
    store: Database, small: None
) -> None:
    batch = spread(month(2024, 12), 60, 1)
    await EventRepository(store).append(batch)
    await run_sql(store, "ALTER TABLE events ADD CONSTRAINT late CHECK (category <> 'audit') NOT VALID")
    pruned = await prune(store, FOR_GOOD, now=NOW)
    assert "late" in pruned.notes[0]
    assert await rows_of(store, "events_default") == 60
    await assert_tidy(store)


async def test_a_reader_that_began_before_sees_every_event(
    store: Database, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_split, "READERS_WAIT_SECONDS", 0.2)
    batch = spread(month(2024, 12), 60, 1)
    repository = EventRepository(store)
    await repository.append(batch)
    async with store.read() as reader:
        # What it sees is settled, and it has not looked at the events so far.
        await reader.execute(sa.select(event_rollups.c.count))
        (note,) = await ensure_partitions(store, NOW)
        assert note == (
            "no partition events_2024_12: a transaction is open that began before its events were copied"
        )
        (note,) = await ensure_partitions(store, NOW)
        assert note.startswith("the default partition is not split: a transaction is open")
        assert (await reader.exec_driver_sql("SELECT count(*) FROM events")).scalar() == 60
    assert await ensure_partitions(store, NOW) == []
    assert await rows_of(store, "events_2024_12") == 60


async def test_no_partition_is_dropped_while_the_default_one_is_split(
    store: Database, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy has no place for the ids of a month whose partition goes: an event that comes late would be refused."""
    monkeypatch.setattr(default_split, "READERS_WAIT_SECONDS", 0.1)
    repository, random = EventRepository(store), Random(1)
    batch = spread(month(2025, 3), 10, 1, days=5) + spread(month(2024, 12), 60, 2)
    await repository.append([*batch, make_event(inserted_at=LATER)])
    policy = RetentionPolicy(days=30)
    async with store.read() as reader:
        await reader.execute(sa.select(event_rollups.c.count))
        pruned = await prune(store, policy, now=LATER)
        assert (pruned.partitions, pruned.events) == ((), 70)
        late = make_event(id=uuid7_at(month(2025, 3), random), inserted_at=LATER)
        assert len((await repository.append([late])).events) == 1
    pruned = await prune(store, policy, now=LATER)
    assert pruned.notes == ()
    assert "events_2024_12" in pruned.partitions
    assert await repository.count() == 2


async def test_who_may_write_events_alone_can_do_so_meanwhile(
    store: Database, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_split, "READERS_WAIT_SECONDS", 0)
    await EventRepository(store).append(spread(month(2024, 12), 60, 1))
    await run_sql(
        store, "DROP ROLE IF EXISTS writer", "CREATE ROLE writer", "GRANT INSERT, DELETE, SELECT ON events TO writer"
    )  # fmt: skip
    identifier = uuid7_at(month(2024, 12), Random(2))
    async with store.read() as reader:
        await reader.execute(sa.select(event_head))
        assert len(await ensure_partitions(store, NOW)) == 1
        await run_sql(
            store,
            "SET LOCAL ROLE writer",
            "INSERT INTO events (position, id, event_type, category, actor_type, metadata, inserted_at, search_text)"
            f" VALUES (1, '{identifier}', 'a.b', 'a', 'job', '{{}}', now(), '')",
            f"DELETE FROM events WHERE id <> '{identifier}'",
        )
    assert await rows_of(store, "events_copy") == 1
    await run_sql(store, "TRUNCATE events_default")
    assert await rows_of(store, "events_copy") == 0
    await run_sql(store, "DROP OWNED BY writer", "DROP ROLE writer")


async def test_a_copy_that_is_none_any_more_is_made_anew(
    store: Database, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = EventRepository(store)
    batch = spread(month(2024, 12), 60, 1)
    await repository.append(batch)
    monkeypatch.setattr(default_split, "READERS_WAIT_SECONDS", 0)
    async with store.read() as reader:
        await reader.execute(sa.select(event_head))
        assert len(await ensure_partitions(store, NOW)) == 1
    await run_sql(
        store, "ALTER TABLE events ADD COLUMN note text", "CREATE INDEX events_by_note ON events (note)"
    )
    more = spread(month(2024, 12), 5, 2)
    await repository.append(more)
    await run_sql(store, "UPDATE events SET note = 'kept'")
    assert await ensure_partitions(store, NOW) == []
    async with store.read() as connection:
        kept = await connection.exec_driver_sql("SELECT count(*) FROM events_2024_12 WHERE note = 'kept'")
        assert kept.scalar() == 65
    await assert_counted(store, batch + more)
    await assert_tidy(store)


async def test_a_copy_that_is_changed_at_the_last_moment_is_not_put_in_place(
    store: Database, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = spread(month(2024, 12), 60, 1)
    await EventRepository(store).append(batch)
    ended = default_split.DefaultSplit._earlier_transactions_end  # pyright: ignore[reportPrivateUsage]

    async def changed(self: default_split.DefaultSplit) -> bool:
        await run_sql(
            store, "ALTER TABLE events DETACH PARTITION events_2025_05", "DROP TABLE events_2025_05"
        )
        return await ended(self)

    with monkeypatch.context() as patch:
        patch.setattr(default_split.DefaultSplit, "_earlier_transactions_end", changed)
        (note,) = await ensure_partitions(store, NOW)
    assert note == "no partition events_2024_12: the table of events was changed meanwhile"
    await assert_tidy(store)
    assert await rows_of(store, "events_default") == 60
    assert await ensure_partitions(store, NOW) == []
    assert "events_2025_05" in await tables(store)
    await assert_counted(store, batch)


@pytest.mark.parametrize("lost", ["DROP TABLE events_copy", "DROP FUNCTION events_mirror() CASCADE"])
async def test_what_someone_has_taken_away_is_made_anew(
    store: Database, small: None, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    batch = spread(month(2024, 12), 60, 1)
    await EventRepository(store).append(batch)
    with monkeypatch.context() as patch:
        patch.setattr(default_split, "READERS_WAIT_SECONDS", 0)
        async with store.read() as reader:
            await reader.execute(sa.select(event_head))
            assert len(await ensure_partitions(store, NOW)) == 1
    await run_sql(store, lost)
    assert await ensure_partitions(store, NOW) == []
    assert await rows_of(store, "events_2024_12") == 60
    await assert_counted(store, batch)
    await assert_tidy(store)


async def test_a_copy_for_which_there_is_no_room_is_given_up(
    store: Database, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = spread(month(2024, 12), 60, 1)
    repository = EventRepository(store)
    await repository.append(batch)

    async def full(connection: AsyncConnection, ids: object) -> None:
        raise StoreUnavailableError("could not extend file: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(default_split, "copy_events", full)
        pruned = await prune(store, FOR_GOOD, now=NOW)
    assert pruned.notes == ("could not extend file: No space left on device",)
    await assert_tidy(store)
    await repository.append(spread(month(2024, 12), 5, 2))
    assert await rows_of(store, "events_default") == 65
    assert (await prune(store, FOR_GOOD, now=NOW)).notes == ()
    assert await rows_of(store, "events_2024_12") == 65


async def test_a_table_in_use_is_split_another_time(store: Database, small: None) -> None:
    batch = spread(month(2024, 12), 60, 1)
    repository = EventRepository(store)
    await repository.append(batch)
    transactions = ShortTransactions(store)
    async with store.write() as writer:
        await writer.exec_driver_sql("LOCK TABLE events_default IN ROW EXCLUSIVE MODE")
        notes = await ensure_partitions(store, NOW, transactions)
    assert notes == ["no partition events_2024_12: the table of events is in use"]
    assert await ensure_partitions(store, NOW) == []
    assert await rows_of(store, "events_2024_12") == 60


async def test_a_name_that_is_taken_is_left_alone(store: Database, small: None) -> None:
    await EventRepository(store).append(spread(month(2024, 12), 60, 1) + spread(month(2025, 7), 60, 2))
    await run_sql(store, "CREATE TABLE events_2024_12 (n int)", "CREATE TABLE events_2025_07 (n int)")
    notes = await ensure_partitions(store, NOW + timedelta(days=31))
    assert notes == ["no partition events_2025_07: there is another table of that name"]
    assert await rows_of(store, "events_default") == 120
