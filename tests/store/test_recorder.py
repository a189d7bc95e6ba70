"""`record()`: from anywhere, with anything, in no time, and never in the way."""

from __future__ import annotations

import asyncio
import enum
import gc
import itertools
import json
import logging
import math
import resource
import sys
import threading
import time
import traceback
import tracemalloc
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

import pytest
from pydantic import SecretStr

from store.recorder import Recorder, RecorderOptions
from store.recorder.encoding import EVENT_MAX_BYTES, NOT_JSON, TOO_LARGE
from store.recorder.ledger import CLOSED, QUEUE_FULL
from store.recorder.recorder import UNUSABLE
from tests.store.recorder_runs import NOWHERE, PASSWORD, balanced, contents, run_script
from tests.waiting import wait_until


class Hostile:
    """Raises whatever is asked of it."""

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__  # pyright: ignore[reportAssignmentType]

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("iter")

    def __len__(self) -> int:
        raise RuntimeError("len")

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        raise RuntimeError("hash")


class HostileDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("items")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("iter")

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("getitem")


def nested(levels: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for _ in range(levels):
        metadata = {"a": metadata}
    return metadata


def endless() -> Iterator[int]:
    yield from itertools.count()


def itself() -> dict[str, Any]:
    metadata: dict[str, Any] = {"n": 1}
    metadata["self"] = [metadata]
    return metadata


def shared(levels: int) -> list[Any]:
    """Few objects that would be two to the power of `levels` when written out."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value, value]
    return value


class Colour(enum.Enum):
    RED = "red"


def test_an_event_is_stored_as_it_was_recorded(store_url: str) -> None:
    began = datetime.now(UTC)
    with Recorder(store_url) as recorder, balanced(recorder):
        assert recorder.record(
            "download.failed",
            actor_type="user",
            actor_id="42",
            resource_type="download",
            resource_id="9f3a",
            metadata={"size": 3, "title": "Ω\u202e\x1b[31m🦊"},
            status="failed",
        )
        assert recorder.record("app.sync", id=UUID(int=5), inserted_at=datetime(2026, 1, 2, tzinfo=UTC))
        assert recorder.flush(20)
        stats = recorder.stats()
    assert (stats.accepted, stats.stored, stats.queued) == (2, 2, 0)
    first, second = contents(store_url).events
    assert first.actor == "user:42"
    assert first.resource == "download/9f3a"
    assert first.metadata == {"size": 3, "title": "Ω\u202e\x1b[31m🦊"}
    assert (first.severity, first.category, first.status) == ("error", "downloads", "failed")
    assert began <= first.inserted_at <= datetime.now(UTC)
    assert first.id.version == 7
    assert (second.id, second.inserted_at) == (UUID(int=5), datetime(2026, 1, 2, tzinfo=UTC))


def test_many_threads_record_at_once(recorder: Recorder, url: str) -> None:
    def run(who: int) -> None:
        for n in range(500):
            assert recorder.record("job.executed", metadata={"n": n, "who": who})

    threads = [threading.Thread(target=run, args=(who,)) for who in range(8)]
    with balanced(recorder):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert recorder.flush(30)
    assert recorder.stats().stored == 4000
    events = contents(url).events
    for who in range(8):
        # Each thread's own events keep their order.
        assert [event.metadata["n"] for event in events if event.metadata["who"] == who] == list(range(500))


async def test_a_running_event_loop_is_not_held_up(recorder: Recorder) -> None:
    async def run() -> None:
        for _ in range(200):
            assert recorder.record("job.executed")
            await asyncio.sleep(0)

    began = time.monotonic()
    await asyncio.gather(run(), run())
    # What commits does so in another thread.
    assert time.monotonic() - began < 5
    assert await asyncio.to_thread(recorder.flush, 10)
    assert recorder.stats().stored == 400


def test_a_destructor_may_record(recorder: Recorder) -> None:
    class Resource:
        def __init__(self) -> None:
            # A cycle, so that the collector destroys it, in whatever it interrupts.
            self.self = self

        def __del__(self) -> None:
            recorder.record("app.collected")

    before = gc.get_threshold()
    gc.set_threshold(20)
    try:
        with balanced(recorder):
            for _ in range(3000):
                Resource()
                recorder.record("job.executed")
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert recorder.flush(30)
    # What a flush has put on the disk is stored a moment later.
    wait_until(lambda: recorder.stats().stored == 6000, 30.0, recorder.stats)


@pytest.mark.parametrize(
    ("metadata", "kept"),
    [
        ({"moment": datetime(2026, 1, 2, tzinfo=UTC)}, {"moment": "2026-01-02T00:00:00Z"}),
        ({"day": date(2026, 1, 2), "time": timedelta(hours=1)}, {"day": "2026-01-02", "time": "PT1H"}),
        ({"id": UUID(int=1)}, {"id": str(UUID(int=1))}),
        ({"path": Path("/x"), "price": Decimal("1.50")}, {"path": "/x", "price": "1.50"}),
        ({"colour": Colour.RED, Colour.RED: 1}, {"colour": "red", "red": 1}),
        ({"tuple": (1, 2), "set": {3}}, {"tuple": [1, 2], "set": [3]}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        ({1: 2, None: 3}, {"1": 2, "null": 3}),
        ({"bytes": b"text"}, {"bytes": "text"}),
        ({"object": object(), "mock": MagicMock()}, {"object": "<object>", "mock": "<MagicMock>"}),
        ({"generator": endless(), "type": int}, {"generator": "<generator>", "type": "<type>"}),
        ({"bad": Hostile()}, {"bad": "<Hostile>"}),
        ({"bad": HostileDict(a=1)}, {"bad": {"a": 1}}),
        ({"huge": 10**1_000_000}, {"huge": "<int>"}),
        (itself(), {"n": 1, "self": ["<dict>"]}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) and value else "",
)
def test_metadata_is_taken_down_as_well_as_json_can(
    recorder: Recorder, url: str, metadata: Any, kept: dict[str, Any]
) -> None:
    assert recorder.record("job.executed", metadata=metadata)
    assert recorder.flush(10)
    assert [event.metadata for event in contents(url).events] == [kept]


def test_a_generator_is_not_used_up(recorder: Recorder) -> None:
    numbers = iter([1, 2, 3])
    recorder.record("job.executed", metadata={"numbers": numbers, "pair": (numbers,)})
    recorder.record("job.executed", metadata={"numbers": (n for n in numbers)})
    assert list(numbers) == [1, 2, 3]


@pytest.mark.parametrize(
    "event",
    [
        {"event_type": None},
        {"event_type": 17},
        {"event_type": ["list"]},
        {"event_type": ""},
        {"event_type": "no dots"},
        {"metadata": [1, 2]},
        {"metadata": "text"},
        {"metadata": endless()},
        {"metadata": nested(33)},
        {"metadata": nested(10_000)},
        {"metadata": {"nan": math.nan}},
        {"metadata": {"infinite": -math.inf}},
        {"metadata": {"surrogate": "\ud800"}},
        {"metadata": {"\ud800": 1}},
        {"metadata": {"nul": "\x00"}},
        {"metadata": {"large": 2**63}},
        {"metadata": {"key" * 30_000: 1}},
        {"metadata": {"text": "x" * 70_000}},
        {"actor_type": "robot"},
        {"actor_id": 17},
        {"resource_id": "x" * 300},
        {"inserted_at": "yesterday"},
        {"inserted_at": datetime(2026, 1, 1)},
        {"inserted_at": datetime.min.replace(tzinfo=UTC)},
        {"id": "no uuid"},
        {"id": 17},
        {"severity": "fatal"},
        {"unknown": 1},
    ],
    ids=lambda event: next(iter(event)),
)
def test_what_is_no_event_goes_to_the_dead_letters(
    recorder: Recorder, url: str, event: dict[str, Any]
) -> None:
    assert recorder.record(event.pop("event_type", "job.executed"), **event)
    assert recorder.record("job.executed", metadata={"n": 1})
    assert recorder.flush(10)
    stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.balance) == (1, 1, 0)
    found = contents(url)
    assert found.numbers == [1]
    letter = found.letters[0]
    assert letter.reason
    assert letter.reason.isprintable()
    assert json.loads(letter.payload)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"event_type": "x" * 1_000_000}, TOO_LARGE),
        ({"metadata": {"text": "x" * 100_000_000}}, TOO_LARGE),
        ({"metadata": {"numbers": list(range(EVENT_MAX_BYTES))}}, TOO_LARGE),
        ({"metadata": {"shared": shared(30)}}, TOO_LARGE),
        ({"metadata": {"shared": shared(30), "object": object()}}, TOO_LARGE),
        ({"metadata": {"shared": [list(range(10_000))] * 10_000}}, TOO_LARGE),
        ({"metadata": {"shared": [dict.fromkeys(map(str, range(10_000)))] * 10_000}}, TOO_LARGE),
        ({"metadata": {"text": "\ud800" * 50_000}}, TOO_LARGE),
        ({"metadata": {str(n): n for n in range(EVENT_MAX_BYTES)}}, TOO_LARGE),
        ({"metadata": {Hostile: Hostile(), "x": MagicMock(spec=dict)}}, NOT_JSON),
    ],
    ids=lambda value: "",
)
def test_what_is_too_large_is_dropped_and_counted(
    recorder: Recorder, event: dict[str, Any], reason: str
) -> None:
    began = time.monotonic()
    assert recorder.record(event.pop("event_type", "job.executed"), **event) is False
    assert time.monotonic() - began < 20.0
    assert recorder.stats().dropped == {reason: 1}


@pytest.mark.parametrize(
    "metadata",
    [
        {"x" * 1_000_000: 1},
        {"inner": [{"x" * 1_000_000: 1}]},
        {"x" * 10_000 + str(n): n for n in range(100)},
    ],
)
def test_keys_that_are_too_large_are_not_even_encoded(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, metadata: dict[str, Any]
) -> None:
    encodes = MagicMock(return_value=b"{}")
    monkeypatch.setattr("store.recorder.encoding.to_json", encodes)
    assert recorder.record("job.executed", metadata=metadata) is False
    assert recorder.record("job.executed", **metadata) is False
    assert recorder.stats().dropped == {TOO_LARGE: 2}
    encodes.assert_not_called()


def test_a_large_dict_is_not_copied_before_it_is_measured(recorder: Recorder) -> None:
    large = dict.fromkeys(range(500_000))
    tracemalloc.start()
    try:
        assert recorder.record("job.executed", metadata={"object": object(), "large": large}) is False
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The pairs alone would take 28 megabytes.
    assert peak < 5_000_000


def test_a_dict_that_changes_meanwhile_harms_nothing(recorder: Recorder) -> None:
    metadata: dict[str, Any] = {}

    class Changes(str):
        """Changes the dict that it is in when it is looked at."""

        def __str__(self) -> str:
            metadata[f"k{len(metadata)}"] = 1
            return "x"

    def numbers() -> Iterator[int]:
        metadata.update({str(n): n for n in range(1000)})
        yield 1

    metadata |= {"a": Changes("x"), "b": numbers(), "c": 1}
    ends = threading.Event()

    def change() -> None:
        n = 0
        while not ends.is_set():
            n += 1
            metadata[f"n{n % 100}"] = {"n": n}
            metadata.pop(f"n{(n + 50) % 100}", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        with balanced(recorder):
            for _ in range(300):
                recorder.record("job.executed", metadata=metadata)
                recorder.record("job.executed", metadata={"inner": [metadata]})
    finally:
        ends.set()
        thread.join()
    assert recorder.flush(30)
    stats = recorder.stats()
    assert stats.accepted == 600
    assert stats.dropped.keys() <= {NOT_JSON, TOO_LARGE}
    assert stats.stored > 300


def test_what_changes_after_record_changes_nothing(recorder: Recorder, url: str) -> None:
    metadata: dict[str, Any] = {"list": [1], "n": 0}
    for _ in range(3):
        recorder.record("job.executed", metadata=metadata)
        metadata["list"].append(2)
        metadata["n"] += 1
    metadata.clear()
    assert recorder.flush(10)
    assert [event.metadata for event in contents(url).events] == [
        {"list": [1, *[2] * n], "n": n} for n in range(3)
    ]


def test_record_raises_not_even_at_the_end_of_the_stack(recorder: Recorder) -> None:
    answers: list[bool] = []
    # The writer runs: it cannot be started where the stack ends, and nobody records later.
    assert recorder.record("job.executed")
    wait_until(lambda: recorder.stats().stored == 1)

    def deeper() -> None:
        try:
            deeper()
        finally:
            answers.append(recorder.record("job.executed"))

    with pytest.raises(RecursionError, match="maximum recursion"):
        deeper()
    assert len(answers) > 500
    assert True in answers
    # Whoever was last to ring had no stack left. Not by a flush, which would ring too.
    wait_until(lambda: recorder.stats().stored == 1 + sum(answers), 20)
    assert recorder.stats().balance == 0
    assert recorder.record("job.executed")
    wait_until(lambda: recorder.stats().stored == 2 + sum(answers))


@pytest.mark.parametrize("by", ["count", "bytes"])
@pytest.mark.parametrize("threads", [1, 8])
def test_a_full_queue_drops_and_counts(by: str, threads: int, caplog: pytest.LogCaptureFixture) -> None:
    size = len(
        b'{"event_type":"job.executed","id":"","inserted_at":"2026-11-21T12:00:00.000000Z","metadata":{"x":""}}'
    )
    text = "x" * (10_000 - size - 36)
    options = RecorderOptions(queue_events=700) if by == "count" else RecorderOptions(queue_bytes=7_000_000)
    moment = datetime(2026, 11, 21, 12, microsecond=5, tzinfo=UTC)
    recorder = Recorder(NOWHERE, options=options)
    counts: list[int] = []

    def run() -> None:
        counts.append(
            sum(
                recorder.record("job.executed", inserted_at=moment, metadata={"x": text})
                for _ in range(1600 // threads)
            )
        )

    with balanced(recorder):
        started = [threading.Thread(target=run) for _ in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        stats = recorder.stats()
        # What is being committed is in memory like the rest.
        assert (sum(counts), stats.queued, stats.dropped) == (700, 700, {QUEUE_FULL: 900})
        assert recorder.close(0.5) is False
    assert recorder.stats().dropped == {QUEUE_FULL: 900, CLOSED: 700}
    assert caplog.text.count("queue full") == 1
    assert PASSWORD not in caplog.text


def test_a_full_queue_of_large_events_fits_into_64_megabytes() -> None:
    run = run_script(
        """
        import json, os, sys
        import psutil
        from store.recorder import Recorder
        process = psutil.Process()
        recorder = Recorder(sys.argv[1])
        recorder.record("job.executed")
        while recorder.stats().retries == 0:
            pass
        idle = process.memory_info().rss
        peak = 0
        text = "x" * 65_000
        for n in range(2000):
            recorder.record("job.executed", metadata={"x": text, "n": n})
            peak = max(peak, process.memory_info().rss)
        stats = recorder.stats()
        recorder.close(1)
        peak = max(peak, process.memory_info().rss)
        print(json.dumps([(peak - idle) / 2**20, stats.queued, sum(stats.dropped.values())]))
        """,
        NOWHERE,
    )
    megabytes, queued, dropped = run.said
    assert queued > 500
    assert dropped > 1400
    assert megabytes <= 64


def test_without_threads_events_are_taken_and_counted_as_dropped(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    recorder = Recorder(url)
    monkeypatch.setattr(threading.Thread, "start", start)
    for _ in range(100):
        assert recorder.record("job.executed")
    assert recorder.flush(0.1) is False
    assert recorder.stats().queued == 100
    assert caplog.text.count("cannot be started") == 1
    monkeypatch.undo()
    # It starts as soon as that is possible.
    deadline = time.monotonic() + 10
    while not recorder.flush(1) and time.monotonic() < deadline:
        recorder.record("job.executed")
    assert recorder.close(10)
    assert recorder.stats().stored >= 100


@pytest.mark.skipif(sys.platform != "linux", reason="limits processes of a user, threads among them")
def test_the_limit_of_processes_stops_no_application(tmp_path: Path) -> None:
    run = run_script(
        """
        import json, os, resource, sys
        from store.recorder import Recorder
        recorder = Recorder(sys.argv[1])
        if os.getuid() == 0:
            # The limit does not bind root.
            os.setgid(65534)
            os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        answers = [recorder.record("job.executed") for _ in range(3)]
        print(json.dumps([answers, recorder.flush(0.2), recorder.close(0.2), recorder.stats().dropped]))
        """,
        "sqlite:////nonexistent/events.db",
    )
    assert run.said == [[True] * 3, False, False, {CLOSED: 3}]


def test_without_descriptors_the_writer_comes_back(url: str, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(url)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[Any] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        while True:
            held.append(Path("/dev/null").open())  # noqa: SIM115
    except OSError:
        pass
    try:
        assert recorder.record("job.executed")
        assert recorder.flush(0.3) is False
    finally:
        for file in held:
            file.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    deadline = time.monotonic() + 10
    while not recorder.flush(1) and time.monotonic() < deadline:
        recorder.record("job.executed")
    assert recorder.close(10)
    assert recorder.stats().stored >= 1
    assert recorder.stats().balance == 0
    assert len([line for line in caplog.records if line.levelno >= logging.WARNING]) == 1


def test_closing_twice_and_recording_afterwards(recorder: Recorder, url: str) -> None:
    recorder.record("job.executed")
    assert recorder.close(10)
    began = time.monotonic()
    assert recorder.close(10)
    assert recorder.flush(10)
    assert time.monotonic() - began < 5
    assert [recorder.record("job.executed") for _ in range(3)] == [False] * 3
    stats = recorder.stats()
    assert (stats.accepted, stats.stored, stats.dropped, stats.balance) == (4, 1, {CLOSED: 3}, 0)
    assert len(contents(url).events) == 1


def test_a_recorder_that_recorded_nothing_closes_at_once(url: str) -> None:
    recorder = Recorder(url)
    assert recorder.flush(0)
    assert recorder.close(0)
    assert recorder.record("job.executed") is False
    assert recorder.close(0)


@pytest.mark.thorough
def test_events_recorded_while_the_recorder_is_closed_are_stored_or_counted(url: str) -> None:
    for _ in range(5):
        recorder = Recorder(url)
        ends = threading.Event()
        kept: list[int] = []

        def run(recorder: Recorder = recorder, ends: threading.Event = ends, kept: list[int] = kept) -> None:
            count = 0
            while not ends.is_set():
                count += recorder.record("job.executed")
            kept.append(count)

        threads = [threading.Thread(target=run) for _ in range(3)]
        with balanced(recorder):
            for thread in threads:
                thread.start()
            assert recorder.close(20)
            ends.set()
            for thread in threads:
                thread.join()
        stats = recorder.stats()
        assert stats.queued == 0
        assert stats.stored == sum(kept)


def test_time_without_end_may_be_given(url: str) -> None:
    recorder = Recorder(url, options=RecorderOptions(exit_timeout=math.inf))
    recorder.record("job.executed")
    assert recorder.flush(math.inf)
    recorder.flush_at_exit()
    recorder.close_at_exit()
    assert recorder.close(math.inf)
    assert recorder.stats().stored == 1


def test_flush_and_close_return_in_time_though_nothing_can_be_stored() -> None:
    recorder = Recorder(NOWHERE)
    recorder.record("job.executed")
    for call in (recorder.flush, recorder.close):
        began = time.monotonic()
        assert call(0.4) is False
        assert time.monotonic() - began < 0.4 + 2
    assert recorder.stats().dropped == {CLOSED: 1}


@pytest.mark.parametrize(
    "options",
    [
        {"queue_events": 0},
        {"queue_bytes": 0},
        {"batch_events": 0},
        {"linger": -1},
        {"exit_timeout": -1},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))}.* must be"):
        RecorderOptions(**options)


def test_an_unusable_bus_is_refused_without_quoting_it() -> None:
    with pytest.raises(ValueError, match="bus") as caught:
        Recorder(NOWHERE, f"http://:{PASSWORD}@host")
    assert PASSWORD not in str(caught.value)
    # What a reporter of errors shows besides: the local variables, and who they belong to.
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)][1:]
    assert {frame.f_code.co_name for frame in frames} >= {"__init__", "producer_bus"}
    for frame in frames:
        assert PASSWORD not in repr(frame.f_locals)
    assert repr(frames[0].f_locals["self"]) == "<Recorder open>"


@pytest.mark.parametrize("wrap", [str, SecretStr])
def test_credentials_are_in_no_representation(wrap: type) -> None:
    recorder = Recorder(wrap(NOWHERE), wrap(f"redis://:{PASSWORD}@127.0.0.1:9/0"))
    for text in (repr(recorder), str(vars(recorder)), repr(recorder.stats())):
        assert PASSWORD not in text


def test_arguments_that_break_everything_are_counted(recorder: Recorder) -> None:
    class Id(UUID):
        def __init__(self) -> None:
            pass

        def __str__(self) -> str:
            raise RuntimeError("str")

    hostile: Any = Hostile()
    answers = [recorder.record("job.executed", id=Id()), recorder.record("job.executed", status=hostile)]
    stats = recorder.stats()
    assert stats.accepted == 2
    assert stats.dropped.keys() <= {NOT_JSON, UNUSABLE}
    assert sum(stats.dropped.values()) == answers.count(False)
