"""What the tests of the recorder share: a look into stores, a watch on the balance, scripts in their own processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from store.database import Database
from store.dead_letters import DeadLetter, DeadLetterRepository
from store.event import Event
from store.recorder import Recorder, RecorderStats
from store.repository import EventRepository
from tests.store.oracle import run_sql

ROOT = Path(__file__).parents[2]
NOWHERE = "postgresql://evtop:s3cretpassword@127.0.0.1:9/evtop"
"""A store that refuses connections at once: nothing listens on the discard port."""
PASSWORD = "s3cretpassword"
"""The one in `NOWHERE`."""


@dataclass
class Contents:
    """What a store holds: events in the order of their commits, and dead letters."""

    events: list[Event]
    letters: list[DeadLetter]

    @property
    def numbers(self) -> list[int]:
        """What the events have as `n` in their metadata."""
        return [event.metadata["n"] for event in self.events]


def contents(url: str) -> Contents:
    """Look into the store at `url`."""

    async def read() -> Contents:
        database = await Database.open(url)
        try:
            events = await EventRepository(database).after(0, limit=100_000)
            return Contents(events, await DeadLetterRepository(database).oldest(100_000))
        finally:
            await database.close()

    return asyncio.run(read())


def prepare(url: str, *statements: str) -> None:
    """Bring the store at `url` up to date, so that no time is lost to that later, and do what a program might."""

    async def run() -> None:
        database = await Database.open(url)
        if statements:
            await run_sql(database, *statements)
        await database.close()

    asyncio.run(run())


@contextmanager
def balanced(recorder: Recorder) -> Iterator[None]:
    """Look at the balance all the time until the end of the block: it must be 0 whenever one looks."""
    wrong: list[RecorderStats] = []
    looks = 0
    ends = threading.Event()

    def look() -> None:
        nonlocal looks
        while not ends.is_set():
            stats = recorder.stats()
            looks += 1
            if stats.balance or any(value < 0 for value in asdict(stats).values() if isinstance(value, int)):
                wrong.append(stats)
            ends.wait(0.001)

    thread = threading.Thread(target=look, name="balance")
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
    assert looks
    assert not wrong, wrong[0]


@dataclass
class Run:
    """How a script ended. `said` is what it printed as JSON in its last line."""

    code: int
    out: str
    errors: str

    @property
    def said(self) -> Any:
        """The last line, read as JSON."""
        assert self.out.strip(), self
        return json.loads(self.out.strip().splitlines()[-1])


def run_script(source: str, *arguments: object, timeout: float = 90.0, code: int | None = 0) -> Run:
    """Run Python source in a process of its own. A script that does not end in `timeout` seconds fails the test."""
    process = subprocess.run(
        [sys.executable, "-c", dedent(source), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    run = Run(process.returncode, process.stdout, process.stderr)
    assert code is None or run.code == code, run
    return run


def refusing_trigger(
    url: str, table: str = "events", condition: str = "NEW.event_type = 'job.poison'"
) -> list[str]:
    """SQL that makes the database refuse rows, saying "poison is refused"."""
    match url.partition(":")[0]:
        case "sqlite":
            refuse = "SELECT RAISE(ABORT, 'poison is refused');"
            return [
                f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} WHEN {condition} BEGIN {refuse} END"
            ]
        case "postgresql":
            refuse = f"IF {condition} THEN RAISE EXCEPTION 'poison is refused'; END IF; RETURN NEW;"
            return [
                f"CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refuse} END $$",
                f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_{table}()",
            ]
        case _:
            refuse = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poison is refused';"
            body = f"BEGIN IF {condition} THEN {refuse} END IF; END"
            return [f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} FOR EACH ROW {body}"]
