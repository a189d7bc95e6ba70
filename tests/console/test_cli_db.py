"""`evtop db`: the state of the store said in words and in JSON, and its schema brought up to date."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from store.event import Event
from store.migrations import HEAD
from tests.console.commands import evtop, one_line, stored
from tests.console.unusable import newer_store
from tests.postgres import PostgresServer
from tests.pty_console import PrivateHome


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def told(home: PrivateHome) -> dict[str, str]:
    """What `db status` prints, by name."""
    done = evtop(home, "db", "status")
    assert (done.returncode, done.stderr) == (0, "")
    return {line[:14].strip(): line[15:] for line in done.stdout.splitlines()}


def executed(home: PrivateHome, *statements: str) -> None:
    with closing(sqlite3.connect(home.store_url.removeprefix("sqlite:///"))) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_without_a_store_status_says_so_and_creates_nothing(home: PrivateHome) -> None:
    assert told(home) == {
        "store": home.store_url,
        "database": "sqlite",
        "schema": f"none; this evtop knows {HEAD}",
        "to do": "nothing is stored yet; the first event creates the tables, or `evtop db upgrade`",
    }
    assert not Path(home.environment["XDG_DATA_HOME"]).exists()


def test_status_describes_a_store_in_use(home: PrivateHome) -> None:
    stored(home, *(Event(event_type="a.b") for _ in range(3)))
    said = told(home)
    assert (said["schema"], said["events"], said["last position"], said["dead letters"]) == (
        HEAD,
        "3",
        "3",
        "0",
    )
    assert said["oldest"] <= said["newest"]
    assert said["size"].endswith("KiB")
    assert "to do" not in said
    done = evtop(home, "db", "status", "-o", "json")
    assert done.stdout.isascii()
    found = json.loads(done.stdout)
    assert (found["version"], found["known"], found["events"], found["advice"]) == (HEAD, HEAD, 3, None)


def test_the_full_text_index_is_built_when_asked_for(home: PrivateHome) -> None:
    stored(home, *(Event(event_type="a.b", metadata={"title": "a needle"}) for _ in range(40)))
    assert told(home)["text index"] == "up to position 0"
    for _ in range(2):
        done = evtop(home, "db", "index")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "indexed up to position 31 of 40\n"
    assert told(home)["text index"] == "up to position 31"
    assert evtop(home, "tail", "--count", "needle").stdout == "40\n"


def test_an_older_store_is_described_and_upgraded_when_asked_for(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.b"))
    executed(
        home,
        "UPDATE evtop_schema_version SET version_num = '0001'",
        "DROP TABLE dead_letters",
        "DROP TABLE event_head",
    )
    for _ in range(2):
        said = told(home)
        assert said["schema"] == f"0001; this evtop knows {HEAD}"
        assert said["events"] == "1"
        assert said["to do"].startswith("`evtop db upgrade`")
    done = evtop(home, "db", "upgrade")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"version 0001 → {HEAD}\n", "")
    assert told(home)["schema"] == HEAD
    assert evtop(home, "db", "upgrade").stdout == f"version {HEAD} already\n"


def test_a_new_store_can_be_made(home: PrivateHome) -> None:
    assert evtop(home, "db", "upgrade").stdout == f"version none → {HEAD}\n"
    assert told(home)["events"] == "0"


def test_a_newer_store_is_described_and_not_touched(home: PrivateHome) -> None:
    newer_store(home)
    said = told(home)
    assert said["schema"] == f"9999; this evtop knows {HEAD}"
    assert said["to do"].startswith("use a newer evtop")
    assert "its schema is version 9999" in one_line(evtop(home, "db", "upgrade"))
    assert told(home)["schema"].startswith("9999")


def test_a_store_that_cannot_be_reached_is_one_line_without_credentials(home: PrivateHome) -> None:
    for command in ("status", "upgrade", "index"):
        url = "postgresql://u:hunter2@127.0.0.1:1/db?sslmode=disable"
        said = one_line(evtop(home, "db", command, EVTOP_STORE=url))
        assert said.startswith("EVTOP_STORE postgresql://u:***@127.0.0.1:1/db: ")
        assert "hunter2" not in said


def test_partitions_are_made_in_an_empty_postgresql_store_only(
    home: PrivateHome, postgres: PostgresServer
) -> None:
    assert one_line(evtop(home, "db", "partition")).endswith("only a PostgreSQL store can be partitioned")
    url = postgres.create_database()
    for _ in range(2):
        done = evtop(home, "db", "partition", EVTOP_STORE=url)
        assert (done.returncode, done.stderr) == (0, "")
        assert "events_default" in done.stdout
    assert "partitions     by month" in evtop(home, "db", "status", EVTOP_STORE=url).stdout
    full = postgres.create_database()
    assert evtop(home, "emit", "a.b", EVTOP_STORE=full).returncode == 0
    assert one_line(evtop(home, "db", "partition", EVTOP_STORE=full)).endswith(
        "only an empty table can be split"
    )
