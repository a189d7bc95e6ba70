"""`evtop resource` and `evtop actor`: what the pages of the console tell, for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from store.event import Event
from tests.console.commands import evtop, one_line, stored
from tests.console.unusable import HOSTILE
from tests.events import make_event
from tests.pty_console import PrivateHome

QBT = {"resource_type": "client", "resource_id": "qbt"}
ANA = {"actor_type": "user", "actor_id": "ana"}


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def life() -> list[Event]:
    return [
        make_event(1, event_type="client.health_changed", status="down", severity="error", **QBT),
        make_event(2, event_type="client.health_changed", status="up", **QBT, **ANA),
        make_event(
            3,
            event_type="movie.viewed",
            category="interaction",
            resource_type="movie",
            resource_id="umbra",
            secondary_resource_type="client",
            secondary_resource_id="qbt",
            **ANA,
        ),
        make_event(4, event_type="job.executed", resource_type="job", resource_id="other"),
    ]


def test_a_resource_is_told_in_both_its_roles(home: PrivateHome) -> None:
    stored(home, *life())
    done = evtop(home, "resource", "client/qbt", "--zone", "UTC")
    assert (done.returncode, done.stderr) == (0, "")
    name, *lines = done.stdout.splitlines()
    told = {line[2:14].strip(): line[14:].strip() for line in lines}
    assert name == "client/qbt"
    assert told["events"] == "3"
    assert told["first"] == "2026-11-21T12:00:01Z"
    assert told["status"].startswith("up for ")
    assert told["status"].endswith(", since 2026-11-21T12:00:02Z")
    assert told["history"] == "up 2026-11-21T12:00:02Z, down 2026-11-21T12:00:01Z"
    assert (told["errors"], told["in 2nd role"]) == ("1", "1")
    assert told["actors"] == "user:ana 2, system 1"
    assert told["with"] == "movie/umbra 1"
    found = json.loads(evtop(home, "resource", "client/qbt", "-o", "json").stdout)
    assert (found["resource"], found["events"], found["status"]["status"]) == ("client/qbt", 3, "up")
    assert found["related"] == [["movie/umbra", 1]]


def test_an_actor_is_told_with_what_it_did(home: PrivateHome) -> None:
    stored(home, *life())
    done = evtop(home, "actor", "user:ana")
    assert (done.returncode, done.stderr) == (0, "")
    told = {line[2:14].strip(): line[14:].strip() for line in done.stdout.splitlines()[1:]}
    assert (told["events"], told["errors"]) == ("2", "0")
    assert told["viewed"] == "1: movie/umbra"
    assert told["with"] == "client/qbt 1, movie/umbra 1"
    found = json.loads(evtop(home, "actor", "user:ana", "-o", "json").stdout)
    assert (found["actor"], found["events"]) == ("user:ana", 2)
    assert found["lists"] == [["viewed", 1, ["movie/umbra"]]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resource", "client/none"), "no event is about client/none"),
        (("actor", "user:nobody"), "no event is about user:nobody"),
        (("resource", "client"), "'client' is no resource; write it like download/9f3a"),
        (("resource", "/qbt"), "'/qbt' is no resource; write it like download/9f3a"),
    ],
)
def test_what_is_not_there_is_said(home: PrivateHome, words: tuple[str, ...], said: str) -> None:
    stored(home, *life())
    assert one_line(evtop(home, *words)) == said


@pytest.mark.parametrize("words", [("resource", f"client/{HOSTILE}"), ("actor", f"user:{HOSTILE}")])
def test_hostile_names_are_told_in_harmless_signs(home: PrivateHome, words: tuple[str, str]) -> None:
    stored(
        home, make_event(1, resource_type="client", resource_id=HOSTILE, actor_type="user", actor_id=HOSTILE)
    )
    for output in ("text", "json"):
        done = evtop(home, *words, "-o", output)
        assert (done.returncode, done.stderr) == (0, "")
        assert not any((ord(sign) < 32 and sign != "\n") or 127 <= ord(sign) < 160 for sign in done.stdout)
