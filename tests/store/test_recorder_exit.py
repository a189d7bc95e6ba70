"""A recorder at the end of its process: what was recorded is stored, however the process ends."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.store.recorder_runs import NOWHERE, PASSWORD, contents, prepare, run_script
from tests.valkey import ValkeyServer


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store whose file is not there yet."""
    return f"sqlite:///{tmp_path / 'new' / 'events.db'}"


BEGIN = """
import atexit, os, sys, threading, time
from store.recorder import Recorder, RecorderOptions
recorder = Recorder(sys.argv[1], options=RecorderOptions(exit_timeout=30))
def record(n):
    return recorder.record("job.executed", metadata={"n": n})
"""


def script(body: str) -> str:
    return BEGIN + body


LATE = """
def run():
    threading.main_thread().join()
    time.sleep(0.2)
    for n in range({first}, 3):
        record(n)
threading.Thread(target=run).start()
for n in range({first}):
    record(n)
"""
IN_THREAD = """
def run():
    for n in range(3):
        record(n)
    sys.exit(5)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
ENDINGS = {
    "ends": ("", 0),
    "exits": ("sys.exit(3)", 3),
    "raises": ("raise KeyError('unhandled')", 1),
    "forgets": ("del recorder", 0),
}
PROGRAMS = {
    name: ("for n in range(3):\n    record(n)\n" + ending, code) for name, (ending, code) in ENDINGS.items()
} | {
    "exits in a thread": (IN_THREAD, 0),
    # The main thread has ended, and the interpreter has begun to, before the first event, or before the last ones.
    "begins late": (LATE.format(first=0), 0),
    "goes on late": (LATE.format(first=1), 0),
    "in a loop": (
        "import asyncio\nasync def main():\n    for n in range(3):\n        record(n)\nasyncio.run(main())",
        0,
    ),
    # Runs before the recorder is closed, like all that is registered after its import.
    "at exit": ("atexit.register(lambda: [record(n) for n in range(1, 3)])\nrecord(0)", 0),
    "first at exit": ("atexit.register(lambda: [record(n) for n in range(3)])", 0),
    "with": ("with recorder:\n    for n in range(3):\n        record(n)", 0),
}


@pytest.mark.thorough
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_was_recorded_is_stored_when_the_process_ends(url: str, program: str) -> None:
    body, code = PROGRAMS[program]
    run = run_script(script(body), url, code=code)
    assert contents(url).numbers == [0, 1, 2]
    assert run.errors == "" or "unhandled" in run.errors


def test_what_is_recorded_after_the_recorder_was_closed_at_exit_is_refused_and_harms_nothing(
    url: str,
) -> None:
    body = """
import json
def late():
    print(json.dumps([record(1), recorder.flush(1), recorder.close(1), recorder.stats().dropped["closed"]]))
record(0)
"""
    # Of the functions to run at exit, the first that was registered runs last.
    first = "import atexit\natexit.register(lambda: late())\n"
    run = run_script(first + BEGIN + body, url)
    assert run.said == [False, True, True, 1]
    assert contents(url).numbers == [0]


@pytest.mark.thorough
def test_the_end_of_a_process_announces_too(url: str) -> None:
    with ValkeyServer() as server:
        body = "recorder = Recorder(sys.argv[1], sys.argv[2])\nfor n in range(3): record(n)\nrecorder.close(10)\n"
        said = "import json; print(json.dumps(recorder.stats().announced))"
        assert run_script(script(body + said), url, server.url).said == 3
        assert run_script(script("recorder = Recorder(sys.argv[1], sys.argv[2])\nrecord(3)"), url, server.url)
        assert contents(url).numbers == [0, 1, 2, 3]


@contextmanager
def unusable(url: str, how: str) -> Iterator[str]:
    """The URL of a store that refuses connections, or never answers, or is locked."""
    if how == "away":
        yield NOWHERE
    elif how == "deaf":
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield f"postgresql://evtop:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}/evtop"
    else:
        prepare(url)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield url


@pytest.mark.thorough
@pytest.mark.parametrize("spools", [False, True])
@pytest.mark.parametrize("how", ["away", "deaf", "locked"])
def test_the_process_ends_in_time_when_the_store_cannot_be_used(
    url: str, tmp_path: Path, how: str, spools: bool
) -> None:
    folder = tmp_path / "spool"
    settings = f", spool=SpoolSettings(folder=Path({str(folder)!r}))" if spools else ""
    body = f"""
from pathlib import Path
from store.recorder import SpoolSettings
recorder = Recorder(sys.argv[1], "redis://:{PASSWORD}@127.0.0.1:9/0", RecorderOptions(exit_timeout=1.8{settings}))
for n in range(3):
    record(n)
began = time.monotonic()
def say():
    stats = recorder.stats()
    print(json.dumps([time.monotonic() - began, stats.spooled, stats.dropped.get("closed", 0), stats.balance]))
"""
    first = "import atexit, json\natexit.register(lambda: say())\n"
    with unusable(url, how) as place:
        run = run_script(first + BEGIN + body, place)
        seconds, *numbers = run.said
        assert seconds < 2.2
    assert numbers == ([3, 0, 0] if spools else [0, 3, 0])
    assert PASSWORD not in run.errors
    assert run.errors.count("cannot be stored") == (how == "away")
    if spools:
        follow = f"""
from pathlib import Path
from store.recorder import SpoolSettings
recorder = Recorder(sys.argv[1], options=RecorderOptions(spool=SpoolSettings(folder=Path({str(folder)!r}))))
record(3)
"""
        run_script(script(follow), url)
        assert contents(url).numbers == [0, 1, 2, 3]
        assert not list(folder.iterdir())


def test_a_process_that_ends_without_ending_in_order_keeps_what_was_flushed(url: str) -> None:
    run_script(script("record(0)\nassert recorder.flush(10)\nos._exit(0)"), url)
    assert contents(url).numbers == [0]


@pytest.mark.thorough
def test_the_writer_ends_with_the_process_though_the_host_goes_on_recording(url: str) -> None:
    body = """
def run():
    n = 0
    while True:
        record(n)
        n += 1
        time.sleep(0.0002)
threading.Thread(target=run, daemon=True).start()
time.sleep(0.2)
"""
    prepare(url)
    run_script(script(body), url)
    numbers = contents(url).numbers
    assert numbers
    assert numbers == list(range(len(numbers)))
