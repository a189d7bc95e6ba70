"""Callbacks on what was recorded: after the commit, in order, each for itself."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from store.event import Event
from store.recorder import Recorder, RecorderOptions, SpoolSettings
from store.recorder.listeners import MAX_WAITING, MAX_WAITING_BYTES, Listener
from store.spool import Spool
from tests.events import make_events
from tests.store.recorder_runs import balanced, contents, prepare, refusing_trigger
from tests.waiting import wait_until


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    prepare(url, *refusing_trigger(url))
    return url


class Heard:
    """A callback that remembers."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.numbers: list[int] = []
        self.calls = 0
        self.threads: set[str] = set()

    def __call__(self, events: Sequence[Event]) -> None:
        self.calls += 1
        self.numbers += [event.metadata["n"] for event in events]
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise self.error


def record(recorder: Recorder, *numbers: int) -> None:
    for n in numbers:
        recorder.record("job.executed", metadata={"n": n})


def test_a_listener_is_told_once_of_each_event_in_order_after_its_commit(url: str) -> None:
    stored_before: list[bool] = []
    heard = Heard()

    def look(events: Sequence[Event]) -> None:
        assert all(event.position for event in events)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            last = connection.execute("SELECT max(position) FROM events").fetchone()[0]
        stored_before.append(last >= (events[-1].position or 0))

    with Recorder(url) as recorder, balanced(recorder):
        recorder.on_recorded(heard)
        recorder.on_recorded(look)
        record(recorder, *range(1200))
        # Repeated and refused ones are none of its business.
        again = contents_after_flush(recorder, url)
        recorder.record("job.executed", id=again[0].id, metadata={"n": -1})
        recorder.record("job.poison", metadata={"n": -2})
        record(recorder, 1200)
        assert recorder.flush(20)
        assert recorder.close(10)
        assert recorder.stats().listener_failures == 0
    assert heard.numbers == list(range(1201))
    assert heard.threads == {"evtop-listener"}
    assert stored_before
    assert all(stored_before)


def contents_after_flush(recorder: Recorder, url: str) -> list[Event]:
    assert recorder.flush(20)
    return contents(url).events


@pytest.mark.parametrize("error", [ZeroDivisionError("of a listener"), SystemExit(3)])
def test_a_listener_that_fails_fails_alone(
    url: str, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    broken, whole = Heard(error), Heard()
    with Recorder(url) as recorder, balanced(recorder):
        for callback in (broken, whole):
            recorder.on_recorded(callback)
        for n in range(5):
            record(recorder, n)
            assert recorder.flush(10)
        assert recorder.close(10)
        stats = recorder.stats()
    assert broken.numbers == whole.numbers == [0, 1, 2, 3, 4]
    assert (stats.stored, stats.listener_failures) == (5, broken.calls)
    assert caplog.text.count("a listener of recorded events failed") == 1


def test_a_slow_listener_delays_no_commit_and_no_other_listener(url: str) -> None:
    go_on = threading.Event()
    quick = Heard()
    with Recorder(url) as recorder, balanced(recorder):
        recorder.on_recorded(lambda _: go_on.wait(30))
        recorder.on_recorded(quick)
        for first in range(0, 2000, 500):
            record(recorder, *range(first, first + 500))
            assert recorder.flush(10)
        wait_until(lambda: len(quick.numbers) == 2000)
        assert recorder.stats().stored == 2000
        go_on.set()


def test_what_a_slow_listener_cannot_take_is_left_out_and_counted(url: str) -> None:
    go_on = threading.Event()
    heard = Heard()

    def slow(events: Sequence[Event]) -> None:
        assert go_on.wait(60)
        heard(events)

    recorder = Recorder(url, options=RecorderOptions(queue_events=20_000))
    recorder.on_recorded(slow)
    with recorder, balanced(recorder):
        record(recorder, *range(MAX_WAITING + 2500))
        assert recorder.flush(60)
        stats = recorder.stats()
        assert stats.stored == MAX_WAITING + 2500
        assert 2000 <= stats.listener_overflows <= 2500
        go_on.set()
        assert recorder.close(10)
        missed = recorder.stats().listener_overflows
    assert len(heard.numbers) == MAX_WAITING + 2500 - missed
    assert heard.numbers == sorted(heard.numbers)


def test_large_events_that_wait_for_a_listener_are_bounded_by_their_bytes() -> None:
    go_on = threading.Event()
    heard = Heard()

    def slow(events: Sequence[Event]) -> None:
        assert go_on.wait(60)
        heard(events)

    listener = Listener(slow, lambda: None)
    half = MAX_WAITING_BYTES // 2
    assert [listener.tell(make_events(1, metadata={"n": n}), half) for n in range(3)] == [True, True, False]
    go_on.set()
    wait_until(lambda: heard.calls == 2)
    # There is room again; and one that is alone is taken however large it is.
    wait_until(lambda: listener.tell(make_events(1, metadata={"n": 3}), 2 * MAX_WAITING_BYTES))
    assert listener.close(10) == 0
    assert heard.numbers == [0, 1, 3]


def test_large_events_that_a_slow_listener_cannot_take_are_counted(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.recorder.listeners.MAX_WAITING_BYTES", 200_000)
    go_on = threading.Event()
    recorder = Recorder(url, options=RecorderOptions(batch_events=1))
    recorder.on_recorded(lambda _: go_on.wait(60))
    with recorder, balanced(recorder):
        for n in range(10):
            recorder.record("job.executed", metadata={"n": n, "text": "x" * 60_000})
        assert recorder.flush(20)
        stats = recorder.stats()
        assert (stats.stored, stats.listener_overflows) == (10, 7)
        go_on.set()


def test_a_listener_goes_on_though_its_failure_cannot_be_logged(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("store.recorder.listeners.logger.error", broken)
    monkeypatch.setattr("store.recorder.listeners.logger.exception", broken)
    heard = Heard(ZeroDivisionError())
    with Recorder(url) as recorder:
        recorder.on_recorded(heard)
        for n in range(3):
            record(recorder, n)
            assert recorder.flush(10)
        assert recorder.close(10)
    assert heard.numbers == [0, 1, 2]


def test_closing_lets_listeners_finish_within_its_time_and_counts_what_they_miss(url: str) -> None:
    go_on = threading.Event()
    heard = Heard()
    stuck = Heard()

    def slow(events: Sequence[Event]) -> None:
        time.sleep(0.05)
        heard(events)

    def hang(events: Sequence[Event]) -> None:
        stuck(events)
        go_on.wait(30)

    recorder = Recorder(url)
    recorder.on_recorded(slow)
    recorder.on_recorded(hang)
    for n in range(5):
        record(recorder, n)
        assert recorder.flush(10)
    began = time.monotonic()
    assert recorder.close(1.5)
    assert time.monotonic() - began < 1.5 + 2
    assert heard.numbers == [0, 1, 2, 3, 4]
    assert stuck.numbers == [0]
    assert recorder.stats().listener_overflows == 4
    go_on.set()


def test_a_listener_may_record_and_may_close_the_recorder(url: str) -> None:
    recorder = Recorder(url)
    ended = threading.Event()
    failures: list[BaseException] = []

    def follow(events: Sequence[Event]) -> None:
        try:
            for event in events:
                if event.metadata["n"] == 0:
                    record(recorder, 1)
                    assert recorder.flush(10)
                else:
                    recorder.close(10)
                    ended.set()
        except BaseException as error:
            failures.append(error)

    recorder.on_recorded(follow)
    record(recorder, 0)
    assert ended.wait(20)
    assert not failures
    assert contents(url).numbers == [0, 1]
    assert recorder.stats().balance == 0


def test_a_listener_that_is_added_late_hears_what_comes_then(url: str) -> None:
    heard = Heard()
    with Recorder(url) as recorder:
        record(recorder, 0)
        assert recorder.flush(10)
        recorder.on_recorded(heard)
        record(recorder, 1)
        assert recorder.flush(10)
    assert heard.numbers == [1]


def test_a_listener_hears_of_spooled_events_when_they_are_stored(url: str, tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", "earlier")
    spool.append([b'{"event_type":"job.executed","metadata":{"n":0}}'])
    spool.close()
    heard = Heard()
    with Recorder(url, options=RecorderOptions(spool=SpoolSettings(folder=tmp_path / "spool"))) as recorder:
        recorder.on_recorded(heard)
        record(recorder, 1)
        wait_until(lambda: recorder.stats().stored == 2)
    assert heard.numbers == [0, 1]


def test_without_threads_a_listener_misses_events_and_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    heard = Heard()
    listener = Listener(heard, lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert listener.tell(make_events(3), 300) is False
    assert listener.tell(make_events(2, metadata={"n": 7}), 200) is True
    assert listener.close(5) == 0
    assert heard.numbers == [7, 7]
    assert listener.tell(make_events(1), 100) is False
