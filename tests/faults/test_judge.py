"""The judge notices each way in which a store can differ from what was promised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from store.event import Event
from store.events import EventStore
from tests.faults.judge import Evidence, evidence, in_order, judge
from tests.faults.oracle import Journal, Promises, Source

SOURCE = Source(seed=1, since=1_700_000_000_000)
COUNT = 10


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Ten events were claimed, nine accepted and flushed, and the last one accepted."""
    path = tmp_path / "journal"
    written = Journal(path, SOURCE)
    written.claim(0, COUNT)
    for number in range(COUNT):
        if number == COUNT - 1:
            written.flushed()
        written.accepted(number, SOURCE.fields(number))
    written.sync()
    return path


def stored(tmp_path: Path, *events: dict[str, Any]) -> Evidence:
    """What is in a store with these events."""
    url = f"sqlite:///{tmp_path / 'events.db'}"

    async def store_all() -> None:
        async with await EventStore.open(url) as store:
            await store.create_many([Event.model_validate(event) for event in events])

    asyncio.run(store_all())
    return evidence(url)


def everything() -> list[dict[str, Any]]:
    return [SOURCE.fields(number) for number in range(COUNT)]


def test_a_store_that_has_what_was_promised_is_well(journal: Path, tmp_path: Path) -> None:
    found, promises = stored(tmp_path, *everything()), Promises.read(journal)
    assert judge(found, [promises])
    assert in_order(found, promises)
    assert (len(promises.durable), len(promises.accepted), promises.claimed) == (9, 10, 10)


def test_an_obligation_is_missed_only_as_far_as_it_was_confirmed(journal: Path, tmp_path: Path) -> None:
    found = stored(tmp_path, *everything()[:-1])
    assert judge(found, [Promises.read(journal)]).missing == {SOURCE.identifier(COUNT - 1)}
    assert judge(found, [Promises.read(journal)], durable_only=True)


def test_what_was_killed_before_it_was_noted_may_be_there_or_not(journal: Path, tmp_path: Path) -> None:
    torn = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(torn[:4]) + torn[4][:-7])
    promises = Promises.read(journal)
    assert len(promises.accepted) == 2
    assert judge(stored(tmp_path, *everything()), [promises])


@pytest.mark.parametrize("name", ["event_type", "actor_id", "metadata", "status"])
def test_a_field_that_changed_on_the_way_is_seen(name: str, journal: Path, tmp_path: Path) -> None:
    changed = everything()
    changed[3][name] = {"metadata": {**changed[3]["metadata"], "number": 4}}.get(name, "probe.changed")
    verdict = judge(stored(tmp_path, *changed), [Promises.read(journal)])
    assert verdict.altered == {SOURCE.identifier(3)}
    assert not verdict


FAULTS: dict[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "an event nobody recorded": (
        lambda found: replace(found, delivered=[*found.delivered, (Source(2, 0).identifier(0), "")]),
        "forged",
    ),
    "an event that is there twice": (
        lambda found: replace(found, delivered=[*found.delivered, found.delivered[0]]),
        "repeated",
    ),
    "an event that was counted twice": (
        lambda found: replace(found, counted=found.counted + 1),
        "miscounted",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_there_too_often_is_seen(fault: str, journal: Path, tmp_path: Path) -> None:
    change, noticed = FAULTS[fault]
    verdict = judge(change(stored(tmp_path, *everything())), [Promises.read(journal)])
    assert getattr(verdict, noticed)
    assert not verdict


def test_commits_in_another_order_are_seen(journal: Path, tmp_path: Path) -> None:
    events = everything()
    events[4], events[5] = events[5], events[4]
    assert not in_order(stored(tmp_path, *events), Promises.read(journal))
