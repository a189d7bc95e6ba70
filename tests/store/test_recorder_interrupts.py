"""Signal handlers that raise wherever they interrupt the application: the recorder goes on, and everything is counted.

What a handler may raise is raised at the places where it does harm; `test_recorder_signals.py` has the real signals.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from store.recorder import Recorder
from store.recorder.background_writer import BackgroundWriter
from store.recorder.bell import Bell
from tests.store.recorder_runs import contents
from tests.waiting import wait_until


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[BackgroundWriter]:
    """The writers that ran."""
    run = BackgroundWriter.run
    writers: list[BackgroundWriter] = []

    def counted(writer: BackgroundWriter) -> None:
        writers.append(writer)
        run(writer)

    monkeypatch.setattr(BackgroundWriter, "run", counted)
    return writers


def record(recorder: Recorder, n: int) -> None:
    assert recorder.record("job.executed", metadata={"n": n})


def wait_for_idleness(recorder: Recorder) -> None:
    """Return when the writer sleeps until the next event."""
    wait_until(lambda: recorder._writer is not None and recorder._writer.bell.threshold == 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RecursionError])
def test_a_ring_that_is_interrupted_leaves_it_to_the_next_one(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupted(*_: object) -> bool:
        raise error

    bell = Bell()
    bell.threshold = 1
    with monkeypatch.context() as patch:
        patch.setattr(Bell, "call", interrupted)
        with pytest.raises(error):
            bell.ring()
    assert bell.threshold == 1


def test_an_event_whose_ring_was_interrupted_is_stored_with_the_next_one(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("store.recorder.bell._WAIT_MAX", 60.0)
    record(recorder, 0)
    wait_until(lambda: recorder.stats().stored == 1)
    wait_for_idleness(recorder)
    with monkeypatch.context() as patch:
        patch.setattr(Bell, "call", interrupted)
        with pytest.raises(KeyboardInterrupt):
            record(recorder, 1)
    record(recorder, 2)
    wait_until(lambda: recorder.stats().stored == 3)


def test_an_event_for_which_nobody_rings_is_stored_all_the_same(recorder: Recorder) -> None:
    record(recorder, 0)
    wait_until(lambda: recorder.stats().stored == 1)
    wait_for_idleness(recorder)
    assert recorder._writer is not None
    recorder._writer.bell.threshold = inf
    record(recorder, 1)
    wait_until(lambda: recorder.stats().stored == 2)


Start = Callable[[threading.Thread], None]


def interrupted_start(
    monkeypatch: pytest.MonkeyPatch, how: Callable[[Start, threading.Thread], None]
) -> None:
    """Have `how` start the next thread, and raise."""
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        how(start, thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
def test_a_start_that_is_interrupted_while_the_thread_runs_is_the_only_one(
    url: str,
    runs: list[BackgroundWriter],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[BaseException],
) -> None:
    def start_and_raise(start: Start, thread: threading.Thread) -> None:
        start(thread)
        wait_until(lambda: runs)
        raise error

    interrupted_start(monkeypatch, start_and_raise)
    with Recorder(url) as recorder:
        if error is KeyboardInterrupt:
            with pytest.raises(KeyboardInterrupt):
                record(recorder, 0)
        else:
            record(recorder, 0)
        record(recorder, 1)
        assert recorder.flush(10)
        stats = recorder.stats()
    assert len(runs) == 1
    assert (stats.stored, stats.dropped, stats.balance) == (2, {}, 0)
    assert contents(url).numbers == [0, 1]
    assert "cannot be started" not in caplog.text


def test_a_thread_that_comes_when_its_writer_was_given_up_ends_and_drops_nothing(
    url: str, runs: list[BackgroundWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[tuple[Start, threading.Thread]] = []

    def raise_before(start: Start, thread: threading.Thread) -> None:
        late.append((start, thread))
        raise KeyboardInterrupt

    interrupted_start(monkeypatch, raise_before)
    with Recorder(url) as recorder:
        with pytest.raises(KeyboardInterrupt):
            record(recorder, 0)
        start, thread = late.pop()
        record(recorder, 1)
        start(thread)
        thread.join(10)
        assert not thread.is_alive()
        assert recorder.flush(10)
        stats = recorder.stats()
    assert len(runs) == 1
    assert (stats.stored, stats.dropped, stats.balance) == (2, {}, 0)


def test_a_start_that_is_interrupted_before_it_began_is_made_up_for(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    with Recorder(url) as recorder:
        with monkeypatch.context() as patch:
            patch.setattr("store.recorder.recorder.new_producer", interrupted)
            with pytest.raises(KeyboardInterrupt):
                record(recorder, 0)
        record(recorder, 1)
        assert recorder.flush(10)
        assert recorder.close(10)
    assert contents(url).numbers == [0, 1]


def test_a_flush_that_is_interrupted_or_takes_too_long_asks_for_nothing_any_more(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    record(recorder, 0)
    assert recorder.flush(10)
    writer = recorder._writer
    assert writer is not None
    with monkeypatch.context() as patch:
        patch.setattr(Bell, "call", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recorder.flush(10)
    monkeypatch.setattr(BackgroundWriter, "_answer", lambda writer: None)
    assert recorder.flush(0.01) is False
    assert not writer._flushes
    monkeypatch.undo()
