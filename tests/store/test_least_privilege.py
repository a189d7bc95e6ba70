"""Accounts that may do no more than they need, as docs/operations.md makes them: all of it works, and no more does."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sa_event

from store.database import Database
from store.dead_letters import DeadLetter
from store.errors import StoreUnavailableError
from store.event_counts import Facet
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.events import EventStore
from store.migrations import HEAD
from store.query.parser import parse
from store.recorder import Recorder
from store.search.building import build_search_index
from store.status import store_status
from store.wire import encode
from tests.console.commands import EVTOP, WITHIN, Running, evtop, one_line
from tests.database_server import DatabaseServer
from tests.events import NOON, at, make_event, make_events
from tests.pty_console import PrivateHome, PtyConsole
from tests.store.accounts import account
from tests.store.erased import everything as everything_stored
from tests.store.recorder_runs import contents

WRITES = re.compile(
    r"\b(INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|TRUNCATE|VACUUM|ANALYZE|LOCK|GET_LOCK|pg_advisory\w+)\b"
)
RESOURCE = {"resource_type": "download", "resource_id": "9f3a"}


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """A shared server of each kind in turn."""
    return request.getfixturevalue({"postgresql": "postgres", "mariadb": "mariadb"}[request.param])


@pytest.fixture
def owned(server: DatabaseServer) -> Iterator[str]:
    """The URL of a store with events and a dead letter, for its owner."""
    url = server.create_database()

    async def fill() -> None:
        async with await EventStore.open(url) as store:
            await store.create_many(make_events(40, metadata={"title": "small rights"}))
            await store.create_many(
                make_events(9, 100, event_type="download.failed", severity="error", **RESOURCE)
            )
            letter = encode(make_event(500)).decode()
            await build_search_index(store.database)
            await store.dead_letters.add(
                [DeadLetter("was refused", letter, event_type="a.b", failed_at=at(1))]
            )

    asyncio.run(fill())
    yield url
    server.drop(url)


@pytest.fixture
def viewer(server: DatabaseServer, owned: str) -> Iterator[str]:
    """The URL of that store for a viewer."""
    with account(server, owned, "evtop_viewer") as url:
        yield url


@pytest.fixture
def producer(server: DatabaseServer, owned: str) -> Iterator[str]:
    """The URL of that store for a producer."""
    with account(server, owned, "evtop_producer") as url:
        yield url


@pytest.fixture
def home(viewer: str) -> Iterator[PrivateHome]:
    """An environment in which that store is opened as a viewer does, and there is no bus."""
    with PrivateHome(EVTOP_BUS="none", EVTOP_STORE=viewer) as home:
        yield home


@pytest.fixture
async def sent() -> AsyncIterator[list[str]]:
    """The statements that go to databases."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        statements.append(statement)

    sa_event.listen(sa.Engine, "before_cursor_execute", note)
    yield statements
    sa_event.remove(sa.Engine, "before_cursor_execute", note)


async def everything(url: str) -> list[object]:
    """All that can be read of a store."""
    failed = EventFilter(query=parse("type:download.failed"))
    words = EventFilter(query=parse("small rights"))
    async with await EventStore.open(url) as store:
        newest = await store.list_events(limit=5)
        repository = store.repository
        overview = await repository.overview(10, NOON - timedelta(hours=1))
        return [
            newest,
            (overview.newest, Counter(overview.rollups), overview.last_position),
            await store.list_events(failed),
            await store.list_events(words, limit=3, before=Cursor.of(newest[-1])),
            await store.list_events(limit=3, after=Cursor.of(newest[-1])),
            await store.resource_events("download", "9f3a", limit=4),
            await repository.resource_span("download", "9f3a"),
            await store.count(),
            await store.count(words),
            await store.facets(Facet.EVENT_TYPE),
            await store.facets(Facet.STATUS, words),
            await store.histogram(NOON - timedelta(hours=1)),
            await repository.known_types(),
            await repository.newest_of_types(["download.*"], 3),
            await repository.after(3, 10),
            await repository.get([newest[0].id]),
            await repository.last_position(),
            await store.dead_letters.oldest(10),
            (await store_status(url)).events,
        ]


async def test_a_viewer_reads_all_that_the_owner_does_and_asks_for_nothing_else(
    owned: str, viewer: str, sent: list[str]
) -> None:
    expected = await everything(owned)
    assert all(expected)
    sent.clear()
    assert await everything(viewer) == expected
    assert len(sent) > len(expected)
    assert [statement for statement in sent if WRITES.search(statement)] == []


def test_commands_that_read_work_for_a_viewer(home: PrivateHome) -> None:
    for words, shown in (
        (["tail", "-n", "2", "type:download.failed"], "download.failed"),
        (["tail", "-n", "50", "-o", "json"], '"title":"small rights"'),
        (["tail", "--count"], "49"),
        (["tail", "--count", "severity>=error"], "9"),
        (["stats", "--by", "type,actor_type"], "download.failed"),
        (["export", "--to", "-", "-o", "ndjson"], "small rights"),
        (["doctor"], "allowed to read only"),
        (["dead-letters", "list"], "was refused"),
        (["alerts", "list"], "0 firing"),
        (["dead-letters", "show", "1"], "job.executed"),
        (["db", "status"], "49"),
        (["db", "upgrade"], f"version {HEAD} already"),
        (["prune", "--days", "inf", "--dry-run", "--trust-clock"], "0 events"),
    ):
        done = evtop(home, *words)
        assert (done.returncode, done.stderr) == (0, ""), words
        assert shown in done.stdout, words


def test_commands_that_write_are_one_line_for_a_viewer_and_change_nothing(
    home: PrivateHome, owned: str, tmp_path: Path
) -> None:
    (tmp_path / "events.ndjson").write_bytes(encode(make_event(900)) + b"\n")
    # So that there is something to index.
    asyncio.run(_store_older(owned, 40))
    before = contents(owned)
    for words in (
        ["emit", "a.b"],
        ["import", str(tmp_path / "events.ndjson")],
        ["prune", "--days", "0.001", "--trust-clock"],
        ["dead-letters", "retry", "--all"],
        ["dead-letters", "discard", "--all"],
        ["alerts", "silence", "x", "--for", "1h"],
        ["db", "index"],
    ):
        said = one_line(evtop(home, *words))
        assert said.startswith("EVTOP_STORE "), words
        assert "only reading is allowed here (" in said, words
    assert contents(owned) == before


def test_a_viewer_follows_what_is_recorded(home: PrivateHome, owned: str) -> None:
    with Running(home, "tail", "-f", "-n", "1") as tail:
        tail.wait_for("download.failed", WITHIN * 3)
        with Recorder(owned) as recorder:
            recorder.record("job.followed", actor_type="system")
        tail.wait_for("job.followed", WITHIN * 3)
        assert tail.errors == ""


@pytest.mark.pty
def test_the_console_works_for_a_viewer(home: PrivateHome, owned: str) -> None:
    # More than the console loads at first.
    asyncio.run(_store_older(owned, 600))
    with PtyConsole(EVTOP, environment=home.environment) as console:
        console.wait_for_text("◐ polling", WITHIN * 3)
        console.wait_for_text("download.failed", WITHIN)
        with Recorder(owned) as recorder:
            recorder.record("job.watched", resource_type="download", resource_id="9f3a")
        console.wait_for_text("job.watched", WITHIN * 3)
        console.press("/")
        console.wait_for_text("words, field:value", WITHIN)
        console.press("type:job.watched", "enter")
        console.wait_for(lambda console: "download.failed" not in timeline(console), WITHIN)
        console.press("r")
        console.wait_for(lambda console: "10 events" in console.text, WITHIN)
        console.press("escape")
        console.wait_for(lambda console: "Its timeline" not in console.text, WITHIN)
        console.press("C")
        console.wait_for(lambda console: "download.failed" in timeline(console), WITHIN)
        # Each look at the oldest loaded row has the next page of older ones read.
        deadline = time.monotonic() + WITHIN * 3
        while "earliest.event" not in console.text and time.monotonic() < deadline:
            console.press("g")
            with suppress(TimeoutError):
                console.wait_for_text("earliest.event", 0.2)
        assert "earliest.event" in console.text
        assert "✖" not in console.lines[0]
        console.press("ctrl+c")
        console.press("ctrl+c")
        assert console.wait_for_end(WITHIN) == 0


def timeline(console: PtyConsole) -> str:
    return "\n".join(console.lines[1:-8])


async def _store_older(url: str, count: int) -> None:
    first = make_event(10_000, event_type="earliest.event", inserted_at=at(-100_000))
    older = [make_event(10_000 + n, inserted_at=at(n - 90_000)) for n in range(1, count)]
    async with await EventStore.open(url) as store:
        await store.create_many([first, *older])


async def test_a_producer_stores_buries_and_looks_up_and_no_more(owned: str, producer: str) -> None:
    def record() -> None:
        with Recorder(producer) as recorder:
            recorder.record("job.recorded")
            recorder.record("Not an event type")
            assert recorder.flush(WITHIN)
            stats = recorder.stats()
            assert (stats.stored, stats.dead_lettered, stats.balance) == (1, 1, 0)

    await asyncio.to_thread(record)
    async with await EventStore.open(producer) as store:
        again = make_event(3)
        assert (await store.create(again)).position == 4
        await store.create(make_event(901, event_type="job.created"))
        assert await store.count(EventFilter(query=parse("type:job.recorded,job.created"))) == 2
        with pytest.raises(StoreUnavailableError, match="only reading is allowed here"):
            await store.dead_letters.remove([1])
        with pytest.raises(StoreUnavailableError, match="only reading is allowed here"):
            await store.repository.clear()


def test_a_worker_does_its_jobs_and_leaves_the_schema_alone(server: DatabaseServer, owned: str) -> None:
    viewed = make_event(950, event_type="movie.viewed", resource_type="movie", resource_id="dune")
    failed = make_event(951, event_type="job.failed", resource_type="job", resource_id="sync")
    now = datetime.now(UTC)
    events = [event.model_copy(update={"inserted_at": now}) for event in (viewed, failed)]

    async def record() -> None:
        async with await EventStore.open(owned) as store:
            await store.create_many(events)

    asyncio.run(record())
    with (
        account(server, owned, "evtop_worker") as url,
        PrivateHome(EVTOP_BUS="none", EVTOP_STORE=url, EVTOP_RECORD_ALERTS="1") as home,
    ):
        for words, said in (
            (["counters"], "1 events counted"),
            (["snapshots"], "figures of 4 periods worked out"),
            (["alerts"], "1 firing, all on record"),
            (["retention"], "49 events, 1 dead letters deleted"),
        ):
            done = evtop(home, "worker", "--once", *words, EVTOP_RETENTION_DAYS="0.5")
            assert (done.returncode, said in done.stderr) == (0, True), done.stderr
        assert evtop(home, "counters", "show", "movie/dune").stdout.split() == ["1", "views"]
        assert "job sync failed" in evtop(home, "alerts", "list").stdout
        with pytest.raises(StoreUnavailableError, match="only reading is allowed here"):
            asyncio.run(_drop(url))


def test_an_eraser_erases_and_deletes_no_event(server: DatabaseServer, owned: str) -> None:
    ana = {"actor_type": "user", "actor_id": "ana-of-the-archive"}
    viewed = {"event_type": "movie.viewed", "resource_type": "movie", "resource_id": "dune"}

    async def record() -> None:
        async with await EventStore.open(owned) as store:
            await store.create_many([make_event(950, metadata={"ip": "192.0.2.7"}, **viewed, **ana)])
            profile = {"event_type": "movie.viewed", "resource_type": "user", "resource_id": ana["actor_id"]}
            await store.create_many([make_event(951, **profile, **ana)])
            await store.counters.flush()
            letter = encode(make_event(952, **ana)).decode()
            await store.dead_letters.add(
                [DeadLetter("was refused", letter, event_type="a.b", failed_at=at(1))]
            )
            await build_search_index(store.database)

    asyncio.run(record())
    before = contents(owned)
    with (
        account(server, owned, "evtop_eraser") as url,
        PrivateHome(EVTOP_BUS="none", EVTOP_STORE=url, EVTOP_USER="ops") as home,
    ):
        done = evtop(home, "erase-actor", "user:ana-of-the-archive", "--yes")
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
        assert one_line(evtop(home, "prune", "--days", "0.001", "--trust-clock")).startswith("EVTOP_STORE ")
        with pytest.raises(StoreUnavailableError, match="only reading is allowed here"):
            asyncio.run(_drop(url))
    after = contents(owned)
    # One more tells of it.
    assert len(after.events) == len(before.events) + 1
    assert "ana-of-the-archive" in repr(before)
    assert "ana-of-the-archive" not in repr(after)
    assert "ana-of-the-archive" not in asyncio.run(_everything(owned))


async def _everything(url: str) -> str:
    database = await Database.open(url)
    try:
        return await everything_stored(database)
    finally:
        await database.close()


async def _drop(url: str) -> None:
    database = await Database.open(url)
    try:
        async with database.write() as connection:
            await connection.execute(sa.text("DROP TABLE snapshots"))
    finally:
        await database.close()


def test_what_an_account_may_not_even_read_is_one_line(
    server: DatabaseServer, viewer: str, home: PrivateHome
) -> None:
    other = server.create_database()
    try:
        assert contents(other).events == []
        url = viewer.rpartition("/")[0] + "/" + other.rpartition("/")[2]
        said = one_line(evtop(home, "tail", EVTOP_STORE=url))
    finally:
        server.drop(other)
    assert said.startswith("EVTOP_STORE ")
    assert "permission denied for table" in said or "Access denied for user" in said
    assert "only reading" not in said


def test_a_viewer_that_may_not_read_the_full_text_index_searches_without_it(
    server: DatabaseServer, owned: str
) -> None:
    with account(server, owned, "evtop_viewer", ("search_head", "search_blocks")) as url:
        assert asyncio.run(everything(url)) == asyncio.run(everything(owned))
        with PrivateHome(EVTOP_BUS="none", EVTOP_STORE=url) as home:
            status, tail = evtop(home, "db", "status"), evtop(home, "tail", "-n", "2", "small rights")
        assert (status.returncode, status.stderr, "text index" in status.stdout) == (0, "", False)
        assert (tail.returncode, tail.stderr, len(tail.stdout.splitlines())) == (0, "", 2)
