"""`track` records how work ended and never changes how it ends."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import pytest

from store.event import Event, Severity
from store.integration import MISHAPS, Mishaps, Track, note, track
from store.recording import Actor, Resource
from store.taxonomy import EventType, Taxonomy, activate
from tests.store.recorded import Recorded
from tests.waiting import until


class Clock:
    """Seconds, as told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sync_job(recorder: Recorded, **options: Any) -> Track:
    return track(
        recorder, "job.executed", actor=Actor.job("sync"), resource=Resource("job", "sync"), **options
    )


def said(event: Event) -> tuple[str, str | None, Severity | None, str]:
    return event.event_type, event.status, event.severity, event.category


def test_success_is_recorded_with_its_duration_and_what_was_noted() -> None:
    recorder, clock = Recorded(), Clock()
    with sync_job(recorder, clock=clock, metadata={"source": "rss", "files": 0}) as span:
        span.note(files=12)
        clock.now += 1.2345
    event = recorder.only
    assert said(event) == ("job.executed", "completed", Severity.INFO, "system")
    assert (event.actor, event.resource) == ("job:sync", "job/sync")
    assert event.metadata == {"source": "rss", "files": 12, "duration_ms": 1234}


def test_failure_is_recorded_without_the_text_of_the_exception() -> None:
    recorder = Recorded()
    error = OSError("https://user:hunter2@example.org is away")
    with pytest.raises(OSError) as caught, sync_job(recorder, clock=Clock(), metadata={"files": 3}):
        raise error
    assert caught.value is error
    assert said(recorder.only) == ("job.failed", "failed", Severity.ERROR, "system")
    assert recorder.only.metadata == {
        "files": 3,
        "duration_ms": 0,
        "error": "OSError",
        "error_type": "OSError",
    }


def test_the_text_of_the_exception_is_one_short_line_when_asked_for() -> None:
    recorder = Recorded()
    with pytest.raises(ValueError), sync_job(recorder, message=True):
        raise ValueError("first\nsecond\x00\ud800" + "x" * 1_000_000)
    told = recorder.only.metadata["error"]
    assert told.startswith("ValueError: first second\ufffd\ufffdxxx")
    assert "\n" not in told
    assert len(told) == len("ValueError: ") + 200


def test_an_exception_whose_text_raises_is_recorded_all_the_same() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    recorder = Recorded()
    with pytest.raises(MuteError), sync_job(recorder, message=True):
        raise MuteError
    assert recorder.only.metadata["error_type"] == "MuteError"


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit(), type("Other", (BaseException,), {})()],
)
def test_what_stops_work_from_outside_is_no_failure(error: BaseException) -> None:
    recorder = Recorded()
    with pytest.raises(BaseException) as caught, sync_job(recorder):
        raise error
    assert caught.value is error
    assert said(recorder.only) == ("job.cancelled", "cancelled", Severity.INFO, "system")


@pytest.mark.parametrize(
    ("code", "status"),
    [(None, "completed"), (0, "completed"), (False, "completed"), (1, "failed"), ("no disk", "failed")],
)
def test_system_exit_is_judged_by_its_code(code: Any, status: str) -> None:
    recorder = Recorded()
    with pytest.raises(SystemExit), sync_job(recorder):
        sys.exit(code)
    assert recorder.only.status == status


def test_an_exit_code_that_cannot_be_compared_does_no_harm() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("not comparable")

        __hash__ = None  # type: ignore[assignment]

    recorder, code = Recorded(), Odd()
    with pytest.raises(SystemExit) as caught, sync_job(recorder):
        raise SystemExit(code)
    assert caught.value.code is code
    assert recorder.only.status == "failed"


def test_the_types_of_failure_and_cancellation_can_be_chosen() -> None:
    recorder = Recorded()
    tracked = track(recorder, "report.built", failed="report.broken", cancelled="report.stopped")
    with pytest.raises(ValueError), tracked:
        raise ValueError
    with pytest.raises(KeyboardInterrupt), tracked:
        raise KeyboardInterrupt
    assert [event.event_type for event in recorder.events] == ["report.broken", "report.stopped"]


# Category and severity


@pytest.fixture
def declare() -> Iterator[Callable[..., None]]:
    """Makes the given types those that the process knows, and nothing else."""
    yield lambda *types: activate(Taxonomy(types))
    activate(Taxonomy.shipped())


def failed_and_cancelled(event_type: str, **options: Any) -> list[Event]:
    recorder = Recorded()
    tracked = track(recorder, event_type, **options)
    with pytest.raises(ValueError), tracked:
        raise ValueError
    with pytest.raises(KeyboardInterrupt), tracked:
        raise KeyboardInterrupt
    return recorder.events


def test_a_declared_failure_keeps_its_category_and_severity(declare: Callable[..., None]) -> None:
    declare(
        EventType("job.executed", "work"),
        EventType("job.failed", "trouble", "warning", deprecated_names=("job.broken",)),
        EventType("job.cancelled", "trouble", None),
    )
    failed, cancelled = failed_and_cancelled("job.executed")
    assert said(failed) == ("job.failed", "failed", Severity.WARNING, "trouble")
    assert said(cancelled) == ("job.cancelled", "cancelled", None, "trouble")
    deprecated, _ = failed_and_cancelled("job.executed", failed="job.broken")
    assert said(deprecated) == ("job.broken", "failed", Severity.WARNING, "trouble")


def test_a_shipped_failure_of_a_declared_type_keeps_its_own_category() -> None:
    failed, cancelled = failed_and_cancelled("user.login", failed="download.failed", cancelled="user.logout")
    assert said(failed) == ("download.failed", "failed", Severity.ERROR, "downloads")
    assert said(cancelled) == ("user.logout", "cancelled", Severity.INFO, "auth")


def test_a_failure_that_nobody_declared_is_an_error_in_the_category_of_the_work(
    declare: Callable[..., None],
) -> None:
    declare(EventType("report.built", "paperwork", "warning", deprecated_names=("report.made",)))
    for event_type in ("report.built", "report.made"):
        failed, cancelled = failed_and_cancelled(event_type)
        assert said(failed) == ("report.failed", "failed", Severity.ERROR, "paperwork")
        assert said(cancelled) == ("report.cancelled", "cancelled", Severity.INFO, "paperwork")
    unknown, _ = failed_and_cancelled("page.built", failed="printer.jammed")
    assert said(unknown) == ("printer.jammed", "failed", Severity.ERROR, "page")


@pytest.mark.parametrize(
    "recorder",
    [Recorded(broken=True), Recorded(broken=RuntimeError("no database")), None, object()],
)
def test_the_work_is_the_same_when_the_recorder_is_broken(recorder: Any) -> None:
    error = ValueError("work failed")
    cause = KeyError("cause")

    @track(recorder, "report.built")
    def build(fail: bool) -> str:
        if fail:
            raise error from cause
        return "built"

    assert build(False) == "built"
    with pytest.raises(ValueError) as caught:
        build(True)
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)][-1] == "build"


@pytest.mark.parametrize(
    "options",
    [
        {"clock": lambda: 1 / 0},
        {"clock": lambda: float("nan")},
        {"clock": lambda: "soon"},
        {"metadata": {"a": float("inf"), "b": object(), "c": "x" * 10**6, "d": 2**70}},
        {"metadata": [1]},
        {"actor": None},
        {"resource": 3},
    ],
)
def test_the_work_is_the_same_whatever_track_was_given(options: dict[str, Any]) -> None:
    recorder = Recorded()
    with track(recorder, "report.built", **options) as span:
        span.note(pages=3)
    assert [event.metadata["pages"] for event in recorder.events] in ([3], [])
    with pytest.raises(ValueError), track(recorder, "report.built", **options):
        raise ValueError


def test_what_cannot_be_stored_is_named() -> None:
    recorder = Recorded()
    circle: list[Any] = []
    circle.append(circle)
    with track(recorder, "report.built", clock=Clock()) as span:
        span.note(
            circle=circle, nan=float("nan"), api_key="hunter2", text="a\x00b", **{"self": 1, "k\ud800": 2}
        )
    assert recorder.only.metadata == {
        "api_key": "(redacted)",
        "text": "a\ufffdb",
        "self": 1,
        "k\ufffd": 2,
        "duration_ms": 0,
        "unreadable": ["circle", "nan"],
    }


def test_values_that_are_nested_too_deep_are_named() -> None:
    recorder = Recorded()
    nested: list[Any] = []
    for _ in range(40):
        nested = [nested]
    with track(recorder, "report.built") as span:
        span.note(nested=nested, flat=[1, {"two": [3]}])
    assert recorder.only.metadata["flat"] == [1, {"two": [3]}]
    assert recorder.only.metadata["unreadable"] == ["nested"]


def test_metadata_that_is_too_large_loses_its_largest_values_only() -> None:
    recorder = Recorded()
    with track(recorder, "report.built") as span:
        span.note(small=1, large=["\x01" * 1_000] * 500, many={str(number): "x" for number in range(2_000)})
    assert recorder.only.metadata["small"] == 1
    assert sorted(recorder.only.metadata["unreadable"]) == ["large", "many"]


def test_a_decorated_function_keeps_its_name_and_signature() -> None:
    @track(Recorded(), "report.built")
    def build(pages: int, *, title: str = "none") -> str:
        """Build it."""
        return f"{title}:{pages}"

    assert build(3, title="a") == "a:3"
    assert (build.__name__, build.__doc__) == ("build", "Build it.")
    assert str(inspect.signature(build)) == "(pages: 'int', *, title: 'str' = 'none') -> 'str'"


def test_note_speaks_of_the_innermost_run_around_it() -> None:
    recorder = Recorded()
    note(nowhere=True)

    @track(recorder, "page.built")
    def page(number: int) -> None:
        note(number=number)

    with track(recorder, "report.built"):
        page(1)
        note(pages=1)
    inner, outer = recorder.events
    assert (inner.event_type, inner.metadata["number"]) == ("page.built", 1)
    assert (outer.event_type, outer.metadata["pages"]) == ("report.built", 1)
    assert "nowhere" not in inner.metadata | outer.metadata


def test_one_track_can_be_nested_in_itself() -> None:
    recorder, clock = Recorded(), Clock()
    tracked = track(recorder, "report.built", clock=clock)

    @tracked
    def descend(depth: int) -> None:
        note(depth=depth)
        clock.now += 1
        if depth:
            descend(depth - 1)

    with tracked as outer:
        outer.note(depth="outer")
        descend(2)
    assert [(event.metadata["depth"], event.metadata["duration_ms"]) for event in recorder.events] == [
        (0, 1_000),
        (1, 2_000),
        (2, 3_000),
        ("outer", 3_000),
    ]


def test_generators_keep_their_own_runs_apart() -> None:
    recorder = Recorded()

    def numbers(name: str) -> Generator[int]:
        with track(recorder, "numbers.given") as span:
            span.note(name=name)
            yield 1
            yield 2

    for _ in zip(numbers("a"), numbers("b"), strict=True):
        pass
    left = numbers("c")
    next(left)
    left.close()
    assert [(event.metadata["name"], event.status) for event in recorder.events] == [
        ("a", "completed"),
        ("b", "completed"),
        ("c", "cancelled"),
    ]


async def test_a_coroutine_is_tracked_from_its_first_step_to_its_end() -> None:
    recorder, clock = Recorded(), Clock()
    go = asyncio.Event()

    @track(recorder, "report.built", clock=clock)
    async def build() -> str:
        await go.wait()
        note(pages=2)
        return "built"

    assert inspect.iscoroutinefunction(build)
    never_run = build()
    never_run.close()
    task = asyncio.create_task(build())
    await asyncio.sleep(0)
    assert recorder.events == []
    clock.now += 2
    go.set()
    assert await task == "built"
    assert recorder.only.metadata == {"pages": 2, "duration_ms": 2_000}


async def test_a_cancelled_coroutine_stays_cancelled() -> None:
    recorder = Recorded()
    began = asyncio.Event()

    @track(recorder, "job.executed")
    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await began.wait()
    task.cancel("stop")
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert caught.value.args == ("stop",)
    assert said(recorder.only) == ("job.cancelled", "cancelled", Severity.INFO, "system")


async def test_the_asynchronous_context_manager_records_the_same() -> None:
    recorder = Recorded()
    async with sync_job(recorder) as span:
        span.note(files=1)
    error = ValueError()
    with pytest.raises(ValueError) as caught:
        async with sync_job(recorder):
            raise error
    assert caught.value is error
    assert [event.event_type for event in recorder.events] == ["job.executed", "job.failed"]
    assert recorder.events[0].metadata["files"] == 1


async def test_one_decorator_serves_many_tasks_and_threads_at_once() -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    recorder = Recorded()
    tracked = track(recorder, "work.done")
    running = 0
    most = 0

    @tracked
    async def in_task(number: int, turns: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        note(number=number)
        for _ in range(turns):
            await asyncio.sleep(0)
        running -= 1
        if number % 3 == 0:
            raise ValueError(number)
        return number

    @tracked
    def in_thread(number: int) -> int:
        with tracked as span:
            span.note(number=-number)
        note(number=number)
        return number

    results = await asyncio.gather(
        *(in_task(number, chance.randrange(5)) for number in range(200)),
        *(asyncio.to_thread(in_thread, number) for number in range(200, 300)),
        return_exceptions=True,
    )
    assert most > 1
    failures = [result for result in results if isinstance(result, ValueError)]
    assert len(failures) == 67, f"seed {seed}"
    numbers = sorted(event.metadata["number"] for event in recorder.events)
    assert numbers == sorted([*range(300), *(-number for number in range(200, 300))]), f"seed {seed}"
    failed = {event.metadata["number"] for event in recorder.events if event.status == "failed"}
    assert failed == set(range(0, 200, 3)), f"seed {seed}"


async def test_an_asynchronous_generator_that_is_closed_elsewhere_is_recorded_once() -> None:
    recorder = Recorded()
    tracked = track(recorder, "numbers.given")

    async def numbers() -> AsyncGenerator[int]:
        with tracked as span:
            span.note(who="generator")
            yield 1
            yield 2

    async def begin() -> AsyncGenerator[int]:
        given = numbers()
        await anext(given)
        return given

    with tracked as outer:
        outer.note(who="outer")
        given = await asyncio.create_task(begin())
        await given.aclose()
        assert [event.status for event in recorder.events] == ["cancelled"]
    assert [event.status for event in recorder.events] == ["cancelled", "completed"]


def _generator() -> Iterator[int]:
    yield 1


async def _asynchronous_generator() -> AsyncGenerator[int]:
    yield 1


def _class_method(kind: type) -> str:
    return kind.__name__


class _Generating:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "function",
    [
        _generator,
        _asynchronous_generator,
        _Generating(),
        _Generating,
        staticmethod(len),
        classmethod(_class_method),
        3,
    ],
)
def test_what_cannot_be_timed_is_refused_where_it_is_decorated(function: Any) -> None:
    with pytest.raises(TypeError, match="track"):
        track(Recorded(), "numbers.given")(function)


async def test_a_callable_object_with_an_asynchronous_call_is_awaited() -> None:
    class Work:
        async def __call__(self) -> int:
            await asyncio.sleep(0)
            raise ValueError

    recorder = Recorded()
    with pytest.raises(AttributeError):
        _ = Work().__name__  # type: ignore[attr-defined]
    work: Callable[[], Any] = track(recorder, "work.done")(Work())
    with pytest.raises(ValueError):
        await work()
    assert recorder.only.status == "failed"


async def test_a_function_that_only_makes_a_coroutine_is_told_of() -> None:
    async def work() -> int:
        return 1

    before = MISHAPS.counts().get("'work.made'", 0)
    made = track(Recorded(), "work.made")(lambda: work())
    assert await made() == 1
    assert MISHAPS.counts()["'work.made'"] == before + 1


def test_work_that_runs_out_of_stack_fails_as_it_would_untracked() -> None:
    recorder = Recorded()

    @track(recorder, "descent.made")
    def descend() -> None:
        descend()

    with pytest.raises(RecursionError):
        descend()
    with track(recorder, "descent.made") as span:
        span.note(after=True)
    assert recorder.events[-1].metadata["after"] is True


def test_trouble_is_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    broken = Recorded(broken=RuntimeError("password=hunter2"))
    before = MISHAPS.total
    with caplog.at_level(logging.WARNING, "store"):
        for _ in range(3):
            with track(broken, "trouble.tested\n\x1b[2J"):
                pass
    assert MISHAPS.total == before + 3
    assert [record.getMessage() for record in caplog.records] == [
        "tracking of 'trouble.tested\\n\\x1b[2J' has trouble: 'RuntimeError' (told once)"
    ]


def test_places_of_trouble_are_bounded() -> None:
    mishaps = Mishaps()
    for number in range(1_000):
        mishaps.note(f"place {number}", "test")
    counts = mishaps.counts()
    assert len(counts) == 257
    assert counts["(others)"] == 744
    assert mishaps.total == 1_000


def test_a_log_handler_that_raises_does_not_reach_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Raising(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("handler")

    handler = Raising()
    logging.getLogger("store").addHandler(handler)
    try:
        with track(Recorded(broken=RuntimeError()), "trouble.unheard"):
            done = True
    finally:
        logging.getLogger("store").removeHandler(handler)
    assert done


async def test_threads_that_share_a_track_do_not_mix_their_runs() -> None:
    recorder = Recorded()
    tracked = track(recorder, "work.done")
    inside = threading.Barrier(4)

    def work(number: int) -> None:
        with tracked as span:
            inside.wait(5)
            span.note(number=number)
            inside.wait(5)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    await until(lambda: len(recorder.events) == 4)
    for thread in threads:
        thread.join()
    assert sorted(event.metadata["number"] for event in recorder.events) == [0, 1, 2, 3]
