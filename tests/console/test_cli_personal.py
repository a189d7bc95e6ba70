"""What commands write of personal data: stand-ins, until someone asks for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from store.dead_letters import DeadLetter
from store.event import ActorType, Event
from store.events import EventStore
from tests.console.commands import evtop, one_line, stored
from tests.pty_console import PrivateHome

ADDRESS, OTHER = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def logins(home: PrivateHome) -> None:
    for address in (ADDRESS, OTHER, ADDRESS):
        metadata = {"ip": address, "client": {"address": address}, "error": f"refused from {address}"}
        stored(
            home, Event(event_type="user.login", actor_type=ActorType.USER, actor_id="42", metadata=metadata)
        )


@pytest.mark.parametrize(
    "words",
    [
        ("tail",),
        ("tail", "-o", "json"),
        ("tail", "-o", "csv"),
        ("export", "--to", "-", "-o", "ndjson"),
        ("export", "--to", "-", "-o", "csv"),
    ],
)
def test_personal_data_is_written_when_it_is_asked_for(home: PrivateHome, words: tuple[str, ...]) -> None:
    logins(home)
    hidden = evtop(home, *words, EVTOP_PERSONAL="client.address")
    assert (hidden.returncode, hidden.stderr) == (0, "")
    assert ADDRESS not in hidden.stdout
    assert OTHER not in hidden.stdout
    assert hidden.stdout.count("user.login") == 3
    shown = evtop(home, *words, "--show-personal")
    assert shown.stdout.count(f"refused from {ADDRESS}") == 2


def test_equal_values_are_seen_to_be_equal(home: PrivateHome) -> None:
    logins(home)
    lines = [json.loads(line) for line in evtop(home, "tail", "-o", "json").stdout.splitlines()]
    first, second, third = (line["metadata"]["ip"] for line in lines)
    assert first == third != second


def test_a_filter_goes_by_the_real_value(home: PrivateHome) -> None:
    logins(home)
    assert evtop(home, "tail", "--count", f"@ip:{ADDRESS}").stdout.strip() == "2"
    assert evtop(home, "tail", f'"{ADDRESS}"').stdout.count("refused") == 2


def test_places_that_are_none_are_named(home: PrivateHome) -> None:
    said = one_line(evtop(home, "tail", EVTOP_PERSONAL="a..b"))
    assert said.startswith("EVTOP_PERSONAL: 'a..b' is no place")


def test_places_come_from_the_file_with_settings_too(home: PrivateHome) -> None:
    logins(home)
    file = home.directory / "config.toml"
    file.write_text('personal = ["client.address", "-ip"]\n')
    done = evtop(home, "tail", "-o", "json", "-n", "1", EVTOP_CONFIG=str(file))
    metadata = json.loads(done.stdout)["metadata"]
    assert metadata["client"]["address"].startswith("address·")
    assert metadata["error"] == f"refused from {metadata['ip']}"
    assert "client.address,-ip" in evtop(home, "config", "show", EVTOP_CONFIG=str(file)).stdout


def test_dead_letters_hide_it_too(home: PrivateHome) -> None:
    payload = f'{{"event_type":"user.login","actor_type":"nobody","metadata":{{"ip":"{ADDRESS}"}}}}'

    async def bury() -> None:
        async with await EventStore.open(home.store_url) as store:
            await store.dead_letters.add([DeadLetter("no such actor", payload)])

    asyncio.run(bury())
    for words in (("show", "1"), ("list", "-o", "json")):
        assert ADDRESS not in evtop(home, "dead-letters", *words).stdout
        assert ADDRESS in evtop(home, "dead-letters", *words, "--show-personal").stdout
