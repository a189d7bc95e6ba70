"""`evtop erase-actor`: what there is, what is done, and what is left."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from store.event import ActorType, Event
from store.spool import Spool
from store.wire import encode
from tests.console.commands import EVTOP, WITHIN, evtop, one_line, stored
from tests.pty_console import PrivateHome
from tests.store.erased import bytes_of

ID = "ana-7f3a91c2"


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none", EVTOP_USER="ops") as home:
        yield home


def login(actor_id: str = ID) -> Event:
    metadata = {"ip": "203.0.113.7", "error": f"{actor_id} refused"}
    return Event(event_type="user.login", actor_type=ActorType.USER, actor_id=actor_id, metadata=metadata)


def test_without_yes_it_says_what_there_is(home: PrivateHome) -> None:
    stored(home, login(), login(), login("emil"))
    done = evtop(home, "erase-actor", f"user:{ID}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "           2  events",
        "nothing was changed; --yes erases it, which cannot be undone",
    ]
    assert evtop(home, "tail", "--count", f"actor:user:{ID}").stdout.strip() == "2"


def test_with_yes_nothing_names_the_actor_any_more(home: PrivateHome) -> None:
    stored(home, login(), login(), login("emil"))
    done = evtop(home, "erase-actor", f"user:{ID}", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == "           2  events"
    found = re.fullmatch(r"erased: it is (user:erased-[a-z2-7]{16}) now", second)
    assert found
    assert evtop(home, "tail", "--count", f"actor:{found[1]}").stdout.strip() == "2"
    assert evtop(home, "tail", "--count", "type:user.login").stdout.strip() == "3"
    shown = evtop(home, "tail", "-o", "json", "--show-personal", f"actor:{found[1]}").stdout
    assert [json.loads(line)["metadata"]["ip"] for line in shown.splitlines()] == ["erased"] * 2
    record = json.loads(evtop(home, "tail", "-o", "json", "type:actor.erased").stdout)
    assert (record["actor_id"], record["resource_id"]) == ("ops", found[1].removeprefix("user:"))
    assert ID.encode() not in bytes_of(home.directory)
    again = evtop(home, "erase-actor", f"user:{ID}", "--yes", "-o", "json")
    assert json.loads(again.stdout) == {"dry_run": False, "pseudonym": None, "counts": {}, "left": []}


def test_who_it_is_may_come_from_stdin(home: PrivateHome) -> None:
    # An argument is seen by everyone on the machine, and kept by the shell.
    stored(home, login())
    done = subprocess.run(
        [*EVTOP, "erase-actor", "-", "--yes", "-o", "json"],
        env=home.environment,
        input=f"user:{ID}\n",
        capture_output=True,
        text=True,
        timeout=WITHIN,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["counts"] == {"events": 1}
    assert told["pseudonym"].startswith("user:erased-")


def test_a_short_id_is_said_to_be_short(home: PrivateHome) -> None:
    stored(home, login("42"), Event(event_type="job.executed", metadata={"text": "42 files"}))
    done = evtop(home, "erase-actor", "user:42", "--yes")
    assert done.returncode == 0
    assert "the id is short" in done.stderr
    done = evtop(home, "erase-actor", "user:42", "--yes", "--everywhere")
    assert (done.returncode, done.stderr) == (0, "")
    assert evtop(home, "tail", "--count", "42").stdout.strip() == "0"


def test_spools_are_changed_and_those_in_use_are_named(home: PrivateHome) -> None:
    stored(home)
    root = home.directory / "spools"
    left, held = Spool.open(root, "left"), Spool.open(root, "held")
    for spool in (left, held):
        spool.append([encode(login())])
    left.close()
    done = evtop(home, "erase-actor", f"user:{ID}", "--yes", "--spool", str(root))
    assert done.returncode == 3
    assert done.stdout.splitlines()[0] == "           1  spooled events"
    assert done.stderr.splitlines() == [f"evtop: left: {root / 'held'}: a running process has this spool"]
    held.close()
    done = evtop(home, "erase-actor", f"user:{ID}", "--yes", "--spool", str(root))
    assert done.returncode == 0
    assert ID.encode() not in bytes_of(root)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("42",), "'42' is no actor with an id; write it like user:42"),
        (("guest:42",), "'guest:42' is no actor with an id; write it like user:42"),
        (("-",), "'' is no actor with an id; write it like user:42"),
        (("user:42", "--yes", "--spool", "/nowhere/at/all"), "/nowhere/at/all: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(home: PrivateHome, words: tuple[str, ...], said: str) -> None:
    stored(home, login())
    assert one_line(evtop(home, "erase-actor", *words)) == said
