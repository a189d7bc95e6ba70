"""Counters are what the events say: at once, after a flush, after pruning, and whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from redis import Redis

from store.counters.check import CounterCheck, Difference
from store.counters.flush import flush
from store.counters.keys import epoch_key, field_of, key_of
from store.counters.repository import CounterRepository, TopResource
from store.counters.rows import head_of
from store.counters.tally import CounterKey, tally
from store.database import Database
from store.event import Event
from store.events import EventStore
from store.partitions import partition
from store.redis_bus import RedisBus
from store.repository import EventRepository
from store.retention import RetentionPolicy, prune
from store.sampling import KEPT_SHARE
from store.tables import resource_counters
from store.taxonomy import EventType, Taxonomy
from tests.events import make_event
from tests.store.oracle import insert_row, run_sql
from tests.store.retained import NOW, uuid7_at
from tests.store.test_migrations import ProcessEndedError, Statements
from tests.valkey import ValkeyServer

SEED = 20261122
APRIL = NOW + timedelta(days=40)
MOVIES = ("dune", "alien", "1 heat", "")
VERBS = ("viewed", "viewed", "viewed", "liked", "unliked", "downloaded", "rated", "shared")


def interactions(count: int, random: Random, first: int = 1, **fields: Any) -> list[Event]:
    """What visitors do to movies, some of which counts for nothing."""
    found: list[Event] = []
    for number in range(first, first + count):
        verb = random.choice(VERBS)
        metadata = {"rating": random.choice([1, 7, 8.5, "much", None, True])} if verb == "rated" else {}
        movie = random.choice(MOVIES)
        found.append(
            make_event(
                number,
                event_type=f"movie.{verb}",
                resource_type="movie" if movie else None,
                resource_id=movie or None,
                metadata=metadata,
                **fields,
            )
        )
    return found


def expected(events: Iterable[Event]) -> dict[CounterKey, int]:
    """The counters of `events`, by brute force."""
    totals: Counter[CounterKey] = Counter()
    rules = {
        "viewed": ("views", 1),
        "downloaded": ("downloads", 1),
        "liked": ("likes", 1),
        "unliked": ("likes", -1),
    }
    for event in events:
        if event.resource_id is None:
            continue
        verb = event.event_type.removeprefix("movie.")
        added = [rules[verb]] if verb in rules else []
        if verb == "rated":
            rating = event.metadata["rating"]
            is_number = isinstance(rating, (int, float)) and not isinstance(rating, bool)
            added = [("ratings", 1), ("rating_sum", round(rating) if is_number else 0)]
        for name, number in added:
            totals[CounterKey("movie", event.resource_id, name)] += number
    return {key: total for key, total in totals.items() if total}


async def shown(counters: CounterRepository) -> dict[CounterKey, int]:
    """The counters of all movies."""
    found: dict[CounterKey, int] = {}
    for movie in filter(None, MOVIES):
        values = (await counters.of("movie", movie)).values
        found |= {CounterKey("movie", movie, name): value for name, value in values.items() if value}
    return found


async def flushed(database: Database) -> dict[CounterKey, int]:
    """What the table has."""
    async with database.read() as connection:
        rows = await connection.execute(sa.select(resource_counters))
        return {
            CounterKey(row.resource_type, row.resource_id, row.counter): row.value
            for row in rows
            if row.value
        }


async def wrong(check: CounterCheck) -> list[Difference]:
    return [difference async for difference in check.differences()]


@asynccontextmanager
async def opened(server: ValkeyServer) -> AsyncIterator[RedisBus]:
    bus = RedisBus(server.url)
    try:
        yield bus
    finally:
        await bus.close()


async def test_counters_show_at_once_and_are_flushed(database: Database, valkey: ValkeyServer) -> None:
    random = Random(SEED)
    async with opened(valkey) as bus:
        store = EventStore(database, bus)
        by_redis, by_events = CounterRepository(database, bus.pending), CounterRepository(database)
        everything: list[Event] = []
        for turn in range(4):
            for _ in range(3):
                batch = interactions(40, random, len(everything) + 1)
                everything += batch
                await store.create_many(batch)
                assert await shown(by_redis) == await shown(by_events) == expected(everything)
            before = await flushed(database)
            assert before == expected(everything[: turn * 120])
            done = await flush(database, bus.pending)
            assert done.position == len(everything)
            assert await flushed(database) == expected(everything)
            assert await shown(by_redis) == await shown(by_events) == expected(everything)
            # Of what was flushed, nothing is left to be added up.
            with Redis.from_url(valkey.url) as client:
                assert len(client.keys("evtop:c:*")) == 1
        assert await wrong(CounterCheck(database, bus.pending)) == []


async def test_what_is_recorded_again_counts_once(database: Database, valkey: ValkeyServer) -> None:
    async with opened(valkey) as bus:
        store = EventStore(database, bus)
        await flush(database, bus.pending)
        batch = interactions(30, Random(SEED))
        await store.create_many(batch[:20])
        await store.create_many(batch)
        assert await shown(CounterRepository(database, bus.pending)) == expected(batch)
        await flush(database, bus.pending)
        await store.create_many(batch)
        await flush(database, bus.pending)
        assert await flushed(database) == expected(batch)


async def test_redis_that_forgot_is_not_believed(database: Database, valkey: ValkeyServer) -> None:
    random = Random(SEED)
    async with opened(valkey) as bus:
        store, counters = EventStore(database, bus), CounterRepository(database, bus.pending)
        await flush(database, bus.pending)
        batch = interactions(60, random)
        await store.create_many(batch[:30])
        with Redis.from_url(valkey.url) as client:
            client.flushall()
            assert await shown(counters) == expected(batch[:30])
            await store.create_many(batch[30:])
            assert client.keys("evtop:c:*"), "what comes later is added up, but is not all there is"
            assert await shown(counters) == expected(batch)
            # It is believed again from the next flush on, though nothing was recorded since the one before.
            await flush(database, bus.pending)
            client.flushall()
            await flush(database, bus.pending)
        async with database.read() as connection:
            epoch = (await head_of(connection)).epoch
        assert await bus.pending.is_whole(epoch)
        valkey.kill()
        assert await shown(counters) == expected(batch)


async def test_an_announcement_that_failed_takes_its_counts_along(
    database: Database, valkey: ValkeyServer
) -> None:
    async with opened(valkey) as bus:
        store, counters = EventStore(database, bus), CounterRepository(database, bus.pending)
        await flush(database, bus.pending)
        batch = interactions(60, Random(SEED))
        await store.create_many(batch[:20])
        valkey.pause()
        await store.create_many(batch[20:40])
        valkey.resume()
        # Redis may have got it or not, which nobody knows: the next one to get through says that it is not whole.
        async with asyncio.timeout(30):
            while not await bus.announce([make_event(1000)]):
                await asyncio.sleep(0.05)
        assert await shown(counters) == expected(batch[:40])
        await store.create_many(batch[40:])
        assert await shown(counters) == expected(batch)


async def test_a_producer_killed_after_its_commit_is_found_and_put_right(
    database: Database, valkey: ValkeyServer
) -> None:
    async with opened(valkey) as bus:
        counters, check = CounterRepository(database, bus.pending), CounterCheck(database, bus.pending)
        await flush(database, bus.pending)
        batch = interactions(60, Random(SEED))
        await EventStore(database, bus).create_many(batch[:30])
        async with database.read() as connection:
            epoch = (await head_of(connection)).epoch
        # As if it was killed before it told Redis.
        await EventRepository(database).append(batch[30:])
        assert await shown(counters) != expected(batch)
        said = await bus.pending.all(epoch)
        assert said is not None
        assert dict(said) == expected(batch[:30])
        # Looking for it flushes first, and so counts from the events.
        assert await wrong(check) == []
        assert await shown(counters) == expected(batch)
        async with database.read() as connection:
            epoch = (await head_of(connection)).epoch
        key = CounterKey("movie", "dune", "views")
        with Redis.from_url(valkey.url) as client:
            client.hincrby(epoch_key(epoch), field_of(key), 5)
        found = await wrong(check)
        assert found == [Difference(key, 5, 0, is_pending=True)]
        await check.put_right(found[0])
        assert await wrong(check) == []
        assert await shown(counters) == expected(batch)


async def test_values_that_something_else_wrote_are_found_and_put_right(database: Database) -> None:
    batch = interactions(80, Random(SEED))
    await EventRepository(database).append(batch)
    await flush(database)
    await run_sql(
        database,
        "UPDATE resource_counters SET value = value + 3 WHERE resource_id = 'dune' AND counter = 'views'",
        "DELETE FROM resource_counters WHERE resource_id = 'alien'",
        "INSERT INTO resource_counters (resource_type, resource_id, counter, value) VALUES ('movie', 'x', 'views', 9)",
        "INSERT INTO resource_counters (resource_type, resource_id, counter, value) VALUES ('movie', 'x', 'fans', 9)",
    )
    check = CounterCheck(database)
    found = await wrong(check)
    dune, gone = CounterKey("movie", "dune", "views"), CounterKey("movie", "x", "views")
    assert Difference(dune, expected(batch)[dune] + 3, expected(batch)[dune]) in found
    assert Difference(gone, 9, 0) in found
    assert {one.key.resource_id for one in found} == {"dune", "alien", "x"}
    for difference in found:
        await check.put_right(difference)
    assert await wrong(check) == []
    # Nothing is known of a counter that nothing is declared to count.
    assert await flushed(database) == expected(batch) | {CounterKey("movie", "x", "fans"): 9}


async def test_a_flush_killed_after_any_statement_counts_nothing_twice(own_database: Database) -> None:
    random = Random(SEED)
    counters = CounterRepository(own_database)
    everything: list[Event] = []
    limit = 1
    while True:
        batch = interactions(20, random, len(everything) + 1)
        everything += batch
        await EventRepository(own_database).append(batch)
        with Statements() as statements:
            statements.limit = limit
            try:
                await flush(own_database)
            except ProcessEndedError:
                limit += 1
            else:
                break
        assert await shown(counters) == expected(everything)
    assert limit > 5
    assert await flushed(own_database) == expected(everything)
    assert await wrong(CounterCheck(own_database)) == []


async def test_those_who_flush_at_once_share_the_work(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.counters.flush.FIRST_STEP", 7)
    monkeypatch.setattr("store.counters.flush.LARGEST_STEP", 7)
    monkeypatch.setattr("store.counters.flush.SMALLEST_STEP", 7)
    random = Random(SEED)
    everything: list[Event] = []
    for _ in range(3):
        batch = interactions(100, random, len(everything) + 1)
        everything += batch
        await EventRepository(database).append(batch)
        done = await asyncio.gather(*(flush(database) for _ in range(3)))
        counting = [event for event in batch if event.resource_id and not event.event_type.endswith("shared")]
        assert sum(one.events for one in done) == len(counting)
        assert await flushed(database) == expected(everything)


async def test_pruned_events_stay_counted(database: Database) -> None:
    random = Random(SEED)
    old = interactions(60, random, inserted_at=NOW - timedelta(days=100))
    young = interactions(60, random, 1000, inserted_at=NOW)
    await EventRepository(database).append([*old[:40], *young])
    await flush(database)
    # Not flushed yet when they are deleted.
    await EventRepository(database).append(old[40:])
    pruned = await prune(database, RetentionPolicy(days=90), now=NOW)
    assert pruned.events == 60
    assert await shown(CounterRepository(database)) == expected([*old, *young])
    assert await wrong(CounterCheck(database)) == []
    await flush(database)
    assert await flushed(database) == expected([*old, *young])
    assert await wrong(CounterCheck(database)) == []
    await run_sql(database, "UPDATE resource_counters SET value = 0")
    check = CounterCheck(database)
    for difference in await wrong(check):
        await check.put_right(difference)
    assert await flushed(database) == expected([*old, *young])


async def test_what_is_pruned_before_it_is_flushed_shows_once(
    database: Database, valkey: ValkeyServer
) -> None:
    random = Random(SEED)
    old = interactions(60, random, inserted_at=NOW - timedelta(days=100))
    young = interactions(60, random, 1000, inserted_at=NOW)
    async with opened(valkey) as bus:
        store, counters = EventStore(database, bus), CounterRepository(database, bus.pending)
        await flush(database, bus.pending)
        await store.create_many([*old, *young[:20]])
        assert (await prune(database, RetentionPolicy(days=90), now=NOW)).events == 60
        assert await shown(counters) == expected([*old, *young[:20]])
        await store.create_many(young[20:40])
        assert await shown(counters) == expected([*old, *young[:40]])
        await flush(database, bus.pending)
        await store.create_many(young[40:])
        assert await shown(counters) == expected([*old, *young])
        with Redis.from_url(valkey.url) as client:
            async with database.read() as connection:
                key = epoch_key((await head_of(connection)).epoch)
            assert client.hlen(key) > 1, "Redis adds up again"
        assert await wrong(CounterCheck(database, bus.pending)) == []


@pytest.fixture
async def february_and_april(postgres_url: str) -> AsyncIterator[tuple[Database, list[Event]]]:
    """A partitioned store, 50 of 60 events of February flushed; then those of April, when February is over."""
    random = Random(SEED)
    database = await Database.open(postgres_url)
    events = [
        event.model_copy(update={"id": uuid7_at(event.inserted_at, random)})
        for event in (
            *interactions(60, random, inserted_at=NOW - timedelta(days=20)),
            *interactions(60, random, 1000, inserted_at=APRIL),
        )
    ]
    await partition(database, now=NOW)
    await EventRepository(database).append(events[:50])
    await flush(database)
    await EventRepository(database).append(events[50:])
    yield database, events
    await database.close()


async def test_events_of_dropped_partitions_stay_counted(
    february_and_april: tuple[Database, list[Event]],
) -> None:
    database, events = february_and_april
    pruned = await prune(database, RetentionPolicy(days=30), now=APRIL)
    assert pruned.partitions
    assert pruned.events == 60
    assert await shown(CounterRepository(database)) == expected(events)
    await flush(database)
    assert await flushed(database) == expected(events)
    assert await wrong(CounterCheck(database)) == []


@pytest.mark.thorough
async def test_what_is_flushed_while_a_partition_is_half_dropped_is_counted(
    february_and_april: tuple[Database, list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, events = february_and_april

    def stop(deleted: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("store.retention.detached_partitions.FIRST_PART", 7)
    with pytest.raises(ZeroDivisionError):
        await prune(database, RetentionPolicy(days=30), now=APRIL, progress=stop)
    # It no longer finds what is in the detached table, and goes past it.
    assert (await flush(database)).position == len(events)
    assert await wrong(CounterCheck(database)) == []
    assert (await prune(database, RetentionPolicy(days=30), now=APRIL)).events == 53
    assert await flushed(database) == expected(events)
    assert await wrong(CounterCheck(database)) == []


async def test_a_store_that_is_cleared_counts_from_nothing(database: Database, valkey: ValkeyServer) -> None:
    async with opened(valkey) as bus:
        store, counters = EventStore(database, bus), CounterRepository(database, bus.pending)
        await flush(database, bus.pending)
        await store.create_many(interactions(40, Random(SEED)))
        await flush(database, bus.pending)
        await store.create_many(interactions(40, Random(SEED), 100))
        await EventRepository(database).clear()
        assert await shown(counters) == {}
        batch = interactions(40, Random(SEED), 200)
        await store.create_many(batch)
        assert await shown(counters) == expected(batch)
        await flush(database, bus.pending)
        assert await flushed(database) == await shown(counters) == expected(batch)


async def test_rows_that_something_else_wrote_count_as_far_as_they_say_anything(database: Database) -> None:
    await EventRepository(database).append(interactions(10, Random(SEED)))
    await flush(database)
    before = (await CounterRepository(database).of("movie", "odd")).values
    assert before == {}
    odd = {"event_type": "'movie.viewed'", "resource_type": "'movie'", "resource_id": "'odd'"}
    await insert_row(database, 500, **odd)
    await insert_row(database, 501, **odd | {"metadata": "'[1]'"})
    if database.dialect != "postgresql":
        await insert_row(database, 502, **odd | {"metadata": "'no JSON, kept_share'"})
        await insert_row(database, 503, **odd | {"event_type": "'movie.rated'", "metadata": "'{'"})
    if database.dialect == "sqlite":
        await insert_row(database, 504, **odd | {"resource_id": "CAST(x'ff' AS TEXT)"})
    await flush(database)
    values = (await CounterRepository(database).of("movie", "odd")).values
    assert values["views"] == (2 if database.dialect == "postgresql" else 3)


async def test_the_top_is_ordered_by_value_then_by_name(database: Database) -> None:
    views = {"b": 3, "a": 3, "c": 5, "d": 1}
    batch = [
        make_event(number, event_type="movie.viewed", resource_type="movie", resource_id=name)
        for number, name in enumerate((name for name, count in views.items() for _ in range(count)), 1)
    ]
    batch.append(make_event(100, event_type="tag.viewed", resource_type="tag", resource_id="a"))
    await EventRepository(database).append(batch)
    await flush(database)
    counters = CounterRepository(database)
    movies = [TopResource("movie", name, views[name]) for name in ("c", "a", "b", "d")]
    assert await counters.top("views", 10, "movie") == movies
    assert await counters.top("views", 4) == movies[:4]
    assert await counters.top("views", 10) == [*movies, TopResource("tag", "a", 1)]
    with pytest.raises(ValueError, match="negative"):
        await counters.top("views", -1)


def test_what_is_left_by_sampling_counts_for_what_it_stands_for() -> None:
    taxonomy = Taxonomy([EventType("page.viewed", "site", counters=(("views", 1), ("bytes", "sent.size")))])
    page = {"event_type": "page.viewed", "resource_type": "page", "resource_id": "/"}
    whole = make_event(1, **page, metadata={"sent": {"size": 10}})
    sampled = make_event(2, **page, metadata={KEPT_SHARE: 0.25, "sent": {"size": 10}})
    odd = [
        make_event(n, **page, metadata={"sent": sent})
        for n, sent in enumerate([None, [1], {"size": 1e13}], 3)
    ]
    views, sent = CounterKey("page", "/", "views"), CounterKey("page", "/", "bytes")
    assert tally([whole], taxonomy) == {views: 1, sent: 10}
    assert tally([sampled], taxonomy) == {views: 4, sent: 40}
    assert tally(odd, taxonomy) == {views: 3}
    assert tally([make_event(9, event_type="page.viewed"), make_event(10)], taxonomy) == {}


@pytest.mark.parametrize(
    "key",
    [
        CounterKey("movie", "1 heat", "views"),
        CounterKey("a b", " ", "likes"),
        CounterKey("", "", "x"),
        CounterKey("ütf 3", "🎬", "v"),
    ],
)
def test_a_field_names_one_counter(key: CounterKey) -> None:
    assert key_of(field_of(key)) == key


@pytest.mark.parametrize("field", ["", "views", "views x movie", "views 9 movie dune", "views ² ab c"])
def test_what_is_no_field_of_ours_is_passed_over(field: str) -> None:
    assert key_of(field) is None
