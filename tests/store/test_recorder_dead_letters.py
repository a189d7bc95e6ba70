"""Events that cannot be stored: each is kept with its reason, and takes no other with it."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.recorder import Recorder, RecorderOptions
from store.recorder.background_writer import INTERNAL_ERROR
from store.taxonomy import EventType, Taxonomy, activate
from tests.store.recorder_runs import balanced, contents, prepare, refusing_trigger
from tests.waiting import wait_until

BATCH = 500
STILL = RecorderOptions(linger=5)
"""So that what is recorded at once makes one batch."""


class Transactions:
    """Counts the transactions that write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        write = Database.write

        def counted(database: Database) -> AbstractAsyncContextManager[AsyncConnection]:
            self.count += 1
            return write(database)

        monkeypatch.setattr(Database, "write", counted)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'events.db'}"


@contextmanager
def active(taxonomy: Taxonomy) -> Iterator[None]:
    activate(taxonomy)
    try:
        yield
    finally:
        activate(Taxonomy.shipped())


def record_with_poison(recorder: Recorder, poison: set[int], count: int = BATCH) -> None:
    for n in range(count):
        recorder.record("job.poison" if n in poison else "job.executed", metadata={"n": n})


@pytest.mark.parametrize("place", [0, 1, 249, 250, 251, 373, 498, 499])
def test_one_poison_event_of_500_costs_10_transactions_and_nothing_else(
    url: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(url, *refusing_trigger(url))
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        recorder.record("job.executed", metadata={"n": -1})
        assert recorder.flush(10)
        transactions = Transactions(monkeypatch)
        record_with_poison(recorder, {place})
        assert recorder.flush(20)
        assert transactions.count <= 1 + 10
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.dropped, stats.retries) == (500, 1, {}, 0)
    found = contents(url)
    assert found.numbers == [-1, *(n for n in range(BATCH) if n != place)]
    letter = found.letters[0]
    assert letter.reason == "poison is refused"
    assert letter.event_type == "job.poison"
    fields = json.loads(letter.payload)
    assert (fields["metadata"], UUID(fields["id"])) == ({"n": place}, letter.event_id)


def test_every_database_refuses_poison_alone(store_url: str) -> None:
    prepare(store_url, *refusing_trigger(store_url))
    with Recorder(store_url, options=STILL) as recorder, balanced(recorder):
        record_with_poison(recorder, {373})
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.retries) == (499, 1, 0)
    found = contents(store_url)
    assert found.numbers == [n for n in range(BATCH) if n != 373]
    assert "poison is refused" in found.letters[0].reason


@pytest.mark.thorough
def test_much_poison_costs_a_transaction_an_event_at_most(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = random.randrange(2**32)
    prepare(url, *refusing_trigger(url))
    for count in (8, 60, BATCH):
        poison = set(random.Random(seed).sample(range(BATCH), count))
        with Recorder(url, options=STILL) as recorder, balanced(recorder):
            transactions = Transactions(monkeypatch)
            record_with_poison(recorder, poison)
            assert recorder.flush(60), seed
            assert transactions.count <= 10 * 11 + 2 * BATCH, seed
            monkeypatch.undo()
            stats = recorder.stats()
        assert (stats.stored, stats.dead_lettered) == (BATCH - count, count), seed
        assert stats.dropped == {}
    found = contents(url)
    assert len(found.letters) == 8 + 60 + BATCH
    assert {letter.reason for letter in found.letters} == {"poison is refused"}


def test_what_was_stored_before_the_database_went_away_is_not_stored_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(url, *refusing_trigger(url))
    # What comes before the last poison event is stored, and the rest waits for the letters.
    run_sqlite(url, "ALTER TABLE dead_letters RENAME TO away")
    told: list[int] = []
    recorder = Recorder(url, options=RecorderOptions(linger=5))
    recorder.on_recorded(lambda events: told.extend(event.metadata["n"] for event in events))
    with recorder, balanced(recorder):
        record_with_poison(recorder, {100, 400})
        assert recorder.flush(1) is False
        wait_until(lambda: recorder.stats().retries > 0 and count_events(url) == 399)
        run_sqlite(url, "ALTER TABLE away RENAME TO dead_letters")
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.duplicates, stats.dead_lettered, stats.queued) == (498, 0, 2, 0)
    expected = [n for n in range(BATCH) if n not in {100, 400}]
    assert contents(url).numbers == told == expected


def test_letters_that_are_refused_too_are_dropped_and_counted(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    prepare(url, *refusing_trigger(url), *refusing_trigger(url, "dead_letters", "1"))
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        for _ in range(2):
            record_with_poison(recorder, {7, 300})
            assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.dropped) == (996, 0, {INTERNAL_ERROR: 4})
    assert caplog.text.count("cannot be kept as dead letters") == 1


VALUES: dict[str, dict[str, Any]] = {
    "U+0000": {"metadata": {"text": "a\x00b"}},
    "U+0000 in an id": {"resource_id": "a\x00b"},
    "lone surrogate": {"metadata": {"text": "a\ud800b"}},
    "lone surrogate in an id": {"actor_id": "\udfff"},
    "NaN": {"metadata": {"x": float("nan")}},
    "infinity": {"metadata": {"x": float("inf")}},
    "2**63": {"metadata": {"x": 2**63}},
    "key of 4 KB, many times": {"metadata": {"k" * 4096 + str(n): 1 for n in range(17)}},
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_no_store_takes_costs_its_own_event_only(store_url: str, name: str) -> None:
    with Recorder(store_url, options=STILL) as recorder, balanced(recorder):
        for n in range(20):
            fields: dict[str, Any] = VALUES[name] if n == 11 else {"metadata": {"n": n}}
            assert recorder.record("job.executed", **fields)
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.retries) == (19, 1, 0)
    found = contents(store_url)
    assert found.numbers == [n for n in range(20) if n != 11]
    assert found.letters[0].event_type == "job.executed"
    assert found.letters[0].event_id is not None
    assert found.letters[0].reason.isprintable()
    assert found.letters[0].payload.isascii()


def test_values_that_are_merely_unusual_are_stored(store_url: str) -> None:
    metadata = {
        "k" * 4096: "🦊\u2028\x1b[0m\x7f",
        "big": 2**63 - 1,
        "small": -(2**63),
        "float": 5e-324,
        "": "",
    }
    with Recorder(store_url) as recorder:
        recorder.record("job.executed", metadata=metadata, actor_id="🦊" * 255)
        assert recorder.flush(20)
    event = contents(store_url).events[0]
    assert event.metadata == metadata
    assert event.actor_id == "🦊" * 255


def test_what_the_taxonomy_does_not_admit_is_a_dead_letter(url: str) -> None:
    with Recorder(url) as recorder, balanced(recorder):
        recorder.record("content.viewed", actor_type="user")
        recorder.record("content.viewed", actor_type="user", resource_type="content", resource_id="7")
        assert recorder.flush(10)
        stats = recorder.stats()
    found = contents(url)
    assert (stats.stored, stats.dead_lettered) == (1, 1)
    assert found.events[0].resource_id == "7"
    assert "requires a resource" in found.letters[0].reason


def test_a_strict_taxonomy_refuses_what_it_does_not_know(url: str) -> None:
    with active(Taxonomy([EventType("job.executed", "jobs")], strict=True)), Recorder(url) as recorder:
        recorder.record("job.executed")
        recorder.record("job.execute")
        assert recorder.flush(10)
    found = contents(url)
    assert [event.category for event in found.events] == ["jobs"]
    assert "did you mean 'job.executed'" in found.letters[0].reason


def test_a_deprecated_name_is_stored_under_the_current_one(url: str) -> None:
    taxonomy = Taxonomy([EventType("job.executed", "jobs", deprecated_names=("task.ran",))])
    with active(taxonomy), Recorder(url) as recorder:
        recorder.record("task.ran", metadata={"n": 1})
        assert recorder.flush(10)
    assert [(event.event_type, event.category) for event in contents(url).events] == [
        ("job.executed", "jobs")
    ]


def run_sqlite(url: str, statement: str) -> list[Any]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as connection, connection:
        return connection.execute(statement).fetchall()


def count_events(url: str) -> int:
    return run_sqlite(url, "SELECT count(*) FROM events")[0][0]
