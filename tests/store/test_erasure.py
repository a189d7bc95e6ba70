"""Erasure: nothing that is stored names the actor any more, and everything is counted as before."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import column, insert, select, table

from store.database import Database
from store.dead_letters import DeadLetter, DeadLetterRepository
from store.erasure import Erased, Identity, erase
from store.erasure.pending import PENDING, Pending
from store.event import METADATA_MAX_BYTES, Event, search_text
from store.event_counts import Facet
from store.event_filter import EventFilter
from store.events import EventStore
from store.memory_bus import MemoryBus
from store.partitions import partition
from store.redis_bus import RedisBus
from store.repository import EventRepository
from store.retention import RetentionPolicy, prune
from store.search import building
from store.search.building import build_search_index
from store.search.grams import BLOCK
from store.spool import Spool
from store.tables import events, resource_counters, search_blocks, search_head, snapshots
from store.wire import encode
from tests.events import at, make_event
from tests.store.erased import bytes_of, eraser, everything
from tests.store.oracle import cells, run_sql
from tests.valkey import ValkeyServer

ID = "Ana-Müller-7f3a"
WHO = Identity("user", ID)
IP = "203.0.113.77"
DEADLINE = 60.0


def its_events(count: int = 40) -> list[Event]:
    """What it did, what was done to it, and what others did, some of which tells of it."""
    found: list[Event] = []
    for number in range(count):
        fields: dict[str, Any] = [
            {"actor_type": "user", "actor_id": ID, "metadata": {"ip": IP, "error": f"{ID} from {IP}"}},
            {"resource_type": "user", "resource_id": ID, "metadata": {ID: {"seen": [f"by {ID}"]}}},
            {"secondary_resource_type": "user", "secondary_resource_id": ID, "resource_type": "movie"},
            {"actor_type": "job", "actor_id": "mailer", "metadata": {"to": f"user:{ID}", "e-mail": "ana@example.com"}},
            {"actor_type": "user", "actor_id": "emil", "metadata": {"ip": "198.51.100.1", "title": "Emil"}},
        ][number % 5]  # fmt: skip
        found.append(make_event(number + 1, event_type="user.login", **fields))
    return found


async def filled(database: Database) -> list[Event]:
    """A store with all kinds of things that tell of it."""
    stored = (await EventRepository(database).append(its_events())).events
    refused = {
        "event_type": "x.y",
        "actor_type": "user",
        "actor_id": ID,
        "oops": {"ip": IP},
        "metadata": {"ip": IP},
    }
    letters = [
        DeadLetter(f"no such thing as {ID}", json.dumps(refused)),
        DeadLetter("too large", json.dumps(refused)[:75]),
        DeadLetter("too large", json.dumps(refused)[:62]),
        DeadLetter("refused", encode(make_event(900, metadata={"ip": "198.51.100.1"})).decode()),
    ]
    await DeadLetterRepository(database).add(letters)
    async with database.write() as connection:
        for resource, number in (("user", 5), ("movie", 7)):
            row = {
                "resource_type": resource,
                "resource_id": ID if resource == "user" else "7",
                "counter": "views",
            }
            await connection.execute(insert(resource_counters).values(**row, value=number, pruned=1))
        for name, payload in (
            ("busy", {"actors": [["user", ID, 3]]}),
            ("quiet", {"actors": [["user", "emil", 1]]}),
        ):
            row = {"name": name, "computed_at": datetime.now(UTC), "payload": json.dumps(payload)}
            await connection.execute(insert(snapshots).values(**row))
    return stored


async def erased(database: Database, who: Identity = WHO, **options: Any) -> Erased:
    return await erase(EventStore(database), who, **options)


async def test_nothing_that_is_stored_names_it(database: Database) -> None:
    await filled(database)
    before = await cells(database)
    done = await erased(database, by="ops")
    told = await everything(database)
    for text in (ID, ID.casefold(), json.dumps(ID)[1:-1], "Ana-M", IP, "ana@example.com", PENDING):
        assert text not in told, text
    assert done.counts == {"events": 32, "dead_letters": 3, "counters": 1, "snapshots": 1}
    assert (done.left, done.total) == ((), 37)
    # Counts by minute, category, type and severity are what they were, and one event more.
    after = await cells(database)
    assert sum(cell.recorded for cell in after.values()) == sum(cell.recorded for cell in before.values()) + 1
    assert {kind: after[kind] for kind in before} == before


async def test_its_events_stay_together_under_a_name_that_says_nothing(database: Database) -> None:
    stored = await filled(database)
    done = await erased(database)
    repository = EventRepository(database)
    assert done.pseudonym is not None
    its = await repository.newest(100, EventFilter(actor_type="user", actor_id=done.pseudonym))
    assert {event.id for event in its} == {event.id for event in stored if event.actor_id == ID}
    assert dict(await repository.facets(Facet.EVENT_TYPE))["user.login"] == 40
    about = await repository.resource_events("user", done.pseudonym, 100)
    # Those of both roles, and the record of the erasure.
    assert len(about) == 17
    by_id = {event.id: event for event in await repository.newest(100)}
    for event in stored:
        now = by_id[event.id]
        same = {
            "event_type",
            "category",
            "severity",
            "status",
            "inserted_at",
            "position",
            "actor_type",
            "resource_type",
        }
        assert all(getattr(now, name) == getattr(event, name) for name in same)
        assert (now == event) is (event.actor_id == "emil")
    assert by_id[stored[0].id].metadata == {"ip": "erased", "error": f"{done.pseudonym} from erased"}
    assert by_id[stored[1].id].metadata == {done.pseudonym: {"seen": [f"by {done.pseudonym}"]}}
    assert by_id[stored[3].id].metadata == {"to": f"user:{done.pseudonym}", "e-mail": "erased"}


async def test_words_find_what_stands_there_now(database: Database) -> None:
    await filled(database)
    done = await erased(database)
    async with database.read() as connection:
        rows = (await connection.execute(select(events.c.id, events.c.search_text))).all()
    texts = {row.id: row.search_text for row in rows}
    for event in await EventRepository(database).newest(100):
        assert texts[event.id] == search_text(event)
    assert await EventRepository(database).count(EventFilter(text=(done.pseudonym or "").upper())) == 33
    assert await EventRepository(database).count(EventFilter(text=ID)) == 0


async def test_the_index_of_words_has_nothing_of_it_and_finds_what_stands_there_now(
    database: Database,
) -> None:
    await filled(database)
    others = [make_event(number, metadata={"title": "other"}) for number in range(1000, 1000 + 3 * BLOCK)]
    await EventRepository(database).append(others)
    indexed = await build_search_index(database)
    assert indexed.position > 32
    done = await erased(database)
    async with database.read() as connection:
        head = (await connection.execute(select(search_head.c.position))).scalar_one()
        if database.dialect == "sqlite":
            names = select(column("name")).select_from(table("sqlite_master"))
            tables = set((await connection.execute(names)).scalars())
            assert not any(name.startswith("event_search") for name in tables), tables
        else:
            assert not (await connection.execute(select(search_blocks.c.grams))).all()
    assert head == 0
    for _ in range(2):
        counted = EventRepository(database).count
        assert await counted(EventFilter(text=done.pseudonym)) == 33
        assert await counted(EventFilter(text=ID)) == 0
        await build_search_index(database)
    # What did not change keeps its index.
    assert (await erased(database, Identity("user", "nobody"))).counts == {}
    async with database.read() as connection:
        assert (await connection.execute(select(search_head.c.position))).scalar_one() > 0


async def test_texts_that_were_read_before_they_changed_are_not_indexed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await EventRepository(database).append([make_event(number) for number in range(1000, 1000 + BLOCK)])
    await build_search_index(database)
    await filled(database)
    read = building.document
    done: list[Erased] = []

    def slow(texts: Sequence[str]) -> str:
        # In a thread, while the loop is free: the texts were read, and are not written yet.
        if not done:
            done.append(asyncio.run_coroutine_threadsafe(erased(database), loop).result(60))
        return read(texts)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(building, "document", slow)
    await build_search_index(database)
    assert done
    await build_search_index(database)
    assert await EventRepository(database).count(EventFilter(text=done[0].pseudonym)) == 33


async def test_it_is_recorded_announced_and_tells_nobody(database: Database) -> None:
    await filled(database)
    bus = MemoryBus()
    done = await erase(EventStore(database, bus), WHO, by="ops")
    recorded = await EventRepository(database).newest(5, EventFilter(event_type="actor.erased"))
    assert [event.id for event in recorded] == [done.event.id if done.event else None]
    (event,) = recorded
    assert (event.category, event.actor, event.resource) == ("privacy", "user:ops", f"user/{done.pseudonym}")
    assert event.metadata == {"counters": 1, "dead_letters": 3, "events": 32, "snapshots": 1}
    # Once more: there is nothing to be done, and nothing to be recorded.
    again = await erased(database)
    assert (again.total, again.event, again.pseudonym) == (0, None, None)
    assert await EventRepository(database).count(EventFilter(event_type="actor.erased")) == 1


async def test_who_erases_themselves_is_not_named_either(database: Database) -> None:
    await filled(database)
    done = await erased(database, by=ID)
    assert done.event is not None
    assert done.event.actor_id == done.pseudonym
    assert ID not in await everything(database)


async def test_a_look_changes_nothing(database: Database) -> None:
    await filled(database)
    before = await everything(database)
    done = await erased(database, dry_run=True)
    assert done.counts == {"events": 32, "dead_letters": 3, "counters": 1, "snapshots": 1}
    assert (done.pseudonym, done.event) == (None, None)
    assert await everything(database) == before


async def test_counters_add_up_where_some_came_in_after_an_earlier_run(database: Database) -> None:
    await filled(database)
    async with database.write() as connection:
        pending = await Pending.begun(connection, WHO)
        row = {"resource_type": "user", "resource_id": pending.pseudonym, "counter": "views"}
        await connection.execute(insert(resource_counters).values(**row, value=10, pruned=2))
    done = await erased(database)
    assert done.pseudonym == pending.pseudonym
    async with database.read() as connection:
        counter = resource_counters.c
        columns = (counter.resource_type, counter.resource_id, counter.value, counter.pruned)
        rows = (await connection.execute(select(*columns))).all()
    assert sorted(rows) == [("movie", "7", 7, 1), ("user", pending.pseudonym, 15, 3)]


async def test_a_short_id_is_taken_out_where_it_names_the_actor_and_nowhere_else(database: Database) -> None:
    who = Identity("user", "42")
    repository = EventRepository(database)
    await repository.append(
        [
            make_event(
                1, actor_type="user", actor_id="42", metadata={"t": "42, 142, 3.42, 14:42:10", "n": 42}
            ),
            make_event(2, metadata={"user_id": 42, "files": 42}),
            make_event(3, metadata={"text": "by user:42.", "ip": IP}),
            make_event(4, metadata={"text": "42 files", "n": 42}),
            make_event(5, actor_type="job", actor_id="42", resource_type="movie", resource_id="42"),
        ]
    )
    done = await erased(database, who)
    assert done.counts == {"events": 3}
    by_number = {event.id.int: event for event in await repository.newest(10)}
    assert by_number[1].metadata == {"t": f"{done.pseudonym}, 142, 3.42, 14:42:10", "n": 42}
    assert by_number[2].metadata == {"user_id": done.pseudonym, "files": 42}
    assert by_number[3].metadata == {"text": f"by user:{done.pseudonym}.", "ip": "erased"}
    assert by_number[4].metadata == {"text": "42 files", "n": 42}
    assert by_number[5].actor == "job:42"
    done = await erased(database, who, everywhere=True)
    assert done.counts == {"events": 2}
    assert (await repository.get([by_number[4].id]))[0].metadata["text"] == f"{done.pseudonym} files"


async def test_an_event_stays_one_that_can_be_read(database: Database) -> None:
    who = Identity("user", "1")
    large = {f"k{number}": " 1 1 1 1" for number in range(3000)}
    event = make_event(1, actor_type="user", actor_id="1", metadata=large)
    assert METADATA_MAX_BYTES * 0.8 < len(encode(event)) < METADATA_MAX_BYTES
    repository = EventRepository(database)
    await repository.append([event])
    done = await erased(database, who)
    (found,) = await repository.newest(1, EventFilter(event_type="job.executed"))
    assert found.metadata == {"erased": done.pseudonym}


async def test_who_is_recorded_meanwhile_is_found_too(database: Database) -> None:
    await filled(database)
    repository = EventRepository(database)
    late = iter(make_event(1000 + number, actor_type="user", actor_id=ID) for number in range(3))

    def record(_changed: int) -> None:
        if (event := next(late, None)) is not None:
            pending.append(asyncio.ensure_future(repository.append([event])))

    pending: list[asyncio.Future[Any]] = []
    await erased(database, progress=record)
    await asyncio.gather(*pending)
    # One that is recorded behind the last transaction is the next run's.
    await erased(database)
    assert ID not in await everything(database)


async def test_two_at_once_give_one_name(database: Database) -> None:
    await filled(database)
    first, second = await asyncio.gather(erased(database), erased(database))
    assert ID not in await everything(database)
    (pseudonym,) = {first.pseudonym, second.pseudonym} - {None}
    repository = EventRepository(database)
    assert await repository.count(EventFilter(actor_type="user", actor_id=pseudonym)) == 8
    assert await repository.count(EventFilter(event_type="actor.erased")) == 1


async def test_a_killed_run_is_finished_by_the_next_one(store_url: str, tmp_path: Path) -> None:
    database = await Database.open(store_url)
    try:
        repository = EventRepository(database)
        fields = {"actor_type": "user", "actor_id": ID, "metadata": {"ip": IP}}
        await repository.append([make_event(number, **fields) for number in range(1, 601)])
        spools = tmp_path / "spools"
        with_it(spools)
        for kill_after in (1, 3, 5):
            async with eraser(store_url, WHO.text, spools) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(b"\n")
                async with asyncio.timeout(DEADLINE):
                    for _ in range(kill_after):
                        assert not (await process.stdout.readline()).startswith(b"erased")
                process.kill()
                await process.wait()
            # Each event is as it was, or as it is to be.
            found = await repository.newest(1000, EventFilter(event_type="job.executed"))
            assert Counter((event.actor_id == ID, event.metadata["ip"] == IP) for event in found).keys() <= {
                (True, True),
                (False, False),
            }
        done = await erased(database, spools=[spools])
        found = await repository.newest(1000, EventFilter(event_type="job.executed"))
        assert {event.actor_id for event in found} == {done.pseudonym}
        assert done.counts["events"] == 600
        assert await repository.count(EventFilter(event_type="actor.erased")) == 1
        told = await everything(database)
        assert ID not in told
        assert PENDING not in told
        assert ID.encode() not in bytes_of(spools)
    finally:
        await database.close()


def with_it(root: Path, count: int = 5) -> list[bytes]:
    """A spool that a process left; the records of it."""
    records = [
        encode(
            make_event(number, actor_type="user", actor_id=ID if number % 2 else "emil", metadata={"ip": IP})
        )
        for number in range(2000, 2000 + count)
    ]
    spool = Spool.open(root, "gone")
    spool.append(records)
    spool.acknowledge(1)
    spool.close()
    assert ID.encode() in bytes_of(root)
    return records


async def test_what_waits_in_spools_is_changed_in_its_place(url: str, tmp_path: Path) -> None:
    root = tmp_path / "spools"
    records = with_it(root)
    async with await EventStore.open(url) as store:
        done = await erase(store, WHO, spools=[root])
    assert done.counts == {"spooled": 2}
    assert ID.encode() not in bytes_of(root)
    kept: list[bytes] = []
    for spool in Spool.orphans(root):
        kept += spool.peek(10, 2**20)
        assert spool.lost == 0
    told = [json.loads(record) for record in kept]
    # The first was acknowledged; those of others are as they were, to the byte.
    assert [one["actor_id"] for one in told] == [done.pseudonym, "emil", done.pseudonym, "emil"]
    assert kept[1] == records[2]
    assert told[0]["metadata"]["ip"] == "erased"


async def test_a_spool_that_a_process_has_is_named(url: str, tmp_path: Path) -> None:
    root = tmp_path / "spools"
    held = Spool.open(root, "running")
    held.append([encode(make_event(1, actor_type="user", actor_id=ID))])
    (root / "running" / "0000000009.unreadable").write_bytes(b"?")
    async with await EventStore.open(url) as store:
        done = await erase(store, WHO, spools=[root])
        assert [line.partition(":")[0] for line in done.left] == [
            str(root / "running"),
            str(root / "running" / "0000000009.unreadable"),
        ]
        held.close()
        (root / "running" / "0000000009.unreadable").unlink()
        done = await erase(store, WHO, spools=[root])
    assert done.left == ()
    assert done.counts == {"spooled": 1}
    assert ID.encode() not in bytes_of(root)


async def test_no_file_of_sqlites_has_it_any_more(tmp_path: Path) -> None:
    file = tmp_path / "store" / "events.db"
    async with await EventStore.open(f"sqlite:///{file}") as store:
        database = store.database
        await filled(database)
        old = [
            make_event(
                number,
                actor_type="user",
                actor_id=ID,
                metadata={"ip": IP, "t": ID * 20},
                inserted_at=at(-(10**7)),
            )
            for number in range(5000, 5400)
        ]
        await store.create_many(old)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        # As an SQLite that was built without it: what is deleted stays in the file.
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM events WHERE id IN (SELECT id FROM events LIMIT 200)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert ID.encode() in bytes_of(file.parent)
    async with await EventStore.open(f"sqlite:///{file}") as store:
        done = await erase(store, WHO)
        assert (done.left, done.notes) == ((), ())
        # While it is open, too.
        found = bytes_of(file.parent)
        for text in (ID, ID.casefold(), json.dumps(ID)[1:-1], IP):
            assert text.encode() not in found, text


async def test_a_run_that_finds_nothing_clears_what_one_before_it_left(tmp_path: Path) -> None:
    file = tmp_path / "events.db"
    async with await EventStore.open(f"sqlite:///{file}") as store:
        await store.create_many(its_events())
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete = OFF")
            connection.execute("DELETE FROM events WHERE position > 20")
        await erase(store, WHO, compact=False)
        assert ID.encode() in bytes_of(tmp_path)
        assert (await erase(store, WHO)).total == 0
        assert ID.encode() not in bytes_of(tmp_path)


@pytest.mark.thorough
async def test_a_reader_that_keeps_the_log_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.engines.sqlite._CLEAR_SECONDS", 0.2)
    file = tmp_path / "events.db"
    async with await EventStore.open(f"sqlite:///{file}") as store:
        await filled(store.database)
        with closing(sqlite3.connect(file, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            done = await erase(store, WHO)
            assert "log" in done.left[0]
        assert (await erase(store, WHO, compact=False)).left == ()


async def test_partitions_are_no_hiding_place(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    try:
        await partition(database, now=at(0))
        await filled(database)
        done = await erased(database)
        assert done.counts["events"] == 32
        assert ID not in await everything(database)
        assert any("VACUUM" in note for note in done.notes)
        assert done.left == ()
        # What a pruner that was killed has left: no reading finds its events.
        await run_sql(database, "CREATE TABLE events_detached_2025_01 (LIKE events)")
        assert (await erased(database)).left == (
            "events_detached_2025_01: a partition that is being dropped may have events of it; prune goes on with that",
        )
    finally:
        await database.close()


async def test_pruning_and_counts_go_on_as_before(database: Database) -> None:
    await filled(database)
    await erased(database)
    repository = EventRepository(database)
    count = await repository.count()
    pruned = await prune(database, RetentionPolicy(days=1), now=at(30 * 86400), trust_clock=True)
    assert pruned.events == count == 41
    assert await repository.count() == 0


async def test_rows_that_are_no_events_are_told_of(url: str) -> None:
    async with await EventStore.open(url) as store:
        await store.create_many(its_events(5))
        async with store.database.write() as connection:
            await connection.exec_driver_sql("UPDATE events SET metadata = 'not JSON' WHERE position = 1")
            await connection.exec_driver_sql("UPDATE events SET metadata = '[1]' WHERE position = 2")
        done = await erase(store, WHO)
        assert done.counts == {"events": 2}
        assert "2 rows" in done.left[0]


async def test_what_something_else_calls_an_erasure_is_left_alone(database: Database) -> None:
    async with database.write() as connection:
        for number, payload in enumerate(
            ("not JSON", "[1]", "{}", '{"pseudonym":"p","key":"zz","check":"c"}')
        ):
            row = {"name": f"{PENDING}{number}", "computed_at": datetime.now(UTC), "payload": payload}
            await connection.execute(insert(snapshots).values(**row))
    await EventRepository(database).append(its_events(5))
    assert (await erased(database)).counts == {"events": 4}


async def test_redis_keeps_nothing_of_it(url: str, valkey: ValkeyServer) -> None:
    async with await EventStore.open(url, RedisBus(valkey.url)) as store:
        # From the first flush on, Redis adds up what is recorded.
        await store.counters.flush()
        liked = {"event_type": "movie.liked", "resource_type": "user", "resource_id": ID}
        await store.create_many([make_event(number, **liked) for number in range(1, 4)])

        async def busy() -> Any:
            return [ID]

        await store.read_models.get("busy", busy, at(0))
        with Redis.from_url(valkey.url) as client:
            assert ID in kept_in(client)
            done = await erase(store, WHO)
            assert ID not in kept_in(client)
        assert done.pseudonym is not None
        assert (await store.counters.of("user", done.pseudonym)).values["likes"] == 3
        assert (await store.counters.of("user", ID)).values.get("likes", 0) == 0


def kept_in(client: Redis) -> str:
    """All keys and values."""
    told: list[str] = []
    for key in client.scan_iter():
        kind = client.type(key)
        value = client.hgetall(key) if kind == b"hash" else client.get(key)
        told.append(f"{key!r} {value!r}")
    return "\n".join(told).encode().decode("unicode_escape").encode("latin-1").decode()
