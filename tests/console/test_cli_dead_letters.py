"""`evtop dead-letters`: seen, tried again, thrown away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from store.dead_letters import DeadLetter
from store.events import EventStore
from store.wire import encode
from tests.console.commands import evtop, one_line
from tests.console.unusable import HOSTILE
from tests.events import at, make_event
from tests.pty_console import PrivateHome


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def buried(home: PrivateHome, *letters: DeadLetter) -> None:
    async def bury() -> None:
        async with await EventStore.open(home.store_url) as store:
            await store.dead_letters.add(letters)

    asyncio.run(bury())


def good(number: int) -> DeadLetter:
    return DeadLetter(
        "was refused", encode(make_event(number)).decode(), event_type="a.b", failed_at=at(number)
    )


def left(home: PrivateHome) -> list[int]:
    done = evtop(home, "dead-letters", "list", "-o", "json")
    assert done.returncode == 0
    return [json.loads(line)["number"] for line in done.stdout.splitlines()]


def test_letters_are_listed_oldest_first_and_cleaned(home: PrivateHome) -> None:
    buried(
        home,
        good(1),
        DeadLetter(
            HOSTILE, HOSTILE.encode("ascii", "backslashreplace").decode(), None, HOSTILE, HOSTILE, at(2)
        ),
    )
    done = evtop(home, "dead-letters", "list")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.split("\n")[:-1]
    assert first == "1  2026-11-21T12:00:01.000Z  a.b  was refused"
    assert second.isprintable()
    assert "␛]52;c;ZXZ0b3A=␇" in second
    done = evtop(home, "dead-letters", "list", "-o", "json")
    assert all(byte == "\n" or " " <= byte <= "~" for byte in done.stdout)
    letters = [json.loads(line) for line in done.stdout.splitlines()]
    assert [letter["number"] for letter in letters] == [1, 2]
    assert letters[1]["event_type"] == letters[1]["producer"] == HOSTILE


def test_a_list_says_when_there_are_more_and_can_go_on(home: PrivateHome) -> None:
    buried(home, *map(good, range(5)))
    done = evtop(home, "dead-letters", "list", "-n", "2")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["1", "2"]
    assert done.stderr == "evtop: there are more; --after 2 goes on\n"
    done = evtop(home, "dead-letters", "list", "-n", "3", "--after", "2")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["3", "4", "5"]
    assert done.stderr == ""


def test_a_payload_is_shown_in_ascii(home: PrivateHome) -> None:
    buried(home, good(1), DeadLetter("no", "\x1b[2J\x7f{\n"))
    assert json.loads(evtop(home, "dead-letters", "show", "1").stdout)["event_type"] == "job.executed"
    assert evtop(home, "dead-letters", "show", "2").stdout == "\\u001b[2J\\u007f{\\u000a\n"
    assert one_line(evtop(home, "dead-letters", "show", "3")) == "there is no dead letter 3"


def test_a_retry_stores_what_it_can_and_says_why_the_rest_stays(home: PrivateHome) -> None:
    buried(home, good(1), DeadLetter("no", '{"event_type":"playback.started"}'), good(1), good(2))
    done = evtop(home, "dead-letters", "retry", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 stored, 0 stored before, 0 refused again\n"
    done = evtop(home, "dead-letters", "retry", "--all")
    assert done.returncode == 3
    assert done.stdout == "1 stored, 1 stored before, 1 refused again\n"
    assert done.stderr.startswith("evtop: dead letter 2: 'playback.started' requires a resource id")
    assert len(done.stderr.splitlines()) == 1
    assert left(home) == [2]
    assert evtop(home, "tail", "--count").stdout == "2\n"


def test_a_taxonomy_file_decides_on_a_retry(home: PrivateHome) -> None:
    buried(home, DeadLetter("no", '{"event_type":"playback.started"}'))
    softer = home.directory / "softer.toml"
    softer.write_text('[types."playback.started"]\nrequires_resource = false\n')
    done = evtop(home, "dead-letters", "retry", "--all", EVTOP_TAXONOMY=str(softer))
    assert (done.returncode, left(home)) == (0, [])


def test_letters_are_discarded_by_number_or_all(home: PrivateHome) -> None:
    buried(home, *map(good, range(5)))
    done = evtop(home, "dead-letters", "discard", "2", "4", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 discarded\n", "")
    assert left(home) == [1, 3, 5]
    done = evtop(home, "dead-letters", "discard", "--all")
    assert (done.returncode, done.stdout) == (0, "3 discarded\n")
    assert left(home) == []


@pytest.mark.parametrize("command", ["retry", "discard"])
def test_what_is_not_there_is_said_and_what_is_meant_must_be(home: PrivateHome, command: str) -> None:
    buried(home, good(1))
    done = evtop(home, "dead-letters", command, "1", "7")
    assert (done.returncode, done.stderr) == (1, "evtop: there is no dead letter 7\n")
    assert done.stdout.startswith("1 ")
    for words in ([], ["1", "--all"]):
        assert one_line(evtop(home, "dead-letters", command, *words)).startswith("say which: ")
