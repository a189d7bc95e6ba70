"""Retention: what is deleted, what stays, what is counted; on every database, with others at work."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from store import short_transactions
from store.database import Database
from store.dead_letters import DeadLetter, DeadLetterRepository
from store.engines import sqlite
from store.errors import StoreUnavailableError
from store.event import Event
from store.repository import EventRepository
from store.retention import FOR_EVER, RetentionPolicy, expired_events, prune
from store.retention.expired_events import delete_expired
from store.tables import events
from tests.events import make_event
from tests.store.oracle import cells, counted, insert_row, run_sql
from tests.store.retained import CATEGORIES, NOW, assert_holds, by_category, history, kept, pruner, uuid7_at

DEADLINE = 60.0
DAY = timedelta(days=1)


def old(days: float, number: int = 0, **fields: Any) -> Event:
    """An event of so many days before `NOW`."""
    return make_event(number, inserted_at=NOW - days * DAY, **fields)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"days": 0}, "days"),
        ({"days": -1}, "days"),
        ({"days": float("nan")}, "days"),
        ({"days": True}, "days"),
        ({"days": "90"}, "days"),
        ({"days": None}, "days"),
        ({"dead_letter_days": 0}, "dead_letter_days"),
        ({"by_category": {"audit": 0}}, "'audit'"),
        ({"by_category": {"audit": None}}, "'audit'"),
        ({"by_category": {"": 5}}, "category"),
        ({"by_category": {"x" * 65: 5}}, "category"),
        ({"by_category": {"a\x00": 5}}, "category"),
        ({"by_category": {"a\n\u202e": -5}}, r"\u202e"),
        ({"by_category": {7: 5}}, "category"),
        ({"by_category": {"Audit": 5, "audit": 6}}, "twice"),
        ({"rollup_days": 0}, "rollup_days"),
        ({"rollup_days": 89}, "rollup_days"),
        ({"rollup_days": 100, "by_category": {"audit": 101}}, "101"),
        ({"rollup_days": 10**9, "by_category": {"audit": FOR_EVER}}, "for ever"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_in_one_line(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError) as caught:
        RetentionPolicy(**fields)
    assert named in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_policy_takes_fractions_and_for_ever_and_cannot_be_changed() -> None:
    overrides = {"Audit": FOR_EVER, "debug": 0.5, "vast": 10**400}
    policy = RetentionPolicy(by_category=overrides, rollup_days=FOR_EVER)
    overrides["debug"] = 1
    assert policy.by_category == {"audit": FOR_EVER, "debug": 0.5, "vast": FOR_EVER}
    assert (policy.days, policy.dead_letter_days) == (90, 90)
    with pytest.raises(TypeError):
        policy.by_category["debug"] = 1  # pyright: ignore[reportIndexIssue]
    with pytest.raises(AttributeError):
        policy.days = 1  # pyright: ignore[reportAttributeAccessIssue]
    # Before the first moment that there is.
    assert RetentionPolicy(days=10**7).cutoffs(NOW).default is None


POLICIES: Mapping[str, RetentionPolicy] = {
    "one age for all": RetentionPolicy(days=30),
    "longer and shorter": RetentionPolicy(days=30, by_category={"audit": 60, "debug": 2.5}),
    "one for ever": RetentionPolicy(days=30, by_category={"audit": FOR_EVER, "debug": 10}),
    "all but one for ever": RetentionPolicy(days=FOR_EVER, by_category={"debug": 10}),
    "of a category that there is not": RetentionPolicy(
        days=50, by_category={"zebra": 80, "aardvark": FOR_EVER}
    ),
    "everything for ever": RetentionPolicy(days=FOR_EVER),
    "everything goes": RetentionPolicy(days=1e-9),
}


@pytest.mark.thorough
@pytest.mark.parametrize("batch_size", [3, expired_events.BATCH])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
async def test_what_is_kept_and_counted_equals_a_brute_force(
    database: Database,
    repository: EventRepository,
    policy: RetentionPolicy,
    batch_size: int,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many are of the same moment, more than are looked up at once when those are three."""
    monkeypatch.setattr(expired_events, "BATCH", batch_size)
    seed = len(request.node.name)
    batch = history(600 if batch_size > 3 else 150, seed)
    await repository.append(batch)
    told: list[int] = []
    tried = await prune(database, policy, now=NOW, dry_run=True)
    await assert_holds(repository, batch, seed)
    pruned = await prune(database, policy, now=NOW, progress=told.append)
    left = kept(batch, policy)
    await assert_holds(repository, left, seed)
    assert pruned.deleted == tried.deleted == by_category(batch) - by_category(left), f"seed {seed}"
    assert (pruned.clock_note, pruned.kept_back, pruned.notes) == (None, 0, ())
    assert told == sorted(told)
    assert (told or [0])[-1] == pruned.events == len(batch) - len(left)
    assert tried.chunks == 0
    assert (pruned.chunks > 0) == (pruned.events > 0)
    # What was recorded stays counted.
    assert {kind: cell.recorded for kind, cell in (await cells(database)).items()} == counted(batch)
    again = await prune(database, policy, now=NOW)
    assert (again.deleted, again.chunks) == ({}, 0)


@pytest.mark.thorough
async def test_the_lock_is_held_for_a_short_time_however_much_is_deleted(
    database: Database, repository: EventRepository, record_property: Callable[[str, object], None]
) -> None:
    wide = {"title": "x" * 20_000}
    for start in range(0, 6000, 1000):
        batch = [
            old(95, number, metadata=wide if number % 10 == 0 else {})
            for number in range(start, start + 1000)
        ]
        await repository.append(batch)
    began = time.monotonic()
    pruned = await prune(database, RetentionPolicy(), now=NOW, trust_clock=True)
    record_property("longest_lock", pruned.longest_lock)
    assert pruned.events == 6000
    # `make bench` has the figure in milliseconds, and a machine of its own.
    assert pruned.chunks > 5
    assert 0 < pruned.longest_lock < (time.monotonic() - began) / 2


@pytest.mark.thorough
async def test_events_that_arrive_meanwhile_are_kept_and_counted(
    migrated_url: str, database: Database, repository: EventRepository
) -> None:
    seed = 11
    policy = RetentionPolicy(days=30, by_category={"audit": FOR_EVER})
    batch = history(4000, seed)
    await repository.append(batch)
    other = await Database.open(migrated_url)
    random, new, latencies = Random(seed + 1), list[Event](), list[float]()
    finished = asyncio.Event()

    async def append() -> None:
        appender = EventRepository(other)
        while not finished.is_set() or len(latencies) < 5:
            arrived = [
                make_event(id=uuid7_at(NOW, random), inserted_at=NOW, category=random.choice(CATEGORIES))
                for _ in range(5)
            ]
            began = time.monotonic()
            assert len((await appender.append(arrived)).events) == 5
            latencies.append(time.monotonic() - began)
            new.extend(arrived)
            await asyncio.sleep(0.002)

    began = time.monotonic()
    appending = asyncio.create_task(append())
    pruned = await prune(database, policy, now=NOW)
    elapsed = time.monotonic() - began
    finished.set()
    await appending
    await other.close()
    assert pruned.events == len(batch) - len(kept(batch, policy))
    await assert_holds(repository, kept(batch, policy) + new, seed)
    # A pruner that gave no one a turn would take as long as it takes for everything.
    assert max(latencies) < max(1.0, elapsed / 2)


@pytest.mark.thorough
async def test_two_pruners_at_once_delete_and_count_each_event_once(
    migrated_url: str, database: Database, repository: EventRepository
) -> None:
    batch = history(4000, seed=12)
    await repository.append(batch)
    policy = RetentionPolicy(days=20, by_category={"audit": FOR_EVER})
    async with (
        asyncio.timeout(DEADLINE),
        pruner(migrated_url, 20) as first,
        pruner(migrated_url, 20) as second,
    ):
        outputs = await asyncio.gather(first.communicate(b"go\n"), second.communicate(b"go\n"))
    deleted = [int(output.split()[-1]) for output, _ in outputs]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sum(deleted) == len(batch) - len(kept(batch, policy))
    await assert_holds(repository, kept(batch, policy))


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(2))
async def test_a_pruner_that_is_killed_leaves_nothing_half_done(
    migrated_url: str, database: Database, repository: EventRepository, seed: int
) -> None:
    batch = history(4000, seed)
    await repository.append(batch)
    policy = RetentionPolicy(days=20, by_category={"audit": FOR_EVER})
    async with asyncio.timeout(DEADLINE), pruner(migrated_url, 20) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"go\n")
        for _ in range(1 + Random(seed).randrange(4)):
            assert await process.stdout.readline()
        await asyncio.sleep(Random(seed).random() * 0.03)
        process.kill()
        await process.wait()
    left = await repository.newest(5000)
    assert len(kept(batch, policy)) < len(left) < len(batch), f"seed {seed}"
    await assert_holds(repository, left, seed)
    assert (await prune(database, policy, now=NOW)).events == len(left) - len(kept(batch, policy))
    await assert_holds(repository, kept(batch, policy), seed)


async def test_a_clock_that_jumped_forward_deletes_nothing_that_is_not_old(
    database: Database, repository: EventRepository, caplog: pytest.LogCaptureFixture
) -> None:
    batch = [old(days, number) for number, days in enumerate((200, 95, 89.5, 40, 0))]
    await repository.append(batch)
    jumped = NOW + 3650 * DAY
    pruned = await prune(database, RetentionPolicy(), now=jumped)
    # A day may have gone by since the newest event.
    assert await repository.count() == 2
    assert pruned.events == 3
    assert pruned.kept_back == 2
    assert pruned.clock_note is not None
    assert "3649 d 0 h ahead of a day after the newest event; 2 events are kept" in pruned.clock_note
    assert pruned.clock_note in caplog.text
    trusted = await prune(database, RetentionPolicy(), now=jumped, trust_clock=True)
    assert (trusted.events, trusted.clock_note, trusted.kept_back) == (2, None, 0)
    assert await repository.count() == 0


async def test_a_store_where_nothing_happens_keeps_its_events_and_says_so(
    database: Database, repository: EventRepository
) -> None:
    await repository.append([old(120, 1), old(110, 2)])
    pruned = await prune(database, RetentionPolicy(), now=NOW)
    assert (pruned.events, pruned.kept_back) == (0, 2)
    assert "109 d 0 h ahead" in str(pruned.clock_note)


@pytest.mark.parametrize("ahead", [1, 10_000])
async def test_an_event_from_the_future_neither_deletes_more_nor_hides_a_wrong_clock(
    database: Database, repository: EventRepository, ahead: float
) -> None:
    await repository.append([old(91, 1), old(89, 2), old(0, 3), old(-ahead, 4)])
    pruned = await prune(database, RetentionPolicy(), now=NOW)
    assert (pruned.events, pruned.clock_note) == (1, None)
    jumped = await prune(database, RetentionPolicy(days=30), now=NOW + 0.5 * ahead * DAY)
    assert jumped.events == 1
    assert await repository.count() == 2
    assert (jumped.clock_note is not None) == (0.5 * ahead > 1)


async def test_the_clock_of_the_server_is_believed_rather_than_a_later_one(
    database: Database, repository: EventRepository
) -> None:
    now = datetime.now(UTC)
    far = now + 3650 * DAY
    # A producer with the same wrong clock.
    await repository.append([make_event(1, inserted_at=now - 80 * DAY), make_event(2, inserted_at=far)])
    await repository.append([make_event(3, inserted_at=now)])
    pruned = await prune(database, RetentionPolicy(), now=far, dry_run=True)
    if database.dialect == "sqlite":
        # There is no other clock: nothing tells.
        assert (pruned.events, pruned.clock_note) == (2, None)
    else:
        assert (pruned.events, pruned.kept_back) == (0, 2)
        assert "ahead of the clock of the database server" in str(pruned.clock_note)


async def test_clocks_that_hardly_differ_are_not_worth_a_word(database: Database) -> None:
    now = datetime.now(UTC) + timedelta(seconds=20)
    pruned = await prune(database, RetentionPolicy(), now=now)
    assert (pruned.events, pruned.clock_note, pruned.notes) == (0, None, ())


@pytest.mark.parametrize("now", [datetime.min, datetime.max, NOW.replace(year=1970), NOW.replace(year=2106)])
async def test_a_clock_at_the_end_of_time_does_no_harm(
    database: Database, repository: EventRepository, now: datetime
) -> None:
    batch = [old(1, 1), old(0, 2)]
    await repository.append(batch)
    await prune(database, RetentionPolicy(rollup_days=90), now=now.replace(tzinfo=UTC))
    await assert_holds(repository, batch)


async def test_an_empty_store_keeps_letters_that_a_wrong_clock_calls_old(database: Database) -> None:
    letters = DeadLetterRepository(database)
    await letters.add([DeadLetter("why", "{}", failed_at=NOW - days * DAY) for days in (100, 0)])
    assert (await prune(database, RetentionPolicy(), now=NOW + 365 * DAY)).dead_letters == 1
    assert await letters.count() == 1
    assert (await prune(database, RetentionPolicy(), now=NOW + 365 * DAY, trust_clock=True)).dead_letters == 1
    assert (await prune(database, RetentionPolicy(), now=NOW)).dead_letters == 0


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="zone"):
        await prune(database, RetentionPolicy(), now=NOW.replace(tzinfo=None))


async def test_counts_and_letters_go_by_their_own_age(
    database: Database, repository: EventRepository
) -> None:
    batch = [old(days, number) for number, days in enumerate((500, 401, 399, 100, 95, 5, 0))]
    await repository.append(batch)
    letters = DeadLetterRepository(database)
    await letters.add([DeadLetter("why", "{}", failed_at=NOW - days * DAY) for days in (400, 51, 49, 1)])
    policy = RetentionPolicy(rollup_days=400, dead_letter_days=50)
    tried = await prune(database, policy, now=NOW, dry_run=True)
    assert (len(await cells(database)), await letters.count(), await repository.count()) == (7, 4, 7)
    pruned = await prune(database, policy, now=NOW)
    assert (pruned.events, pruned.rollup_cells, pruned.dead_letters) == (5, 2, 2)
    assert (tried.events, tried.rollup_cells, tried.dead_letters) == (5, 2, 2)
    assert {kind: cell.recorded for kind, cell in (await cells(database)).items()} == counted(batch[2:])
    assert [letter.failed_at for letter in await letters.oldest()] == [NOW - 49 * DAY, NOW - DAY]
    await assert_holds(repository, batch[5:])


async def test_the_count_of_an_event_that_is_stored_stays(
    database: Database, repository: EventRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that came late, after its age was pruned and before its count was."""
    from store.retention.expired_records import ExpiredCounts

    await repository.append([old(800, 1), old(500, 2), old(0, 3)])
    delete = ExpiredCounts.delete
    late = [old(600, 4)]

    async def delete_after_a_late_event(self: ExpiredCounts, *arguments: Any) -> Any:
        if late:
            await run_sql_in(arguments[0], late.pop())
        return await delete(self, *arguments)

    async def run_sql_in(connection: Any, event: Event) -> None:
        from store import appending

        await appending.append(connection, [event])

    monkeypatch.setattr(ExpiredCounts, "delete", delete_after_a_late_event)
    policy = RetentionPolicy(rollup_days=90)
    assert (await prune(database, policy, now=NOW)).rollup_cells == 1
    assert await repository.count() == 2
    again = await prune(database, policy, now=NOW)
    assert (again.events, again.rollup_cells) == (1, 2)
    assert await repository.count() == 1


async def test_rows_that_something_else_wrote_go_by_their_time_and_are_in_no_count(
    database: Database, repository: EventRepository
) -> None:
    await repository.append([old(100, 1), old(10, 2), old(0, 3)])
    times = [f"'{NOW - days * DAY:%Y-%m-%d %H:%M:%S}'" for days in (100, 99, 10)]
    for number, moment in enumerate(times, 50):
        await insert_row(database, number, inserted_at=moment, metadata="'[1]'")
    # One is of a kind that was counted, more often than it was recorded.
    pruned = await prune(database, RetentionPolicy(), now=NOW)
    assert pruned.events == 3
    assert await repository.count() == 2
    async with database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(events))).scalar_one() == 3


async def test_moments_that_python_has_none_for_are_old(
    database: Database, repository: EventRepository
) -> None:
    odd = {
        "sqlite": [],
        "postgresql": ["'-infinity'", "'0044-03-15 12:00 BC'"],
        "mariadb": ["'0000-00-00 00:00:00'", "'0000-01-01 00:00:00'"],
    }[database.dialect]
    await repository.append([old(0, 1)])
    for number, moment in enumerate(odd, 50):
        await insert_row(database, number, inserted_at=moment)
    if database.dialect == "postgresql":
        await insert_row(database, 90, inserted_at="'infinity'")
    assert (await prune(database, RetentionPolicy(), now=NOW, dry_run=True)).events == len(odd)
    assert (await prune(database, RetentionPolicy(rollup_days=90), now=NOW)).events == len(odd)
    assert await repository.count() == 1


async def test_values_that_only_sqlite_keeps_do_not_stop_it(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'events.db'}")
    repository = EventRepository(database)
    await repository.append([old(100, 1, category="audit"), old(0, 2)])
    readable = f"'{NOW - 100 * DAY:%Y-%m-%d %H:%M:%S.000000}'"
    unreadable_ages = ["1700000000", "'1700000000'", "12.5", "''", "'12/31/2020'", "x'00'", "'0'", "'now'"]
    for number, moment in enumerate(unreadable_ages, 50):
        await insert_row(database, number, inserted_at=moment)
    odd = ("CAST(x'ff00fe' AS TEXT)", "x'ff'", "char(55296)", "''")
    for number, value in enumerate(odd, 100):
        await insert_row(database, number, inserted_at=readable, category=value)
        await insert_row(database, number + 10, inserted_at=readable, event_type=value)
    await insert_row(database, 130, inserted_at=readable, id="CAST(x'ff' AS TEXT)")
    await insert_row(database, 131, inserted_at="'2020-99-99 garbage'")
    try:
        tried = await prune(database, RetentionPolicy(), now=NOW, dry_run=True)
        assert tried.events == 1 + 2 * len(odd) + 2
        # By category too, but for a value that is no text.
        by_category = RetentionPolicy(by_category={"audit": FOR_EVER})
        assert (await prune(database, by_category, now=NOW)).events == tried.events - 2
        assert (await prune(database, RetentionPolicy(), now=NOW)).events == 2
        assert await repository.count() == 1
        async with database.read() as connection:
            left = (await connection.exec_driver_sql("SELECT count(*) FROM events")).scalar_one()
        assert left == 1 + len(unreadable_ages)
    finally:
        await database.close()


async def test_a_position_that_was_given_out_anew_is_not_deleted_for_its_predecessor(
    database: Database, repository: EventRepository
) -> None:
    await repository.append([old(100, 1)])
    before = events.c.inserted_at < NOW - 90 * DAY
    async with database.read() as connection:
        keys = (await connection.execute(sa.select(events.c.position, events.c.id))).one()
    await repository.clear()
    await repository.append([old(0, 2)])
    async with database.write() as connection:
        key = keys[1] if database.dialect == "postgresql" else keys[0]
        assert await delete_expired(connection, [key], [before]) == {}
    assert await repository.count() == 1


async def test_what_stays_is_not_walked_over(own_database: Database) -> None:
    repository = EventRepository(own_database)
    audit = [old(100 + number / 1000, number, category="audit") for number in range(1000)]
    await repository.append([*audit, *(old(95, number) for number in range(2000, 2050)), old(0, 3000)])
    await repository.append(
        [old((number - 4000) / 100, number, category="debug") for number in range(4000, 4900)]
    )
    if own_database.dialect != "sqlite":
        await run_sql(
            own_database, "ANALYZE events" if own_database.dialect == "postgresql" else "ANALYZE TABLE events"
        )
    statements: list[tuple[str, Any]] = []

    @event.listens_for(own_database._engine.sync_engine, "before_cursor_execute")  # pyright: ignore[reportPrivateUsage]
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    policy = RetentionPolicy(by_category={"audit": FOR_EVER, "debug": 5})
    assert (await prune(own_database, policy, now=NOW)).events == 50 + 399
    walks = [each for each in statements if "LIMIT" in each[0] and "FROM events" in each[0]]
    assert len(walks) == 3
    for statement, parameters in walks:
        async with own_database.read() as connection:
            if own_database.dialect == "postgresql":
                await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            prefix = {"sqlite": "EXPLAIN QUERY PLAN "}.get(own_database.dialect, "EXPLAIN ")
            plan = [tuple(row) for row in await connection.exec_driver_sql(prefix + statement, parameters)]
        said = str(plan)
        assert "events_by" in said, said
        assert "Seq Scan" not in said
        assert "TEMP B-TREE" not in said, said
        assert "filesort" not in said, said


async def test_others_that_have_the_lock_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.001)
    monkeypatch.setattr(short_transactions, "TRIES", 10_000)
    database = await Database.open(f"sqlite:///{tmp_path / 'events.db'}")
    await EventRepository(database).append([old(100, 1), old(10, 2), old(0, 3)])
    with closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pruning = asyncio.create_task(prune(database, RetentionPolicy(), now=NOW))
        # Longer than one attempt lasts.
        done, _ = await asyncio.wait([pruning], timeout=0.1)
        assert not done
        other.execute("ROLLBACK")
        assert (await pruning).events == 1
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(short_transactions, "TRIES", 2)
        with pytest.raises(StoreUnavailableError, match="locked"):
            await prune(database, RetentionPolicy(days=5), now=NOW)
        other.execute("ROLLBACK")
    await database.close()


def log_size(path: Path) -> int:
    """Bytes of the write-ahead log."""
    log = path.with_name(f"{path.name}-wal")
    return log.stat().st_size if log.exists() else 0


@pytest.mark.thorough
async def test_the_write_ahead_log_is_cut_off_once_no_reader_needs_it(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    database = await Database.open(f"sqlite:///{path}")
    repository = EventRepository(database)
    for start in range(0, 8000, 1000):
        await repository.append([old(95, number) for number in range(start, start + 1000)])
    await repository.append([old(0, 9000)])
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (8001,)
        began = time.monotonic()
        assert (await prune(database, RetentionPolicy(), now=NOW)).events == 8000
        # Nobody waited for the reader.
        assert time.monotonic() - began < DEADLINE
        pinned = log_size(path)
        assert pinned > 1_000_000
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (8001,)
        reader.execute("COMMIT")
    await repository.append([old(0, 9001)])
    assert (await prune(database, RetentionPolicy(), now=NOW)).events == 0
    assert log_size(path) == 0
    size = path.stat().st_size
    # What was freed is used again.
    for start in range(10_000, 17_000, 1000):
        await repository.append([old(95, number) for number in range(start, start + 1000)])
    assert path.stat().st_size <= size
    await prune(database, RetentionPolicy(), now=NOW)
    assert log_size(path) == 0
    await database.close()


async def test_what_was_deleted_is_logged_by_category_in_clean_lines(
    database: Database, repository: EventRepository, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "store.retention")
    hostile = "a\x1b[31m\u202eb\nc"
    await repository.append(
        [old(100, 1, category=hostile), *(old(100, n, category="audit") for n in (2, 3)), old(0)]
    )
    tried = await prune(database, RetentionPolicy(), now=NOW, dry_run=True)
    assert not caplog.messages
    assert tried.deleted == {hostile: 1, "audit": 2}
    await prune(database, RetentionPolicy(), now=NOW)
    assert sorted(caplog.messages) == [
        "retention: deleted 1 events of category a\\x1b[31m\\u202eb",
        "retention: deleted 2 events of category audit",
    ]
    assert all(record.levelno == logging.INFO for record in caplog.records)


async def test_a_run_that_fails_says_what_it_deleted(
    database: Database,
    repository: EventRepository,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "store.retention")
    await repository.append([old(100 + number / 100, number) for number in range(1200)] + [old(0, 9000)])

    monkeypatch.setattr(short_transactions, "HOLD_SECONDS", 0)

    def stop(deleted: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await prune(database, RetentionPolicy(), now=NOW, progress=stop)
    left = await repository.newest(2000)
    assert 0 < 1201 - len(left) < 1200
    assert caplog.messages == [
        f"retention: deleted {1201 - len(left)} events of category {left[-1].category}"
    ]
    await assert_holds(repository, left)


async def test_a_store_that_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'events.db'}")
    await run_sql(database, "DROP TABLE event_rollups")
    with pytest.raises(StoreUnavailableError) as caught:
        await prune(database, RetentionPolicy(rollup_days=90), now=NOW)
    assert "\n" not in str(caught.value)
    await database.close()
