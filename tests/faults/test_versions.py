"""Programs and stores of different versions: migrated, read, or refused in one line; never a traceback, never back."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from store.bus import CHANNEL
from store.database import Database
from store.errors import SchemaTooNewError
from store.events import EventStore
from store.migrations import HEAD, VERSIONS
from store.recorder import Recorder
from store.redis_bus import RedisBus
from store.wire import encode
from tests.console.commands import EVTOP, WITHIN, Running, evtop, one_line
from tests.console.forked_commands import run_forked
from tests.database_server import DatabaseServer
from tests.events import make_event, make_events
from tests.pty_console import PrivateHome, PtyConsole
from tests.restricted import restricted, sealed
from tests.store.accounts import account
from tests.store.early_stores import migrate_to
from tests.store.oracle import insert_row, run_sql
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import watching

pytestmark = pytest.mark.fault

NEXT = f"{int(HEAD) + 1:04d}"
NEXT_REVISION = (
    "ALTER TABLE events ADD COLUMN trace VARCHAR(32) DEFAULT 'none' NOT NULL",
    "ALTER TABLE dead_letters ADD COLUMN attempts INTEGER DEFAULT 1 NOT NULL",
    "CREATE TABLE event_tags (event_id INTEGER NOT NULL, tag VARCHAR(64) NOT NULL)",
    f"UPDATE evtop_schema_version SET version_num = '{NEXT}'",
)
"""What a later version of evtop may do to a store."""
BEFORE = VERSIONS[-2]
WRITERS = (
    ["emit", "a.b"],
    ["import", "events.ndjson"],
    ["prune", "--days", "0.001", "--trust-clock"],
    ["dead-letters", "retry", "--all"],
    ["dead-letters", "discard", "--all"],
    ["alerts", "silence", "x", "--for", "1h"],
    ["db", "upgrade"],
    ["db", "partition"],
)
READERS = (
    ["tail"],
    ["tail", "-f"],
    ["tail", "--count"],
    ["dead-letters", "list"],
    ["alerts", "list"],
    ["dead-letters", "show", "1"],
    ["prune", "--dry-run"],
)


@pytest.fixture
def home(store_url: str) -> Iterator[PrivateHome]:
    """An environment with the store of each kind of database in turn, and without a bus."""
    with PrivateHome(EVTOP_BUS="none", EVTOP_STORE=store_url) as home:
        yield home


def run(work: Any) -> Any:
    return asyncio.run(work)


async def changed(url: str, *sql: str) -> None:
    database = await Database.connect(url)
    try:
        for statement in sql:
            await run_sql(database, statement)
    finally:
        await database.close()


async def everything(url: str) -> dict[str, Any]:
    """Every table of a store, with its columns and rows."""
    database = await Database.connect(url)

    def read(connection: sa.Connection) -> dict[str, Any]:
        inspector = sa.inspect(connection)
        found: dict[str, Any] = {}
        for table in sorted(inspector.get_table_names()):
            columns = [column["name"] for column in inspector.get_columns(table)]
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").fetchall()
            found[table] = (columns, sorted(map(str, rows)))
        return found

    try:
        async with database.read() as connection:
            return await connection.run_sync(read)
    finally:
        await database.close()


async def make_newer(url: str) -> None:
    """A store with 20 events that a later version has migrated."""
    async with await EventStore.open(url) as store:
        await store.create_many(make_events(20))
    await changed(url, *NEXT_REVISION)


async def make_older(url: str) -> None:
    """A store of the version before, with an event."""
    database = await Database.connect(url)
    await migrate_to(database, BEFORE)
    await insert_row(database, 1)
    await database.close()


# A store that is newer than the program


def test_every_command_refuses_a_newer_store_in_one_line_and_leaves_it_alone(
    home: PrivateHome, store_url: str, tmp_path: Path
) -> None:
    run(make_newer(store_url))
    before = run(everything(store_url))
    file = tmp_path / "events.ndjson"
    file.write_bytes(encode(make_event(900)) + b"\n")
    for words in (*READERS, *WRITERS):
        words = [str(file) if word == file.name else word for word in words]
        said = one_line(evtop(home, *words))
        assert said.startswith("EVTOP_STORE "), words
        assert f": its schema is version {NEXT}, this evtop knows {HEAD}; use a newer evtop" in said, words
    assert run(everything(store_url)) == before


def test_the_status_of_a_newer_store_says_what_to_do(home: PrivateHome, store_url: str) -> None:
    run(make_newer(store_url))
    done = evtop(home, "db", "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{NEXT}; this evtop knows {HEAD}" in done.stdout
    assert "use a newer evtop: a later version has migrated this store" in done.stdout


@pytest.mark.pty
def test_the_console_refuses_a_newer_store_in_one_line(home: PrivateHome, store_url: str) -> None:
    run(make_newer(store_url))
    with PtyConsole(EVTOP, environment=home.environment) as console:
        assert console.wait_for_end(WITHIN * 3) == 1
        left = bytes(console.output).decode().rpartition("\x1b[?1049l")[2]
    assert left.count("evtop: EVTOP_STORE ") == 1
    assert "use a newer evtop" in left
    assert "Traceback" not in left


def test_a_recorder_keeps_what_it_cannot_store_in_a_newer_store(store_url: str, tmp_path: Path) -> None:
    run(make_newer(store_url))
    before = run(everything(store_url))
    with Recorder(store_url) as recorder:
        assert recorder.record("job.executed")
        assert not recorder.flush(1)
        stats = recorder.stats()
        assert (stats.queued, stats.stored, stats.balance) == (1, 0, 0)
        assert NEXT in (stats.away or "")
    assert run(everything(store_url)) == before


def test_who_has_it_open_goes_on_when_a_later_version_only_adds_to_it(
    home: PrivateHome, store_url: str
) -> None:
    async def store_one(number: int) -> None:
        database = await Database.connect(store_url)
        await insert_row(database, number, event_type=f"'job.number_{number}'")
        await database.close()

    async def begin() -> None:
        async with await EventStore.open(store_url) as store:
            await store.create_many(make_events(3))

    run(begin())
    with Running(home, "tail", "-f") as tail:
        tail.wait_for("job.executed", WITHIN * 3)
        run(store_one(100))
        tail.wait_for("job.number_100", WITHIN * 3)
        run(changed(store_url, *NEXT_REVISION))
        run(store_one(101))
        tail.wait_for("job.number_101", WITHIN * 3)
        assert tail.errors == ""


# A store that is older than the program


class Onlooker:
    """Who may read a store, and not write it."""

    def __init__(self, home: PrivateHome, url: str, *, is_file: bool) -> None:
        self._environment = {**home.environment, "EVTOP_STORE": url}
        self._is_file = is_file

    @property
    def _enter(self) -> list[str]:
        return restricted([]) if self._is_file else []

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run_forked(words, self._environment, WITHIN * 3, self._enter)

    def console(self) -> PtyConsole:
        return PtyConsole([*self._enter, *EVTOP], environment=self._environment)


@contextmanager
def onlooker(
    request: pytest.FixtureRequest, home: PrivateHome, url: str, missing: Sequence[str] = ()
) -> Iterator[Onlooker]:
    """A viewer with the rights that the docs give it, less those to tables that are `missing`."""
    if url.startswith("sqlite"):
        with sealed(Path(url.removeprefix("sqlite:///")).parent):
            yield Onlooker(home, url, is_file=True)
        return
    name = "postgres" if url.startswith("postgresql") else "mariadb"
    server: DatabaseServer = request.getfixturevalue(name)
    with account(server, url, "evtop_viewer", missing) as login:
        yield Onlooker(home, login, is_file=False)


NOT_THERE_BEFORE = ("search_head", "search_blocks")
EVERY_TABLE = (
    "events",
    "event_rollups",
    "event_head",
    "dead_letters",
    "evtop_schema_version",
    *("counter_head", "resource_counters", "snapshots", "jobs"),
    *NOT_THERE_BEFORE,
)


def test_who_may_only_read_an_older_store_is_told_what_to_do(
    request: pytest.FixtureRequest, home: PrivateHome, store_url: str
) -> None:
    run(make_older(store_url))
    before = run(everything(store_url))
    with onlooker(request, home, store_url, NOT_THERE_BEFORE) as viewer:
        for words in (["tail"], ["tail", "-f"], ["tail", "--count"], ["emit", "a.b"], ["db", "upgrade"]):
            done = viewer.run(*words)
            assert (done.returncode, done.stdout) == (1, ""), words
            [line] = done.stderr.splitlines()
            assert f": its schema is version {BEFORE}, this evtop needs {HEAD} and may not write it (" in line
            assert line.endswith("; run `evtop db upgrade` as who may"), words
        done = viewer.run("db", "status")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{BEFORE}; this evtop knows {HEAD}" in done.stdout
        with viewer.console() as console:
            assert console.wait_for_end(WITHIN * 3) == 1
            assert "run `evtop db upgrade` as who may" in console.output.decode().replace("\r\n", "")
    assert run(everything(store_url)) == before


def test_who_may_only_read_a_database_without_tables_is_told_what_to_do(
    request: pytest.FixtureRequest, home: PrivateHome, store_url: str
) -> None:
    assert run(everything(store_url)) == {}
    with onlooker(request, home, store_url, EVERY_TABLE) as viewer:
        done = viewer.run("tail")
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    if store_url.startswith("mysql"):
        # Who has no right to any table of a database there has none to the database.
        assert "Access denied for user" in line
    else:
        assert f": it has no tables yet, this evtop needs {HEAD} and may not write it (" in line


def test_after_the_owner_has_migrated_it_a_viewer_reads_it(
    request: pytest.FixtureRequest, home: PrivateHome, store_url: str
) -> None:
    run(make_older(store_url))
    done = evtop(home, "db", "upgrade")
    assert (done.returncode, done.stdout) == (0, f"version {BEFORE} → {HEAD}\n")
    with onlooker(request, home, store_url) as viewer:
        done = viewer.run("tail")
        assert (done.returncode, done.stderr) == (0, "")
        assert "job.executed" in done.stdout


# Messages of another version


async def test_what_a_later_version_announces_keeps_what_is_not_known_here(store_url: str) -> None:
    event = make_event(7, metadata={"title": "kept", "trace": "the event's own"})
    message = json.loads(encode(event, "producer", 1)) | {
        "schema": "evtop/9",
        "schema_version": 9,
        "trace": "abc",
        "tags": ["a", {"b": None}],
        "importance": 5,
    }
    async with await EventStore.open(store_url) as store:
        with ValkeyServer() as valkey:
            bus = RedisBus(valkey.url)
            async with watching(store.repository, bus) as watch:
                await until(lambda: watch.is_live, WITHIN)
                valkey.publish(CHANNEL, json.dumps(message).encode())
                await until(lambda: watch.events, WITHIN)
            await bus.close()
    [shown] = watch.events
    assert shown.id == event.id
    assert shown.metadata == {
        "title": "kept",
        "trace": "the event's own",
        "tags": ["a", {"b": None}],
        "importance": 5,
    }
    assert (watch.tally.received, watch.tally.malformed) == (1, 0)


async def test_a_schema_is_never_brought_back(store_url: str) -> None:
    await make_newer(store_url)
    before = await everything(store_url)
    database = await Database.connect(store_url)
    with pytest.raises(SchemaTooNewError):
        await database.migrate()
    await database.close()
    assert await everything(store_url) == before
