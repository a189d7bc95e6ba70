"""Events that are too large, and events with values that no database takes: faults 17 and 18."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from store.database import Database
from store.events import EventStore
from store.recorder import Recorder, RecorderOptions
from tests.faults.child import Producer
from tests.faults.final_phase import drained
from tests.faults.judge import Evidence, evidence
from tests.faults.oversize import OVERSIZE

pytestmark = pytest.mark.fault

BATCH = 500
EXTRA_TRANSACTIONS = 10
RESIDENT_BYTES = 50_000_000
_REFUSING = {
    "sqlite": [
        """
        CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.resource_id = 'poison'
        BEGIN SELECT RAISE(ABORT, 'the database dislikes it'); END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.resource_id = 'poison' THEN RAISE EXCEPTION 'the database dislikes it'; END IF;
        RETURN NEW; END $$
        """,
        "CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()",
    ],
    "mariadb": [
        """
        CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW
        IF NEW.resource_id = 'poison' THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the database dislikes it'; END IF
        """,
    ],
}


def test_what_is_too_large_is_refused_and_counted_and_neither_raises_nor_stays_in_memory(
    tmp_path: Path, seed: int
) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    with Producer(tmp_path, "application", url, seed, spool=str(tmp_path / "spool")).set_up() as application:
        application.record(100)
        application.recorded()
        drained(application)
        for number, kind in enumerate(OVERSIZE, 1):
            answer = application.ask("record_oversize", kind=kind)
            assert answer["accepted"] == (kind == "100,000 levels"), kind
            assert answer["flushed"], kind
            assert answer["grown"] <= RESIDENT_BYTES, (kind, answer)
            stats = application.stats()
            assert stats["balance"] == 0, kind
            assert sum(stats["dropped"].values()) + stats["dead_lettered"] == number, kind
        application.record(1)
        application.recorded()
        drained(application)
        stats = application.stats()
        assert stats["stored"] == 101
        assert stats["accepted"] == 101 + len(OVERSIZE)
        # One line for each reason.
        assert len(application.warnings) == len(stats["dropped"]), application.log
        assert application.close()
    found = evidence(url)
    assert len(found.delivered) == 101
    ((_, reason),) = found.letters
    assert "levels deep" in reason


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "U+0000 in a value": ({"metadata": {"text": "a\x00b"}}, "U+0000 cannot be stored"),
    "U+0000 in a key": ({"metadata": {"a\x00b": 1}}, "U+0000 cannot be stored"),
    "lone surrogate": ({"actor_id": "\ud800"}, ""),
    "NaN": ({"metadata": {"number": math.nan}}, "metadata has NaN or an infinity"),
    "infinity": ({"metadata": {"number": -math.inf}}, "metadata has NaN or an infinity"),
    "2**63": ({"metadata": {"number": 2**63}}, "metadata has an integer beyond 64 bits"),
    "metadata of 65 KiB": ({"metadata": {"text": "x" * 65 * 1024}}, "metadata is over 64 KiB"),
    "no event type": ({"event_type": "NOT AN EVENT TYPE"}, "event_type"),
}
"""What no event may have, and what the reason names that is kept with it."""
STORED: dict[str, dict[str, Any]] = {
    "key of 4 KB": {"metadata": {"k" * 4096: "v"}},
    "emoji": {"actor_id": "🚀👩‍👩‍👧", "metadata": {"🚀": "👩‍👩‍👧 漢字 \u202e"}},
    "2**63 - 1": {"metadata": {"number": 2**63 - 1, "least": -(2**63)}},
}


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each transaction that was begun in order to write."""
    begun: list[None] = []
    write = Database.write

    def counted(self: Database) -> Any:
        begun.append(None)
        return write(self)

    monkeypatch.setattr(Database, "write", counted)
    return begun


def _record_with(url: str, poison: dict[str, Any], seed: int) -> tuple[Any, Evidence]:
    """Record a batch, of which one event is `poison`, and then one that is sound."""
    options = RecorderOptions(batch_events=BATCH, linger=30.0)
    with Recorder(url, options=options) as recorder:
        place = Random(seed).randrange(BATCH)
        for number in range(BATCH):
            fields: dict[str, Any] = {"metadata": {"number": number}}
            name = "probe.answered"
            if number == place:
                fields = dict(poison)
                name = fields.pop("event_type", name)
            assert recorder.record(name, **fields)
        assert recorder.flush(20)
        assert recorder.record("probe.answered", actor_id="fresh")
        assert recorder.flush(5)
        return recorder.stats(), evidence(url)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_value_that_no_event_may_have_costs_that_event_alone(
    kind: str, tmp_path: Path, seed: int, transactions: list[None]
) -> None:
    poison, reason = REFUSED[kind]
    stats, found = _record_with(f"sqlite:///{tmp_path / 'events.db'}", poison, seed)
    assert len(found.delivered) == stats.stored == BATCH
    ((_, said),) = found.letters
    assert said
    assert reason in said
    assert (stats.balance, stats.dead_lettered, stats.retries, stats.dropped) == (0, 1, 0, {})
    assert len(transactions) == 2, "the batch and the sound one"


def test_an_event_that_the_database_refuses_is_found_by_halving(
    store_url: str, seed: int, transactions: list[None]
) -> None:
    asyncio.run(_make_refusing(store_url))
    transactions.clear()
    stats, found = _record_with(store_url, {"resource_id": "poison", "resource_type": "download"}, seed)
    assert len(found.delivered) == stats.stored == BATCH
    ((identifier, reason),) = found.letters
    assert "the database dislikes it" in reason
    assert identifier not in found.ids
    assert (stats.balance, stats.dead_lettered, stats.retries, stats.dropped) == (0, 1, 0, {})
    # Besides the batch itself, its letter, and the sound event at the end.
    assert len(transactions) - 3 <= EXTRA_TRANSACTIONS


async def _make_refusing(url: str) -> None:
    database = await Database.open(url)
    try:
        async with database.write() as connection:
            for statement in _REFUSING[database.dialect]:
                await connection.exec_driver_sql(statement)
    finally:
        await database.close()


@pytest.mark.parametrize("kind", STORED)
def test_an_odd_value_that_an_event_may_have_comes_back_as_it_was(
    kind: str, store_url: str, tmp_path: Path
) -> None:
    with Recorder(store_url) as recorder:
        assert recorder.record("probe.answered", **STORED[kind])
        assert recorder.flush()
        assert recorder.stats().stored == 1
    stored = asyncio.run(_newest(store_url))
    assert {name: stored[name] for name in STORED[kind]} == STORED[kind]


async def _newest(url: str) -> dict[str, Any]:
    async with await EventStore.open(url) as store:
        (event,) = await store.list_events()
        return event.model_dump()
