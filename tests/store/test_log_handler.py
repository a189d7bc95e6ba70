"""Log records become events: few, safe, and never of the event system's own making."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.event import Event, Severity
from store.integration import MISHAPS, EventHandler
from store.integration.log_handler import type_name
from store.recorder import Recorder
from store.recording import Actor, EventFields
from tests.store.recorded import Recorded
from tests.waiting import until


class Clock:
    """Seconds, as told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of an application that passes everything to its own handlers only."""
    logger = logging.getLogger("app.sync")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.propagate = True
    logger.setLevel(logging.NOTSET)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


def attached(logger: logging.Logger, recorder: Any, *args: Any, **options: Any) -> EventHandler:
    handler = EventHandler(recorder, *args, **options)
    logger.addHandler(handler)
    return handler


def test_a_record_becomes_an_event_with_its_own_time_and_place(logger: logging.Logger) -> None:
    recorder = Recorded()
    attached(logger, recorder)
    before = datetime.now(UTC)
    logger.warning("indexer %s took %d s", "tidepool", 8)
    event = recorder.only
    assert (event.event_type, event.category, event.severity) == ("log.app.sync", "log", Severity.WARNING)
    assert (event.actor, event.resource) == ("system", None)
    location = event.metadata.pop("location")
    assert event.metadata == {
        "message": "indexer tidepool took 8 s",
        "logger": "app.sync",
        "level": "WARNING",
    }
    assert re.fullmatch(r"test_log_handler\.py:\d+", location)
    assert abs((event.inserted_at - before).total_seconds()) < 60


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (5, Severity.INFO),
        (logging.INFO, Severity.INFO),
        (29, Severity.INFO),
        (logging.WARNING, Severity.WARNING),
        (logging.ERROR, Severity.ERROR),
        (logging.CRITICAL, Severity.ERROR),
    ],
)
def test_severity_follows_the_level(logger: logging.Logger, level: int, severity: Severity) -> None:
    recorder = Recorded()
    attached(logger, recorder, level=1)
    logger.setLevel(1)
    logger.log(level, "text")
    assert recorder.only.severity is severity


def test_by_default_only_warnings_and_errors_become_events(logger: logging.Logger) -> None:
    recorder = Recorded()
    attached(logger, recorder)
    logger.info("quiet")
    logger.error("loud")
    assert recorder.only.metadata["message"] == "loud"


def test_extra_names_type_resource_and_actor(logger: logging.Logger) -> None:
    recorder = Recorded()
    attached(logger, recorder)
    logger.warning(
        "slow",
        extra={
            "event_type": "indexer.slow",
            "resource_type": "indexer",
            "resource_id": 7,
            "actor": Actor.job("rss"),
        },
    )
    event = recorder.only
    assert (event.event_type, event.resource, event.actor) == ("indexer.slow", "indexer/7", "job:rss")


@pytest.mark.parametrize(
    "extra",
    [
        {"event_type": 3},
        {"event_type": ""},
        {"resource_type": "indexer"},
        {"resource_type": object(), "resource_id": "7"},
        {"resource_type": "x" * 65, "resource_id": "7"},
        {"resource_type": "indexer", "resource_id": None},
        {"actor": "ana"},
    ],
)
def test_extra_that_means_nothing_is_left_out(logger: logging.Logger, extra: dict[str, Any]) -> None:
    recorder = Recorded()
    attached(logger, recorder)
    logger.warning("text", extra=extra)
    assert (recorder.only.event_type, recorder.only.resource, recorder.only.actor) == (
        "log.app.sync",
        None,
        "system",
    )


def test_the_longest_prefix_of_the_logger_gives_the_type() -> None:
    recorder = Recorded()
    handler = EventHandler(recorder, types={"app": "app.logged", "app.sync": "Sync.Logged!"})
    for name in ("app.sync.rss", "app.sync", "app.other", "application"):
        handler.handle(logging.makeLogRecord({"name": name, "msg": "text", "levelno": logging.WARNING}))
    assert [event.event_type for event in recorder.events] == [
        "sync.logged_",
        "sync.logged_",
        "app.logged",
        "log.application",
    ]


@given(st.one_of(st.text(), st.text(alphabet="aA.İ_- \x00\n", max_size=300)))
def test_any_logger_name_gives_a_valid_type(name: str) -> None:
    event = Event(event_type=type_name(f"log.{name}"))
    assert event.category == "log"
    Event(event_type=type_name(name))


def test_an_exception_gives_its_type_and_on_request_the_end_of_its_traceback(logger: logging.Logger) -> None:
    plain, traced = Recorded(), Recorded()
    attached(logger, plain)
    attached(logger, traced, tracebacks=True)
    try:
        raise OSError("x" * 50_000)
    except OSError:
        logger.exception("backup failed")
    assert plain.only.metadata["error_type"] == "OSError"
    assert "traceback" not in plain.only.metadata
    assert sum(map(len, traced.only.metadata["traceback"])) <= 4_000


@pytest.mark.parametrize("exc_info", [None, (None, None, None), True, "text", ValueError("held")])
def test_odd_exception_information_does_no_harm(exc_info: Any) -> None:
    recorder = Recorded()
    record = logging.makeLogRecord({"msg": "text", "exc_info": exc_info, "levelno": logging.ERROR})
    EventHandler(recorder, tracebacks=True).handle(record)
    expected = "ValueError" if isinstance(exc_info, ValueError) else None
    assert recorder.only.metadata.get("error_type") == expected


class _Raising:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("message", "args", "told"),
    [
        ("%d files", ("many",), "%d files (its arguments do not fit)"),
        ("%s %s", ("one",), "%s %s (its arguments do not fit)"),
        ("%s", (_Raising(),), "%s (its arguments do not fit)"),
        ("a\x00\ud800b", (), "a\ufffd\ufffdb"),
        ("x" * 10**6, (), "x" * 999 + "…"),
        (42, (), "42"),
    ],
)
def test_a_message_that_cannot_be_formatted_is_told_as_far_as_it_goes(
    logger: logging.Logger, message: Any, args: tuple[Any, ...], told: str
) -> None:
    recorder = Recorded()
    attached(logger, recorder)
    logger.warning(message, *args)
    assert recorder.only.metadata["message"] == told


@pytest.mark.parametrize("broken", [True, RuntimeError("no database"), RecursionError()])
@pytest.mark.parametrize("message", ["text", _Raising()])
def test_nothing_is_raised_or_printed(
    logger: logging.Logger,
    broken: Any,
    message: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", True)
    recorder = Recorded(broken=broken)
    attached(logger, recorder)
    logger.error(message)
    assert capsys.readouterr().err == ""
    assert recorder.calls == (1 if message == "text" else 0)


def test_a_filter_that_raises_is_kept_from_the_application(logger: logging.Logger) -> None:
    recorder = Recorded()

    def refuse(record: logging.LogRecord) -> bool:
        raise RuntimeError("filter")

    attached(logger, recorder).addFilter(refuse)
    before = MISHAPS.total
    logger.error("text")
    assert recorder.calls == 0
    assert MISHAPS.total == before + 1


def test_a_filter_still_filters(logger: logging.Logger) -> None:
    recorder = Recorded()
    attached(logger, recorder).addFilter(lambda record: "yes" in record.getMessage())
    logger.error("no")
    logger.error("yes")
    assert recorder.only.metadata["message"] == "yes"


@pytest.mark.parametrize("name", ["store", "store.recorder", "aiosqlite", "aiosqlite.core"])
def test_records_of_the_event_system_and_its_drivers_are_no_events(name: str) -> None:
    recorder = Recorded()
    handler = EventHandler(recorder)
    handler.handle(logging.makeLogRecord({"name": name, "msg": "text", "levelno": logging.ERROR}))
    assert recorder.events == []
    near = logging.makeLogRecord({"name": "storefront", "msg": "text", "levelno": logging.ERROR})
    handler.handle(near)
    assert recorder.only.event_type == "log.storefront"


async def test_what_is_logged_where_events_are_stored_is_no_event(tmp_path: Path) -> None:
    logger = logging.getLogger("app.listener")
    logger.propagate = False
    heard: list[str] = []

    def listen(events: Sequence[Event]) -> None:
        for event in events:
            heard.append(event.event_type)
            logger.error("a listener that talks")

    recorder = Recorder(f"sqlite:///{tmp_path / 'events.db'}")
    recorder.on_recorded(listen)
    handler = attached(logger, recorder)
    try:
        logger.error("first")
        await until(lambda: heard)
        assert recorder.flush(5)
        logger.error("second")
        await until(lambda: len(heard) > 1)
        assert recorder.flush(5)
        assert heard == ["log.app.listener"] * 2
    finally:
        logger.removeHandler(handler)
        recorder.close(5)


def test_a_driver_can_be_let_through_but_not_the_event_system() -> None:
    recorder = Recorded()
    handler = EventHandler(recorder, ignore=())
    for name in ("aiosqlite", "store.recorder"):
        handler.handle(logging.makeLogRecord({"name": name, "msg": "text", "levelno": logging.ERROR}))
    assert recorder.only.event_type == "log.aiosqlite"


def test_what_is_logged_while_an_event_is_made_is_no_event(logger: logging.Logger) -> None:
    class Chatty(Recorded):
        def record(self, event_type: str, /, **fields: Unpack[EventFields]) -> bool:
            logger.error("recording %s", event_type)
            return super().record(event_type, **fields)

    class ChattyText:
        def __str__(self) -> str:
            logger.error("formatting")
            return "text"

    first, second = Chatty(), Chatty()
    attached(logger, first)
    attached(logger, second)
    logger.error("%s", ChattyText())
    logger.error("again")
    for recorder in (first, second):
        assert [event.metadata["message"] for event in recorder.events] == ["text", "again"]


def test_the_rate_is_capped_and_what_was_kept_back_is_told(logger: logging.Logger) -> None:
    recorder, clock = Recorded(), Clock()
    handler = attached(logger, recorder, rate=2.0, clock=clock)
    for number in range(100):
        logger.warning("%d", number)
    assert [event.metadata["message"] for event in recorder.events] == ["0", "1"]
    assert handler.suppressed == 98
    clock.now += 0.5
    logger.warning("later")
    logger.warning("too soon")
    assert recorder.events[-1].metadata["suppressed"] == 98
    handler.close()
    logger.removeHandler(handler)
    last = recorder.events[-1]
    assert (last.event_type, last.severity, last.metadata) == (
        "log.suppressed",
        Severity.WARNING,
        {"suppressed": 1},
    )
    assert handler.suppressed == 99
    handler.flush()
    assert recorder.events[-1] is last


def test_a_flood_of_warnings_keeps_no_error_back(logger: logging.Logger) -> None:
    recorder = Recorded()
    attached(logger, recorder, rate=1.0, clock=Clock())
    for _ in range(50):
        logger.warning("flood")
    logger.error("what matters")
    assert [event.metadata["message"] for event in recorder.events] == ["flood", "what matters"]


def test_a_clock_that_goes_back_stops_nothing(logger: logging.Logger) -> None:
    recorder, clock = Recorded(), Clock()
    attached(logger, recorder, rate=1.0, clock=clock)
    clock.now = 1_000_000.0
    logger.error("first")
    clock.now = 0.0
    logger.error("kept back")
    clock.now = 1.0
    logger.error("second")
    assert [event.metadata["message"] for event in recorder.events] == ["first", "second"]


def test_a_count_of_suppressed_records_outlives_a_recorder_that_is_full(logger: logging.Logger) -> None:
    recorder, clock = Recorded(), Clock()
    attached(logger, recorder, rate=1.0, clock=clock)
    logger.error("first")
    logger.error("kept back")
    recorder.broken = True
    clock.now += 1
    logger.error("dropped")
    recorder.broken = False
    clock.now += 1
    logger.error("second")
    assert recorder.events[-1].metadata["suppressed"] == 1


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError):
        EventHandler(Recorded(), rate=rate)


@pytest.mark.parametrize("created", [float("nan"), float("inf"), 1e300, 253_402_300_000, "noon", None])
def test_a_record_without_a_time_has_the_time_of_recording(created: Any) -> None:
    recorder = Recorded()
    record = logging.makeLogRecord({"msg": "text", "created": created, "levelno": logging.ERROR})
    EventHandler(recorder).handle(record)
    assert recorder.only.metadata["message"] == "text"
