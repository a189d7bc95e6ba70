"""An SQLite store that may be read and not written: in every state that a producer can leave it in."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from store.dead_letters import DeadLetter
from store.events import EventStore
from store.migrations import HEAD
from store.wire import encode
from tests.console.commands import EVTOP, WITHIN
from tests.console.forked_commands import run_forked
from tests.events import make_event, make_events
from tests.faults.private_mounts import PrivateMounts
from tests.pty_console import PrivateHome, PtyConsole
from tests.restricted import restricted, sealed

ROOT = Path(__file__).parents[2]
STATES = ["closed", "open", "open, nothing logged", "crashed"]
HOLDER = """
import asyncio, sys
from store.database import Database
from store.errors import StoreError
from store.event_rows import COLUMNS
from sqlalchemy import select, func
from store.tables import events

async def main(url):
    database = await Database.open(url)
    try:
        async with database.read() as connection:
            count = (await connection.execute(select(func.count()).select_from(events))).scalar_one()
            print(count, flush=True)
            sys.stdin.readline()
    except StoreError as error:
        print(error, flush=True)
    print((await database.version()), flush=True)
    await database.close()

asyncio.run(main(sys.argv[1]))
"""
"""Reads, and goes on reading until it is told to stop. Then it looks again."""


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


@pytest.fixture
def folder(home: PrivateHome) -> Path:
    """Where the store is."""
    folder = Path(home.store_url.removeprefix("sqlite:///")).parent
    folder.mkdir(parents=True)
    return folder


def run(home: PrivateHome, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command, for which the permissions of files hold."""
    return run_forked(words, {**home.environment, **variables}, WITHIN * 3, enter=restricted([]))


@asynccontextmanager
async def in_state(state: str, home: PrivateHome, folder: Path) -> AsyncIterator[EventStore | None]:
    """A store of 41 events in a state; it gives who has it open for writing."""
    store = await EventStore.open(home.store_url)
    await store.create_many(make_events(40))
    await store.create(
        make_event(100, event_type="download.failed", resource_type="download", resource_id="d1")
    )
    await store.dead_letters.add([DeadLetter("was refused", encode(make_event(500)).decode())])
    try:
        match state:
            case "closed":
                await store.close()
                assert beside(folder) == []
                yield None
            case "open":
                yield store
            case "open, nothing logged":
                with closing(sqlite3.connect(folder / "events.db")) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                assert (folder / "events.db-wal").stat().st_size == 0
                yield store
            case _:
                # As a power cut leaves it: nobody has it open.
                copy = folder.with_name("copy")
                shutil.copytree(folder, copy)
                await store.close()
                shutil.rmtree(folder)
                copy.rename(folder)
                assert (folder / "events.db-wal").stat().st_size > 0
                yield None
    finally:
        await store.close()


def beside(folder: Path) -> list[str]:
    """What lies beside the store."""
    return sorted(path.name for path in folder.iterdir() if path.name != "events.db")


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All files, but for the index, in which readers note where they read."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.iterdir()
        if not path.name.endswith("-shm")
    }


@pytest.mark.parametrize("state", STATES)
async def test_commands_that_read_work_and_leave_everything_as_it_is(
    home: PrivateHome, folder: Path, state: str
) -> None:
    async with in_state(state, home, folder):
        with sealed(folder):
            before = snapshot(folder)
            for words, shown in (
                (["tail", "-n", "1"], "download.failed"),
                (["tail", "--count"], "41"),
                (["tail", "--count", "type:download.failed"], "1"),
                (["dead-letters", "list"], "was refused"),
                (["alerts", "list"], "0 firing"),
                (["db", "status"], "41"),
                (["db", "upgrade"], f"version {HEAD} already"),
            ):
                done = run(home, *words)
                assert (done.returncode, done.stderr) == (0, ""), words
                assert shown in done.stdout, words
            assert snapshot(folder) == before


@pytest.mark.parametrize("state", ["closed", "open"])
async def test_commands_that_write_are_one_line(home: PrivateHome, folder: Path, state: str) -> None:
    (home.directory / "events.ndjson").write_bytes(encode(make_event(900)) + b"\n")
    async with in_state(state, home, folder):
        with sealed(folder):
            before = snapshot(folder)
            for words in (
                ["emit", "a.b"],
                ["import", str(home.directory / "events.ndjson")],
                ["prune", "--days", "0.001", "--trust-clock"],
                ["dead-letters", "retry", "--all"],
                ["dead-letters", "discard", "--all"],
                ["alerts", "silence", "x", "--for", "1h"],
            ):
                done = run(home, *words)
                assert (done.returncode, done.stdout) == (1, ""), words
                [line] = done.stderr.splitlines()
                assert line.startswith(
                    f"evtop: EVTOP_STORE {home.store_url}: only reading is allowed here ("
                ), words
            assert snapshot(folder) == before


@pytest.mark.parametrize("state", STATES)
async def test_where_the_folder_may_be_written_nothing_is_made_beside_the_store(
    home: PrivateHome, folder: Path, state: str
) -> None:
    """A log or an index of the viewer's would lock out the producers, who could not write to it."""
    async with in_state(state, home, folder):
        names = beside(folder)
        with sealed(folder, folder=0o777):
            done = run(home, "tail", "--count")
            assert (done.returncode, done.stdout, done.stderr) == (0, "41\n", "")
            assert beside(folder) == names


async def test_a_file_that_may_be_written_in_a_folder_that_may_not_is_read(
    home: PrivateHome, folder: Path
) -> None:
    async with in_state("closed", home, folder):
        with sealed(folder, files=0o644):
            assert run(home, "tail", "--count").stdout == "41\n"
            assert "only reading is allowed here" in run(home, "emit", "a.b").stderr


async def test_what_is_committed_is_seen_by_the_next_look(home: PrivateHome, folder: Path) -> None:
    async with in_state("open", home, folder) as store:
        assert store is not None
        with sealed(folder):
            for number in range(3):
                await store.create(make_event(200 + number))
                assert run(home, "tail", "--count").stdout == f"{42 + number}\n"


async def test_a_log_without_its_index_is_said_to_be_unreadable(home: PrivateHome, folder: Path) -> None:
    """Without the log, the last commits would be missing, and nothing would tell."""
    async with in_state("crashed", home, folder):
        (folder / "events.db-shm").unlink()
        with sealed(folder):
            done = run(home, "tail", "--count")
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert (
            "its last commits are in events.db-wal, which cannot be read until a program that may write"
            in line
        )
        assert run(home, "tail", "--count").stdout == "41\n"


async def test_a_store_that_is_not_in_the_log_mode_is_read_under_its_locks(
    home: PrivateHome, folder: Path
) -> None:
    impatient = {"EVTOP_STORE": f"{home.store_url}?timeout=0.1"}
    async with in_state("closed", home, folder):
        with closing(sqlite3.connect(folder / "events.db", isolation_level=None)) as writer:
            writer.execute("PRAGMA journal_mode = DELETE")
            with sealed(folder):
                assert run(home, "tail", "--count").stdout == "41\n"
                writer.execute("BEGIN EXCLUSIVE")
                done = run(home, "tail", "--count", **impatient)
                assert (done.returncode, done.stdout) == (1, "")
                assert done.stderr.endswith(": database is locked\n")


@pytest.mark.parametrize("written", [True, False])
async def test_what_was_read_while_a_producer_began_to_write_is_not_believed(
    home: PrivateHome, folder: Path, written: bool
) -> None:
    """A store that nobody writes to is read without locks: a checkpoint in between would mix two moments."""
    async with in_state("closed", home, folder):
        with sealed(folder):
            reader = await asyncio.create_subprocess_exec(
                *restricted([sys.executable, "-c", HOLDER, home.store_url]),
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert reader.stdout is not None
            assert reader.stdin is not None
            async with asyncio.timeout(WITHIN * 3):
                assert await reader.stdout.readline() == b"41\n"
        if written:
            async with await EventStore.open(home.store_url) as store:
                await store.create(make_event(200))
        reader.stdin.write(b"\n")
        async with asyncio.timeout(WITHIN * 3):
            rest, _ = await reader.communicate()
        lines = rest.decode().splitlines()
        assert reader.returncode == 0
        assert lines[-1] == HEAD
        if written:
            assert lines[0] == (
                f"EVTOP_STORE {home.store_url}: a program has begun to write to it while it was read; try again"
            )
        assert len(lines) == 1 + written


async def test_an_older_store_that_may_not_be_migrated_says_what_to_do(
    home: PrivateHome, folder: Path
) -> None:
    async with in_state("closed", home, folder):
        with closing(sqlite3.connect(folder / "events.db")) as connection:
            connection.execute("UPDATE evtop_schema_version SET version_num = '0001'")
            connection.commit()
        with sealed(folder):
            before = snapshot(folder)
            done = run(home, "tail")
            assert snapshot(folder) == before
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"its schema is version 0001, this evtop needs {HEAD} and may not write it" in line
    assert "`evtop db upgrade`" in line


@pytest.mark.parametrize("words", [["tail"], ["db", "status"], ["emit", "a.b"]], ids=" ".join)
async def test_a_folder_that_may_not_be_entered_is_one_line(
    home: PrivateHome, folder: Path, words: list[str]
) -> None:
    async with in_state("closed", home, folder):
        with sealed(folder, folder=0):
            done = run(home, *words)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line == f"evtop: EVTOP_STORE {home.store_url}: unable to open database file"


async def test_a_file_system_that_is_read_only_is_read(home: PrivateHome, tmp_path: Path) -> None:
    with PrivateMounts.open_or_skip(tmp_path) as mounts:
        url = f"sqlite:///{mounts.inside}/events.db"
        async with await EventStore.open(f"sqlite:///{tmp_path}/events.db") as store:
            await store.create_many(make_events(5))
        shutil.copy(tmp_path / "events.db", mounts.outside / "events.db")
        mounts.make_read_only()
        done = subprocess.run(
            [*mounts.enter, *EVTOP, "tail", "-o", "json"],
            env={**home.environment, "EVTOP_STORE": url},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WITHIN * 3,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["position"] for line in done.stdout.splitlines()] == [1, 2, 3, 4, 5]


@pytest.mark.pty
async def test_the_console_follows_a_store_that_it_may_not_write(home: PrivateHome, folder: Path) -> None:
    async with in_state("open", home, folder) as store:
        assert store is not None
        with sealed(folder), PtyConsole(restricted(EVTOP), environment=home.environment) as console:
            await asyncio.to_thread(console.wait_for_text, "download.failed", WITHIN * 3)
            await store.create(
                make_event(300, event_type="job.watched", resource_type="job", resource_id="sync")
            )
            await asyncio.to_thread(console.wait_for_text, "job.watched", WITHIN)
            console.press("r")
            await asyncio.to_thread(console.wait_for_text, "1 event ", WITHIN)
            # The last one to close the store tidies the log away, and the console goes on.
            await store.close()
            console.press("escape")
            await asyncio.to_thread(console.wait_for_text, "download.failed", WITHIN)
            assert "store away" not in console.text
