"""Errors that are no fault of the events: no thread, no memory, a driver or a log that breaks. They cost none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from store import appending
from store.appending import Appended
from store.database import Database
from store.dead_letters import DeadLetter
from store.errors import DataRefusedError, StoreUnavailableError
from store.event import Event
from store.recorder import Recorder, RecorderOptions, SpoolSettings, delivery
from store.recorder.batch import ATTEMPTS_MAX
from store.recorder.disk import Disk
from tests.store.recorder_runs import balanced, contents
from tests.waiting import wait_until

COUNT = 40
STILL = RecorderOptions(linger=5)
"""So that what is recorded at once makes one batch."""


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.recorder.background_writer.RETRY_FIRST_SECONDS", 0.005)
    monkeypatch.setattr("store.recorder.background_writer.RETRY_MAX_SECONDS", 0.02)
    monkeypatch.setattr("store.recorder.background_writer.RETRY_JITTER_SECONDS", 0.0)


def break_append(
    monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Sequence[Event]], BaseException | None]
) -> None:
    """Have an append fail with what `trouble` gives for its events, if it gives anything."""
    append = appending.append

    async def broken(connection: AsyncConnection, batch: Sequence[Event]) -> Appended:
        error = trouble(batch)
        if error is not None:
            raise error
        return await append(connection, batch)

    monkeypatch.setattr(appending, "append", broken)


def record(recorder: Recorder, *numbers: int) -> None:
    for n in numbers:
        assert recorder.record("job.executed", metadata={"n": n})


ERRORS: list[BaseException] = [
    RuntimeError("can't start new thread"),
    MemoryError(),
    AttributeError("of a driver"),
    asyncio.CancelledError(),
]
LASTING = [(error, ATTEMPTS_MAX + 5) for error in ERRORS[:-1]]


@pytest.mark.parametrize(("error", "times"), [*((error, 1) for error in ERRORS), *LASTING])
def test_what_is_no_fault_of_an_event_is_tried_again_until_it_is_over(
    url: str, monkeypatch: pytest.MonkeyPatch, error: BaseException, times: int
) -> None:
    errors = chain(repeat(error, times), repeat(None))
    break_append(monkeypatch, lambda _: next(errors))
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        record(recorder, *range(COUNT))
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.dropped) == (COUNT, 0, {})
    assert stats.retries >= min(times, ATTEMPTS_MAX)
    assert contents(url).numbers == list(range(COUNT))


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), TypeError("of a driver")])
def test_a_shortage_that_lasts_is_an_outage_like_any_other(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    write = Database.write
    broken = True

    def failing(database: Database) -> Any:
        if broken:
            raise error
        return write(database)

    monkeypatch.setattr(Database, "write", failing)
    options = RecorderOptions(linger=0.01, spool=SpoolSettings(folder=tmp_path / "spool"))
    with Recorder(url, options=options) as recorder, balanced(recorder):
        record(recorder, *range(COUNT))
        wait_until(lambda: recorder.stats().retries > 3 * ATTEMPTS_MAX)
        assert recorder.flush(10)
        stats = recorder.stats()
        assert (stats.spooled, stats.dead_lettered, stats.dropped) == (COUNT, 0, {})
        assert stats.away is not None
        assert type(error).__name__ in stats.away
        broken = False
        wait_until(lambda: recorder.stats().stored == COUNT)
    assert contents(url).numbers == list(range(COUNT))


def test_an_event_that_breaks_a_driver_is_a_dead_letter_in_the_end(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    def trouble(events: Sequence[Event]) -> BaseException | None:
        nonlocal attempts
        attempts += 1
        return AttributeError("of a driver") if any(event.metadata["n"] == 17 for event in events) else None

    break_append(monkeypatch, trouble)
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        record(recorder, *range(COUNT))
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.dropped) == (COUNT - 1, 1, {})
    found = contents(url)
    assert found.numbers == [n for n in range(COUNT) if n != 17]
    assert found.letters[0].reason == "of a driver"
    assert ATTEMPTS_MAX <= attempts <= ATTEMPTS_MAX + 10


def test_a_value_that_a_driver_cannot_express_is_a_dead_letter_at_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_append(
        monkeypatch,
        lambda events: OverflowError("too big") if any(e.metadata["n"] == 17 for e in events) else None,
    )
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        record(recorder, *range(COUNT))
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.retries) == (COUNT - 1, 1, 0)


@pytest.mark.parametrize("error", [DataRefusedError("here", "passes"), ValueError("passes")])
def test_a_refusal_that_passes_costs_no_event(
    url: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    errors = chain([error], repeat(None))
    break_append(monkeypatch, lambda _: next(errors))
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        record(recorder, *range(COUNT))
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered) == (COUNT, 0)
    assert contents(url).numbers == list(range(COUNT))


def test_an_event_is_given_up_only_when_its_letter_can_be_written(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True
    break_append(monkeypatch, lambda events: TypeError("of a driver") if broken and events else None)
    bury = delivery.bury

    async def failing(connection: AsyncConnection, letters: Sequence[DeadLetter]) -> None:
        if broken and letters:
            raise TypeError("of a driver")
        await bury(connection, letters)

    monkeypatch.setattr(delivery, "bury", failing)
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        record(recorder, *range(COUNT))
        assert recorder.flush(0.5) is False
        wait_until(lambda: recorder.stats().retries > 2 * ATTEMPTS_MAX)
        broken = False
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.dropped) == (COUNT, 0, {})
    assert contents(url).numbers == list(range(COUNT))


def test_memory_that_is_short_while_a_batch_is_decoded_costs_no_event(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = (False,) * 7 + (True,)
    short = chain(admit, repeat(False))

    class Active:
        def admit(self, event: Event) -> Event:
            if next(short):
                raise MemoryError
            return event

    monkeypatch.setattr("store.recorder.batch.active", Active)
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        record(recorder, *range(COUNT))
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.duplicates) == (COUNT, 0, 0)
    assert contents(url).numbers == list(range(COUNT))


@pytest.fixture
def broken_log() -> Iterator[list[str]]:
    """Has a filter of the host's raise at whatever the recorder logs. What it was given to filter."""
    said: list[str] = []

    def refuse(entry: logging.LogRecord) -> bool:
        said.append(entry.getMessage())
        raise ZeroDivisionError

    loggers = [
        logging.getLogger(f"store.recorder.{name}") for name in ("background_writer", "delivery", "recorder")
    ]
    for logger in loggers:
        logger.addFilter(refuse)
    yield said
    for logger in loggers:
        logger.removeFilter(refuse)


@pytest.mark.parametrize(
    "error", [StoreUnavailableError("away"), DataRefusedError("here", "refused"), ZeroDivisionError()]
)
def test_a_log_that_raises_costs_no_event(
    url: str, monkeypatch: pytest.MonkeyPatch, broken_log: list[str], error: Exception
) -> None:
    def fails(n: int) -> bool:
        return n == 17 if isinstance(error, DataRefusedError) else n < COUNT and next(errors)

    errors = chain(repeat(True, 3), repeat(False))
    break_append(monkeypatch, lambda events: error if any(fails(e.metadata["n"]) for e in events) else None)

    async def refused(connection: AsyncConnection, letters: Sequence[DeadLetter]) -> None:
        if letters:
            raise DataRefusedError("here", "too")

    monkeypatch.setattr(delivery, "bury", refused)
    with Recorder(url, options=STILL) as recorder, balanced(recorder):
        record(recorder, *range(COUNT))
        assert recorder.flush(20)
        record(recorder, COUNT)
        assert recorder.flush(20)
        stats = recorder.stats()
    buried = int(isinstance(error, DataRefusedError))
    assert (stats.stored, stats.queued, sum(stats.dropped.values())) == (COUNT + 1 - buried, 0, buried)
    assert broken_log


def test_a_log_that_raises_does_not_keep_a_writer_from_being_started(
    url: str, monkeypatch: pytest.MonkeyPatch, broken_log: list[str]
) -> None:
    def broken(*_: object) -> Any:
        raise RuntimeError("can't start new thread")

    with Recorder(url) as recorder:
        with monkeypatch.context() as patch:
            patch.setattr("store.recorder.recorder.new_producer", broken)
            recorder.start()
            record(recorder, 0)
            assert recorder.flush(0) is False
        recorder.start()
        assert recorder.flush(10)
    assert any("cannot be started" in text for text in broken_log)


def test_what_was_taken_from_the_queue_goes_back_when_it_cannot_be_committed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Disk.keep
    failures = chain([True], repeat(False))

    def broken(disk: Disk, payloads: Sequence[bytes]) -> None:
        if next(failures):
            raise MemoryError
        keep(disk, payloads)

    monkeypatch.setattr(Disk, "keep", broken)
    spool = SpoolSettings(folder=tmp_path / "spool")
    with (
        Recorder(url, options=RecorderOptions(spool=spool, write_ahead=True)) as recorder,
        balanced(recorder),
    ):
        record(recorder, *range(3))
        assert recorder.flush(20)
        wait_until(lambda: recorder.stats().stored == 3)
        assert recorder.stats().queued == 0
    assert contents(url).numbers == [0, 1, 2]
