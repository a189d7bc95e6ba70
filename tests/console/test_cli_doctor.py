"""`evtop doctor`: what was tried, what came of it, what to do, and the exit status."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store.event import Event
from store.migrations import HEAD
from tests.console.commands import evtop, stored
from tests.console.unusable import HOSTILE
from tests.pty_console import EVTOP as PROGRAM
from tests.pty_console import PrivateHome, PtyConsole


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own."""
    with PrivateHome() as home:
        yield home


def examined(home: PrivateHome, status: int, **variables: str) -> dict[str, tuple[str, str]]:
    done = evtop(home, "doctor", "-o", "json", **variables)
    assert (done.returncode, done.stderr) == (status, ""), done
    assert done.stdout.isascii()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {f"{row['part']} {row['tried']}": (row["result"], row["found"]) for row in rows}


def test_a_new_home_has_nothing_broken_and_nothing_is_made(home: PrivateHome) -> None:
    found = examined(home, 0)
    assert found["store open"] == (
        "warning",
        f"there is no store at {home.store_url.removeprefix('sqlite:///')} yet",
    )
    assert found["bus private bus"][0] == "ok"
    assert not list(home.directory.iterdir())


def test_a_store_in_use_is_all_right(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.b"))
    found = examined(home, 0)
    assert {result for result, _ in found.values()} <= {"ok", "skipped"}
    assert found["store schema"][1] == f"version {HEAD}, up to date"
    assert found["store write"][1] == "allowed (tried, and taken back)"
    lines = evtop(home, "doctor").stdout.splitlines()
    assert lines[-1] == "all is well"


def test_what_is_broken_comes_with_what_to_do(home: PrivateHome) -> None:
    variables = {
        "EVTOP_STORE": "postgresql://u:hunter2@127.0.0.1:1/db",
        "EVTOP_BUS": "redis://u:hunter2@127.0.0.1:1",
    }
    found = examined(home, 1, **variables)
    assert [name for name, (result, _) in found.items() if result == "broken"] == [
        "store open",
        "bus connect",
    ]
    done = evtop(home, "doctor", **variables)
    assert done.returncode == 1
    assert "hunter2" not in done.stdout
    assert "→ check EVTOP_STORE" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 broken, 0 to look at"


def test_a_setting_that_cannot_be_used_is_broken(home: PrivateHome) -> None:
    found = examined(home, 1, EVTOP_BUS="http://x", EVTOP_STROE=HOSTILE)
    assert found["settings use"][0] == "broken"
    assert found["settings variables"] == ("warning", "EVTOP_STROE is no setting")
    assert "store open" not in found


def test_a_store_of_a_later_version_and_a_clock_that_is_ahead(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.b", inserted_at=datetime.now(UTC) + timedelta(hours=1)))
    found = examined(home, 0, EVTOP_BUS="none")
    assert found["store newest event"][0] == "warning"
    assert found["store newest event"][1].endswith("still to come")
    file = home.store_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE evtop_schema_version SET version_num = '9999'")
        connection.commit()
    assert examined(home, 1)["store schema"] == ("broken", f"version 9999, this evtop knows {HEAD}")


def test_a_store_that_may_only_be_read_is_no_fault(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.b"))
    file = Path(home.store_url.removeprefix("sqlite:///"))
    found = examined(home, 0, EVTOP_STORE=f"sqlite:///file:{file}?mode=ro&uri=true")
    assert found["store write"] == ("ok", "allowed to read only, which is all that the console needs")


def test_on_a_terminal_it_tells_of_that(home: PrivateHome) -> None:
    command = ["sh", "-c", f"{PROGRAM} doctor; echo status $?"]
    with PtyConsole(command, environment=home.environment) as console:
        console.wait_for_text("status 0", within=20)
        lines = [line.split() for line in console.lines if " terminal " in line]
    assert [line[2] for line in lines] == ["draw", "colours", "size", "characters"]
    assert {line[0] for line in lines} == {"ok"}
    assert "120×40" in lines[2]
