"""What `record()` costs the application: at 10,000 a second, and beside the standard library's queue handler."""

from __future__ import annotations

import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from logging.handlers import QueueHandler, QueueListener
from queue import Queue
from typing import Any

from store.recorder import Recorder
from tests.bench.figure import Figure, progress
from tests.bench.pace import paced, quantile
from tests.pty_console import PrivateHome

RATE, SECONDS = 10_000, 5.0
CHUNK, PAIRS = 100, 150
FIELDS: dict[str, Any] = {
    "actor_type": "user",
    "actor_id": "42",
    "resource_type": "download",
    "resource_id": "9f3a",
    "status": "failed",
    "metadata": {"title": "Harbour Lights", "error": "tracker timed out", "progress": 42, "node": "n3"},
}
_FILLED = """
import resource, sys
from store.recorder import Recorder, RecorderOptions
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
text = "x" * int(sys.argv[1])
# A store that nobody can reach: everything waits in memory.
recorder = Recorder("postgresql://nobody@127.0.0.1:9/nothing")
recorder.record("bench.warm_up")
recorder.flush(1.0)
idle = rss()
while recorder.record("bench.filled", metadata={"text": text}):
    pass
assert recorder.stats().dropped == {"queue full": 1}, recorder.stats()
print(rss() - idle)
recorder.close(0.1)
"""


def run() -> Iterator[Figure]:
    """Latency of `record()` while its writer stores what it is given, and what a full queue takes."""
    with PrivateHome() as home:
        recorder = Recorder(f"sqlite:///{home.directory / 'recorded.db'}")
        try:
            record = _recording(recorder)
            paced(record, RATE, 0.5)
            taken = paced(record, RATE, SECONDS)
            assert recorder.flush(30.0)
            stats = recorder.stats()
            assert (stats.balance, stats.dropped) == (0, {}), stats
            yield Figure("record_median_us", statistics.median(taken) * 1e6, "µs", "<= 10")
            yield Figure("record_p99_us", quantile(taken, 0.99) * 1e6, "µs", "<= 100")
            yield Figure("record_to_queue_handler", _ratio(recorder), "times", "<= 1.0")
        finally:
            recorder.close()
    yield Figure("full_queue_mb", max(_filled(size) for size in (100, 60_000)), "MB", "<= 64")


def _recording(recorder: Recorder) -> Callable[[int], object]:
    def record(_number: int) -> bool:
        return recorder.record("download.failed", **FIELDS)

    return record


def _ratio(recorder: Recorder) -> float:
    """The median call of `record()` over that of `QueueHandler.emit` with a dict of the same fields, both drained."""
    queue: Queue[logging.LogRecord] = Queue(-1)
    handler, listener = QueueHandler(queue), QueueListener(queue, logging.NullHandler())
    record = logging.makeLogRecord({"msg": {"event_type": "download.failed", **FIELDS}, "levelno": 20})
    listener.start()
    ours: list[float] = []
    theirs: list[float] = []
    try:
        for _ in range(PAIRS):
            for call, taken in ((_recording(recorder), ours), (lambda _: handler.emit(record), theirs)):
                for number in range(CHUNK):
                    before = time.perf_counter()
                    call(number)
                    taken.append(time.perf_counter() - before)
                time.sleep(0.005)
            assert recorder.flush(30.0)
    finally:
        listener.stop()
    medians = [statistics.median(taken) * 1e6 for taken in (ours, theirs)]
    progress(f"recording: record() {medians[0]:.1f} µs, QueueHandler.emit {medians[1]:.1f} µs")
    return medians[0] / medians[1]


def _filled(size: int) -> float:
    """By how many megabytes a process grows whose queue is full of events with metadata of `size` bytes."""
    output = subprocess.run(
        [sys.executable, "-c", _FILLED, str(size)], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    megabytes = int(output) / 1_000_000
    progress(f"recording: a queue full of events of {size} bytes takes {megabytes:.0f} MB")
    return megabytes
