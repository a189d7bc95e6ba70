"""`evtop counters`: what is shown, flushed, found wrong and put right, and the exit status."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.console.commands import evtop, one_line, stored
from tests.console.unusable import HOSTILE
from tests.events import make_event
from tests.pty_console import PrivateHome


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """A store with seven views and two likes, one of which was taken back."""
    with PrivateHome(EVTOP_BUS="none") as home:
        verbs = ["viewed"] * 7 + ["liked", "liked", "unliked"]
        about = {"resource_type": "movie", "resource_id": "dune"}
        events = [make_event(n, event_type=f"movie.{verb}", **about) for n, verb in enumerate(verbs, 1)]
        hostile = make_event(50, event_type="tag.viewed", resource_type="tag", resource_id=HOSTILE)
        stored(home, *events, hostile)
        yield home


def told(home: PrivateHome, *words: str, status: int = 0) -> list[str]:
    done = evtop(home, "counters", *words)
    assert (done.returncode, done.stderr) == (status, ""), done
    return done.stdout.splitlines()


def test_counters_of_a_resource_are_shown_before_and_after_a_flush(home: PrivateHome) -> None:
    expected = ["           1  likes", "           7  views"]
    assert told(home, "show", "movie/dune") == expected
    assert told(home, "top", "views") == ["resource  views"]
    assert told(home, "flush") == ["11 events counted, up to position 11"]
    assert told(home, "show", "movie/dune") == expected
    assert told(home, "flush") == ["0 events counted, up to position 11"]
    [line] = told(home, "show", "movie/dune", "-o", "json")
    counters = {"likes": 1, "views": 7}
    assert json.loads(line) == {"resource_type": "movie", "resource_id": "dune", "counters": counters}
    assert told(home, "show", "movie/alien") == ["nothing was counted"]


def test_the_top_is_a_table_or_json_and_bites_nobody(home: PrivateHome) -> None:
    told(home, "flush")
    assert [line.split()[-1] for line in told(home, "top", "views")] == ["views", "7", "1"]
    assert not any("\x1b" in line for line in told(home, "top", "views"))
    rows = [json.loads(line) for line in told(home, "top", "views", "-o", "json")]
    assert rows[0] == {"resource_type": "movie", "resource_id": "dune", "views": 7}
    assert rows[1]["resource_id"] == HOSTILE
    assert len(told(home, "top", "views", "--type", "movie")) == 2
    assert len(told(home, "top", "views", "-n", "1")) == 2


def test_a_wrong_counter_is_found_by_the_status_and_put_right(home: PrivateHome) -> None:
    assert told(home, "verify") == ["all counters are what the events say"]
    with closing(sqlite3.connect(home.store_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE resource_counters SET value = 70 WHERE counter = 'views' AND value = 7")
    header, line = told(home, "verify", status=1)
    assert header.split() == ["resource", "counter", "found", "expected"]
    assert line.split() == ["movie/dune", "views", "70", "7"]
    [written] = told(home, "rebuild", "-o", "json")
    assert json.loads(written) == {
        "resource_type": "movie",
        "resource_id": "dune",
        "counter": "views",
        "found": 70,
        "expected": 7,
        "pending": False,
    }
    assert told(home, "verify") == ["all counters are what the events say"]
    assert told(home, "verify", "-o", "json") == []


@pytest.mark.parametrize("name", ["dune", "/dune", "movie/", ""])
def test_what_is_no_resource_is_one_line(home: PrivateHome, name: str) -> None:
    said = one_line(evtop(home, "counters", "show", name))
    assert said == f"{name!r} is no resource; write it like download/9f3a"


def test_a_store_that_is_not_there_is_not_made(home: PrivateHome) -> None:
    said = one_line(evtop(home, "counters", "flush", EVTOP_STORE="sqlite:////nowhere/events.db"))
    assert said.startswith("there is no store at")
