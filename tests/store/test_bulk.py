"""`summary` makes one event of a change of many things, however it ends."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from monitor.model.summary import summarise
from store.event import Severity
from store.integration import MISHAPS, summary
from store.integration.bulk import BulkSummary
from store.recording import Actor, Resource
from store.taxonomy import EventType, SeverityName, Taxonomy, activate
from tests.store.recorded import Recorded


def unmonitoring(recorder: Any, **options: Any) -> BulkSummary:
    return summary(
        recorder,
        "media_item.monitored_changed",
        actor=Actor.user("ana"),
        resource=Resource("library", "main"),
        **options,
    )


def test_a_bulk_change_is_one_event_with_its_counts_and_the_first_ids() -> None:
    recorder = Recorded()
    seconds = iter((10.0, 12.5))
    with unmonitoring(
        recorder, examples=2, metadata={"monitored": False}, clock=lambda: next(seconds)
    ) as bulk:
        for number in range(5):
            bulk.done(number)
        bulk.done(count=10)
        bulk.skipped("brackwater")
        bulk.note(rule="tidying")
    event = recorder.only
    assert (event.event_type, event.category) == ("media_item.monitored_changed", "media")
    assert (event.actor, event.resource) == ("user:ana", "library/main")
    assert (event.status, event.severity) == ("completed", Severity.INFO)
    assert event.metadata == {
        "monitored": False,
        "rule": "tidying",
        "summary": "15 done, 1 skipped",
        "item_count": 16,
        "done": 15,
        "failed": 0,
        "skipped": 1,
        "items": ["0", "1"],
        "duration_ms": 2_500,
    }
    assert summarise(event) == "completed · 15 done, 1 skipped"


def test_some_failures_make_it_partial() -> None:
    recorder = Recorded()
    with unmonitoring(recorder) as bulk:
        bulk.done("a")
        bulk.failed("b", OSError("secret"))
        bulk.failed("c", OSError("secret"))
        bulk.failed("d", ValueError())
    event = recorder.only
    assert event.event_type == "media_item.monitored_changed"
    assert (event.status, event.severity) == ("partial", Severity.WARNING)
    assert event.metadata["failed_items"] == ["b", "c", "d"]
    assert event.metadata["error_types"] == {"OSError": 2, "ValueError": 1}
    assert "secret" not in str(event.metadata)


def test_nothing_but_failures_make_it_failed() -> None:
    recorder = Recorded()
    with unmonitoring(recorder) as bulk:
        bulk.failed("b")
        bulk.skipped(count=3)
    event = recorder.only
    assert (event.event_type, event.category) == ("media_item.failed", "media")
    assert (event.status, event.severity) == ("failed", Severity.ERROR)


@pytest.mark.parametrize(
    ("declared", "severity"),
    [("info", Severity.WARNING), ("warning", Severity.WARNING), ("error", Severity.ERROR), (None, None)],
)
def test_a_partial_change_is_a_warning_unless_its_type_was_declared_otherwise(
    declared: SeverityName | None, severity: Severity | None
) -> None:
    recorder = Recorded()
    activate(Taxonomy([EventType("media_item.monitored_changed", "shelf", declared)]))
    try:
        with unmonitoring(recorder) as bulk:
            bulk.done("a")
            bulk.failed("b")
    finally:
        activate(Taxonomy.shipped())
    assert (recorder.only.category, recorder.only.severity) == ("shelf", severity)


def test_a_failure_has_the_category_and_severity_that_the_application_declared() -> None:
    recorder = Recorded()
    main = EventType("media_item.monitored_changed", "shelf")
    for known in ([main, EventType("media_item.failed", "trouble", "warning")], [main]):
        activate(Taxonomy(known))
        try:
            with unmonitoring(recorder) as bulk:
                bulk.failed("b")
        finally:
            activate(Taxonomy.shipped())
    declared, undeclared = recorder.events
    assert (declared.category, declared.severity) == ("trouble", Severity.WARNING)
    assert (undeclared.category, undeclared.severity) == ("shelf", Severity.ERROR)


def test_nothing_to_do_is_completed() -> None:
    recorder = Recorded()
    with unmonitoring(recorder):
        pass
    assert (recorder.only.status, recorder.only.metadata["summary"]) == ("completed", "0 done")


@pytest.mark.parametrize(
    ("done", "error", "event_type", "status"),
    [
        (2, ValueError("text"), "media_item.monitored_changed", "partial"),
        (0, ValueError("text"), "media_item.failed", "failed"),
        (2, KeyboardInterrupt(), "media_item.monitored_changed", "partial"),
        (0, KeyboardInterrupt(), "media_item.cancelled", "cancelled"),
        (1, SystemExit(0), "media_item.monitored_changed", "completed"),
    ],
)
def test_a_block_that_raises_is_summed_up_too(
    done: int, error: BaseException, event_type: str, status: str
) -> None:
    recorder = Recorded()
    with pytest.raises(BaseException) as caught, unmonitoring(recorder) as bulk:  # noqa: PT012
        bulk.done(count=done)
        raise error
    assert caught.value is error
    assert (recorder.only.event_type, recorder.only.status) == (event_type, status)
    assert recorder.only.metadata["done"] == done
    assert recorder.only.metadata.get("error_type") == (
        None if isinstance(error, SystemExit) else type(error).__name__
    )


def test_the_text_of_the_exception_is_recorded_when_asked_for() -> None:
    recorder = Recorded()
    with pytest.raises(ValueError), unmonitoring(recorder, message=True, failed="bulk.broken"):
        raise ValueError("no such profile")
    assert recorder.only.event_type == "bulk.broken"
    assert recorder.only.metadata["error"] == "ValueError: no such profile"


async def test_the_asynchronous_form_records_the_same() -> None:
    recorder = Recorded()
    async with unmonitoring(recorder) as bulk:
        bulk.done("a")
    assert recorder.only.metadata["items"] == ["a"]


class _Odd:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "recorder", [Recorded(broken=True), Recorded(broken=RuntimeError("no database")), None]
)
@pytest.mark.parametrize("item", [None, "", "x" * 300, _Odd(), object(), b"bytes", 2**80, "a\x00\ud800"])
def test_nothing_reaches_the_application(recorder: Any, item: Any) -> None:
    with unmonitoring(recorder) as bulk:
        bulk.done(item)
        bulk.failed(item, item)
        reached = True
    assert reached
    bulk.done(item)


def test_an_id_that_cannot_be_stored_is_counted_without_its_id() -> None:
    recorder = Recorded()
    with unmonitoring(recorder) as bulk:
        bulk.done(_Odd())
        bulk.done("x" * 300)
        bulk.done("kept")
    assert recorder.only.metadata["done"] == 3
    assert recorder.only.metadata["items"] == ["kept"]


@pytest.mark.parametrize("count", [-1, True, 1.5, "2", None, 2**60])
def test_a_count_that_is_none_counts_one_thing(count: Any) -> None:
    recorder = Recorded()
    before = MISHAPS.total
    with unmonitoring(recorder) as bulk:
        bulk.done(count=count)
    assert recorder.only.metadata["done"] == 1
    assert MISHAPS.total == before + 1


def test_what_is_counted_after_the_summary_is_told_of() -> None:
    with unmonitoring(Recorded()) as bulk:
        pass
    before = MISHAPS.total
    bulk.done("late")
    assert MISHAPS.total == before + 1


def test_no_thing_is_lost_when_threads_count_at_once() -> None:
    recorder = Recorded()
    with unmonitoring(recorder, examples=3) as bulk:

        def work() -> None:
            for number in range(2_000):
                bulk.done(number)
                bulk.failed(number, ValueError())

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    metadata = recorder.only.metadata
    assert (metadata["done"], metadata["failed"], metadata["error_types"]) == (
        8_000,
        8_000,
        {"ValueError": 8_000},
    )
    assert (len(metadata["items"]), len(metadata["failed_items"])) == (3, 3)
